// Reactions: emoji that float over the picture, buttons to give them, and counts by name.
import { h, replace } from "./dom";
import type { Link } from "./widget";

export const EMOJI: Record<string, string> = {
  like: "👍",
  love: "❤️",
  fire: "🔥",
  clap: "👏",
  laugh: "😂",
  wow: "😮",
};
/** What other apps call them. */
const ALIASES = new Map([
  ["heart", "love"],
  ["haha", "laugh"],
]);
const OTHER = "✨";
/** So many float at once; what comes beyond is in the counts. */
const MOST = 40;
const SPREAD_MS = 600;
/** An own reaction comes back from the kernel within this time, or not at all. */
const ECHO_MS = 5000;

/** What stands for a reaction. Other apps name their own: a name that is an emoji itself is shown as it is. */
export function emoji(name: string): string {
  const own = ALIASES.get(name) ?? name;
  if (Object.hasOwn(EMOJI, own)) return EMOJI[own] ?? OTHER;
  return /^\p{Extended_Pictographic}/u.test(name) && name.length <= 8 ? name : OTHER;
}

/** 1234 as `1.2k`. */
export function short(count: number): string {
  return count < 1000 ? String(count) : `${(Math.floor(count / 100) / 10).toFixed(1).replace(/\.0$/, "")}k`;
}

export class Floating {
  readonly el = h("div", { class: "spnb-float", "aria-hidden": "true" });
  #own = new Map<string, number[]>();

  constructor(private readonly calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches) {}

  /** Reactions the kernel tells of; those this page has shown when they were given are among them. */
  told(names: Record<string, number>): void {
    for (const [name, count] of Object.entries(names)) this.#show(name, count - this.#echoes(name, count));
  }

  /** One that is given here floats at once. */
  given(name: string): void {
    this.#own.set(name, [...(this.#own.get(name) ?? []), performance.now() + ECHO_MS]);
    this.#show(name, 1);
  }

  #echoes(name: string, count: number): number {
    const waiting = (this.#own.get(name) ?? []).filter((until) => until > performance.now());
    const taken = Math.min(waiting.length, count);
    this.#own.set(name, waiting.slice(taken));
    return taken;
  }

  #show(name: string, count: number): void {
    if (this.calm() || document.hidden) return;
    const free = MOST - this.el.childElementCount;
    for (let number = 0; number < Math.min(count, free); number += 1) {
      const one = h("span", {}, emoji(name));
      one.style.left = `${55 + Math.random() * 38}%`;
      one.style.setProperty("--sway", `${(Math.random() - 0.5) * 60}px`);
      one.style.animationDelay = `${number === 0 ? 0 : Math.random() * SPREAD_MS}ms`;
      one.addEventListener("animationend", () => one.remove());
      this.el.append(one);
    }
  }

  clear(): void {
    this.el.replaceChildren();
  }
}

/** Hear of floating reactions, and let them float. */
export function floatOver(link: Link): Floating {
  const floating = new Floating();
  link.hear((reply) => {
    if (reply.type === "float") floating.told(reply["names"] as Record<string, number>);
  });
  link.atEnd(() => floating.clear());
  return floating;
}

/** Buttons to react with, and how often each was given. */
export function reactionBar(link: Link, floating: Floating): HTMLElement {
  const others = h("span", { class: "spnb-chips" });
  const buttons = Object.keys(EMOJI).map((name) => {
    const count = h("span", { class: "spnb-tally" });
    const button = h(
      "button",
      {
        type: "button",
        click: () => {
          floating.given(name);
          link.send("react", { name });
        },
      },
      h("span", { "aria-hidden": "true" }, emoji(name)),
      count,
    );
    return { name, count, button };
  });
  const el = h(
    "div",
    { class: "spnb-reactions", role: "group", "aria-label": "reactions" },
    ...buttons.map((one) => one.button),
    others,
  );
  link.follow(["reactable", "reactions"], () => {
    const counts = gathered(link.get<Record<string, number>>("reactions"));
    for (const { name, count, button } of buttons) {
      const given = counts.get(name) ?? 0;
      count.textContent = given ? short(given) : "";
      button.setAttribute("aria-label", given ? `${name}, ${given} so far` : name);
      counts.delete(name);
    }
    replace(others, ...chips(counts));
    el.hidden = !link.get<boolean>("reactable");
  });
  return el;
}

/** Counts by name, for a host. */
export function reactionCounts(link: Link): HTMLElement {
  const el = h("div", { class: "spnb-chips", role: "status", "aria-label": "reactions so far" });
  link.follow(["reactions"], () => {
    const counts = gathered(link.get<Record<string, number>>("reactions"));
    replace(el, ...chips(counts));
    el.hidden = !counts.size;
  });
  return el;
}

/** Counts with the names of other apps taken together with ours. */
export function gathered(counts: Record<string, number>): Map<string, number> {
  const all = new Map<string, number>();
  for (const [name, count] of Object.entries(counts)) {
    const own = ALIASES.get(name) ?? name;
    all.set(own, (all.get(own) ?? 0) + count);
  }
  return new Map([...all].sort(([, one], [, other]) => other - one));
}

function chips(counts: Map<string, number>): HTMLElement[] {
  return [...counts].slice(0, 12).map(([name, count]) =>
    h(
      "span",
      { class: "spnb-chip", title: name },
      h("span", { "aria-hidden": "true" }, emoji(name)),
      h("span", { class: "spnb-hush" }, `${name}: `),
      h("span", { class: "spnb-tally" }, short(count)),
    ),
  );
}
