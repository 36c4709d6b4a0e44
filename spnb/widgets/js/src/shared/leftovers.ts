// Rooms of the host's that are still live from elsewhere: one banner for each, to go on with it or to end it.
import { h, replace } from "./dom";
import type { Session } from "./session";
import type { Link } from "./widget";

type Leftover = { id: string; title: string; status: string };

/** What ending does, in words: it is asked about with them. */
export const OVER = "The stream ends for everybody, and this room is over for good: it cannot go live again.";

/** Ask in a banner that is shown whether to leave the air; the safe answer has the focus. */
export function askToLeave(banner: HTMLElement, words: string, leave: string, answer: (yes: boolean) => void): void {
  const stay = h("button", { type: "button", click: () => answer(false) }, "Stay on air");
  replace(banner, h("span", {}, words), h("button", { type: "button", class: "spnb-danger", click: () => answer(true) }, leave), stay);
  stay.focus();
}

export function leftovers<P>(link: Link, session: Session<P>): HTMLElement {
  const el = h("div");
  let ending = "";

  const button = (text: string, kind: string, click: () => void) => h("button", { type: "button", class: kind, click }, text);
  const turn = (room: string) => () => {
    ending = room;
    draw();
    el.querySelector<HTMLElement>(`[data-room="${CSS.escape(room)}"] button:last-child`)?.focus();
  };

  function banner({ id, title }: Leftover): HTMLElement {
    const asked = [
      h("span", {}, OVER),
      button("End now", "spnb-danger", () => session.send("end_leftover", { room: id })),
      button("Keep it", "", turn("")),
    ];
    const plain = [
      h("span", {}, "You have a room still live: ", h("bdi", {}, title)),
      button("Resume", "spnb-primary", () => session.send("adopt", { room: id })),
      button("End", "spnb-danger", turn(id)),
    ];
    return h("div", { class: "spnb-banner", role: "alert", "data-room": id }, ...(ending === id ? asked : plain));
  }

  function draw(): void {
    replace(el, ...link.get<Leftover[]>("leftovers").map(banner));
  }

  link.follow(["leftovers"], draw);
  return el;
}
