// What a player meets, told once each: start, waits, switches, errors, the end.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Window } from "happy-dom";
import { Experience, type Met } from "../src/shared/experience";

const window = new Window();
Object.assign(globalThis, { document: window.document, HTMLElement: window.HTMLElement, Node: window.Node });
Object.assign(globalThis, {
  addEventListener: window.addEventListener.bind(window),
  removeEventListener: window.removeEventListener.bind(window),
});

function player() {
  const video = window.document.createElement("video") as unknown as HTMLVideoElement;
  Object.defineProperty(video, "paused", { value: false, configurable: true });
  Object.defineProperty(video, "seeking", { value: false, writable: true });
  const told: Met[] = [];
  const made = new Experience(video, (met) => told.push(met), () => 2.5);
  const fire = (name: string) => video.dispatchEvent(new window.Event(name) as unknown as Event);
  return { video, told, made, fire, kinds: () => told.map(({ kind }) => kind) };
}

void test("a start, a wait and the end are told with their seconds, and a try again belongs to the same wish", () => {
  mock.timers.enable({ apis: ["setInterval"] });
  let seconds = 100;
  const clock = mock.method(performance, "now", () => seconds * 1000);
  const { told, made, fire, kinds } = player();
  fire("playing"); // nobody asked: the replay, say
  made.ask();
  made.ask();
  seconds += 2;
  fire("waiting"); // before the first picture: that is the start
  seconds += 1;
  fire("playing");
  seconds += 10;
  mock.timers.tick(10_000);
  fire("waiting");
  seconds += 4;
  fire("playing");
  made.fail("no answer");
  made.ask();
  seconds += 1;
  fire("playing");
  seconds += 5;
  made.end();
  made.end();
  assert.deepEqual(kinds(), ["asked", "started", "played", "delay", "waited", "failed", "played", "left"]);
  const of = (kind: string) => told.filter((met) => met.kind === kind);
  assert.equal(of("started")[0]?.value, 3);
  assert.equal(of("waited")[0]?.value, 4);
  assert.equal(of("delay")[0]?.value, 2.5);
  assert.deepEqual(of("played").map((met) => met.value), [10, 15]);
  assert.equal(of("failed")[0]?.detail, "no answer");
  assert.equal(new Set(told.map((met) => met.session)).size, 1);
  clock.mock.restore();
  mock.timers.reset();
});

void test("what the viewer moves to is no lack of data, and only another quality is a switch", () => {
  mock.timers.enable({ apis: ["setInterval"] });
  const { video, told, made, fire, kinds } = player();
  let hear: (event: string, data: { level: number }) => void = () => undefined;
  made.follow({ levels: [{ bitrate: 500_000 }, { bitrate: 2_000_000 }], on: (_name: string, heard: typeof hear) => (hear = heard) });
  made.ask();
  fire("playing");
  (video as { seeking: boolean }).seeking = true;
  fire("waiting");
  (video as { seeking: boolean }).seeking = false;
  fire("playing");
  for (const level of [1, 1, 0]) hear("", { level });
  assert.deepEqual(kinds(), ["asked", "started", "switched"]);
  assert.equal(told.at(-1)?.value, 500);
  made.end();
  mock.timers.reset();
});

void test("where no event tells that a picture stands, it is told by the line, and seen time is less by so much", () => {
  mock.timers.enable({ apis: ["setInterval"] });
  let seconds = 100;
  const clock = mock.method(performance, "now", () => seconds * 1000);
  const { video, told, made, fire } = player();
  made.ask();
  made.froze(1, 1); // before the first picture
  made.breaks(1);
  fire("playing");
  seconds += 10;
  made.froze(2, 3);
  // The line breaks two seconds after the last picture; another way has one a second later.
  made.breaks(2);
  fire("emptied");
  seconds += 1;
  fire("playing");
  seconds += 5;
  // It breaks again, and the stream is over: nobody waits for more.
  made.breaks(0.5);
  made.went();
  fire("emptied");
  seconds += 100;
  fire("playing");
  Object.defineProperty(video, "paused", { value: true });
  made.froze(1, 1);
  made.breaks(1);
  made.end();
  const of = (kind: string) => told.filter((met) => met.kind === kind).map((met) => met.value);
  assert.deepEqual(of("waited"), [1.5, 1.5, 3, 0.5]);
  assert.deepEqual(of("played"), [9.5], "ten and five, less three frozen, two, and a half");
  clock.mock.restore();
  mock.timers.reset();
});

void test("who waits for a picture gives signs of life, and a page that is closed says so once", () => {
  mock.timers.enable({ apis: ["setInterval"] });
  const { made, kinds } = player();
  made.ask();
  mock.timers.tick(20_000);
  assert.deepEqual(kinds(), ["asked", "here", "here"]);
  window.dispatchEvent(new window.Event("pagehide"));
  window.dispatchEvent(new window.Event("pagehide"));
  made.end();
  mock.timers.tick(20_000);
  assert.deepEqual(kinds(), ["asked", "here", "here", "left"]);
  mock.timers.reset();
});
