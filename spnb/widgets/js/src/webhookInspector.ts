// Webhooks that came in, newest first: what they were, whether they were let in, and what became of them.
import { frame, h, replace } from "./shared/dom";
import { PAGE, chosenDeliveries, type DeliveryRow } from "./shared/deliveries";
import { hearing } from "./shared/hearing";
import { Link, type View } from "./shared/widget";

const COLUMNS = ["Time", "Event", "Room", "Verified", "Copies", "Handled", "Actions"];
const STATES: [string, string][] = [
  ["", "All"],
  ["verified", "Verified"],
  ["refused", "Refused"],
  ["failed", "Handler failed"],
  ["copies", "Came more than once"],
];

export default hearing({
  render({ model, el }: View) {
    const link = new Link(model);
    const rows = new Map<string, DeliveryRow>();
    const bodies = new Map<string, string>();
    const opened = new Set<string>();
    const lines = new Map<string, { row: DeliveryRow; open: boolean; line: HTMLElement; body: HTMLElement | null }>();
    let page = 0;
    let waiting = false;

    const heading = h("h3", {});
    const table = h("tbody");
    const error = h("p", { class: "spnb-error", role: "alert" });
    const said = h("span", { class: "spnb-note", role: "status" });
    const text = h("input", { type: "text", placeholder: "Search event or room", "aria-label": "search webhooks" });
    const state = h("select", { "aria-label": "state" }, ...STATES.map(([value, name]) => h("option", { value }, name)));
    const empty = h("p", { class: "spnb-empty" });
    const newer = h("button", { type: "button", click: () => turn(-1) }, "‹ Newer");
    const older = h("button", { type: "button", click: () => turn(1) }, "Older ›");
    const where = h("span", { class: "spnb-note" });
    const pager = h("div", { class: "spnb-row" }, newer, where, older);
    for (const control of [text, state])
      control.addEventListener("input", () => {
        page = 0;
        draw();
      });

    function turn(pages: number): void {
      page += pages;
      draw();
    }

    function toggle(row: DeliveryRow): void {
      if (opened.delete(row.id)) bodies.delete(row.id);
      else {
        opened.add(row.id);
        link.send("body", { id: row.id });
      }
      draw();
      table.querySelector<HTMLElement>(`tr[data-delivery="${CSS.escape(row.id)}"] button`)?.focus();
    }

    function actions(row: DeliveryRow, open: boolean): HTMLElement | null {
      if (row.refused) return null;
      const id = `spnb-body-${link.client}-${row.id}`;
      const show = h(
        "button",
        { type: "button", "aria-expanded": String(open), "aria-controls": open ? id : null, click: () => toggle(row) },
        open ? "Hide body" : "Body",
      );
      const again = h("button", { type: "button", click: () => link.send("replay", { id: row.id }) }, "Replay");
      again.setAttribute("aria-label", `replay ${row.name}, number ${row.id}`);
      return h("span", { class: "spnb-small" }, show, again);
    }

    function line(row: DeliveryRow, open: boolean): HTMLElement {
      const at = new Date(row.at * 1000);
      const same = row.event === row.name;
      return h(
        "tr",
        { "data-delivery": row.id },
        h("td", { class: "spnb-timer", title: at.toISOString() }, `${at.toISOString().slice(11, 19)} UTC`),
        h("td", {}, h("span", { class: "spnb-title", dir: "auto" }, row.name || "–"), same ? null : h("div", { class: "spnb-note" }, row.event)),
        h("td", { class: "spnb-id" }, row.room || "–"),
        h("td", {}, row.refused ? h("span", { class: "spnb-over" }, `✕ ${row.refused}`) : `✓ ${row.source}`),
        h("td", {}, row.refused ? "–" : String(row.copies)),
        h("td", {}, row.handled === "failed" ? h("span", { class: "spnb-over" }, "✕ failed") : row.handled || "–"),
        h("td", {}, actions(row, open)),
      );
    }

    function shown(row: DeliveryRow): HTMLElement[] {
      const open = opened.has(row.id);
      let kept = lines.get(row.id);
      // A line that is the same is kept as it is: what comes in takes the focus from nothing.
      if (!kept || kept.row !== row || kept.open !== open) {
        kept = { row, open, line: line(row, open), body: open ? (kept?.body ?? bodyLine(row)) : null };
        lines.set(row.id, kept);
      }
      const pre = kept.body?.querySelector("pre");
      if (pre) pre.textContent = bodies.get(row.id) ?? "…";
      return kept.body ? [kept.line, kept.body] : [kept.line];
    }

    function bodyLine(row: DeliveryRow): HTMLElement {
      const pre = h("pre", { class: "spnb-body", id: `spnb-body-${link.client}-${row.id}`, tabindex: "0" });
      return h("tr", {}, h("td", { colspan: String(COLUMNS.length) }, pre));
    }

    function draw(): void {
      const found = chosenDeliveries(rows.values(), text.value, state.value);
      const pages = Math.max(1, Math.ceil(found.length / PAGE));
      page = Math.min(page, pages - 1);
      heading.textContent = `Webhooks · ${found.length}`;
      const onPage = found.slice(page * PAGE, (page + 1) * PAGE);
      const before = document.activeElement;
      const focused = before instanceof HTMLElement && table.contains(before) ? before : null;
      replace(table, ...onPage.flatMap(shown));
      // Moved down by a newer line, a button would lose the focus.
      if (focused?.isConnected && document.activeElement !== focused) focused.focus();
      empty.hidden = found.length > 0;
      empty.textContent = rows.size ? "None of them fits." : "No webhooks yet.";
      pager.hidden = pages < 2;
      newer.disabled = page === 0;
      older.disabled = page === pages - 1;
      where.textContent = `${page + 1} of ${pages}`;
    }

    function drawSoon(): void {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        draw();
      });
    }

    link.hear((reply) => {
      if (reply.type === "rows") {
        if (reply["all"]) rows.clear();
        for (const row of reply["rows"] as DeliveryRow[]) rows.set(row.id, row);
        for (const id of reply["gone"] as string[]) {
          rows.delete(id);
          lines.delete(id);
          opened.delete(id);
        }
        drawSoon();
      } else if (reply.type === "body") {
        bodies.set(String(reply["id"]), String(reply["text"]));
        drawSoon();
      } else if (reply.type === "replayed") {
        said.textContent = `number ${String(reply["id"])} was handled again`;
      }
    });
    link.follow(["error"], () => {
      error.textContent = link.get<string>("error");
    });
    frame(el, "spnb-wide");
    link.mourn(el);
    el.append(
      h(
        "section",
        { class: "spnb-card", "aria-label": "webhooks" },
        h("div", { class: "spnb-head" }, heading, said),
        h("div", { class: "spnb-filters" }, text, state),
        error,
        h(
          "div",
          { class: "spnb-scroll spnb-tall", role: "group", tabindex: 0, "aria-label": "deliveries" },
          h(
            "table",
            { class: "spnb-table spnb-deliveries" },
            h("thead", {}, h("tr", {}, ...COLUMNS.map((name) => h("th", { scope: "col" }, name)))),
            table,
          ),
        ),
        empty,
        pager,
      ),
    );
    draw();
    link.send("hello");
    return () => link.end();
  },
});
