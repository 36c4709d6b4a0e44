// A page's own connection on air: where there is another way, it is given up when it has been silent for two seconds, or on its way back for longer than that.
import assert from "node:assert/strict";
import { test } from "node:test";
import { OnAir } from "../src/shared/onAir";
import type { Session } from "../src/shared/session";

class Room {
  static made: Room[] = [];
  readonly heard = new Map<string, () => void>();
  left = 0;
  constructor() {
    Room.made.push(this);
  }
  on = (event: string, callback: () => void) => this.heard.set(event, callback);
  once = this.on;
  connect = () => new Promise<void>(() => undefined);
  disconnect = async () => void (this.left += 1);
}
const RoomEvent = new Proxy({}, { get: (_, name) => name });

async function joined(impatient: boolean) {
  const told: Record<string, unknown>[] = [];
  const failed: string[] = [];
  const session = { send: (_: string, content: Record<string, unknown>) => told.push(content), changed: () => undefined };
  const onAir = new OnAir(session as unknown as Session<unknown>, async () => ({ Room, RoomEvent }) as never, () => null, (why) => failed.push(why));
  Room.made = [];
  onAir.heard({ type: "connect", ask: 1, connection: 7, url: "wss://media.example", token: "t", muted: {}, volume: 1, impatient });
  while (!Room.made.length) await Promise.resolve();
  const [room] = Room.made;
  assert.ok(room);
  const events = () => told.map((content) => content["event"]);
  return { onAir, room, events, failed, says: (event: string) => room.heard.get(event)?.() };
}

void test("it falls to the next way within three seconds, and not before", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { onAir, room, events, failed, says } = await joined(true);
  says("SignalReconnecting");
  assert.deepEqual([onAir.state, events()], ["reconnecting", ["reconnecting"]]);
  context.mock.timers.tick(2499);
  assert.deepEqual([failed, room.left], [[], 0]);
  context.mock.timers.tick(1);
  assert.deepEqual(events(), ["reconnecting", "disconnected"]);
  assert.deepEqual([failed, room.left, onAir.publishing], [["the media server has gone silent"], 1, false]);
});

void test("what comes back in time stays, and where there is no other way it is waited for", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const back = await joined(true);
  back.says("Reconnecting");
  context.mock.timers.tick(2000);
  back.says("Reconnected");
  context.mock.timers.tick(60_000);
  assert.deepEqual([back.failed, back.events()], [[], ["reconnecting", "reconnected"]]);
  const alone = await joined(false);
  alone.says("Reconnecting");
  context.mock.timers.tick(60_000);
  assert.deepEqual([alone.failed, alone.onAir.state], [[], "reconnecting"]);
});

void test("a connection that seems to stand but brings nothing is given up within three seconds", async (context) => {
  let now = 0;
  context.mock.method(performance, "now", () => now);
  const { onAir, failed } = await joined(true);
  let packets = 5;
  const report = () => new Map([["pair", { type: "candidate-pair", packetsReceived: packets }]]);
  const video = { getRTCStatsReport: async () => report() };
  const inside = onAir as unknown as { video: unknown; state: string; listen(): Promise<void> };
  Object.assign(inside, { video, state: "connected" });
  for (; now < 10_000; now += 500) {
    packets += now % 1500 ? 0 : 1; // rarely, but it comes
    await inside.listen();
  }
  assert.deepEqual(failed, []);
  const last = now;
  while (!failed.length && now < last + 10_000) {
    await inside.listen();
    now += 500;
  }
  assert.deepEqual(failed, ["the media server has gone silent"]);
  assert.ok(now - last <= 3000, `after ${now - last} ms`);
});
