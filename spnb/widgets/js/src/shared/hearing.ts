// anywidget gives a model 2 s from its making to be initialised. On a page that is busy for longer the widget is drawn all
// the same, and what the kernel says to it is thrown away for ever: each message waits for a promise that was refused.
// Such a model gets the handler of the class below anywidget's, which waits for nothing, and is told anew how all stands.
import { h } from "./dom";
import type { Model, View } from "./widget";

type Message = { content: { data: { state?: Record<string, unknown> } } };
type Handler = (message: Message) => Promise<unknown>;
/** A model as Jupyter's front ends have it; anywidget gives a module a few functions of it. */
type Whole = { _handle_comm_msg: Handler; comm?: { on_msg(heard: Handler): void; send(content: unknown): void } };

const NAME = "spnb_whole";
const TURNS = 20;
/** How long the whole state may take, in milliseconds; then what is known is drawn. */
const STATE_MS = 20_000;
/** A message that no handler does anything with: it only tells whether one would. */
const NOTHING: Message = { content: { data: {} } };
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

/** Returns once all has come, or did not in time. */
function mend(deaf: Whole): Promise<void> {
  let its: object = deaf;
  while (!Object.hasOwn(its, "_handle_comm_msg")) its = Object.getPrototypeOf(its) as object;
  const below = (Object.getPrototypeOf(its) as Whole)._handle_comm_msg.bind(deaf);
  return new Promise((resolve) => {
    setTimeout(resolve, STATE_MS);
    deaf.comm?.on_msg(async (message) => {
      await below(message);
      if (message.content.data.state?.["_esm"] !== undefined) resolve();
    });
    deaf.comm?.send({ method: "request_state" });
  });
}

/** Have a model hear its kernel: where it does not, before anything that is said from now on can be answered. */
async function hears(model: Model): Promise<void> {
  const its = whole(model);
  if (!its || mended.has(its)) return;
  let deaf = false;
  its._handle_comm_msg(NOTHING).catch(() => (deaf = true));
  // A refusal is there at once. One that hears may wait for what calls this.
  for (let turn = 0; turn < TURNS; turn++) await Promise.resolve();
  if (!deaf) return;
  await mend(its);
  mended.add(its);
}

type Given = { model: Model };
type Widget = { initialize?(given: Given): void; render(view: View): unknown };

/** A widget's module that draws no view before its model hears the kernel and knows how all stands. */
export function hearing<W extends Widget>(widget: W): W & { initialize(given: Given): Promise<void> } {
  const initialize = (given: Given) => {
    widget.initialize?.(given);
    return hears(given.model).catch(() => undefined); // its views say so
  };
  return { ...widget, initialize };
}

/** Say in `el` where a model hears nothing, and cannot be mended. */
export async function listen(model: Model, el: HTMLElement): Promise<void> {
  try {
    await hears(model);
  } catch {
    const again = () => {
      told.remove();
      void listen(model, el);
    };
    const told = h("div", { class: "spnb-banner", role: "alert" }, h("span", {}, WORDS), h("button", { type: "button", click: again }, "Try again"));
    el.prepend(told);
  }
}
