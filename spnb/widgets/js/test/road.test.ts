import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { forgetRoad, roadTo } from "../src/shared/road";

const ADDRESS = "http://127.0.0.1:7000/live.m3u8";
const SIGNPOST = { challenge: "c", answer: "a" };

/** The page of a Jupyter server, and the roots that answer truly; those that were asked. */
function page(open: Set<string>): string[] {
  const asked: string[] = [];
  Object.assign(globalThis, {
    location: { hostname: "127.0.0.1", href: "http://127.0.0.1:8888/lab" },
    document: { getElementById: () => ({ textContent: JSON.stringify({ baseUrl: "/" }) }), body: { dataset: {} } },
    fetch: async (address: string) => {
      const root = address.split("/sandbox/")[0] ?? "";
      asked.push(root);
      return { ok: open.has(root), json: async () => ({ proof: "a" }) };
    },
  });
  return asked;
}

const settled = () => new Promise((next) => setImmediate(next));

void test("a lesser road is used at once, and left for a better one that answers later", async () => {
  const direct = "http://127.0.0.1:7000";
  const open = new Set(["http://127.0.0.1:8888/spnb"]);
  const asked = page(open);
  let now = 0;
  mock.method(Date, "now", () => now);
  forgetRoad(ADDRESS);
  assert.equal((await roadTo(ADDRESS, SIGNPOST))?.via, "jupyter");
  assert.deepEqual(asked, [direct, "http://127.0.0.1:8888/spnb"]);

  open.add(direct);
  assert.equal((await roadTo(ADDRESS, SIGNPOST))?.via, "jupyter", "it is believed for a while");
  assert.equal(asked.length, 2);
  now = 31_000;
  assert.equal((await roadTo(ADDRESS, SIGNPOST))?.via, "jupyter", "nobody waits for the search");
  await settled();
  assert.equal((await roadTo(ADDRESS, SIGNPOST))?.via, "direct");

  now = 200_000;
  const before = asked.length;
  assert.equal((await roadTo(ADDRESS, SIGNPOST))?.via, "direct");
  await settled();
  assert.equal(asked.length, before, "the best one is kept");
  mock.restoreAll();
});

void test("where the search finds nothing, the lesser road stays", async () => {
  const open = new Set(["http://127.0.0.1:8888/spnb"]);
  page(open);
  let now = 0;
  mock.method(Date, "now", () => now);
  forgetRoad(ADDRESS);
  await roadTo(ADDRESS, SIGNPOST);
  open.clear();
  now = 31_000;
  await roadTo(ADDRESS, SIGNPOST);
  await settled();
  assert.equal((await roadTo(ADDRESS, SIGNPOST))?.via, "jupyter");
  mock.restoreAll();
});
