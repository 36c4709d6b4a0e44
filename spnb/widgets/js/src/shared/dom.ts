// Elements from code. Text becomes text nodes, never markup: titles and names are what users wrote.

import { inTheme } from "./theme";

type Child = Node | string | null | undefined | false;
type Attributes = Record<string, string | number | boolean | null | undefined | ((event: Event) => void)>;

const CONTROLS = new Set<string>(["button", "input", "select", "textarea", "summary", "video"]);

/** A random name. `crypto.randomUUID` would do, but is missing on pages that came over plain HTTP. */
export function uniqueId(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("");
}

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  // JupyterLab's own keys, Enter first of all, would be taken from a focused control.
  if (CONTROLS.has(tag)) element.dataset["lmSuppressShortcuts"] = "true";
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child): child is Node | string => child != null && child !== false));
  return element;
}

/** Make `el` a widget. */
export function frame(el: HTMLElement, ...classes: string[]): void {
  el.classList.add("spnb", ...classes);
  inTheme(el);
}

/** Make these the children. What is there already stays untouched: taken out and put back, a button loses the focus. */
export function replace(element: Element, ...children: Child[]): void {
  const wanted = children.filter((child) => child != null && child !== false);
  const same = wanted.length === element.childNodes.length && wanted.every((child, at) => child === element.childNodes[at]);
  if (same) return;
  element.replaceChildren(...children.filter((child): child is Node | string => child != null && child !== false));
}

/** Make this its text. What says so already stays untouched. */
export function say(element: HTMLElement | undefined, text: string): void {
  if (element && element.textContent !== text) element.textContent = text;
}

/** A form row: label, control, and what is said below it. */
export function field(label: string, control: HTMLElement, note?: HTMLElement): HTMLElement {
  const id = `spnb-${uniqueId()}`;
  control.id = id;
  if (note) {
    note.id = `${id}-note`;
    control.setAttribute("aria-describedby", note.id);
  }
  return h("div", { class: "spnb-field" }, h("label", { for: id }, label), control, note);
}
