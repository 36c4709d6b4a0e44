// What goes in one message to the kernel.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Bundle } from "../src/shared/bundle";
import type { Encoded } from "../src/shared/encoder";

const picture = (n: number, key = false): Encoded => ({ codec: "vp8", key, width: 640, height: 360, at: n * 33_000, n });
const piece = (name: string) => new TextEncoder().encode(name).buffer;

void test("pictures go four at a time and in order, with the sound that is there; what has no company waits only a little", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const sent: string[] = [];
  const bundle = new Bundle(({ pictures }, pieces) => {
    const names = pieces.map((bytes) => new TextDecoder().decode(bytes));
    sent.push(`${pictures.map(({ n }) => n).join("+")}: ${names.join(" ")}`);
  });
  const took = () => sent.splice(0);

  bundle.picture(picture(1, true), piece("p1"));
  assert.deepEqual(took(), ["1: p1"], "a key frame waits for nothing");
  bundle.picture(picture(2), piece("p2"));
  bundle.picture(picture(3), piece("p3"));
  assert.deepEqual(took(), []);
  bundle.sound([piece("s1"), piece("s2")]);
  bundle.picture(picture(4), piece("p4"));
  assert.deepEqual(took(), []);
  bundle.picture(picture(5), piece("p5"));
  assert.deepEqual(took(), ["2+3+4+5: p2 p3 p4 p5 s1 s2"]);
  mock.timers.tick(1000);
  assert.deepEqual(took(), [], "nothing is sent twice, and nothing empty");

  bundle.picture(picture(8), piece("p8"));
  mock.timers.tick(99);
  assert.deepEqual(took(), []);
  mock.timers.tick(1);
  assert.deepEqual(took(), ["8: p8"]);
  bundle.sound([piece("s3")]);
  mock.timers.tick(100);
  assert.deepEqual(took(), [": s3"], "sound goes without pictures too");

  bundle.picture(picture(9), piece("p9"));
  bundle.picture(picture(10, true), piece("p10"));
  assert.deepEqual(took(), ["9+10: p9 p10"], "and a key frame after what was before it");
  bundle.picture(picture(11), piece("p11"));
  bundle.end();
  mock.timers.tick(1000);
  assert.deepEqual(took(), []);
  mock.timers.reset();
});
