import assert from "node:assert/strict";
import { test } from "node:test";
import { carriedFile, MOST_CARRIED } from "../src/shared/carriedFile";

const PIECE = 4 * 2 ** 20;

/** A server of one file, as the kernel hands its answers on. */
const serverOf = (file: Uint8Array<ArrayBuffer>, ranges = true) => {
  const asked: number[] = [];
  const ask = async (_url: string, first = 0, last = Infinity) => {
    asked.push(first);
    if (!ranges) return { status: 200, bytes: file };
    if (first >= file.byteLength) return { status: 416, bytes: new Uint8Array() };
    return { status: 206, bytes: file.slice(first, last + 1) };
  };
  return { ask, asked };
};
const some = (bytes: number) => new Uint8Array(bytes).map((_, index) => index % 251);
const told = (): void => undefined;

for (const bytes of [3, PIECE, PIECE + 1, 2 * PIECE])
  test(`a file of ${bytes} bytes comes whole`, async () => {
    const file = some(bytes);
    const came: number[] = [];
    const { ask } = serverOf(file);
    const blob = await carriedFile(ask, "a.mp4", () => true, (length) => came.push(length));
    assert(blob instanceof Blob);
    assert.deepEqual(new Uint8Array(await blob.arrayBuffer()), file);
    assert.equal(came.at(-1), bytes);
    assert.equal(blob.type, "video/mp4");
  });

test("a server without ranges is asked once", async () => {
  const { ask, asked } = serverOf(some(2 * PIECE), false);
  assert(((await carriedFile(ask, "a.mp4", () => true, told)) as Blob).size === 2 * PIECE);
  assert.deepEqual(asked, [0]);
});

test("what is not wanted any more is not asked for further", async () => {
  const { ask, asked } = serverOf(some(3 * PIECE));
  assert.equal(await carriedFile(ask, "a.mp4", () => asked.length < 2, told), undefined);
  assert.equal(asked.length, 2);
});

test("of what is told to be too large nothing more is asked for, and how much there is is told", async () => {
  let pieces = 0;
  const whole = MOST_CARRIED + 1;
  const large = async () => ((pieces += 1), { status: 206, bytes: new Uint8Array(PIECE), whole });
  assert.equal(await carriedFile(large, "a.mp4", () => true, told), 413);
  assert.equal(pieces, 1);
  const heard: [number, number][] = [];
  const small = async () => ({ status: 206, bytes: new Uint8Array(5), whole: 5 });
  await carriedFile(small, "a.mp4", () => true, (...said) => heard.push(said));
  assert.deepEqual(heard, [[5, 5]]);
});

test("why it does not come is told", async () => {
  const refusing = (status: number) => async () => ({ status, bytes: new Uint8Array() });
  for (const status of [0, 403, 404, 416, 500])
    assert.equal(await carriedFile(refusing(status), "a.mp4", () => true, told), status);
  const piece = new Uint8Array(PIECE);
  let pieces = 0;
  const endless = async () => ((pieces += 1), { status: 206, bytes: piece });
  assert.equal(await carriedFile(endless, "a.mp4", () => true, told), 413);
  assert(pieces <= MOST_CARRIED / PIECE + 1);
});
