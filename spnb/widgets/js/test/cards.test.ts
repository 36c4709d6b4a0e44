import assert from "node:assert/strict";
import test from "node:test";
import { Window } from "happy-dom";

const window = new Window();
Object.assign(globalThis, { document: window.document });
const { card, trend } = await import("../src/shared/cards");
const { secondsOf } = await import("../src/shared/charts");

test("a card tells its change in words, and its meaning to whoever listens", () => {
  const made = card({ name: "views", label: "<b>Views</b>", value: "12", about: "sessions", change: "n/a", before: "0" });
  assert.equal(made.querySelector(".spnb-kpi-label")?.textContent, "<b>Views</b>");
  assert.equal(made.querySelector(".spnb-kpi-change")?.textContent, "n/a nothing before");
  assert.equal(made.querySelector(".spnb-kpi-change")?.getAttribute("data-change"), "none");
  assert.equal(made.querySelector(".spnb-hush")?.textContent, "sessions");
  const up = card({ name: "views", label: "Views", value: "12", about: "", change: "▲ +50%", before: "8" });
  assert.equal(up.querySelector(".spnb-kpi-change")?.getAttribute("data-change"), "up");
  assert.equal(up.querySelector(".spnb-kpi-change")?.textContent, "▲ +50% vs before");
});

test("a trend goes in steps from day to day, from zero up", () => {
  const line = trend([0, 4, null]).querySelectorAll("path")[1]?.getAttribute("d");
  assert.equal(line, "M0 27.0H0.0V27.0H40.0H40.0V2.0H80.0H80.0V27.0H120.0");
});

test("times on charts are read back to the second", () => {
  assert.equal(secondsOf("01:02:03"), 3723);
  assert.equal(secondsOf("101:00:00"), 363600);
  assert.equal(secondsOf("12 messages"), undefined);
});
