// The page's own encoder: key frames as they are asked for, and no more of them.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { FrameSender, Pace } from "../src/shared/encoder";
import { page } from "./encoders";

void test("a wish for a key frame that was made before one had arrived is for that one", async () => {
  let at = 1000;
  const clock = mock.method(performance, "now", () => at);
  const { asked, next, track } = page();
  const sent: number[] = [];
  const sender = new FrameSender({ width: 640, height: 360, fps: 10, bitrate: 500_000 }, ({ n }) => sent.push(n), assert.fail);
  const frame = async () => {
    at += 500;
    await next();
  };
  assert.equal(await sender.start(track), "h264");
  await frame();
  assert.deepEqual(asked, [true], "the first one");
  sender.acknowledged(1, false, null);
  await frame();
  await frame();
  sender.acknowledged(2, true, null);
  await frame();
  assert.deepEqual(asked, [true, false, false, true]);
  sender.acknowledged(3, true, null); // it had not come yet
  await frame();
  assert.deepEqual(asked, [true, false, false, true, false]);
  sender.acknowledged(4, true, null); // it has, and another is wanted
  await frame();
  assert.deepEqual(asked, [true, false, false, true, false, true]);
  assert.deepEqual(sent, [1, 2, 3, 4, 5, 6]);
  sender.stop();
  clock.mock.restore();
});

void test("the road's own back pressure tells the rate: less where acknowledgements come late, more where they do not", () => {
  const pace = new Pace(2_500_000);
  let now = 0;
  const judged = (took: number) => {
    pace.took(took);
    return pace.judge((now += 500), 0);
  };
  assert.equal(pace.bits, 1_200_000, "it begins with what most roads bear");
  assert.equal(pace.judge((now += 500), 0), undefined, "nothing is known before the first acknowledgement");
  for (let count = 0; count < 20; count++) judged(50);
  assert.equal(pace.bits, 2_500_000, "and never more than is wished for");
  const before = pace.bits;
  assert.ok((judged(400) ?? before) < before);
  assert.equal(pace.judge(now + 100, 0), undefined, "not at every picture");
  for (let count = 0; count < 40; count++) judged(400);
  assert.equal(pace.bits, 150_000);
  judged(50);
  assert.ok(pace.bits > 150_000, "it comes back when the road does");
  // Of several the quickest counts: a busy page hears some late, a full way delays all.
  const now50 = pace.bits;
  pace.took(400);
  assert.ok((judged(50) ?? 0) > now50);
  pace.took(400);
  assert.ok((judged(400) ?? Infinity) < pace.bits / 0.6);
  for (let count = 0; count < 40; count++) judged(400);
  judged(50);
  // What is out and not acknowledged counts as well, and for too long nothing more is sent.
  assert.ok((pace.judge((now += 500), 400) ?? Infinity) < 180_000);
  assert.deepEqual([pace.stuck(649), pace.stuck(651)], [false, true]);
  pace.atMost(100_000);
  assert.equal(pace.bits, 100_000, "the other end may wish for less");
});

void test("a way that bears little is sent half the size, and all of it once it bears that for a while", async () => {
  let at = 1000;
  const clock = mock.method(performance, "now", () => at);
  const { next, track } = page();
  const sent: { n: number; width: number }[] = [];
  const sender = new FrameSender({ width: 1280, height: 720, fps: 10, bitrate: 2_000_000 }, (told) => sent.push(told), assert.fail);
  await sender.start(track);
  const frame = async (late: number) => {
    at += 600;
    await next();
    const { n, width } = sent.at(-1)!;
    at += late;
    sender.acknowledged(n, false, null);
    return width;
  };
  assert.equal(await frame(1), 1280);
  while ((await frame(400)) === 1280) assert.ok(at < 20_000);
  assert.deepEqual(sender.size, { width: 640, height: 360, fps: 10, bitrate: 2_000_000 });
  const fell = at;
  while ((await frame(1)) === 640) assert.ok(at < 60_000);
  assert.ok(at - fell > 9_000);
  // On air the kernel has other work: what it bore before says nothing, and all of it is sent at once.
  while ((await frame(400)) === 1280) assert.ok(at < 90_000);
  sender.change({ width: 1280, height: 720, fps: 10, bitrate: 2_000_000 });
  assert.equal(await frame(1), 1280);
  clock.mock.restore();
});

void test("pictures count by when they were taken: several at once of a busy page, but no more than are wished for", async () => {
  const clock = mock.method(performance, "now", () => 5000);
  const { asked, next, track } = page();
  const sender = new FrameSender({ width: 640, height: 360, fps: 10, bitrate: 500_000 }, ({ n }) => sender.acknowledged(n, false, null), assert.fail);
  await sender.start(track);
  for (const taken of [1000, 1100, 1200, 1300]) await next(taken);
  assert.equal(asked.length, 4);
  // Twice as many come as are wished for; a gap is made up for by two.
  for (let taken = 1350; taken <= 2300; taken += 50) await next(taken);
  assert.equal(asked.length, 16);
  for (let taken = 4000; taken < 5000; taken += 50) await next(taken);
  assert.equal(asked.length, 28);
  // Held, none is made.
  sender.hold(true);
  await next(6000);
  assert.equal(asked.length, 28);
  sender.stop();
  clock.mock.restore();
});
