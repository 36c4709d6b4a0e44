import assert from "node:assert/strict";
import { test } from "node:test";
import { Window } from "happy-dom";

const window = new Window();
Object.assign(globalThis, { document: window.document, HTMLElement: window.HTMLElement, Node: window.Node });

void test("text is text, whatever it looks like", async () => {
  const { h, replace } = await import("../src/shared/dom");
  const title = "<img src=x onerror=alert(1)>";
  const element = h("p", { class: "spnb-title" }, title);
  assert.equal(element.textContent, title);
  assert.equal(element.children.length, 0);
  replace(element, "a", null, false, "b");
  assert.equal(element.textContent, "ab");
});

void test("attributes: true stands alone, false and null stay away, functions listen", async () => {
  const { h } = await import("../src/shared/dom");
  let clicks = 0;
  const button = h("button", { hidden: true, title: null, disabled: false, "aria-label": "go", click: () => (clicks += 1) });
  assert.equal(button.getAttribute("hidden"), "");
  assert.equal(button.hasAttribute("title"), false);
  assert.equal(button.hasAttribute("disabled"), false);
  assert.equal(button.getAttribute("aria-label"), "go");
  button.click();
  assert.equal(clicks, 1);
});

void test("the keys of JupyterLab are kept from controls", async () => {
  const { h } = await import("../src/shared/dom");
  assert.equal(h("input").getAttribute("data-lm-suppress-shortcuts"), "true");
  assert.equal(h("p").hasAttribute("data-lm-suppress-shortcuts"), false);
});

void test("ids do not repeat", async () => {
  const { uniqueId } = await import("../src/shared/dom");
  const ids = new Set(Array.from({ length: 1000 }, uniqueId));
  assert.equal(ids.size, 1000);
});

void test("what is there already is not taken out and put back", async () => {
  const { h, replace } = await import("../src/shared/dom");
  const button = h("button", {}, "Go live");
  const row = h("div", {}, button);
  let changes = 0;
  const original = row.replaceChildren.bind(row);
  row.replaceChildren = (...nodes) => {
    changes += 1;
    original(...nodes);
  };
  replace(row, null, button);
  assert.equal(changes, 0);
  replace(row, button, "!");
  assert.equal(changes, 1);
});
