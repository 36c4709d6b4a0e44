import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Shortcut } from "../src/shared/shortcut";
import type { Subscriber, WebRtc } from "../src/shared/webrtc";

const TOKEN: Subscriber = { url: "ws://x", token: "t", signpost: null, iceServers: [] };

/** Lines that come about where `works`; `cut` breaks the newest. */
function lines(works: () => boolean) {
  const told = { lost: 0, again: 0, closed: 0, cut: (_why: string): void => undefined };
  const shortcut = new Shortcut(
    () => void told.lost++,
    () => undefined,
    () => void told.again++,
    (lost) => {
      told.cut = lost;
      const open = async () => {
        if (!works()) throw new Error("no line came about");
      };
      return { open, close: () => void told.closed++ } as unknown as WebRtc;
    },
  );
  return { shortcut, told };
}

/** Until it is tried again, in seconds. */
function pause(told: { again: number }): number {
  const before = told.again;
  let seconds = 0;
  for (; told.again === before && seconds < 1000; seconds++) mock.timers.tick(1000);
  return seconds;
}

void test("what failed is tried again, less and less often, and soon after one that has lasted", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let at = 1;
  mock.method(performance, "now", () => at);
  let works = false;
  const { shortcut, told } = lines(() => works);
  const waited: number[] = [];
  for (let tries = 0; tries < 5; tries++) {
    assert.equal(await shortcut.open(TOKEN), undefined);
    assert.equal(shortcut.why, "no line came about");
    waited.push(pause(told));
  }
  assert.deepEqual(waited, [15, 30, 60, 120, 120]);

  works = true;
  assert.ok(await shortcut.open(TOKEN));
  assert.equal(shortcut.why, "");
  assert.equal(pause(told), 1000, "what is open is not opened again");
  at += 1000;
  told.cut("the line broke");
  assert.deepEqual([told.lost, shortcut.why, pause(told)], [1, "the line broke", 120], "it may break again at once");
  assert.ok(await shortcut.open(TOKEN));
  at += 100_000;
  told.cut("the line broke");
  assert.equal(pause(told), 15);
  shortcut.end();
  assert.equal(pause(told), 1000);
  mock.timers.reset();
  mock.restoreAll();
});

void test("a service that has no such thing is asked no more", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { shortcut, told } = lines(() => true);
  assert.equal(await shortcut.open({ why: "the service gave no token for it" }), undefined);
  assert.equal(shortcut.barred, false);
  assert.equal(await shortcut.open(null), undefined);
  assert.equal(shortcut.barred, true);
  assert.equal(shortcut.why, "the service lets viewers in by HLS alone");
  shortcut.end();
  assert.equal(pause(told), 1000);
  mock.timers.reset();
});

void test("of several that are asked for the last one counts, and what was given up is closed", async () => {
  let come: () => void = () => undefined;
  const { shortcut, told } = lines(() => true);
  const slow = new Shortcut(
    () => undefined,
    () => undefined,
    () => undefined,
    () => ({ open: () => new Promise<void>((done) => (come = done)), close: () => void told.closed++ }) as unknown as WebRtc,
  );
  const first = slow.open(TOKEN);
  slow.giveUp();
  assert.equal(told.closed, 1);
  come();
  assert.equal(await first, undefined);
  assert.equal(slow.why, "");
  slow.end();
  shortcut.end();
});
