// All rooms, to look after them: the Console's table, with what its owner may do.
import { frame, h, replace } from "./shared/dom";
import { hearing } from "./shared/hearing";
import { RoomLine } from "./shared/roomLine";
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
const COLUMNS = ["Picture", "Title", "Type", "Creator", "Products", "Status", "Duration", "Moderation", "Created", "Actions"];

export default hearing({
  render({ model, el }: View) {
    const link = new Link(model);
    const heading = h("h3", {});
    const body = h("tbody");
    const error = h("p", { class: "spnb-error", role: "alert" });
    const filters = new Filters(STATUSES, ORDERS, PAGE, draw);
    const lines = new Map<string, RoomLine>();
    let waiting = false;

    const rows = new Rows(
      link,
      () => {
        if (waiting) return;
        waiting = true;
        requestAnimationFrame(() => {
          waiting = false;
          draw();
        });
      },
      face,
    );

    function face(id: string) {
      const picture = lines.get(id)?.picture;
      const address = rows.pictures.get(id);
      if (!picture || !address || picture.src === address) return;
      picture.src = address;
      picture.hidden = false;
    }

    function line(row: Row): HTMLElement {
      let there = lines.get(row.id);
      if (there) there.draw(row);
      else lines.set(row.id, (there = new RoomLine(row, link)));
      face(row.id);
      return there.el;
    }

    function draw() {
      const { rows: shown, all } = filters.shown(rows);
      const older = link.get<boolean>("complete") ? "" : `: the newest ${rows.rows.size}, older ones are left out`;
      heading.textContent = `Rooms · ${all}${older}`;
      const focused = document.activeElement as HTMLElement | null;
      replace(body, ...shown.map(line));
      // Lines that change places are taken out and put back, which takes the focus.
      if (focused && focused !== document.activeElement && body.contains(focused)) focused.focus();
      const kept = new Set(shown.map((row) => row.id));
      for (const id of lines.keys()) if (!kept.has(id)) lines.delete(id);
      rows.inSight([...kept]);
    }

    link.every(1000, () => lines.forEach((one) => one.tick()));
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
            { class: "spnb-table spnb-rooms-table" },
            h("thead", {}, h("tr", {}, ...COLUMNS.map((name) => h("th", { scope: "col" }, name === "Picture" ? h("span", { class: "spnb-hush" }, name) : name)))),
            body,
          ),
        ),
        filters.pager,
      ),
    );
    return () => link.end();
  },
});
