// All rooms, to look after them: the Console's table, with what its owner may do.
import { frame, h, replace } from "./shared/dom";
import { clock, label } from "./shared/format";
import { findingBadge } from "./shared/moderation";
import { Filters } from "./shared/roomList";
import { Rows, type Row } from "./shared/rows";
import { Link, type View } from "./shared/widget";

const PAGE = 25;
const STATUSES = ["idle", "live", "waitingReconnect", "ended", "recorded", "terminated", "error"];
const ORDERS: [string, string][] = [
  ["newest", "Newest first"],
  ["oldest", "Oldest first"],
  ["title", "By title"],
];
const COLUMNS = ["", "Title", "Type", "Creator", "Products", "Status", "Duration", "Moderation", "Created", "Actions"];

export default {
  render({ model, el }: View) {
    const link = new Link(model);
    const heading = h("h3", {});
    const body = h("tbody");
    const error = h("p", { class: "spnb-error", role: "alert" });
    const filters = new Filters(STATUSES, ORDERS, PAGE, draw);
    let editing = "";
    let asking = "";
    let waiting = false;

    const rows = new Rows(
      link,
      () => {
        if (waiting) return;
        waiting = true;
        requestAnimationFrame(() => {
          waiting = false;
          // What is being typed stays.
          if (!editing) draw();
        });
      },
      (id) => {
        const picture = body.querySelector<HTMLImageElement>(`tr[data-room="${CSS.escape(id)}"] img`);
        if (picture) {
          picture.src = rows.pictures.get(id) ?? "";
          picture.hidden = false;
        }
      },
    );

    function button(text: string, work: () => void, danger = false): HTMLElement {
      return h("button", { type: "button", class: danger ? "spnb-danger" : "", click: work }, text);
    }

    function actions(row: Row): HTMLElement {
      const copy = button("Copy id", () => void navigator.clipboard?.writeText(row.id));
      if (row.creator !== link.get<string>("me")) return h("span", { class: "spnb-small" }, copy);
      if (asking === row.id)
        return h(
          "span",
          { class: "spnb-small", role: "alertdialog", "aria-label": "delete this room?" },
          "Delete for good?",
          button(
            "Delete",
            () => {
              asking = "";
              link.send("delete", { room: row.id });
            },
            true,
          ),
          button("Keep", () => {
            asking = "";
            draw();
          }),
        );
      const live = row.status === "live" || row.status === "waitingReconnect";
      return h(
        "span",
        { class: "spnb-small" },
        button("Edit", () => {
          editing = row.id;
          draw();
        }),
        live ? button("Stop", () => link.send("stop", { room: row.id }), true) : null,
        button(
          "Delete…",
          () => {
            asking = row.id;
            draw();
          },
          true,
        ),
        copy,
      );
    }

    function titleCell(row: Row): HTMLElement {
      if (editing !== row.id) return h("td", {}, h("span", { class: "spnb-title" }, row.title));
      const title = h("input", { type: "text", "aria-label": "new title" });
      const description = h("input", { type: "text", "aria-label": "new description", placeholder: "description" });
      title.value = row.title;
      description.value = row.description;
      const done = () => {
        editing = "";
        draw();
      };
      const form = h(
        "form",
        { class: "spnb-small" },
        title,
        description,
        h("button", { type: "submit" }, "Save"),
        button("Cancel", done),
      );
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        link.send("edit", { room: row.id, title: title.value, description: description.value });
        done();
      });
      return h("td", {}, form);
    }

    function line(row: Row): HTMLElement {
      const picture = h("img", { alt: "", hidden: !rows.pictures.has(row.id), src: rows.pictures.get(row.id) });
      const since = row.since && row.status === "live" ? Date.now() / 1000 - row.since : row.seconds;
      return h(
        "tr",
        { "data-room": row.id },
        h("td", {}, h("span", { class: "spnb-thumb" }, picture)),
        titleCell(row),
        h("td", {}, row.type === "coHosts" ? "Co-hosts" : "Direct"),
        h("td", {}, row.creator),
        h("td", {}, row.products ? String(row.products) : "–"),
        h("td", {}, h("span", { class: "spnb-badge", "data-status": row.status }, label(row.status))),
        h("td", { class: "spnb-timer" }, since ? clock(since) : "–"),
        h("td", {}, row.moderation ? findingBadge(row.moderation) : "–"),
        h("td", {}, row.created ? new Date(row.created * 1000).toLocaleString() : "–"),
        h("td", {}, actions(row)),
      );
    }

    function draw() {
      const { rows: shown, all } = filters.shown(rows);
      const older = link.get<boolean>("complete") ? "" : `: the newest ${rows.rows.size}, older ones are left out`;
      heading.textContent = `Rooms · ${all}${older}`;
      replace(body, ...shown.map(line));
      rows.inSight(shown.map((row) => row.id));
    }

    link.follow(["complete"], draw);
    link.follow(["error"], () => {
      error.textContent = link.get<string>("error");
    });
    frame(el, "spnb-wide");
    link.mourn(el);
    el.append(
      h(
        "section",
        { class: "spnb-card" },
        heading,
        filters.el,
        error,
        h(
          "div",
          { class: "spnb-scroll" },
          h(
            "table",
            { class: "spnb-table" },
            h("thead", {}, h("tr", {}, ...COLUMNS.map((name) => h("th", { scope: "col" }, name)))),
            body,
          ),
        ),
        filters.pager,
      ),
    );
    return () => link.end();
  },
};
