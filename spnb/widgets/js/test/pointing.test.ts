import assert from "node:assert/strict";
import { test } from "node:test";
import { Window } from "happy-dom";
import { pointing } from "../src/shared/pointing";
import type { Link, Reply } from "../src/shared/widget";

const window = new Window();
Object.assign(globalThis, { document: window.document, HTMLElement: window.HTMLElement, Node: window.Node });

void test("a stream key is shown once, is in no markup, and is gone when it is done with", async () => {
  const sent: string[] = [];
  const copied: string[] = [];
  let tell: (reply: Reply) => void = () => undefined;
  let encoder = true;
  let changed = () => undefined as void;
  const link = {
    get: () => encoder,
    send: (action: string) => sent.push(action),
    hear: (callback: (reply: Reply) => void) => (tell = callback),
    follow: (_names: string[], update: () => void) => {
      changed = update;
      update();
    },
    atEnd: () => undefined,
  } as unknown as Link;
  Object.defineProperty(globalThis, "navigator", {
    value: { clipboard: { writeText: (text: string) => Promise.resolve(void copied.push(text)) } },
    configurable: true,
  });
  const el = pointing(link);
  document.body.append(el);
  const press = (name: string) => {
    const found = [...el.querySelectorAll("button")].find((one) => one.textContent === name);
    assert.ok(found, name);
    found.click();
  };
  press("Use OBS…");
  tell({ type: "ingest", server: "rtmp://there/live", key: "very-secret" });
  const field = el.querySelector<HTMLInputElement>("[aria-label='Stream key']");
  assert.equal(field?.value, "very-secret");
  assert.ok(!el.outerHTML.includes("very-secret"));
  press("Copy stream key");
  press("Copy server");
  await Promise.resolve();
  assert.deepEqual(copied, ["very-secret", "rtmp://there/live"]);
  press("End all keys");
  tell({ type: "revoked", revoked: true });
  assert.equal(el.querySelector("input"), null);
  assert.match(el.textContent ?? "", /No key lets anybody in/);
  press("Use OBS…");
  tell({ type: "ingest", server: "rtmp://there/live", key: "another" });
  press("Done");
  assert.equal(el.querySelector("input"), null);
  assert.deepEqual(sent, ["ingest", "revoke", "ingest"]);
  encoder = false;
  changed();
  assert.ok(el.hidden);
});
