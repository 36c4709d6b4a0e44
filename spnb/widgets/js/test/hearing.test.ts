// A model that a busy page initialised too late: anywidget throws away what the kernel says to it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { hearing, listen } from "../src/shared/hearing";
import type { Model } from "../src/shared/widget";
import { aPage, button } from "./models";

aPage();
type Message = { content: { data: { method?: string; content?: unknown; state?: Record<string, unknown> } } };
type Callback = (...rest: unknown[]) => void;

/** A model of Jupyter's front ends: who changes is named to listeners first of all. */
class Plain {
  readonly asked: unknown[] = [];
  readonly told: unknown[] = [];
  heard: (message: Message) => unknown;
  comm = {
    on_msg: (heard: (message: Message) => unknown) => (this.heard = heard),
    send: (content: unknown) => this.asked.push(content),
  };
  readonly #traits = new Map<string, unknown>();
  readonly #callbacks = new Map<string, Set<Callback>>();

  constructor() {
    this.heard = this._handle_comm_msg.bind(this);
  }

  _handle_comm_msg({ content: { data } }: Message): Promise<void> {
    if (data.method === "custom") this.told.push(data.content);
    return Promise.resolve();
  }

  given(): Model {
    return {
      get: (name: string) => this.#traits.get(name),
      set: (name: string, value?: unknown) => {
        if (this.#traits.get(name) === value) return;
        this.#traits.set(name, value);
        for (const callback of this.#callbacks.get(`change:${name}`) ?? []) callback(this, value, {});
      },
      on: (event: string, callback: Callback) => this.#callbacks.set(event, new Set(this.#callbacks.get(event)).add(callback)),
      off: (event: string, callback: Callback) => this.#callbacks.get(event)?.delete(callback),
      send: () => undefined,
      widget_manager: { get_model: () => Promise.reject(new Error("none")), create_view: () => undefined },
    } as unknown as Model;
  }
}

/** As anywidget's: it waits for what is refused after 2 s. */
class Waiting extends Plain {
  constructor(private readonly ready: () => Promise<void>) {
    super();
  }

  override async _handle_comm_msg(message: Message): Promise<void> {
    await this.ready();
    return super._handle_comm_msg(message);
  }
}

const late = () => Promise.reject(new Error("[anywidget] Failed to initialize model."));
const said = { content: { data: { method: "custom", content: "hello" } } };

void test("a model that was initialised in time is left as it is", async () => {
  const model = new Waiting(() => Promise.resolve());
  const { heard } = model;
  await listen(model.given());
  assert.equal(model.heard, heard);
  assert.deepEqual(model.asked, []);
});

void test("a model that was initialised too late hears its kernel, and is drawn once it knows how all stands", async () => {
  const model = new Waiting(late);
  await assert.rejects(async () => model.heard(said));
  const opened: string[] = [];
  const widget = hearing({ initialize: () => opened.push("opened"), render: () => undefined });
  const ready = widget.initialize({ model: model.given() }).then(() => opened.push("to be drawn"));
  assert.deepEqual(opened, ["opened"]);
  while (!model.asked.length) await Promise.resolve();
  assert.deepEqual(model.asked, [{ method: "request_state" }]);
  await model.heard(said);
  await model.heard({ content: { data: { method: "update", state: { title: "One of many" } } } });
  assert.deepEqual([model.told, opened], [["hello"], ["opened"]]);
  await model.heard({ content: { data: { method: "update", state: { _esm: "…", title: "All" } } } });
  await ready;
  const el = document.createElement("div");
  await listen(model.given(), el);
  assert.equal(model.asked.length, 1, "a view asks for nothing again");
  assert.equal(el.textContent, "");
});

void test("a model that hears is not waited for", async () => {
  const widget = hearing({ render: () => undefined });
  await widget.initialize({ model: new Waiting(() => new Promise(() => undefined)).given() });
});

void test("a model that cannot be mended says so, and may be tried again", async () => {
  let ready = late;
  const given = new Plain().given();
  const bare = { comm: {}, _handle_comm_msg: () => ready() };
  given.set = () => undefined;
  given.on = ((_event: string, callback: Callback) => callback(bare)) as never;
  const el = document.createElement("div");
  await listen(given, el);
  assert.match(el.textContent ?? "", /hears nothing of the kernel/);
  ready = () => Promise.resolve() as never;
  button(el, "Try again").click();
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(el.textContent, "");
});

void test("front ends of other kinds are left alone", async () => {
  const model = new Plain().given();
  delete model.widget_manager.create_view;
  model.set = () => assert.fail("set");
  const el = document.createElement("div");
  await listen(model, el);
  assert.equal(el.textContent, "");
});
