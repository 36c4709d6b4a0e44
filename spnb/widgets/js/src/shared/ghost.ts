// What a card says of a room that is live without a publisher; who owns it may end it, and is asked first.
import { h } from "./dom";
import { OVER } from "./leftovers";
import type { Row } from "./rows";
import type { Link } from "./widget";

export class Ghost {
  readonly el: HTMLElement;
  private readonly end: HTMLButtonElement;
  private readonly asked: HTMLElement;
  private readonly keep: HTMLButtonElement;
  private asking = false;
  private mine = false;

  constructor(
    id: string,
    private readonly link: Link,
  ) {
    const button = (text: string, kind: string, click: () => void) => h("button", { type: "button", class: kind, click }, text);
    this.end = button("End ghost…", "spnb-danger", () => this.ask(true));
    const sure = button("End now", "spnb-danger", () => {
      this.ask(false);
      link.send("stop", { room: id });
    });
    this.keep = button("Keep", "", () => this.ask(false));
    this.asked = h("span", { class: "spnb-small", role: "alertdialog", "aria-label": "end this stream?" }, OVER, sure, this.keep);
    this.el = h("div", { class: "spnb-ghost" }, h("span", { class: "spnb-note" }, "Live without a publisher"), this.end, this.asked);
  }

  /** Show the room as it is now; a question that is open stays. */
  draw(row: Row): void {
    this.el.hidden = !row.ghost;
    this.mine = row.creator === this.link.get<string>("me");
    if (!row.ghost || !this.mine) this.asking = false;
    this.turn();
  }

  private ask(whether: boolean): void {
    this.asking = whether;
    this.turn();
    (whether ? this.keep : this.end).focus();
  }

  private turn(): void {
    this.end.hidden = !this.mine || this.asking;
    this.asked.hidden = !this.asking;
  }
}
