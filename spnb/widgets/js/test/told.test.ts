// What is said where something does not work: a kernel that is gone, numbers that do not come, addresses that fail.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Window } from "happy-dom";
import { HealthStrip } from "../src/shared/health";
import { Link, type Model } from "../src/shared/widget";

const window = new Window();
Object.assign(globalThis, { document: window.document, HTMLElement: window.HTMLElement, Node: window.Node });

function modelOf(): { model: Model; fire: (event: string) => void } {
  const callbacks = new Map<string, (() => void)[]>();
  const model = {
    get: () => undefined,
    on: (event: string, callback: () => void) => callbacks.set(event, [...(callbacks.get(event) ?? []), callback]),
    off: () => undefined,
    send: () => undefined,
    widget_manager: { get_model: () => Promise.reject(new Error("none")) },
  } as unknown as Model;
  return { model, fire: (event) => callbacks.get(event)?.forEach((callback) => callback()) };
}

void test("a widget whose kernel is gone says so, and nothing in it can be pressed until it is back", async () => {
  const { model, fire } = modelOf();
  const view = document.createElement("div");
  const el = document.createElement("div");
  const part = document.createElement("section");
  view.append(el);
  el.append(part);
  document.body.append(view);
  const link = new Link(model);
  link.mourn(el);
  fire("comm_live_update");
  await Promise.resolve();
  assert.equal(part.inert ?? false, false);
  view.classList.add("jupyter-widgets-disconnected");
  fire("comm_live_update");
  await Promise.resolve();
  assert.equal(part.inert, true);
  assert.match(el.textContent ?? "", /The kernel that this belongs to is gone/);
  view.classList.remove("jupyter-widgets-disconnected");
  fire("comm_live_update");
  await Promise.resolve();
  assert.equal(part.inert, false);
  assert.equal(el.textContent, "");
  link.end();
});

void test("a kernel that was shut down is seen by its connection", async (context) => {
  context.mock.timers.enable({ apis: ["setInterval"] });
  const { model } = modelOf();
  const kernel = { isDisposed: false, status: "idle", connectionStatus: "connected" };
  model.widget_manager.kernel = kernel;
  const el = document.createElement("div");
  const link = new Link(model);
  link.mourn(el);
  await Promise.resolve();
  context.mock.timers.tick(2000);
  assert.equal(el.textContent, "");
  kernel.status = "dead";
  context.mock.timers.tick(2000);
  assert.match(el.textContent ?? "", /is gone/);
  kernel.status = "idle";
  context.mock.timers.tick(2000);
  assert.equal(el.textContent, "");
  model.widget_manager.kernel = null;
  context.mock.timers.tick(2000);
  assert.match(el.textContent ?? "", /is gone/);
  link.end();
});

void test("old health numbers are not shown as new ones", () => {
  const strip = new HealthStrip();
  strip.add({ fps: 30, kbps: 2000, width: 1280, height: 720, loss: 0, rtt: 5, wanted: 30 });
  strip.check(performance.now());
  assert.match(strip.el.textContent ?? "", /Good/);
  const { now } = performance;
  performance.now = () => now.call(performance) + 10_000;
  try {
    strip.check(0);
  } finally {
    performance.now = now;
  }
  assert.match(strip.el.textContent ?? "", /No health numbers for 1\d s/);
  assert.doesNotMatch(strip.el.textContent ?? "", /Good|30 fps/);
});

void test("health is no live region: only another grade is said aloud, once", () => {
  const strip = new HealthStrip();
  const good = { fps: 30, kbps: 2000, width: 1280, height: 720, loss: 0, rtt: 5, wanted: 30 };
  const aloud = () => strip.el.querySelectorAll("[aria-live], [role=status], [role=alert], [role=log]");
  for (const fps of [30, 29.9, 30.1]) strip.add({ ...good, fps });
  assert.equal(strip.el.getAttribute("role"), "group");
  assert.equal(strip.el.closest("[aria-live], [role=status], [role=alert], [role=log]"), null);
  const [spoken] = aloud();
  assert.deepEqual([aloud().length, spoken?.textContent], [1, ""], "numbers that change are not said");
  strip.add({ ...good, fps: 10 });
  assert.deepEqual([...aloud()], [spoken], "it stays the same element, else it is not heard");
  assert.equal(spoken?.textContent, "The broadcast's health is Poor.");
  strip.add({ ...good, fps: 11 });
  assert.equal(spoken?.textContent, "The broadcast's health is Poor.");
});
