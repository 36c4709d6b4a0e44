import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatRows, SHOWN, type Row } from "../src/shared/chatRows";

const row = (number: number): Row => ({ id: `m${number}`, user: "u", name: "U", text: `text ${number}`, at: number });
const many = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => row(from + index));

test("the last hundred are shown", () => {
  const rows = new ChatRows();
  rows.take({ rows: many(1, 250), count: 250 });
  assert.equal(rows.shown.size, SHOWN);
  assert.deepEqual([...rows.shown.keys()].slice(0, 1), ["m151"]);
});

test("who reads further up is not moved, and told how many are new", () => {
  const rows = new ChatRows();
  rows.take({ rows: many(1, 100), count: 100 });
  rows.hold();
  rows.take({ rows: many(101, 112), count: 12 });
  assert.equal(rows.unseen, 12);
  assert.equal(rows.shown.has("m1"), true);
  rows.take({ rows: [], changed: [{ ...row(1), text: "edited" }, { ...row(112), text: "edited too" }], gone: ["m2", "m111"] });
  assert.equal(rows.shown.get("m1")?.text, "edited");
  assert.equal(rows.shown.has("m2"), false);
  assert.equal(rows.unseen, 11);
  rows.take({ rows: many(113, 400), count: 5000 });
  assert.ok(rows.waiting.size <= SHOWN);
  assert.equal(rows.unseen, 5011);
  rows.release();
  assert.equal(rows.unseen, 0);
  assert.equal(rows.shown.size, SHOWN);
  assert.equal([...rows.shown.keys()].at(-1), "m400");
});

test("nothing is shown twice, and a new beginning replaces everything", () => {
  const rows = new ChatRows();
  rows.take({ rows: many(1, 3), count: 3 });
  rows.take({ rows: many(2, 4), count: 3 });
  assert.deepEqual([...rows.shown.keys()], ["m1", "m2", "m3", "m4"]);
  rows.hold();
  rows.take({ all: true, rows: many(9, 10) });
  assert.deepEqual([...rows.shown.keys()], ["m9", "m10"]);
  assert.equal(rows.waiting.size, 0);
});
