import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { candidates, forgetRoad, onRoad, roadTo } from "../src/shared/road";

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

void test("an end that cannot prove itself is no road, whatever it answers, and the next one is tried", async () => {
  const asked: string[] = [];
  const answers: Record<string, unknown> = {};
  page(new Set());
  globalThis.fetch = (async (address: string) => {
    const root = address.split("/sandbox/")[0] ?? "";
    asked.push(root);
    return answers[root] ?? Promise.reject(new TypeError("nobody there"));
  }) as unknown as typeof fetch;
  const port = "http://127.0.0.1:8888/proxy/7000";
  // Another program's page, another sandbox's proof, a server's refusal.
  answers["http://127.0.0.1:7000"] = { ok: true, json: () => Promise.reject(new SyntaxError("<html>")) };
  answers["http://127.0.0.1:8888/spnb"] = { ok: true, json: async () => ({ proof: "another's" }) };
  answers[port] = { ok: false, json: async () => ({ proof: "a" }) };
  forgetRoad(ADDRESS);
  assert.equal(await roadTo(ADDRESS, SIGNPOST), undefined);
  assert.deepEqual(asked, ["http://127.0.0.1:7000", "http://127.0.0.1:8888/spnb", port]);
  // That there is none is not remembered.
  answers[port] = { ok: true, json: async () => ({ proof: "a" }) };
  assert.deepEqual(await roadTo(ADDRESS, SIGNPOST), { via: "port", root: port });
  assert.equal(onRoad({ via: "port", root: port }, "ws://127.0.0.1:7000/rtc?x=1"), "ws://127.0.0.1:8888/proxy/7000/rtc?x=1");
});

void test("a page of a hub's name asks the hub first, a page of no Jupyter server the address alone", async () => {
  page(new Set());
  assert.deepEqual(candidates(new URL(ADDRESS)).map(({ via }) => via), ["direct", "jupyter", "port"]);
  Object.assign(globalThis, { location: { hostname: "hub.example", href: "https://hub.example/user/x/lab" } });
  assert.deepEqual(candidates(new URL(ADDRESS)).map(({ via }) => via), ["jupyter", "port", "direct"]);
  Object.assign(globalThis, { document: { getElementById: () => null, body: { dataset: {} } } });
  assert.deepEqual(candidates(new URL(ADDRESS)).map(({ via }) => via), ["direct"]);
});
