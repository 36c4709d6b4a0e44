import assert from "node:assert/strict";
import { test } from "node:test";
import { chosen, type Row } from "../src/shared/rows";

function row(id: string, more: Partial<Row> = {}): Row {
  return {
    id,
    title: `Room ${id}`,
    creator: "ann",
    status: "live",
    type: "coHosts",
    community: "",
    since: 0,
    created: 0,
    seconds: 0,
    viewers: 0,
    products: 0,
    moderation: "",
    description: "",
    ghost: false,
    ...more,
  };
}

const rows = [
  row("a", { created: 1, viewers: 5, since: 300 }),
  row("b", { created: 3, viewers: 5, since: 100, status: "ended" }),
  row("c", { created: 2, viewers: 9, title: "Chess", community: "games", type: "directStreaming" }),
];
const all = { text: "", status: "", type: "", community: "", sort: "newest" };
const ids = (wanted: Partial<typeof all>) => chosen(rows, { ...all, ...wanted }).map(({ id }) => id);

void test("rooms are ordered", () => {
  assert.deepEqual(ids({}), ["b", "c", "a"]);
  assert.deepEqual(ids({ sort: "oldest" }), ["a", "c", "b"]);
  assert.deepEqual(ids({ sort: "viewers" }), ["c", "b", "a"]);
  assert.deepEqual(ids({ sort: "longest" }), ["b", "a", "c"]);
  assert.deepEqual(ids({ sort: "title" }), ["c", "a", "b"]);
  assert.deepEqual(ids({ sort: "unheard of" }), ["b", "c", "a"]);
});

void test("rooms are filtered by text, state, type and community", () => {
  assert.deepEqual(ids({ text: "  CHESS " }), ["c"]);
  assert.deepEqual(ids({ text: "ann" }), ["b", "c", "a"]);
  assert.deepEqual(ids({ status: "ended" }), ["b"]);
  assert.deepEqual(ids({ type: "directStreaming" }), ["c"]);
  assert.deepEqual(ids({ community: "games" }), ["c"]);
  assert.deepEqual(ids({ community: "games", status: "ended" }), []);
});
