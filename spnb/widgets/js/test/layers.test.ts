// Two layers of a page's pictures: what goes out of each, and what the line says of them.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { LayeredSender } from "../src/shared/layers";
import { PortLine, type Told } from "../src/shared/portLine";
import { page } from "./encoders";

/** A sender of two layers, and what of them goes out: "L" and "S", small letters where it is no key frame. */
async function layered() {
  let at = 1000;
  const clock = mock.method(performance, "now", () => at);
  const made = page();
  const out: { n: number; small: boolean; letter: string }[] = [];
  let rested = 0;
  const wish = { width: 1280, height: 720, fps: 30, bitrate: 2_400_000 };
  const sender = new LayeredSender(
    wish,
    ({ n, key, small = false }) => out.push({ n, small, letter: (small ? "S" : "L")[key ? "toUpperCase" : "toLowerCase"]() }),
    assert.fail,
    { width: 640, height: 360 },
  );
  sender.onRests = () => (rested += 1);
  await sender.start(made.track);
  /** What goes out of the next picture, after so many milliseconds; acknowledged after so many more, where at all. */
  const frame = async (late?: number, after = 600) => {
    at += after;
    const before = out.length;
    await made.next();
    const letters = out.map(({ letter }) => letter).slice(before);
    if (late === undefined) return letters.join("");
    at += late;
    for (const { n, small } of out.splice(0)) sender.acknowledged(n, false, null, small);
    return letters.join("");
  };
  const [large, small] = made.encoders;
  const bits = () => [large!.config.bitrate, small!.config.bitrate];
  return { ...made, sender, frame, bits, wish, large: large!, small: small!, rested: () => rested, now: () => at, done: () => clock.mock.restore() };
}

void test("a small layer goes out beside the large one, each with key frames of its own, both within what is wished for", async () => {
  const { sender, frame, bits, small, large, done } = await layered();
  assert.equal(sender.layers, 2);
  assert.equal(small.config.width, 640);
  assert.deepEqual(bits(), [950_000, 250_000]);
  large.encodeQueueSize = 3;
  assert.equal(await frame(1), "", "what is seen and recorded first is the large one");
  large.encodeQueueSize = 0;
  assert.equal(await frame(1), "LS");
  sender.key(true);
  assert.equal(await frame(1), "lS");
  sender.key();
  assert.equal(await frame(1), "Ls");
  for (let count = 0; count < 10; count++) await frame(1);
  assert.deepEqual(bits(), [2_150_000, 250_000]);
  // Half as many pictures are enough for a small one.
  const sent = [];
  for (let count = 0; count < 30; count++) sent.push(await frame(1, 1000 / 30));
  const small15 = sent.filter((letters) => letters.includes("s")).length;
  assert.ok(sent.filter((letters) => letters.includes("l")).length >= 29 && small15 >= 14 && small15 <= 17, String(small15));
  const { sent: pictures } = sender;
  assert.equal(await frame(1), "ls");
  assert.equal(sender.sent, pictures + 1, "pictures are counted, not layers");
  // Muted, nothing of either is made.
  sender.hold(true);
  assert.equal(await frame(1), "");
  sender.hold(false);
  assert.equal(await frame(1), "LS");
  sender.stop();
  done();
});

void test("on a full way the large layer gives way: fewer bits, then none; the small one stays, and it comes back", async () => {
  const { sender, frame, bits, rested, now, large, wish, done } = await layered();
  await frame(1);
  await frame(1);
  // While acknowledgements are out for a while the small one alone goes on, and for longer neither does.
  await frame(undefined, 100);
  assert.equal(await frame(undefined, 410), "s");
  assert.equal(await frame(1, 310), "");
  let before = bits()[0]!;
  for (let letters = "l"; letters.includes("l"); letters = await frame(400)) {
    assert.equal(rested(), 0);
    assert.ok(bits()[0]! <= before && bits()[1] === 250_000);
    before = bits()[0]!;
    assert.ok(now() < 30_000);
  }
  assert.equal(rested(), 1);
  assert.deepEqual(sender.size, { ...wish, width: 640, height: 360, fps: 15 });
  assert.equal(large.config.width, 1280, "its size stays");
  const rest = now();
  assert.ok(bits()[1]! <= 450_000);
  let letters = "s";
  while (!letters.includes("L")) {
    letters = await frame(1);
    assert.match(letters, /^(s|Ls)$/);
    assert.ok(now() - rest < 60_000);
  }
  assert.ok(now() - rest > 9_000);
  assert.deepEqual(bits(), [550_000, 250_000], "it is tried with no more than that");
  assert.deepEqual(sender.size, wish);
  sender.stop();
  done();
});

