// Search, filters, order and pages above a list of rooms.
import { h, replace } from "./dom";
import { label } from "./format";
import { chosen, type Row, type Rows, type Wanted } from "./rows";

export class Filters {
  readonly el: HTMLElement;
  readonly pager: HTMLElement;
  page = 0;
  private readonly text = h("input", { type: "text", placeholder: "Search", "aria-label": "search rooms" });
  private readonly status: HTMLSelectElement;
  private readonly type: HTMLSelectElement;
  private readonly community: HTMLSelectElement;
  private readonly sort: HTMLSelectElement;
  private readonly where = h("span", { class: "spnb-note", role: "status" });
  private readonly before = h("button", { type: "button", click: () => this.turn(-1) }, "‹ Previous");
  private readonly after = h("button", { type: "button", click: () => this.turn(1) }, "Next ›");
  private communities = "";

  constructor(
    statuses: string[],
    orders: [string, string][],
    private readonly size: number,
    private readonly changed: () => void,
  ) {
    const menu = (name: string, options: [string, string][]) =>
      h("select", { "aria-label": name }, ...options.map(([value, text]) => h("option", { value }, text)));
    this.status = menu("status", [["", "Any status"], ...statuses.map((name): [string, string] => [name, label(name)])]);
    this.type = menu("type", [
      ["", "Any type"],
      ["coHosts", "Co-hosts"],
      ["directStreaming", "Direct streaming"],
    ]);
    this.community = menu("community", [["", "Any community"]]);
    this.sort = menu("order", orders);
    for (const control of [this.text, this.status, this.type, this.community, this.sort])
      control.addEventListener("input", () => {
        this.page = 0;
        this.changed();
      });
    this.el = h("div", { class: "spnb-filters" }, this.text, this.status, this.type, this.community, this.sort);
    this.pager = h("div", { class: "spnb-row" }, this.before, this.where, this.after);
  }

  private turn(pages: number): void {
    this.page += pages;
    this.changed();
  }

  get wanted(): Wanted {
    return {
      text: this.text.value,
      status: this.status.value,
      type: this.type.value,
      community: this.community.value,
      sort: this.sort.value,
    };
  }

  /** The rows of the page that is looked at, and how many there are in all. */
  shown(rows: Rows): { rows: Row[]; all: number } {
    const names = [...new Set([...rows.rows.values()].map((row) => row.community).filter(Boolean))].sort();
    if (names.join() !== this.communities) {
      this.communities = names.join();
      const { value } = this.community;
      replace(
        this.community,
        h("option", { value: "" }, "Any community"),
        ...names.map((name) => h("option", { value: name }, name)),
      );
      this.community.value = names.includes(value) ? value : "";
    }
    this.community.hidden = !names.length;
    const found = chosen(rows.rows.values(), this.wanted);
    const pages = Math.max(1, Math.ceil(found.length / this.size));
    this.page = Math.min(this.page, pages - 1);
    this.pager.hidden = pages < 2;
    this.before.disabled = this.page === 0;
    this.after.disabled = this.page === pages - 1;
    this.where.textContent = `${this.page + 1} of ${pages}`;
    this.el.hidden = rows.rows.size < 2;
    const begin = this.page * this.size;
    return { rows: found.slice(begin, begin + this.size), all: found.length };
  }
}
