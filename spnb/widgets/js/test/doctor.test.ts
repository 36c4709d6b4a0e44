// What is made of the ways that lead to a page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { verdict } from "../src/doctor";
import { MOST_KBPS, rate, type Rung } from "../src/shared/rungs";

const rung = (key: Rung["key"], works: boolean, up: number | null = null): Rung => ({ key, name: key, works, delay: 1, down: 1, up, why: "" });

void test("the first way that works is the one that streams take", () => {
  const found = [rung("jupyter", true), rung("direct", false), rung("messages", true, 5000), rung("media", false)];
  assert.deepEqual(verdict(found, "allowed", true), [
    "Streams reach this page through the Jupyter server.",
    "Its camera goes out through the notebook's own connection, encoded by this page.",
  ]);
  assert.match(verdict([rung("direct", false), rung("messages", true)], "allowed", true).join(" "), /by the kernel's messages.*slow/);
  assert.match(verdict([rung("messages", true)], "allowed", false).join(" "), /single pictures/);
  assert.match(verdict([rung("direct", true), rung("media", true)], "allowed", true).join(" "), /straight\. Its camera goes out straight/);
});

void test("what a page lacks is said, also where nothing works", () => {
  assert.match(verdict([], "insecure", true).join(" "), /no way works.*https/);
  assert.match(verdict([], "framed", true).join(" "), /tab of its own/);
  assert.match(verdict([], "allowed", true).join(" "), /does not go out/);
});

void test("a rate has a bound, and no time is not for ever", () => {
  assert.equal(rate(1_000_000, 1000), 8000);
  assert.equal(rate(1_000_000, 0), MOST_KBPS);
});
