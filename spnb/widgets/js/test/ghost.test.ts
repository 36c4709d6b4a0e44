import assert from "node:assert/strict";
import { test } from "node:test";
import { Window } from "happy-dom";
import { Ghost } from "../src/shared/ghost";
import type { Row } from "../src/shared/rows";
import type { Link } from "../src/shared/widget";

const window = new Window();
Object.assign(globalThis, { document: window.document, HTMLElement: window.HTMLElement, Node: window.Node });

function ghostOf(me = "ann"): { ghost: Ghost; sent: unknown[]; row: (changes?: object) => Row; press: (name: string) => void; seen: () => string[] } {
  const sent: unknown[] = [];
  const link = { get: () => me, send: (action: string, content: object) => sent.push({ action, ...content }) } as unknown as Link;
  const ghost = new Ghost("r1", link);
  document.body.append(ghost.el);
  const row = (changes: object = {}): Row => ({ id: "r1", creator: "ann", ghost: true, ...changes }) as Row;
  const buttons = () => [...ghost.el.querySelectorAll("button")].filter((one) => !one.closest("[hidden]"));
  const press = (name: string) => buttons().find((one) => one.textContent === name)?.click();
  return { ghost, sent, row, press, seen: () => buttons().map((one) => one.textContent) };
}

test("a ghost is ended once its owner has answered, who may think again", () => {
  const { ghost, sent, row, press, seen } = ghostOf();
  ghost.draw(row());
  assert.deepEqual(seen(), ["End ghost…"]);
  press("End ghost…");
  assert.match(ghost.el.textContent ?? "", /over for good/);
  assert.equal(document.activeElement?.textContent, "Keep");
  ghost.draw(row({ viewers: 3 })); // what else becomes of the room closes no question
  assert.deepEqual(seen(), ["End now", "Keep"]);
  press("Keep");
  assert.equal(document.activeElement?.textContent, "End ghost…");
  assert.deepEqual(sent, []);
  press("End ghost…");
  press("End now");
  assert.deepEqual(sent, [{ action: "stop", room: "r1" }]);
});

test("where the publisher is back nothing is asked any more", () => {
  const { ghost, row, press, seen } = ghostOf();
  ghost.draw(row());
  press("End ghost…");
  ghost.draw(row({ ghost: false }));
  assert.equal(ghost.el.hidden, true);
  ghost.draw(row());
  assert.deepEqual(seen(), ["End ghost…"]);
});

test("others are only told", () => {
  const { ghost, row, seen } = ghostOf("bo");
  ghost.draw(row());
  assert.match(ghost.el.textContent ?? "", /without a publisher/);
  assert.deepEqual(seen(), []);
});
