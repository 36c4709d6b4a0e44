import assert from "node:assert/strict";
import test from "node:test";
import { flipped } from "../src/shared/devices";

test("a camera is flipped to one that looks the other way", () => {
  const phone = ["camera2 1, facing front", "camera2 2, facing back", "camera2 0, facing back"];
  assert.equal(flipped(phone, "camera2 1, facing front"), "camera2 2, facing back");
  assert.equal(flipped(phone, "camera2 2, facing back"), "camera2 1, facing front");
});

test("where cameras do not say which way they look, the next one is taken, and after the last the first", () => {
  assert.equal(flipped(["desk", "door", "hall"], "door"), "hall");
  assert.equal(flipped(["desk", "door", "hall"], "hall"), "desk");
  assert.equal(flipped(["desk", "door"], "unplugged"), "desk");
});

test("one camera cannot be flipped", () => {
  assert.equal(flipped(["desk"], "desk"), undefined);
  assert.equal(flipped([], ""), undefined);
});
