import assert from "node:assert/strict";
import { test } from "node:test";
import { Window } from "happy-dom";

const window = new Window();
Object.assign(globalThis, { document: window.document, HTMLElement: window.HTMLElement, Node: window.Node });

void test("known reactions have their emoji, an emoji stands for itself, anything else for something nice", async () => {
  const { emoji, gathered, short } = await import("../src/shared/floating");
  assert.equal(emoji("fire"), "🔥");
  assert.equal(emoji("heart"), emoji("love"));
  assert.equal(emoji("🎸"), "🎸");
  for (const name of ["<b>", "constructor", "toString", ""]) assert.equal(emoji(name), "✨");
  assert.deepEqual([...gathered({ heart: 2, wow: 9, love: 3, constructor: 1 })], [["wow", 9], ["love", 5], ["constructor", 1]]);
  assert.deepEqual([7, 999, 1000, 1290, 45_000].map(short), ["7", "999", "1k", "1.2k", "45k"]);
});

void test("floats are capped, one's own floats once, and nothing moves where motion is unwelcome", async () => {
  const { Floating } = await import("../src/shared/floating");
  const floating = new Floating(() => false);
  floating.given("fire");
  floating.given("fire");
  assert.equal(floating.el.childElementCount, 2);
  floating.told({ fire: 3 });
  assert.equal(floating.el.childElementCount, 3, "two of the three have floated already");
  floating.told({ wow: 500, love: 2 });
  assert.equal(floating.el.childElementCount, 40);
  floating.clear();
  assert.equal(floating.el.childElementCount, 0);
  const calm = new Floating(() => true);
  calm.given("fire");
  calm.told({ fire: 9 });
  assert.equal(calm.el.childElementCount, 0);
});
