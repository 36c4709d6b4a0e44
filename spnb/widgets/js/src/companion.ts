// The page of a tab that has the camera the notebook's page is not given: a widget of it, over one WebSocket.
import { h } from "./shared/dom";
import type { Model, View } from "./shared/widget";

type Callback = (...rest: never[]) => void;
type Message = {
  method: "hello" | "update" | "custom" | "over";
  why: string;
  state: Record<string, unknown>;
  module: string;
  /** What lets the tab in again where its line is cut. */
  resume: string;
  content: unknown;
  buffer_paths?: (string | number)[][];
  lengths: number[];
};
type Module = {
  default: { initialize(given: { model: Model }): void; render(view: View): () => void };
};

const GONE = "The notebook's kernel is gone, or cannot be reached any more. Run the cell again, and ask for another tab there.";
const AWAY = "The line to the notebook is cut: trying again. What this tab sends by itself goes on.";
const HEADER = 4;
const AGAIN_MS = 1000;
/** As long as the kernel waits. */
const RESUME_MS = 30_000;

/** What a tab sends: the length of its text, the text, and the buffers whose lengths it names. */
function packed(content: object, buffers: ArrayBuffer[]): Blob {
  const lengths = buffers.map((buffer) => buffer.byteLength);
  const text = new TextEncoder().encode(JSON.stringify({ ...content, lengths }));
  const header = new DataView(new ArrayBuffer(HEADER));
  header.setUint32(0, text.length);
  return new Blob([header, text, ...buffers]);
}

function unpacked(data: ArrayBuffer): [Message, DataView[]] {
  const length = new DataView(data).getUint32(0);
  const message = JSON.parse(new TextDecoder().decode(new Uint8Array(data, HEADER, length))) as Message;
  let begins = HEADER + length;
  const buffers = message.lengths.map((size) => {
    begins += size;
    return new DataView(data, begins - size, size);
  });
  return [message, buffers];
}

/** A widget's model, as front ends have them. */
class TabModel implements Model {
  comm_live = true;
  widget_manager = { get_model: () => load("hub.js") };
  private state: Record<string, unknown> = {};
  private readonly heard = new Map<string, Callback[]>();

  socket: WebSocket | undefined;

  get(name: string): unknown {
    return this.state[name];
  }

  on(event: string, callback: Callback): void {
    this.heard.set(event, [...(this.heard.get(event) ?? []), callback]);
  }

  off(event: string, callback?: Callback): void {
    this.heard.set(event, (this.heard.get(event) ?? []).filter((one) => callback && one !== callback));
  }

  send(content: unknown, _callbacks?: unknown, buffers: ArrayBuffer[] = []): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(packed(content as object, buffers));
  }

  tell(event: string, ...words: unknown[]): void {
    for (const callback of this.heard.get(event) ?? []) callback(...(words as never[]));
  }

  take(message: Message, buffers: DataView[]): void {
    if (message.method === "custom") {
      this.tell("msg:custom", message.content, buffers);
      return;
    }
    for (const [at, path] of (message.buffer_paths ?? []).entries()) {
      let place = message.state as Record<string | number, unknown>;
      for (const step of path.slice(0, -1)) place = place[step] as typeof place;
      place[path.at(-1)!] = buffers[at];
    }
    Object.assign(this.state, message.state);
    for (const name of Object.keys(message.state)) this.tell(`change:${name}`, message.state[name]);
  }
}

const load = (name: string): Promise<unknown> => import(new URL(name, location.href).href);

function tell(text: string): void {
  document.body.replaceChildren(h("p", { class: "spnb-tab-word", role: "alert" }, text));
}

async function show(model: TabModel, name: string): Promise<() => void> {
  const { default: widget } = (await load(name)) as Module;
  widget.initialize({ model });
  const el = h("div");
  document.body.replaceChildren(el);
  return widget.render({ model, el });
}

/** The line to the kernel: a cut one is made anew for as long as the kernel waits; the page goes on meanwhile. */
class Line {
  private readonly model = new TabModel();
  private readonly away = h("p", { class: "spnb-tab-away", role: "status", hidden: true }, AWAY);
  private end: Promise<() => void> | undefined;
  private why = GONE;
  private over = false;
  private cut = 0;

  constructor(private token: string) {
    addEventListener("pagehide", () => this.model.send({ do: "bye" }));
    this.open();
  }

  private open(): void {
    const socket = (this.model.socket = new WebSocket(new URL("socket", location.href).href.replace(/^http/, "ws")));
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => socket.send(this.token));
    socket.addEventListener("message", ({ data }: MessageEvent<ArrayBuffer>) => this.take(...unpacked(data)));
    socket.addEventListener("close", () => this.closed());
  }

  private take(message: Message, buffers: DataView[]): void {
    if (message.method === "over") {
      this.why = message.why;
      this.over = true;
      return;
    }
    this.model.take(message, buffers);
    if (message.method !== "hello") return;
    this.token = message.resume;
    this.cut = 0;
    this.away.hidden = true;
    this.end ??= show(this.model, message.module);
  }

  private closed(): void {
    const now = Date.now();
    this.cut ||= now;
    if (!this.over && this.end && now - this.cut < RESUME_MS) {
      document.body.append(this.away);
      this.away.hidden = false;
      setTimeout(() => this.open(), AGAIN_MS);
      return;
    }
    this.model.comm_live = false;
    this.model.tell("comm_live_update");
    void Promise.resolve(this.end)
      .then((done) => done?.())
      .finally(() => tell(this.why));
  }
}

document.documentElement.classList.add("spnb-tab");
const token = location.hash.slice(1);
// What was used is in no address bar and in no history.
history.replaceState(null, "", location.pathname);
new Line(token);
