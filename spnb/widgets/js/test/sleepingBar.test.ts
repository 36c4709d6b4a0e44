// The bar over a narrow page's picture hides by itself, and whatever a host does there brings it back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sleepingBar } from "../src/shared/sleepingBar";
import { aPage } from "./models";

const window = aPage();

void test("it sleeps when nobody does anything, and wakes at a touch, a pointer, a key and a focus", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const [stage, bar] = [document.createElement("div"), document.createElement("div")];
  const end = sleepingBar(stage, bar);
  const asleep = () => bar.classList.contains("spnb-asleep");
  assert.equal(asleep(), false);
  for (const event of ["pointermove", "pointerdown", "focusin", "keydown"]) {
    context.mock.timers.tick(3400);
    assert.equal(asleep(), false);
    context.mock.timers.tick(200);
    assert.equal(asleep(), true);
    stage.dispatchEvent(new window.Event(event) as unknown as Event);
    assert.equal(asleep(), false);
  }
  end();
  context.mock.timers.tick(10_000);
  assert.equal(asleep(), false, "where the view has ended nothing happens any more");
});
