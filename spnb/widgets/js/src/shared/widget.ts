// The contract between a widget's Python and its page: traits for state, messages for commands and for secrets.

import { h, uniqueId } from "./dom";
import { listen } from "./hearing";

export interface Model {
  get(name: string): unknown;
  set?(name: string, value?: unknown): void;
  on(event: string, callback: (...rest: never[]) => void): void;
  off(event: string, callback?: (...rest: never[]) => void): void;
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
  comm_live?: boolean;
  widget_manager: { get_model(id: string): Promise<unknown>; create_view?: unknown; kernel?: Kernel | null };
}

/** A kernel as Jupyter's own front ends know it; others tell nothing of theirs. */
interface Kernel {
  isDisposed: boolean;
  status: string;
  connectionStatus: string;
}

export interface View {
  model: Model;
  el: HTMLElement;
  signal?: AbortSignal;
}

export type Reply = { type: string; client?: string } & Record<string, unknown>;

const REPEAT_MS = 1000;
const LOOK_MS = 2000;
const GONE = ["dead", "terminating"];

/** What a page says first may come before the front end has a subshell for it, and then waits for all running cells:
 * until the kernel has heard something, it is said again. The kernel knows a repetition by its mark. */
class FirstWords {
  #said: { content: Record<string, unknown>; buffers: ArrayBuffer[] }[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #heard = false;

  constructor(private readonly model: Model) {
    model.on("msg:custom", (reply: Reply) => {
      if (reply.type !== "heard" || !this.#said.some(({ content }) => content["first_word"] === reply["first_word"])) return;
      this.#heard = true;
      this.#said = [];
      clearInterval(this.#timer);
    });
  }

  say(content: Record<string, unknown>, buffers: ArrayBuffer[]): void {
    if (this.#heard) {
      send(this.model, content, buffers);
      return;
    }
    const named = { ...content, first_word: uniqueId() };
    this.#said.push({ content: named, buffers });
    this.#timer ??= setInterval(() => this.#repeat(), REPEAT_MS);
    send(this.model, named, buffers);
  }

  #repeat(): void {
    if (this.model.comm_live === false) clearInterval(this.#timer);
    else for (const { content, buffers } of this.#said) send(this.model, content, buffers);
  }
}

const words = new WeakMap<Model, FirstWords>();

function send(model: Model, content: unknown, buffers: ArrayBuffer[]): void {
  try {
    model.send(content, undefined, buffers);
  } catch (error) {
    console.debug("spnb: the kernel is gone", error);
  }
}

/** Send, if there is still a kernel: one that has been shut down hears nothing, and that is no fault of the page. */
export function tellKernel(model: Model, content: Record<string, unknown>, buffers: ArrayBuffer[]): void {
  let first = words.get(model);
  if (!first) words.set(model, (first = new FirstWords(model)));
  first.say(content, buffers);
}

/** One page's side of a widget: reads traits, sends commands, hears replies meant for it. */
export class Link {
  /** Names this view: in two tabs on one notebook each gets its own replies. */
  readonly client = uniqueId();
  #ends: (() => void)[] = [];

  constructor(readonly model: Model) {}

  get<T>(name: string): T {
    return this.model.get(name) as T;
  }

  /** Call `update` now and whenever one of these traits changes. */
  follow(names: string[], update: () => void): void {
    for (const name of names) {
      this.model.on(`change:${name}`, update);
      this.#ends.push(() => this.model.off(`change:${name}`, update));
    }
    update();
  }

  /** Hear replies of the kernel: those for this view, and those for everybody. */
  hear(callback: (reply: Reply, buffers: DataView[]) => void): void {
    const heard = (content: Reply, buffers: DataView[]) => {
      if (!content.client || content.client === this.client) callback(content, buffers ?? []);
    };
    this.model.on("msg:custom", heard);
    this.#ends.push(() => this.model.off("msg:custom", heard));
  }

  send(action: string, content: Record<string, unknown> = {}, buffers: ArrayBuffer[] = []): void {
    tellKernel(this.model, { do: action, client: this.client, ...content }, buffers);
  }

  /** Run `work` every `milliseconds` while the view is there. */
  every(milliseconds: number, work: () => void): void {
    const timer = setInterval(work, milliseconds);
    this.#ends.push(() => clearInterval(timer));
  }

  /** Show in words that the kernel is gone, or not heard, and that nothing here works without it; one may come back. */
  mourn(el: HTMLElement): void {
    void listen(this.model, el);
    const told = h(
      "div",
      { class: "spnb-banner spnb-gone", role: "alert" },
      h("span", {}, "The kernel that this belongs to is gone: what stands here is no longer true. Run the cell again."),
    );
    const manager = this.model.widget_manager;
    let had = false;
    let was = false;
    const look = () => {
      // The model of a widget's module does not tell it; Jupyter's mark on the view does, of a kernel that starts anew.
      // Of one that was shut down, by hand or since nobody used it, only the connection to it knows.
      const { kernel } = manager;
      had ||= Boolean(kernel);
      const lost = kernel ? kernel.isDisposed || GONE.includes(kernel.status) || kernel.connectionStatus === "disconnected" : had;
      const gone = lost || this.model.comm_live === false || el.closest(".jupyter-widgets-disconnected") !== null;
      if (gone === was) return;
      was = gone;
      el.classList.toggle("spnb-dead", gone);
      if (gone) el.prepend(told);
      else told.remove();
      for (const part of el.children) if (part !== told) (part as HTMLElement).inert = gone;
      if (gone) for (const video of el.querySelectorAll("video")) video.pause();
    };
    // After the view has marked itself.
    const soon = () => queueMicrotask(look);
    this.model.on("comm_live_update", soon);
    // A view may be made of what is dead already: a page that was saved, a second view.
    soon();
    this.every(LOOK_MS, look);
    this.#ends.push(() => this.model.off("comm_live_update", soon));
  }

  atEnd(work: () => void): void {
    this.#ends.push(work);
  }

  end(): void {
    for (const end of this.#ends.splice(0)) end();
  }
}

/** Questions that are out, each under a number, until they are answered. */
export class Pending<T> {
  #next = 1;
  readonly #waiting = new Map<number, (answer: T) => void>();

  ask(send: (number: number) => void): Promise<T> {
    const number = this.#next++;
    const answered = new Promise<T>((resolve) => this.#waiting.set(number, resolve));
    send(number);
    return answered;
  }

  settle(number: number, answer: T): void {
    this.#waiting.get(number)?.(answer);
    this.#waiting.delete(number);
  }
}
