// A widget's model as a page sees it: traits that the kernel changes, and what the page has said to it.
import { Window } from "happy-dom";
import type { Model } from "../src/shared/widget";

type Said = Record<string, unknown>;

/** A document in which parts can be drawn. */
export function aPage(): Window {
  const window = new Window();
  const names = ["document", "HTMLElement", "Node", "addEventListener", "removeEventListener", "MutationObserver", "getComputedStyle"] as const;
  for (const name of names) Object.defineProperty(globalThis, name, { value: window[name], configurable: true, writable: true });
  Object.assign(globalThis, {
    window,
    location: window.location,
    requestAnimationFrame: (work: () => void) => setTimeout(work),
    cancelAnimationFrame: clearTimeout,
    matchMedia: () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }),
    CSS: { escape: (text: string) => text },
    ResizeObserver: class { observe() {} disconnect() {} unobserve() {} },
    IntersectionObserver: class { observe() {} disconnect() {} unobserve() {} },
  });
  window.Element.prototype.scrollIntoView = () => undefined;
  return window;
}

export function modelOf(traits: Record<string, unknown>) {
  const callbacks = new Map<string, ((content?: unknown, buffers?: unknown) => void)[]>();
  const said: Said[] = [];
  const fire = (event: string, ...rest: unknown[]) => callbacks.get(event)?.forEach((callback) => callback(...rest));
  const model = {
    get: (name: string) => traits[name],
    on: (event: string, callback: () => void) => callbacks.set(event, [...(callbacks.get(event) ?? []), callback]),
    off: () => undefined,
    send: (content: Said) => {
      said.push(content);
      if (content["first_word"]) fire("msg:custom", { type: "heard", first_word: content["first_word"] }, []);
    },
    widget_manager: { get_model: () => Promise.reject(new Error("none")) },
  } as unknown as Model;
  return {
    model,
    said,
    /** What the page has asked for by this name. */
    asked: (name: string) => said.filter((one) => one["do"] === name),
    change: (changes: Record<string, unknown>) => {
      Object.assign(traits, changes);
      for (const name of Object.keys(changes)) fire(`change:${name}`);
    },
    tell: (content: Said) => fire("msg:custom", content, []),
  };
}

/** A widget drawn into the document; `shown` finds what stands in it in sight, `end` takes it away. */
export function drawn<P extends { model: Model }>(widget: { render: (props: never) => unknown }, page: P) {
  const el = document.createElement("div");
  document.body.append(el);
  const end = widget.render({ model: page.model, el } as never) as () => void;
  const shown = (selector: string) => {
    const found = el.querySelector<HTMLElement>(selector);
    return found && !found.closest("[hidden]") ? found : null;
  };
  return { ...page, el, shown, end };
}

export function button(el: Element, name: string): HTMLButtonElement {
  const found = [...el.querySelectorAll("button")].filter((one) => one.textContent === name && !one.closest("[hidden]"));
  if (found.length !== 1) throw new Error(`${found.length} buttons ${name}`);
  return found[0] as HTMLButtonElement;
}
