// Who is on air now: cards that keep themselves fresh, and a player for the one that is clicked.
import { frame, h, replace, say } from "./shared/dom";
import { clock, label, viewersOf } from "./shared/format";
import { Ghost } from "./shared/ghost";
import { hearing } from "./shared/hearing";
import { placard } from "./shared/placard";
import { playback } from "./shared/playback";
import { Filters } from "./shared/roomList";
import { Rows, type Row } from "./shared/rows";
import { Link, type View } from "./shared/widget";

const PAGE = 24;
const ORDERS: [string, string][] = [
  ["newest", "Newest first"],
  ["viewers", "Most viewers"],
  ["longest", "Longest on air"],
  ["title", "By title"],
];

type Card = { el: HTMLElement; draw(row: Row): void; tick(): void };

export default hearing({
  render({ model, el }: View) {
    const link = new Link(model);
    const heading = h("h3", {});
    const list = h("ul", { class: "spnb-rooms" });
    const error = h("p", { class: "spnb-error", role: "alert" });
    const empty = h("p", { class: "spnb-empty" });
    const player = h("div", { class: "spnb-chosen" });
    const cards = new Map<string, Card>();
    const filters = new Filters(["live", "waitingReconnect"], ORDERS, PAGE, draw);
    let waiting = false;

    // Many events of one moment are drawn once.
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
      (id) => {
        const row = rows.rows.get(id);
        if (row) cards.get(id)?.draw(row);
      },
    );

    function card(id: string): Card {
      const badge = h("span", { class: "spnb-badge" });
      const time = h("span", { class: "spnb-timer" });
      const picture = h("img", { alt: "", hidden: true });
      const title = h("span", { class: "spnb-title", dir: "auto" });
      const [creator, watching] = [h("bdi"), h("span")];
      const who = h("span", { class: "spnb-note" }, creator, watching);
      const ghost = new Ghost(id, link);
      const open = h(
        "button",
        { type: "button", class: "spnb-room", click: () => link.send("select", { room: link.get<string>("selected") === id ? "" : id }) },
        h("span", { class: "spnb-thumb" }, picture, badge, time),
        title,
        who,
      );
      const item = h("li", { "data-room": id }, open, ghost.el);
      let since = 0;
      const tick = () => {
        const text = since ? clock(Date.now() / 1000 - since) : "";
        if (time.textContent !== text) time.textContent = text;
      };
      return {
        el: item,
        tick,
        draw(row) {
          since = row.since;
          open.setAttribute("aria-pressed", String(link.get<string>("selected") === id));
          badge.dataset["status"] = row.status;
          badge.textContent = row.status === "live" ? "LIVE" : label(row.status);
          say(title, row.title);
          say(creator, row.creator);
          say(watching, row.viewers === null ? "" : ` · ${viewersOf(row.viewers)}`);
          ghost.draw(row);
          const address = rows.pictures.get(id);
          picture.hidden = !address;
          if (address && picture.src !== address) picture.src = address;
          tick();
        },
      };
    }

    function draw() {
      const { rows: shown, all } = filters.shown(rows);
      const older = link.get<boolean>("complete") ? "" : `: the newest ${rows.rows.size}, older ones are left out`;
      heading.textContent = rows.rows.size ? `Live now · ${all}${older}` : "Live now";
      const items = shown.map((row) => {
        let one = cards.get(row.id);
        if (!one) cards.set(row.id, (one = card(row.id)));
        one.draw(row);
        return one.el;
      });
      // Cards keep their places: only what differs is moved.
      items.forEach((item, index) => {
        if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
      });
      while (list.children.length > items.length) list.lastElementChild?.remove();
      for (const id of cards.keys()) if (!rows.rows.has(id)) cards.delete(id);
      list.hidden = !shown.length;
      empty.hidden = shown.length > 0;
      empty.textContent = rows.rows.size
        ? "No room matches."
        : "Nobody is on air right now. Rooms appear here the moment they go live.";
      rows.inSight(shown.map((row) => row.id));
    }

    let played = "";
    let inner: Link | undefined;
    link.follow(["selected"], () => {
      const selected = link.get<string>("selected");
      draw();
      if (selected === played) return;
      played = selected;
      inner?.end();
      inner = undefined;
      if (!selected) {
        replace(player);
        return;
      }
      const title = h("p", { class: "spnb-title", dir: "auto" });
      const own = (inner = new Link(model));
      const shown = playback(own, model);
      shown.querySelector("figure")?.append(placard(own));
      replace(player, shown, title);
      own.follow(["title"], () => {
        title.textContent = own.get<string>("title");
      });
    });
    link.follow(["complete"], draw);
    link.follow(["error"], () => {
      error.textContent = link.get<string>("error");
    });
    link.every(1000, () => cards.forEach((one) => one.tick()));
    link.atEnd(() => inner?.end());
    frame(el);
    link.mourn(el);
    el.append(h("section", { class: "spnb-card" }, heading, filters.el, error, list, empty, filters.pager, player));
    return () => link.end();
  },
});
