// What can be done with a message: one row of buttons that stands on the message that is pointed at or has the focus.
import { h, replace } from "./dom";
import { EMOJI } from "./emoji";
import type { Row } from "./chatRows";
import type { Line } from "./chatLine";

export type Deeds = {
  react(row: Row, name: string): void;
  reply(row: Row): void;
  edit(row: Row): void;
  tell(action: string, content: Record<string, unknown>): void;
};

const TEXT_SENT = 2000;

export class ChatTools {
  readonly el = h("div", { class: "spnb-tools", role: "toolbar", "aria-label": "this message" });
  /** Whether somebody is about to use them: then the messages must not move. */
  busy = false;
  private line: Line | null = null;
  private sure = "";

  constructor(
    private readonly deeds: Deeds,
    private readonly me: () => { id: string; moderator: boolean },
    private readonly settled: () => void,
    private readonly leave: () => void,
  ) {
    // A pointer that rests where the tools appear means nothing by it; one that moves on them does.
    this.el.addEventListener("pointermove", () => (this.busy = true));
    this.el.addEventListener("pointerleave", () => this.rest());
    this.el.addEventListener("click", (event) => {
      // Who clicked is done; who came by keyboard stays where they are.
      if (event.detail > 0 && !this.sure && this.line) this.leave();
      this.rest();
    });
  }

  /** Stand on this line; on none without one. */
  on(line: Line | null): void {
    if (line === this.line) return;
    this.line = line;
    this.sure = "";
    this.el.remove();
    if (!line) {
      this.busy = false;
      return;
    }
    this.fill();
    line.append(this.el);
  }

  private rest(): void {
    this.busy = false;
    this.settled();
  }

  get holder(): Line | null {
    return this.line;
  }

  private fill(): void {
    const row = this.line?.spnbRow;
    if (!row) return;
    const { id, moderator } = this.me();
    const mine = row.user === id;
    const button = (label: string, text: string, click: () => void) =>
      h("button", { type: "button", title: label, "aria-label": `${label}: ${row.name}`, click }, text);
    // What cannot be taken back asks once more.
    const careful = (name: string, text: string, click: () => void) =>
      button(this.sure === name ? `${name}, really` : name, this.sure === name ? `${text}, really?` : text, () => {
        if (this.sure === name) {
          this.sure = "";
          click();
          this.fill();
          return;
        }
        this.sure = name;
        this.fill();
        [...this.el.querySelectorAll("button")].find((one) => one.title.startsWith(name))?.focus();
      });
    const message = row.id;
    replace(
      this.el,
      ...Object.entries(EMOJI).map(([name, picture]) => button(name, picture, () => this.deeds.react(row, name))),
      button("Reply", "Reply", () => this.deeds.reply(row)),
      mine && row.text.length <= TEXT_SENT && button("Edit", "Edit", () => this.deeds.edit(row)),
      moderator && button("Show on screen", "Show on screen", () => this.deeds.tell("chat_screen", { message })),
      moderator && button("Pin", "Pin", () => this.deeds.tell("chat_pin", { message })),
      !mine && button("Report", "Report", () => this.deeds.tell("chat_flag", { message })),
      moderator && !mine && button("Mute for 5 minutes", "Mute", () => this.deeds.tell("chat_mute", { user: row.user, seconds: 300 })),
      moderator && !mine && careful("Ban", "Ban", () => this.deeds.tell("chat_ban", { user: row.user })),
      (mine || moderator) && careful("Delete", "Delete", () => this.deeds.tell("chat_delete", { message })),
    );
  }
}
