import assert from "node:assert/strict";
import { test } from "node:test";
import { clock, kilobits, label } from "../src/shared/format";

void test("durations are written as people read them", () => {
  assert.equal(clock(0), "0:00");
  assert.equal(clock(75), "1:15");
  assert.equal(clock(3675), "1:01:15");
  assert.equal(clock(-3), "0:00");
});

void test("bit rates change their unit", () => {
  assert.equal(kilobits(999), "999 kb/s");
  assert.equal(kilobits(2750), "2.8 Mb/s");
});

void test("states that are not known yet keep their name", () => {
  assert.equal(label("waitingReconnect"), "Reconnecting");
  assert.equal(label("somethingNew"), "somethingNew");
});
