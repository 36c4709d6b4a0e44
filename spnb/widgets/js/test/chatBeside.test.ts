import assert from "node:assert/strict";
import { test } from "node:test";
import { Window } from "happy-dom";
import type { Hub } from "../src/hub";
import type { Model } from "../src/shared/widget";

const window = new Window();
Object.assign(globalThis, { document: window.document, HTMLElement: window.HTMLElement, Node: window.Node });

class Pane {
  static made: Pane[] = [];
  readonly el = document.createElement("section");
  asleep = false;
  told = 0;
  constructor() {
    Pane.made.push(this);
  }
  sleep(yes: boolean) {
    this.asleep = yes;
    this.told += 1;
  }
}

/** A widget's model as a page sees it: traits that change, and messages that come. */
function page(state: object) {
  const heard = new Map<string, ((content: object) => void)[]>();
  const model = {
    get: (name: string) => (name === "chat_state" ? state : ""),
    on: (event: string, callback: (content: object) => void) => heard.set(event, [...(heard.get(event) ?? []), callback]),
    off: () => undefined,
    send: () => undefined,
  } as unknown as Model;
  const tell = (event: string, content: object) => heard.get(event)?.forEach((callback) => callback(content));
  return {
    model,
    say: (count: number) => tell("msg:custom", { type: "chat", rows: [], count }),
    change(next: object) {
      state = next;
      tell("change:chat_state", {});
    },
  };
}

async function beside(state: object) {
  const { announceHub } = await import("../src/shared/hub");
  const { chatBeside } = await import("../src/shared/chatBeside");
  const { Link } = await import("../src/shared/widget");
  Object.assign(globalThis, { requestAnimationFrame: (work: () => void) => setTimeout(work) });
  announceHub({ ChatPane: Pane } as unknown as Hub);
  Pane.made = [];
  const root = document.createElement("div");
  const there = page(state);
  const link = new Link(there.model);
  const { el, toggle } = chatBeside(link, there.model, root, document.createElement("div"));
  root.append(el, toggle);
  const side = el.querySelector<HTMLElement>(".spnb-aside");
  assert.ok(side);
  const made = async (count: number) => {
    while (Pane.made.length < count) await new Promise((resolve) => setTimeout(resolve));
  };
  return { ...there, link, root, side, toggle, made };
}

void test("without a chat there is nothing to see, and nothing is made", async () => {
  const { root, side, toggle } = await beside({ room: "r", there: false, canOpen: true });
  assert.ok(side.hasAttribute("hidden") && toggle.hasAttribute("hidden"));
  assert.equal(root.classList.contains("spnb-talking"), false);
  assert.equal(Pane.made.length, 0);
});

void test("its place is kept at once, and the pane comes after the first paint; another room has another", async () => {
  const { change, root, side, made } = await beside({ room: "r", there: true });
  assert.equal(side.hasAttribute("hidden"), false);
  assert.equal(side.childElementCount, 0);
  assert.ok(root.classList.contains("spnb-talking"));
  await made(1);
  assert.equal(side.firstElementChild, Pane.made[0]?.el);
  change({ room: "r", there: true, open: true });
  assert.equal(Pane.made.length, 1);
  assert.equal(Pane.made[0]?.told, 1, "who reads is not disturbed");
  change({ room: "another", there: true });
  assert.equal(side.childElementCount, 0);
  await made(2);
  assert.equal(side.firstElementChild, Pane.made[1]?.el);
  change({});
  assert.ok(side.hasAttribute("hidden"));
  assert.equal(side.childElementCount, 0);
});

void test("put away it sleeps, and what is said meanwhile is counted", async () => {
  const { say, side, toggle, made } = await beside({ room: "r", there: true });
  await made(1);
  say(1);
  toggle.click();
  assert.equal(Pane.made[0]?.asleep, true);
  assert.ok(side.hasAttribute("hidden"));
  assert.equal(toggle.textContent, "Show chat");
  assert.equal(toggle.getAttribute("aria-expanded"), "false");
  say(2);
  say(1500);
  assert.equal(toggle.textContent, "Show chat · 1.5k new");
  toggle.click();
  assert.equal(Pane.made[0]?.asleep, false);
  assert.equal(toggle.textContent, "Hide chat");
});

void test("a view that ends before its pane has come gets none", async () => {
  const { link, side } = await beside({ room: "r", there: true });
  link.end();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(Pane.made.length, 0);
  assert.equal(side.childElementCount, 0);
});