void test("a large layer that nobody has use for rests until somebody has", async () => {
  const { sender, frame, bits, rested, done } = await layered();
  await frame(1);
  await frame(1);
  sender.want(false);
  assert.equal(await frame(1), "S", "who followed the large one goes over at a key frame");
  assert.equal(await frame(1), "s");
  assert.equal(bits()[1], 450_000);
  assert.equal(rested(), 1);
  sender.hold(true);
  sender.hold(false);
  assert.equal(await frame(1), "S");
  sender.want(true);
  assert.deepEqual(bits(), [550_000, 250_000]);
  assert.equal(await frame(1), "Ls");
  sender.stop();
  done();
});

void test("where a second encoder fails there is one layer, and its size follows the way", async () => {
  const { sender, frame, small, large, rested, done } = await layered();
  await frame(1);
  small.told.error(new Error("one is all there is"));
  assert.deepEqual([small.state, sender.layers], ["closed", 1]);
  assert.equal(await frame(1), "L");
  while (large.config.width === 1280) assert.match(await frame(400), /^[lL]$/);
  assert.equal(large.config.width, 640);
  assert.equal(rested(), 0);
  sender.stop();
  done();
});

void test("the line tells its layers apart: in each frame, in what is acknowledged, and in wishes for key frames", async () => {
  const { next, asked, track } = page();
  let socket!: Socket;
  class Socket {
    static OPEN = 1;
    readyState = 1;
    readonly said: Record<string, unknown>[] = [];
    readonly frames: number[][] = [];
    onmessage!: (event: { data: string }) => void;
    constructor() {
      socket = this;
    }
    send(told: string | Uint8Array) {
      if (typeof told === "string") this.said.push(JSON.parse(told) as Record<string, unknown>);
      else this.frames.push([told[0]!, told[1]!, told[5]!]);
    }
    hears = (told: unknown) => this.onmessage({ data: JSON.stringify(told) });
    close() {}
  }
  Object.assign(globalThis, { WebSocket: Socket });
  const told: Told[] = [];
  const line = new PortLine((one) => told.push(one));
  line.take({ do: "open", address: "ws://here", token: "t" });
  const wish = { width: 1280, height: 720, fps: 30, bitrate: 2_400_000 };
  line.take({ do: "encode", key: 5, wish, smaller: { width: 640, height: 360 }, pictures: track });
  while (!told.length) await new Promise((turn) => setImmediate(turn));
  assert.deepEqual(told, [{ tells: "codec", key: 5, codec: "h264", layers: 2 }]);
  let at = performance.now();
  const clock = mock.method(performance, "now", () => at);
  /** What goes out of the next picture, acknowledged at once: track, flags (1: key frame, 2: small), the layer's own number. */
  const frame = async (key = false) => {
    at += 600;
    await next();
    const sent = socket.frames.splice(0);
    for (const [track, flags = 0, n] of sent) socket.hears({ ack: n, track, small: flags > 1, key: key && flags > 1 });
    return sent;
  };
  await frame();
  assert.deepEqual(asked, [], "held until the other end knows of it");
  line.take({ do: "send", key: 5, number: 3, held: false });
  assert.deepEqual(await frame(), [[3, 1, 1], [3, 3, 1]]);
  assert.deepEqual(await frame(true), [[3, 0, 2], [3, 2, 2]]);
  assert.deepEqual(await frame(), [[3, 0, 3], [3, 3, 3]]);
  socket.hears({ key: 3, small: false });
  assert.deepEqual(await frame(), [[3, 1, 4], [3, 2, 4]]);
  socket.hears({ key: 3, small: true });
  assert.deepEqual(await frame(), [[3, 0, 5], [3, 3, 5]]);
  socket.hears({ wants: 3, large: false });
  assert.deepEqual(socket.said, [{ say: "rests", track: 3 }]);
  assert.deepEqual(await frame(), [[3, 3, 6]]);
  socket.hears({ wants: 3, large: true });
  assert.deepEqual(await frame(), [[3, 1, 6], [3, 2, 7]]);
  line.take({ do: "close" });
  clock.mock.restore();
});
