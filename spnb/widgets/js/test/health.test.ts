import assert from "node:assert/strict";
import { test } from "node:test";
import { grade } from "../src/shared/health";

const second = { fps: 30, kbps: 2500, width: 1280, height: 720, loss: 0, rtt: 10, wanted: 30 };

void test("colours follow OBS: 1 and 5 % of frames missed, 95 and 80 % of the frame rate", () => {
  assert.equal(grade(second), "good");
  assert.equal(grade({ ...second, loss: 0.01 }), "good");
  assert.equal(grade({ ...second, loss: 0.011 }), "fair");
  assert.equal(grade({ ...second, loss: 0.051 }), "bad");
  assert.equal(grade({ ...second, fps: 28.5 }), "good");
  assert.equal(grade({ ...second, fps: 28 }), "fair");
  assert.equal(grade({ ...second, fps: 23.9 }), "bad");
});

void test("without a wish the frame rate says nothing", () => {
  assert.equal(grade({ ...second, fps: 5, wanted: undefined }), "good");
});
