import assert from "node:assert/strict";
import test from "node:test";
import { LiveBins } from "../src/shared/liveBins";

test("a bin holds the most viewers and the sum of what came", () => {
  const bins = new LiveBins(4);
  bins.add(0.4, 3, 1, 0);
  bins.add(0.9, 2, 1, 2);
  bins.add(2, 5, 0, 1);
  assert.deepEqual([bins.width, bins.viewers, bins.messages, bins.reactions], [1, [3, null, 5], [2, 0, 0], [2, 0, 1]]);
});

test("it stays small, and neither the peak nor a count is lost", () => {
  const bins = new LiveBins(8);
  for (let second = 0; second < 100; second += 1) bins.add(second, second === 37 ? 99 : 1, 2, 1);
  assert.equal(bins.width, 16);
  assert.equal(bins.viewers.length, 7);
  assert.equal(Math.max(...bins.viewers.map((count) => count ?? 0)), 99);
  assert.equal(bins.viewers.indexOf(99), Math.floor(37 / 16));
  assert.equal(bins.messages.reduce((sum, count) => sum + count), 200);
  assert.equal(bins.reactions.reduce((sum, count) => sum + count), 100);
});

test("a second that was seen by nobody stays empty when bins are joined", () => {
  const bins = new LiveBins(2);
  bins.add(0, 4, 0, 0);
  bins.add(7, 1, 0, 0);
  assert.deepEqual([bins.width, bins.viewers], [4, [4, 1]]);
  bins.add(12, null, 3, 0);
  assert.deepEqual([bins.width, bins.viewers, bins.messages], [8, [4, null], [0, 3]]);
});

test("it goes on from what the kernel has kept", () => {
  const bins = new LiveBins(8);
  bins.take(2, [[3, null], [1, 0], [0, 2]]);
  bins.add(3, 7, 1, 1);
  assert.deepEqual([bins.viewers, bins.messages, bins.reactions], [[3, 7], [1, 1], [0, 3]]);
});
