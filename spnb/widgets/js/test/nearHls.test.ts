// How near a viewer is to what is on air: by hls.js's own measure of it, and its own events.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { ErrorDetails, ErrorTypes, Events } from "hls.js";
import { NearHls, Patience } from "../src/shared/nearHls";

void test("each wait puts a viewer further back; a while without brings them nearer, later each time that was in vain", () => {
  const patience = new Patience();
  const after = (ms: number) => patience.plays((now += ms));
  let now = 1000;
  assert.equal(after(1_000_000), false, "who has not waited is as near as may be");
  patience.waited(now);
  patience.waited(now);
  assert.equal(patience.seconds, 1);
  assert.equal(after(9_999), false);
  assert.equal(after(1), true);
  assert.equal(patience.seconds, 0.75);
  patience.waited(now);
  assert.deepEqual([after(19_999), after(1), patience.seconds], [false, true, 1]);
  for (let wait = 0; wait < 20; wait++) patience.waited(now);
  assert.equal(patience.seconds, 3, "and not for ever");
  const began = now;
  while (patience.seconds) after(1000);
  assert.equal(now - began, 12 * 40_000);
});

/** A video of which the last so many seconds of what is on air are there. */
class Video extends EventTarget {
  currentTime = 0;
  paused = false;
  seeking = false;
  playbackRate = 1;
  edge = 0;
  length = 1;
  readonly buffered = this;
  start = () => 0;
  end = () => this.edge;
}

function playing(edge: number, at: number) {
  const video = Object.assign(new Video(), { edge, currentTime: at });
  const hls = new NearHls({ lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.1 });
  const details = { live: true, edge, age: 0, partHoldBack: 1, holdBack: 6, targetduration: 2, partTarget: 1 / 3, totalduration: edge };
  Object.defineProperty(hls, "latestLevelDetails", { get: () => details });
  hls.emit(Events.MEDIA_ATTACHED, Events.MEDIA_ATTACHED, { media: video as unknown as HTMLMediaElement });
  const tell = (...names: string[]) => names.forEach((name) => video.dispatchEvent(new Event(name)));
  return { video, hls, details, tell };
}

// hls.js asks for timers of a page's or a worker's.
Object.assign(globalThis, { self: globalThis });

void test("a picture that begins far behind hops to what is there, once; a viewer who goes back is left there", () => {
  let now = 1000;
  const clock = mock.method(performance, "now", () => now);
  const { video, hls, tell } = playing(10, 6);
  tell("playing", "timeupdate");
  assert.equal(video.currentTime, 8.5, "of what is there already");
  tell("seeking", "timeupdate");
  assert.equal(hls.latency, 1.5, "so says hls.js");
  now += 1000;
  video.currentTime = 4;
  tell("seeking", "timeupdate");
  assert.equal(video.currentTime, 4);
  const wait = () =>
    hls.emit(Events.ERROR, Events.ERROR, {
      type: ErrorTypes.MEDIA_ERROR,
      details: ErrorDetails.BUFFER_STALLED_ERROR,
      fatal: false,
      error: new Error(""),
    });
  wait();
  tell("timeupdate");
  assert.equal(video.currentTime, 4, "through a wait too");
  assert.equal(hls.targetLatency, 1.5);
  video.currentTime = 8.5;
  tell("seeking", "timeupdate");
  video.currentTime = 6.5;
  Object.assign(video, { edge: 8.2 });
  wait();
  assert.equal(hls.targetLatency, 2);
  tell("seeking"); // hls.js itself skips a hole
  tell("timeupdate");
  assert.equal(video.currentTime, 6.5, "it does not run out of what is there");
  hls.destroy();
  clock.mock.restore();
});
