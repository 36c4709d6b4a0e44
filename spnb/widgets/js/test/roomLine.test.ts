import assert from "node:assert/strict";
import { test } from "node:test";
import { Window } from "happy-dom";
import { RoomLine } from "../src/shared/roomLine";
import type { Row } from "../src/shared/rows";
import type { Link } from "../src/shared/widget";

const window = new Window();
Object.assign(globalThis, { document: window.document, HTMLElement: window.HTMLElement, Node: window.Node });

const row = (changes: Partial<Row> = {}): Row => ({
  id: "r1",
  title: "Talk",
  creator: "ann",
  status: "recorded",
  type: "directStreaming",
  community: "",
  since: 0,
  created: 1_700_000_000,
  seconds: 75,
  viewers: 0,
  products: 0,
  moderation: "",
  description: "",
  ghost: false,
  ...changes,
});

function lineOf(): { line: RoomLine; sent: unknown[]; press: (name: string) => void } {
  const sent: unknown[] = [];
  const link = { get: () => "ann", send: (action: string, content: object) => sent.push({ action, ...content }) } as unknown as Link;
  const line = new RoomLine(row(), link);
  document.body.append(line.el);
  const press = (name: string) => {
    const found = [...line.el.querySelectorAll("button")].find((one) => one.textContent === name);
    assert.ok(found, name);
    found.focus();
    found.click();
  };
  return { line, sent, press };
}

void test("a question that is open, and the focus on it, live through changes of the row", () => {
  const { line, sent, press } = lineOf();
  press("Delete…");
  const keep = document.activeElement;
  assert.equal(keep?.textContent, "Keep");
  line.draw(row({ products: 3, seconds: 80, status: "live", since: 1 }));
  assert.equal(document.activeElement, keep);
  assert.match(line.el.textContent ?? "", /Delete for good\?/);
  assert.match(line.el.textContent ?? "", /3/);
  press("Delete");
  assert.deepEqual(sent, [{ action: "delete", room: "r1" }]);
});

void test("what is being typed stays while everything else goes on", () => {
  const { line, press } = lineOf();
  press("Edit");
  const title = line.el.querySelector<HTMLInputElement>("input");
  assert.ok(title);
  title.value = "Half a wor";
  line.draw(row({ title: "Changed elsewhere", status: "terminated" }));
  assert.equal(line.el.querySelector("input"), title);
  assert.equal(title.value, "Half a wor");
  assert.match(line.el.textContent ?? "", /Terminated/);
  press("Cancel");
  assert.match(line.el.textContent ?? "", /Changed elsewhere/);
});

void test("times are told in one zone, by its name", () => {
  assert.match(lineOf().line.el.textContent ?? "", /2023-11-14 22:13 UTC/);
});

void test("what was copied is said, and where the page may not write it can be read", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const written: string[] = [];
  let may = true;
  const clipboard = { writeText: (text: string) => (may ? Promise.resolve(void written.push(text)) : Promise.reject(new Error("no"))) };
  Object.defineProperty(globalThis, "navigator", { value: { clipboard }, configurable: true });
  const { line, press } = lineOf();
  const copy = [...line.el.querySelectorAll("button")].at(-1);
  for (const told of ["Copied", "r1"]) {
    press("Copy id");
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(copy?.textContent, told);
    context.mock.timers.tick(2000);
    assert.equal(copy?.textContent, "Copy id");
    may = false;
  }
  assert.deepEqual(written, ["r1"]);
});
