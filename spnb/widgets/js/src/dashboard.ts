// Many streams: a period in cards, its streams in a table, and the page of each.
import { addressOf } from "./shared/blob";
import { card, cards, type Card } from "./shared/cards";
import { frame, h, replace } from "./shared/dom";
import { label } from "./shared/format";
import { hearing } from "./shared/hearing";
import { StreamPage } from "./shared/streamPage";
import { Link, type View } from "./shared/widget";

type Look = {
  start: string;
  end: string;
  zone: string;
  text: string;
  kind: string;
  sort: string;
  descending: boolean;
  page: number;
};
type Column = { name: string; label: string; about: string; number: boolean };
type Row = { id: string; title: string; creator: string; status: string; cells: string[] };

const DAY = 86_400_000;
const PRESETS: [string, number][] = [
  ["7 days", 7],
  ["30 days", 30],
  ["90 days", 90],
];
const TYPING_MS = 200;
const KINDS: Record<string, string> = { coHosts: "Co-hosts", directStreaming: "Direct streaming" };

const daysBefore = (day: string, days: number) =>
  new Date(Date.parse(`${day}T00:00:00Z`) - (days - 1) * DAY).toISOString().slice(0, 10);

export default hearing({
  render({ model, el }: View) {
    const link = new Link(model);
    let look = { ...link.get<Look>("look") };
    let asked = 0;
    let have = "";
    let typing: ReturnType<typeof setTimeout> | undefined;
    let from = "";

    const start = h("input", { type: "date", "aria-label": "first day" });
    const end = h("input", { type: "date", "aria-label": "last day" });
    const zone = h("select", { "aria-label": "time zone" });
    const text = h("input", { type: "text", placeholder: "Search title, creator, id", "aria-label": "search streams" });
    const kind = h("select", { "aria-label": "type" }, h("option", { value: "" }, "Any type"));
    const save = h("button", { type: "button", click: () => link.send("csv") }, "Download CSV");
    const before = h("button", { type: "button", click: () => change({ page: look.page - 1 }) }, "‹ Previous");
    const after = h("button", { type: "button", click: () => change({ page: look.page + 1 }) }, "Next ›");
    const where = h("span", { class: "spnb-note", role: "status" });
    const error = h("p", { class: "spnb-error", role: "alert" });
    const count = h("h4");
    const body = h("tbody");
    const kpis = cards("the period");
    const heads = h("tr");
    const presets = h("span", { class: "spnb-row spnb-presets" });
    const overview = h("div", { class: "spnb-overview" });
    const page = new StreamPage(link, back);

    /** Look at something else. What is not of the table's page begins with its first. */
    function change(wish: Partial<Look>) {
      look = { ...look, page: 0, ...wish };
      ask();
    }

    function ask() {
      asked += 1;
      overview.setAttribute("aria-busy", "true");
      link.send("look", { look, ask: asked, have });
    }

    function open(row: Row) {
      from = row.id;
      overview.setAttribute("aria-busy", "true");
      page.ask(row.id);
    }

    function back() {
      page.leave();
      link.send("back");
      overview.hidden = false;
      if (!have) ask();
      // The keyboard goes on where it was.
      (body.querySelector<HTMLElement>(`tr[data-room="${CSS.escape(from)}"] button`) ?? text).focus();
    }

    function drawHeads() {
      replace(
        heads,
        ...link.get<Column[]>("columns").map((column) => {
          const sorted = look.sort === column.name;
          const arrow = sorted ? (look.descending ? " ▼" : " ▲") : "";
          const turn = () => change({ sort: column.name, descending: sorted ? !look.descending : column.name !== "title" });
          return h(
            "th",
            {
              scope: "col",
              class: column.number ? "spnb-figure" : "",
              title: column.about,
              "aria-sort": sorted ? (look.descending ? "descending" : "ascending") : "none",
            },
            h("button", { type: "button", "data-sort": column.name, click: turn }, column.label, arrow),
          );
        }),
      );
    }

    function line(row: Row): HTMLElement {
      const columns = link.get<Column[]>("columns");
      const opener = h("button", { type: "button", class: "spnb-open", dir: "auto" }, row.title);
      const state = row.status && row.status !== "recorded" ? label(row.status) : "";
      return h(
        "tr",
        { "data-room": row.id, click: () => open(row) },
        h("th", { scope: "row" }, opener, h("span", { class: "spnb-note" }, h("bdi", {}, row.creator), row.creator && state ? " · " : "", state)),
        ...row.cells.map((cell, at) => h("td", { class: columns[at + 1]?.number ? "spnb-figure" : "spnb-went" }, cell)),
      );
    }

    function drawControls() {
      [start.value, end.value] = [look.start, look.end];
      kind.value = look.kind;
      if (document.activeElement !== text) text.value = look.text;
      if (!zone.options.length) {
        const names = ["UTC", ...Intl.supportedValuesOf("timeZone").filter((name) => name !== "UTC")];
        const all = names.includes(look.zone) ? names : [look.zone, ...names];
        zone.append(...all.map((name) => h("option", { value: name }, name.replaceAll("_", " "))));
      }
      zone.value = look.zone;
      const [first = "", last = ""] = link.get<string[]>("reach");
      const button = (name: string, from: string) =>
        h(
          "button",
          {
            type: "button",
            "aria-pressed": String(look.start === from && look.end === last),
            click: () => change({ start: from, end: last }),
          },
          name,
        );
      const known = PRESETS.map(([name, days]): [string, string] => [name, daysBefore(last, days)]);
      known.push(["All", first]);
      const focused = [...presets.children].indexOf(document.activeElement as Element);
      replace(presets, ...known.map(([name, from]) => button(name, from)));
      if (focused >= 0) (presets.children[focused] as HTMLElement).focus();
    }

    function keepFocus(work: () => void) {
      const sort = (document.activeElement as HTMLElement | null)?.dataset["sort"];
      const mine = el.contains(document.activeElement);
      work();
      if (mine && sort) heads.querySelector<HTMLElement>(`button[data-sort="${sort}"]`)?.focus();
    }

    link.hear((reply, buffers) => {
      if (reply.type === "look" && reply["ask"] === asked) {
        look = reply["look"] as Look;
        have = String(reply["period"]);
        overview.removeAttribute("aria-busy");
        if (reply["cards"]) replace(kpis, ...(reply["cards"] as Card[]).map(card));
        keepFocus(drawHeads);
        replace(body, ...(reply["rows"] as Row[]).map(line));
        const [all, pages] = [Number(reply["count"]), Number(reply["pages"])];
        count.textContent = all === 1 ? "1 stream" : `${all.toLocaleString("en")} streams`;
        where.textContent = `Page ${look.page + 1} of ${pages}`;
        before.disabled = look.page === 0;
        after.disabled = look.page >= pages - 1;
        save.disabled = all === 0;
        drawControls();
        overview.dataset["shown"] = String(asked);
      } else if (reply.type === "stream") {
        overview.removeAttribute("aria-busy");
        overview.hidden = true;
      } else if (reply.type === "csv" && buffers[0]) {
        const address = addressOf(buffers[0], "text/csv");
        h("a", { href: address, download: `streams ${look.start} to ${look.end}.csv` }).click();
        setTimeout(() => URL.revokeObjectURL(address), 1000);
      }
    });
    for (const [name, control] of Object.entries({ start, end, zone, kind }))
      control.addEventListener("change", () => {
        // A date that was cleared is none; what is asked for stays.
        if (control.value || name === "kind") change({ [name]: control.value });
      });
    text.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => change({ text: text.value }), TYPING_MS);
    });
    link.atEnd(() => clearTimeout(typing));
    link.follow(["error"], () => {
      error.textContent = link.get<string>("error");
      if (error.textContent) overview.removeAttribute("aria-busy");
    });
    kind.append(...link.get<string[]>("kinds").map((name) => h("option", { value: name }, KINDS[name] ?? name)));
    kind.hidden = link.get<string[]>("kinds").length < 2;
    overview.append(
      h(
        "div",
        { class: "spnb-filters" },
        presets,
        h("span", { class: "spnb-range" }, start, h("span", { "aria-hidden": "true" }, "–"), end),
        zone,
      ),
      kpis,
      h("div", { class: "spnb-head spnb-row" }, count, h("span", { class: "spnb-note" }), save),
      h("div", { class: "spnb-filters" }, text, kind),
      h("div", { class: "spnb-scroll" }, h("table", { class: "spnb-table spnb-streams" }, h("thead", {}, heads), body)),
      h("div", { class: "spnb-row" }, before, where, after),
    );
    frame(el, "spnb-wide");
    link.mourn(el);
    el.append(h("section", { class: "spnb-card spnb-dashboard" }, error, overview, page.el));
    drawControls();
    drawHeads();
    where.textContent = "Reckoning …";
    const opened = link.get<string>("room");
    if (opened) page.ask(opened);
    else ask();
    return () => link.end();
  },
});
