// The stage as tiles: your own picture, and one for each who shares the room with you.
import type { Company } from "./company";
import { h, replace } from "./dom";
import type { Session } from "./session";
import type { Link } from "./widget";

export type Person = { user: string; name: string; role: "host" | "coHost"; on: boolean | null; me: boolean; products: boolean };

class Tile {
  private readonly video = h("video", { playsinline: true, autoplay: true });
  private readonly still = h("img", { alt: "" });
  private readonly letter = h("span", { class: "spnb-letter", "aria-hidden": "true" });
  private readonly name = h("strong", { dir: "auto" });
  private readonly state = h("span", {});
  private readonly products: HTMLButtonElement;
  private readonly remove: HTMLButtonElement;
  readonly el: HTMLElement;

  constructor(user: string, send: (action: string, content: Record<string, unknown>) => void) {
    this.video.muted = true; // their sound is played apart from their picture
    this.products = h("button", {
      type: "button",
      click: () => send("let_manage_products", { user, allowed: this.products.getAttribute("aria-pressed") !== "true" }),
    });
    this.products.textContent = "Products";
    this.remove = h("button", { type: "button", click: () => send("remove", { user }) }, "Remove");
    this.el = h(
      "figure",
      { class: "spnb-tile" },
      this.video,
      this.still,
      this.letter,
      h("figcaption", {}, this.name, this.state),
      h("div", { class: "spnb-tile-actions" }, this.products, this.remove),
    );
  }

  draw(person: Person, company: Company, mayRemove: boolean): void {
    const other = company.other(person.user);
    const picture = other?.picture ?? null;
    if ((this.video.srcObject as MediaStream | null)?.getVideoTracks()[0] !== (picture ?? undefined)) {
      this.video.srcObject = picture ? new MediaStream([picture]) : null;
    }
    const role = person.role === "host" ? "host" : "co-host";
    this.video.hidden = !picture;
    this.still.alt = `picture of ${person.name}`;
    this.video.setAttribute("aria-label", this.still.alt);
    // LiveKit lets a broadcaster in once: where the kernel is on air, it is not this page that gets the pictures.
    const still = person.on && !company.sees ? company.tile(person.user) : "";
    this.still.hidden = !still;
    if (still) this.still.src = still;
    this.letter.hidden = Boolean(picture || still);
    this.letter.textContent = [...person.name][0]?.toUpperCase() ?? "?";
    this.name.textContent = person.name;
    const words = [role, { true: "on stage", false: "off stage", null: "" }[String(person.on) as "true"]];
    if (person.on && !company.sees && !still) words.push("no picture here");
    if (person.on && other?.dark) words.push("camera off");
    if (person.on && other?.muted) words.push("muted");
    this.state.textContent = words.filter(Boolean).join(" · ");
    this.el.dataset["on"] = String(person.on);
    this.products.hidden = this.remove.hidden = !mayRemove;
    this.products.setAttribute("aria-pressed", String(person.products));
    this.products.title = person.products ? "May manage products" : "May not manage products";
    this.products.setAttribute("aria-label", `let ${person.name} manage products`);
    this.remove.setAttribute("aria-label", `remove ${person.name} from the stage`);
  }

  end(): void {
    this.video.srcObject = null;
  }
}

type Layout = { shape: string; focus: string };

export interface Grid {
  el: HTMLElement;
  /** How several are shown to viewers, for a host to choose. */
  choice: HTMLSelectElement;
  /** Whether somebody else is there. */
  shared(): boolean;
  draw(): void;
  end(): void;
}

/** `own` is this page's own picture, which stays where it is. */
export function stageGrid(link: Link, session: Session<unknown>, company: Company, own: HTMLElement): Grid {
  const tiles = new Map<string, Tile>();
  const label = h("span", { class: "spnb-own-name" });
  const el = h("div", { class: "spnb-tiles" }, own);
  own.append(label);
  const choice = h("select", {
    "aria-label": "layout",
    change: () => {
      const [shape, focus] = JSON.parse(choice.value) as string[];
      session.send("arrange", { shape, focus });
    },
  });

  let drawn = "";

  /** What there is to choose, and what is chosen. */
  function drawChoice(people: Person[]): void {
    const { shape = "side-by-side", focus = "" } = link.get<Partial<Layout>>("stage_layout");
    const large = people.find(({ user }) => user === focus) ?? people.find(({ role }) => role === "host");
    const options = [["side-by-side", "", "Side by side"]];
    for (const { user, name } of people) {
      // A name may turn what follows it round.
      options.push(["spotlight", user, `Spotlight: \u2068${name}\u2069`], ["picture-in-picture", user, `Others inset in \u2068${name}\u2069`]);
    }
    // One that is open stays open.
    if (drawn !== (drawn = String(options)))
      replace(choice, ...options.map(([each, user, text]) => h("option", { value: JSON.stringify([each, user]) }, text)));
    choice.value = JSON.stringify([shape, shape === "side-by-side" ? "" : large?.user]);
    el.dataset["shape"] = shape;
    own.toggleAttribute("data-focus", !!large?.me);
    for (const [user, tile] of tiles) tile.el.toggleAttribute("data-focus", user === large?.user);
  }

  const others = () => link.get<Person[]>("people").filter((person) => !person.me);

  function draw(): void {
    const people = link.get<Person[]>("people");
    const me = people.find((person) => person.me);
    const there = others();
    const host = me?.role === "host";
    for (const [user, tile] of tiles) {
      if (there.some((person) => person.user === user)) continue;
      tile.end();
      tiles.delete(user);
    }
    const shown = there.map((person) => {
      const tile = tiles.get(person.user) ?? new Tile(person.user, (action, content) => session.send(action, content));
      tiles.set(person.user, tile);
      tile.draw(person, company, host && person.role === "coHost");
      return tile.el;
    });
    replace(el, own, ...shown);
    choice.hidden = !host || !there.length;
    drawChoice(people);
    el.dataset["count"] = String(Math.min(3, there.length + 1));
    replace(label, ...(me ? [h("bdi", {}, me.name), ` · ${host ? "host" : "co-host"}, you`] : []));
    label.hidden = !there.length;
  }

  return {
    el,
    choice,
    shared: () => others().length > 0,
    draw,
    end() {
      for (const tile of tiles.values()) tile.end();
    },
  };
}
