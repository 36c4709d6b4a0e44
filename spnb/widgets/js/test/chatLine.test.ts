import assert from "node:assert/strict";
import { test } from "node:test";
import { Window } from "happy-dom";
import type { Line } from "../src/shared/chatLine";
import { last, type Row } from "../src/shared/chatRows";

const window = new Window();
Object.assign(globalThis, { document: window.document, HTMLElement: window.HTMLElement, Node: window.Node });

const rows = (from: number, to: number) =>
  new Map<string, Row>(
    Array.from({ length: to - from + 1 }, (_, index) => {
      const id = `m${from + index}`;
      return [id, { id, user: "u", name: "U", text: `text ${id}`, at: 0 }];
    }),
  );

async function drawn() {
  const { draw } = await import("../src/shared/chatLine");
  const list = document.createElement("ol");
  const lines = new Map<string, Line>();
  return {
    list,
    show: (shown: Map<string, Row>) => draw(list, lines, shown, () => undefined),
    ids: () => [...list.children].map((line) => (line as HTMLElement).dataset["id"]),
  };
}

void test("only the end is drawn, and what stands above it comes above it later", async () => {
  const { list, show, ids } = await drawn();
  const all = rows(1, 9);
  show(last(all, 3));
  assert.deepEqual(ids(), ["m7", "m8", "m9"]);
  const kept = list.lastElementChild;
  show(last(all, 6));
  show(last(all, 100));
  assert.deepEqual(ids(), [...all.keys()]);
  assert.equal(list.lastElementChild, kept);
});

void test("lines that stay are not touched, those between find their place, and those past are gone", async () => {
  const { list, show, ids } = await drawn();
  show(rows(1, 5));
  const [, second] = list.children;
  const fewer = rows(2, 7);
  fewer.delete("m4");
  show(fewer);
  assert.deepEqual(ids(), ["m2", "m3", "m5", "m6", "m7"]);
  assert.equal(list.children[0], second);
  show(rows(2, 7));
  assert.deepEqual(ids(), ["m2", "m3", "m4", "m5", "m6", "m7"]);
});

void test("only a long text is a box that scrolls in itself", async () => {
  const { list, show } = await drawn();
  const one = (text: string) => new Map([["m", { id: "m", user: "u", name: "U", text, at: 0 }]]);
  for (const [text, long] of [["short", false], ["x".repeat(1000), true], ["two\nlines", true]] as const) {
    show(one(text));
    assert.equal(list.querySelector(".spnb-words")?.classList.contains("spnb-long"), long);
    assert.equal(list.querySelector(".spnb-words")?.textContent, text);
  }
});

void test("a line tells its time in the zone that all widgets name", async () => {
  const { list, show } = await drawn();
  show(new Map([["m", { id: "m", user: "u", name: "U", text: "hello", at: Date.UTC(2026, 2, 1, 18, 5) / 1000 }]]));
  const when = list.querySelector<HTMLElement>(".spnb-when");
  assert.deepEqual([when?.textContent, when?.title], ["18:05 UTC", "2026-03-01 18:05 UTC"]);
});
