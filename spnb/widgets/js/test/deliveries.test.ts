import assert from "node:assert/strict";
import { test } from "node:test";
import { chosenDeliveries, type DeliveryRow } from "../src/shared/deliveries";

function row(id: string, at: number, more: Partial<DeliveryRow> = {}): DeliveryRow {
  return { id, at, event: "stream.started", name: "room.live", room: "r1", source: "social.plus", copies: 1, handled: "done", ...more };
}

const rows = [
  row("1", 1),
  row("3", 2, { copies: 2 }),
  row("2", 2, { name: "room.ended", event: "stream.ended", handled: "failed" }),
  row("refused 4", 4, { name: "", event: "", room: "", handled: "", refused: "401: no signature was sent" }),
];
const ids = (text: string, state: string) => chosenDeliveries(rows, text, state).map(({ id }) => id);

void test("the newest comes first", () => {
  assert.deepEqual(ids("", ""), ["refused 4", "3", "2", "1"]);
});

void test("webhooks are filtered by text and state", () => {
  assert.deepEqual(ids(" STREAM.ended ", ""), ["2"]);
  assert.deepEqual(ids("signature", ""), ["refused 4"]);
  assert.deepEqual(ids("", "verified"), ["3", "2", "1"]);
  assert.deepEqual(ids("", "refused"), ["refused 4"]);
  assert.deepEqual(ids("", "failed"), ["2"]);
  assert.deepEqual(ids("live", "copies"), ["3"]);
  assert.deepEqual(ids("", "unheard of").length, 4);
});
