// One line of the table of rooms. What has not changed stays as it is, so that a focus, a question that is open and words
// that are being typed live through whatever else becomes of the list.
import { h, replace, say } from "./dom";
import { clock, label, moment } from "./format";
import { OVER } from "./leftovers";
import { findingBadge } from "./moderation";
import type { Row } from "./rows";
import type { Link } from "./widget";

const COPIED_MS = 2000;
type State = "" | "editing" | "asking" | "stopping";
/** What is asked before something that cannot be taken back. */
const ASKS = {
  asking: { name: "delete this room?", text: "Delete for good?", yes: "Delete", command: "delete", opener: ".spnb-delete" },
  stopping: { name: "end this stream?", text: OVER, yes: "End now", command: "stop", opener: ".spnb-stop" },
};

function button(text: string, work: () => void, danger = false): HTMLButtonElement {
  return h("button", { type: "button", class: danger ? "spnb-danger" : "", click: work }, text);
}

export class RoomLine {
  readonly el: HTMLTableRowElement;
  readonly picture = h("img", { alt: "", hidden: true });
  private readonly title = h("td");
  private readonly cells = Array.from({ length: 7 }, () => h("td"));
  private readonly actions = h("td");
  private readonly badge = h("span", { class: "spnb-badge" });
  private state: State = "";
  private shown = { title: "", actions: "", moderation: "" };
  private row: Row;

  constructor(
    row: Row,
    private readonly link: Link,
  ) {
    this.row = row;
    const [, creator, , status, time] = this.cells;
    creator?.setAttribute("dir", "auto");
    time?.classList.add("spnb-timer");
    status?.append(this.badge);
    const face = h("td", {}, h("span", { class: "spnb-thumb" }, this.picture));
    this.el = h("tr", { "data-room": row.id }, face, this.title, ...this.cells, this.actions);
    this.draw(row);
  }

  /** Show the row as it is now. */
  draw(row: Row): void {
    this.row = row;
    const [type, creator, products, , , moderation, created] = this.cells;
    say(type, row.type === "coHosts" ? "Co-hosts" : "Direct");
    say(creator, row.creator);
    say(products, row.products ? String(row.products) : "–");
    say(this.badge, label(row.status));
    this.badge.dataset["status"] = row.status;
    say(created, row.created ? moment(row.created) : "–");
    if (moderation && (this.shown.moderation !== row.moderation || !moderation.textContent)) {
      this.shown.moderation = row.moderation;
      replace(moderation, row.moderation ? findingBadge(row.moderation) : "–");
    }
    this.tick();
    this.drawTitle();
    this.drawActions();
  }

  /** The time on air goes on. */
  tick(): void {
    const { row } = this;
    const seconds = row.since && row.status === "live" ? Date.now() / 1000 - row.since : row.seconds;
    say(this.cells[4], seconds ? clock(seconds) : "–");
  }

  private turn(state: State): void {
    this.state = state;
    this.drawTitle();
    this.drawActions();
  }

  private drawTitle(): void {
    const { row } = this;
    const now = this.state === "editing" ? "editing" : `shown ${row.title}`;
    if (now === this.shown.title) return;
    this.shown.title = now;
    if (this.state !== "editing") {
      replace(this.title, h("span", { class: "spnb-title", dir: "auto" }, row.title));
      return;
    }
    const title = h("input", { type: "text", "aria-label": "new title" });
    const description = h("input", { type: "text", "aria-label": "new description", placeholder: "description" });
    title.value = row.title;
    description.value = row.description;
    const done = () => {
      this.turn("");
      this.actions.querySelector("button")?.focus();
    };
    const form = h("form", { class: "spnb-small" }, title, description, h("button", { type: "submit" }, "Save"), button("Cancel", done));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.link.send("edit", { room: row.id, title: title.value, description: description.value });
      done();
    });
    replace(this.title, form);
    title.focus();
  }

  private drawActions(): void {
    const { row, link } = this;
    const mine = row.creator === link.get<string>("me");
    const live = row.status === "live" || row.status === "waitingReconnect";
    if (this.state === "stopping" && !live) this.state = "";
    const asks = this.state === "asking" || this.state === "stopping" ? ASKS[this.state] : undefined;
    const now = asks ? this.state : [mine, live, this.state].join();
    if (now === this.shown.actions) return;
    this.shown.actions = now;
    const copy: HTMLButtonElement = button("Copy id", () => void this.copy(copy));
    if (asks) {
      const keep = button("Keep", () => {
        this.turn("");
        this.actions.querySelector<HTMLElement>(asks.opener)?.focus();
      });
      const sure = button(asks.yes, () => {
        this.turn("");
        link.send(asks.command, { room: row.id });
      }, true);
      replace(this.actions, h("span", { class: "spnb-small", role: "alertdialog", "aria-label": asks.name }, asks.text, sure, keep));
      keep.focus();
      return;
    }
    const remove = button("Delete…", () => this.turn("asking"), true);
    remove.classList.add("spnb-delete");
    const stop = button("Stop…", () => this.turn("stopping"), true);
    stop.classList.add("spnb-stop");
    const own = [
      button("Edit", () => this.turn("editing")),
      live ? stop : null,
      remove,
    ];
    replace(this.actions, h("span", { class: "spnb-small" }, ...(mine ? own : []), copy));
  }

  private async copy(copy: HTMLElement): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.row.id);
      copy.textContent = "Copied";
    } catch {
      copy.textContent = this.row.id; // where the page may not write, it can be read
    }
    setTimeout(() => (copy.textContent = "Copy id"), COPIED_MS);
  }
}

