// One message of a chat. Everything users wrote becomes a text node.
import { h } from "./dom";
import { emoji } from "./emoji";
import { minute, moment } from "./format";
import type { Row } from "./chatRows";

const ROLES: Record<string, string> = { host: "HOST", moderator: "MOD" };
const LONG_TEXT = 300;

export type Line = HTMLLIElement & { spnbRow?: Row };

/** Write a message into its line; what else hangs on the line, its tools, stays. */
export function fill(line: Line, row: Row, react: (row: Row, name: string) => void): void {
  if (line.spnbRow === row) return;
  line.spnbRow = row;
  line.classList.toggle("spnb-forme", !!row.forMe);
  const role = row.role ? ROLES[row.role] : undefined;
  const body = h(
    "div",
    { class: "spnb-said" },
    h("span", { class: "spnb-who", dir: "auto" }, row.name || row.user),
    role && h("span", { class: "spnb-role", "data-role": row.role }, role),
    row.forMe && h("span", { class: "spnb-role" }, "@you"),
    row.at ? h("span", { class: "spnb-when", title: moment(row.at) }, minute(row.at)) : false,
    row.edited && h("span", { class: "spnb-when" }, "edited"),
    !!row.flags && h("span", { class: "spnb-role", "data-role": "flag" }, `⚑ ${row.flags} reported`),
    row.quote && h("div", { class: "spnb-quote", dir: "auto" }, quoted(row.quote)),
    h("div", { class: long(row.text) ? "spnb-words spnb-long" : "spnb-words", dir: "auto" }, row.text),
  );
  const reactions = Object.entries(row.reactions ?? {});
  if (reactions.length) {
    body.append(
      h(
        "div",
        { class: "spnb-tallies" },
        ...reactions.map(([name, count]) =>
          h(
            "button",
            {
              type: "button",
              tabindex: "-1",
              "aria-pressed": String(!!row.mine?.includes(name)),
              "aria-label": `${name}: ${count}${row.mine?.includes(name) ? ", yours too" : ""}`,
              click: () => react(row, name),
            },
            `${emoji(name)} ${count}`,
          ),
        ),
      ),
    );
  }
  const before = line.querySelector(":scope > .spnb-said");
  if (before) before.replaceWith(body);
  else line.prepend(body);
}

/** Whether a text may need to scroll in itself; a hundred boxes that could would cost at every frame. */
function long(text: string): boolean {
  return text.length > LONG_TEXT || text.includes("\n");
}

export function quoted(quote: { name: string; text: string }): string {
  return quote.name ? `↩ ${quote.name}: ${quote.text}` : "↩ an earlier message";
}

/** Bring the lines of a list to these rows: what stays is not touched, so that hundreds a second cost little. */
export function draw(
  list: HTMLElement,
  lines: Map<string, Line>,
  rows: Map<string, Row>,
  react: (row: Row, name: string) => void,
): void {
  for (const [id, line] of lines) {
    if (rows.has(id)) continue;
    line.remove();
    lines.delete(id);
  }
  let place = list.firstElementChild;
  for (const [id, row] of rows) {
    let line = lines.get(id);
    if (line) {
      place = line.nextElementSibling;
    } else {
      line = h("li", { class: "spnb-line", tabindex: "-1" });
      line.dataset["id"] = id;
      lines.set(id, line);
      list.insertBefore(line, place);
    }
    fill(line, row, react);
  }
}
