// What a worker makes for the notebook's messages, and what it is told.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { FrameLine, type Told } from "../src/shared/frameLine";
import { page } from "./encoders";

void test("what is encoded goes with the sound there is; a key frame that is wished for comes, and a failure is told", async () => {
  let now = 1000;
  const clock = mock.method(performance, "now", () => now);
  mock.timers.enable({ apis: ["setTimeout"] });
  const { asked, next, encoders, track } = page();
  const told: Told[] = [];
  const took = () => told.splice(0);
  const line = new FrameLine((news) => told.push(news));
  const turn = () => new Promise((done) => setImmediate(done));
  line.take({ do: "sound", packets: [new ArrayBuffer(3)] });
  mock.timers.tick(100);
  assert.deepEqual(took(), [{ tells: "bundle", pictures: [], pieces: [new ArrayBuffer(3)], sent: 0, bytes: 0, size: { width: 0, height: 0 } }]);

  line.take({ do: "encode", wish: { width: 640, height: 360, fps: 10, bitrate: 500_000 }, pictures: track });
  await turn();
  assert.deepEqual(took(), [{ tells: "codec", codec: "h264" }]);
  await next(1000);
  const [first] = took();
  assert.ok(first?.tells === "bundle");
  assert.deepEqual([first.pictures.map(({ n, key }) => [n, key]), first.sent, first.bytes, first.size.width], [[[1, true]], 1, 9, 640]);

  line.take({ do: "acknowledge", n: 1, key: false, bits: null });
  await next(1100);
  assert.deepEqual(took(), [], "it waits for company");
  line.take({ do: "sound", packets: [new ArrayBuffer(4)] });
  mock.timers.tick(100);
  const [second] = took();
  assert.ok(second?.tells === "bundle");
  assert.deepEqual(second.pieces.map(({ byteLength }) => byteLength), [9, 4]);

  now += 450; // key frames come no closer than that
  line.take({ do: "change", wish: { width: 320, height: 180, fps: 10, bitrate: 300_000 } });
  await next(1200);
  assert.deepEqual(asked, [true, false, true]);
  assert.equal(encoders[0]?.config.width, 320);
  took();
  encoders[0]!.told.error(new Error("gone"));
  assert.deepEqual(took(), [{ tells: "failed" }]);
  line.take({ do: "stop" });
  assert.equal(encoders[0]?.state, "closed");
  mock.timers.reset();
  clock.mock.restore();
});

void test("an encoder that cannot begin is an answer too: there is no codec", async () => {
  const { encoders } = page();
  const told: Told[] = [];
  const line = new FrameLine((news) => told.push(news));
  const broken = { getReader: () => assert.fail("these pictures have gone") } as unknown as ReadableStream<VideoFrame>;
  line.take({ do: "encode", wish: { width: 640, height: 360, fps: 10, bitrate: 500_000 }, pictures: broken });
  await new Promise((done) => setImmediate(done));
  assert.deepEqual(told, [{ tells: "codec", codec: "" }]);
  line.take({ do: "stop" });
  assert.equal(encoders[0]?.state, "closed");
});
