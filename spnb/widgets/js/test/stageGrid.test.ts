import assert from "node:assert/strict";
import { test } from "node:test";
import { Window } from "happy-dom";
import type { Company } from "../src/shared/company";
import type { Session } from "../src/shared/session";
import type { Link } from "../src/shared/widget";

const window = new Window();
Object.assign(globalThis, { document: window.document, HTMLElement: window.HTMLElement, Node: window.Node });

const person = (user: string, changes: object = {}) => ({
  user,
  name: user,
  role: "coHost",
  on: true,
  me: false,
  products: false,
  ...changes,
});

async function stage(people: object[], sees = true, layout: object = {}, stills: Record<string, string> = {}) {
  const { stageGrid } = await import("../src/shared/stageGrid");
  const sent: [string, unknown][] = [];
  const link = { get: (name: string) => (name === "people" ? people : layout) } as unknown as Link;
  const session = { send: (action: string, content: unknown) => sent.push([action, content]) } as unknown as Session<unknown>;
  const company = { sees, other: () => ({ picture: null, muted: true, dark: true }), tile: (user: string) => stills[user] ?? "" } as unknown as Company;
  const grid = stageGrid(link, session, company, document.createElement("div"));
  return { grid, sent, people };
}

void test("names are text, and states are words", async () => {
  const name = "<img src=x onerror=alert(1)>";
  const { grid } = await stage([person("me", { me: true, role: "host" }), person("guest", { name })]);
  grid.draw();
  assert.equal(grid.shared(), true);
  const caption = grid.el.querySelector("figcaption");
  assert.equal(caption?.textContent, `${name}co-host · on stage · camera off · muted`);
  assert.equal(grid.el.querySelectorAll("img[onerror]").length, 0);
});

void test("where the page is not in the room itself, a tile says why it shows no picture", async () => {
  const { grid } = await stage([person("me", { me: true, role: "host" }), person("guest"), person("away", { on: false })], false);
  grid.draw();
  const [guest, away] = grid.el.querySelectorAll("figcaption");
  assert.match(guest?.textContent ?? "", /on stage · no picture here/);
  assert.doesNotMatch(away?.textContent ?? "", /no picture/);
});

void test("what the kernel hands on stands in the tile, for as long as it comes", async () => {
  const stills: Record<string, string> = { guest: "blob:one" };
  const { grid } = await stage([person("me", { me: true, role: "host" }), person("guest")], false, {}, stills);
  grid.draw();
  const [still, letter] = [".spnb-tile img", ".spnb-letter"].map((name) => grid.el.querySelector<HTMLImageElement>(name));
  assert.equal(still?.src, "blob:one");
  assert.equal(still?.alt, "picture of guest");
  assert.equal(letter?.hidden, true);
  assert.doesNotMatch(grid.el.querySelector("figcaption")?.textContent ?? "", /no picture/);
  stills["guest"] = "";
  grid.draw();
  assert.deepEqual([still?.hidden, letter?.hidden], [true, false]);
  assert.match(grid.el.querySelector("figcaption")?.textContent ?? "", /no picture here/);
});

void test("a tile stays the same element while its person stays, and goes with them", async () => {
  const { grid, people } = await stage([person("me", { me: true, role: "host" }), person("a"), person("b")]);
  grid.draw();
  const [first] = grid.el.querySelectorAll(".spnb-tile");
  people.splice(2, 1, person("c", { on: false }));
  grid.draw();
  const after = grid.el.querySelectorAll(".spnb-tile");
  assert.equal(after.length, 2);
  assert.equal(after[0], first);
  assert.match(after[1]?.textContent ?? "", /c.*off stage/);
  people.splice(1);
  grid.draw();
  assert.equal(grid.shared(), false);
  assert.equal(grid.el.querySelectorAll(".spnb-tile").length, 0);
});

void test("only a host is offered to remove, and only co-hosts", async () => {
  const host = await stage([person("me", { me: true, role: "host" }), person("guest")]);
  host.grid.draw();
  const remove = host.grid.el.querySelector<HTMLButtonElement>("[aria-label='remove guest from the stage']");
  assert.equal(remove?.hidden, false);
  remove?.click();
  host.grid.el.querySelector<HTMLButtonElement>("[aria-label='let guest manage products']")?.click();
  assert.deepEqual(host.sent, [
    ["remove", { user: "guest" }],
    ["let_manage_products", { user: "guest", allowed: true }],
  ]);
  const guest = await stage([person("boss", { role: "host" }), person("me", { me: true })]);
  guest.grid.draw();
  assert.equal(guest.grid.el.querySelector<HTMLButtonElement>("[aria-label='remove boss from the stage']")?.hidden, true);
});

void test("a host chooses the layout, from what each would make large; names stay text and turn nothing round", async () => {
  const people = [person("me", { me: true, role: "host" }), person("guest", { name: "\u202eoops" })];
  const { grid, sent } = await stage(people, true, { shape: "spotlight", focus: "guest" });
  grid.draw();
  assert.equal(grid.choice.hidden, false);
  assert.deepEqual(JSON.parse(grid.choice.value), ["spotlight", "guest"]);
  assert.equal(grid.choice.options.length, 5);
  assert.equal(grid.choice.options[3]?.textContent, "Spotlight: \u2068\u202eoops\u2069");
  assert.ok(grid.el.querySelector(".spnb-tile")?.hasAttribute("data-focus"));
  grid.choice.value = JSON.stringify(["side-by-side", ""]);
  grid.choice.dispatchEvent(new window.Event("change") as unknown as Event);
  assert.deepEqual(sent, [["arrange", { shape: "side-by-side", focus: "" }]]);
  const alone = await stage([person("me", { me: true, role: "host" })]);
  alone.grid.draw();
  assert.equal(alone.grid.choice.hidden, true);
  const theirs = await stage([person("host", { role: "host" }), person("me", { me: true })]);
  theirs.grid.draw();
  assert.equal(theirs.grid.choice.hidden, true);
});
