// A room's chat beside its picture: below it where there is no width, put away by a button, and not there without a chat.
// The pane's code comes with the hub and after the first paint, which it must not hold up.
import type { ChatPane, ChatState } from "./chatPane";
import type { News } from "./chatRows";
import { h, uniqueId } from "./dom";
import { short } from "./floating";
import { findHub } from "./hub";
import { Link, type Model } from "./widget";

export interface Beside {
  el: HTMLElement;
  /** Shows the chat or puts it away, and tells how much was said meanwhile. */
  toggle: HTMLButtonElement;
}

/** `main` with the chat beside it. `root` is the widget, which is wider with a chat. */
export function chatBeside(link: Link, model: Model, root: HTMLElement, main: HTMLElement): Beside {
  const side = h("div", { class: "spnb-aside", id: `spnb-${uniqueId()}` });
  const toggle = h("button", { type: "button", class: "spnb-fold", "aria-controls": side.id, click: fold });
  main.classList.add("spnb-main");
  const el = h("div", { class: "spnb-beside" }, main, side);
  let room = "";
  let folded = false;
  let missed = 0;
  let own: Link | undefined;
  let pane: ChatPane | undefined;

  function fold() {
    folded = !folded;
    missed = 0;
    draw();
    pane?.sleep(folded);
  }

  function draw() {
    const { room: now = "", there } = link.get<ChatState>("chat_state");
    const wanted = there ? now : "";
    if (wanted !== room) {
      room = wanted;
      leave();
      if (room) void join(room);
    }
    toggle.hidden = !room;
    side.hidden = !room || folded;
    root.classList.toggle("spnb-talking", !side.hidden);
    drawToggle();
  }

  function drawToggle() {
    toggle.textContent = folded ? (missed ? `Show chat · ${short(missed)} new` : "Show chat") : "Hide chat";
    toggle.setAttribute("aria-expanded", String(!folded));
  }

  async function join(wanted: string) {
    let hub;
    try {
      [hub] = await Promise.all([findHub(model), painted()]);
    } catch (error) {
      const again = h("button", { type: "button", click: () => void join(wanted) }, "Try again");
      if (wanted === room) side.replaceChildren(h("div", { class: "spnb-banner", role: "alert" }, h("span", {}, (error as Error).message), again));
      return;
    }
    if (wanted !== room || own) return;
    side.replaceChildren();
    own = new Link(model);
    pane = new hub.ChatPane(own);
    pane.sleep(folded);
    side.append(pane.el);
  }

  function leave() {
    own?.end();
    own = pane = undefined;
    missed = 0;
    side.replaceChildren();
  }

  link.hear((reply) => {
    if (!folded || reply.type !== "chat" || reply["all"]) return;
    const news = reply as unknown as News;
    missed += news.count ?? news.rows.length;
    drawToggle();
  });
  link.follow(["chat_state"], draw);
  link.atEnd(() => {
    room = "";
    leave();
  });
  return { el, toggle };
}

/** After the next frame; a page that is not looked at has none, and is not waited for. */
function painted(): Promise<void> {
  return new Promise((resolve) => {
    if (document.hidden) resolve();
    else requestAnimationFrame(() => setTimeout(resolve));
  });
}
