// anywidget gives a model 2 s from its making to be initialised. On a page that is busy for longer the widget is drawn all
// the same, and what the kernel says to it is thrown away for ever: each message waits for a promise that was refused.
// Such a model gets the handler of the class below anywidget's, which waits for nothing, and is told anew how all stands.
import { h } from "./dom";
import type { Model } from "./widget";

type Handler = (message: unknown) => Promise<unknown>;
/** A model as Jupyter's front ends have it; anywidget gives a module a few functions of it. */
type Whole = { _handle_comm_msg: Handler; comm?: { on_msg(heard: Handler): void; send(content: unknown): void } };

const NAME = "spnb_whole";
/** A message that no handler does anything with: it only tells whether one would. */
const NOTHING = { content: { data: {} } };
const WORDS = "This hears nothing of the kernel: the page was too busy when it was made. Run the cell again, or reload the page.";
const mended = new WeakSet<Whole>();

/** Of a change that stays in the page a listener is told whose it is. */
function whole(model: Model): Whole | undefined {
  let found: Whole | undefined;
  if (model.set && model.widget_manager.create_view) {
    const told = (its: Whole) => (found ??= its);
    model.on(`change:${NAME}`, told);
    model.set(NAME, true);
    model.off(`change:${NAME}`, told);
    model.set(NAME);
  }
  return found?.comm && found;
}

function mend(deaf: Whole): boolean {
  let its: object = deaf;
  while (!Object.hasOwn(its, "_handle_comm_msg")) its = Object.getPrototypeOf(its) as object;
  const below = (Object.getPrototypeOf(its) as Partial<Whole>)._handle_comm_msg;
  if (!below) return false;
  deaf.comm?.on_msg(below.bind(deaf));
  deaf.comm?.send({ method: "request_state" });
  return true;
}

/** Have a model hear its kernel: where it does not, before anything that is said from now on can be answered. */
async function hears(model: Model): Promise<boolean> {
  const its = whole(model);
  if (!its || mended.has(its)) return true;
  try {
    await its._handle_comm_msg(NOTHING);
    return true;
  } catch {
    if (mend(its)) mended.add(its);
    return mended.has(its);
  }
}

/** To be called when a module is given a model: one that is deaf is mended, and one that cannot be says so in `el`. */
export async function listen(model: Model, el?: HTMLElement): Promise<void> {
  if ((await hears(model).catch(() => false)) || !el) return;
  const again = () => {
    told.remove();
    void listen(model, el);
  };
  const told = h("div", { class: "spnb-banner", role: "alert" }, h("span", {}, WORDS), h("button", { type: "button", click: again }, "Try again"));
  el.prepend(told);
}
