import assert from "node:assert/strict";
import { test } from "node:test";
import { span, whole } from "../src/shared/parts";

void test("a moment lies in one file, and the other way round", () => {
  const lengths = [4, 3, 5];
  assert.deepEqual(span(lengths, 0), { file: 0, offset: 0 });
  assert.deepEqual(span(lengths, 4), { file: 1, offset: 0 });
  assert.deepEqual(span(lengths, 6.5), { file: 1, offset: 2.5 });
  assert.deepEqual(span(lengths, -3), { file: 0, offset: 0 });
  assert.deepEqual(span(lengths, 99), { file: 2, offset: 5 });
  for (const at of [0, 3.9, 4, 6.9, 7, 11]) {
    const { file, offset } = span(lengths, at);
    assert.equal(Math.round(whole(lengths, file, offset) * 10) / 10, at);
  }
});

void test("a length that is not known yet stops nothing", () => {
  assert.deepEqual(span([0, 3], 2), { file: 0, offset: 2 });
  assert.deepEqual(span([], 2), { file: 0, offset: 0 });
});
