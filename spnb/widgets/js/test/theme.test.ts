// Light or dark: as the front end says, else as it shows, else as the reader prefers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Window } from "happy-dom";
import { inTheme, isDark } from "../src/shared/theme";

const window = new Window();
let prefers = false;
let preferenceChanged: () => void = () => undefined;
Object.assign(globalThis, {
  document: window.document,
  MutationObserver: window.MutationObserver,
  getComputedStyle: (element: HTMLElement) => element.style,
  matchMedia: () => ({
    get matches() {
      return prefers;
    },
    addEventListener: (_event: string, callback: () => void) => (preferenceChanged = callback),
    removeEventListener: () => undefined,
  }),
});

function page(attributes: Record<string, string>, background = ""): void {
  for (const element of [document.body, document.documentElement])
    for (const name of element.getAttributeNames()) element.removeAttribute(name);
  for (const [name, value] of Object.entries(attributes)) document.body.setAttribute(name, value);
  document.body.style.backgroundColor = background;
}

void test("every front end's own word counts first", () => {
  prefers = true;
  page({ "data-jp-theme-light": "true" });
  assert.equal(isDark(), false);
  page({ "data-jp-theme-light": "false" });
  assert.equal(isDark(), true);
  page({ "data-vscode-theme-kind": "vscode-light", class: "vscode-light" });
  assert.equal(isDark(), false);
  page({ "data-vscode-theme-kind": "vscode-high-contrast" });
  assert.equal(isDark(), true);
  page({ class: "light" });
  assert.equal(isDark(), false);
  prefers = false;
  page({});
  document.documentElement.setAttribute("theme", "dark");
  assert.equal(isDark(), true);
  page({});
  document.documentElement.setAttribute("data-bs-theme", "dark");
  assert.equal(isDark(), true);
});

void test("what is shown counts before what is preferred", () => {
  prefers = true;
  page({}, "rgb(255, 255, 255)");
  assert.equal(isDark(), false);
  prefers = false;
  page({}, "rgb(13, 17, 23)");
  assert.equal(isDark(), true);
  page({}, "rgba(0, 0, 0, 0)");
  assert.equal(isDark(), false);
  prefers = true;
  assert.equal(isDark(), true);
});

void test("a widget is marked, and marked anew when the theme changes", () => {
  prefers = false;
  page({});
  const el = document.createElement("div");
  inTheme(el);
  assert.equal(el.dataset["theme"], "light");
  prefers = true;
  preferenceChanged();
  assert.equal(el.dataset["theme"], "dark");
});
