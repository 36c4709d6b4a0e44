// Something to copy that is told once. It can be selected where a page may not write to the clipboard.
import { h, say } from "./dom";

/** A row with `value` and a button that copies it; `note` says how that went. */
export function copyable(name: string, value: string, note: HTMLElement): HTMLElement {
  const field = h("input", { type: "text", readonly: true, autocomplete: "off", "aria-label": name, focus: () => field.select() });
  // A property, not an attribute: it is in no markup.
  field.value = value;
  const copied = () => say(note, `${name} copied.`);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value);
      copied();
    } catch {
      field.focus();
      say(note, `${name} selected: copy it with the keyboard.`);
    }
  };
  const button = h("button", { type: "button", click: () => void copy() }, `Copy ${name.toLowerCase()}`);
  return h("div", { class: "spnb-row spnb-wrap" }, h("span", { class: "spnb-note" }, name), field, button);
}
