// Something heavy that travels once per page, in the module of a model of its own; widgets find it through that model, or
// ask the kernel for the module where a front end knows nothing of models within models.
import { addressOf } from "./blob";
import { tellKernel, type Model, type Reply } from "./widget";

/** The heavy module may come over a slow line. */
const LATE_MS = 60_000;
/** A front end of Jupyter's runs the model's module by itself, when it has come; others may never. */
const ASK_MS = { jupyter: 20_000, other: 500 };
const WORDS =
  "This front end does not give a widget what it needs: it may forbid scripts made in the page. Open the notebook in JupyterLab, Notebook 7 or Voila.";

type Waiter<T> = { resolve: (thing: T) => void; reject: (error: Error) => void };
type Waiting<T> = { thing?: T; waiters: Set<Waiter<T>>; asked?: boolean };

export class Carried<T> {
  readonly #name: symbol;

  /** `trait` is the widgets' reference to the model that carries it. */
  constructor(private readonly trait: "hub" | "charts") {
    this.#name = Symbol.for(`spnb.${trait}`);
  }

  get #place(): Waiting<T> {
    const page = globalThis as unknown as Record<symbol, Waiting<T> | undefined>;
    return (page[this.#name] ??= { waiters: new Set() });
  }

  announce(thing: T): void {
    this.#place.thing ??= thing;
    for (const { resolve } of this.#place.waiters) resolve(this.#place.thing);
  }

  async find(model: Model): Promise<T> {
    const here = this.#place;
    if (here.thing) return here.thing;
    const reference = (model.get(this.trait) as string | null) ?? "";
    const carrier = reference.startsWith("IPY_MODEL_") && reference.slice("IPY_MODEL_".length);
    const patience = model.widget_manager.kernel ? ASK_MS.jupyter : ASK_MS.other;
    const timers: ReturnType<typeof setTimeout>[] = [];
    let waiter: Waiter<T> | undefined;
    const found = new Promise<T>((resolve, reject) => {
      here.waiters.add((waiter = { resolve, reject }));
      timers.push(setTimeout(() => reject(new Error(WORDS)), LATE_MS));
      const ask = () => this.#ask(model);
      if (carrier) {
        timers.push(setTimeout(ask, patience));
        model.widget_manager.get_model(carrier).catch(ask);
      } else ask();
    });
    return found.finally(() => {
      if (waiter) here.waiters.delete(waiter);
      timers.forEach(clearTimeout);
    });
  }

  /** Have the kernel send the module: once for all that wait. */
  #ask(model: Model): void {
    const here = this.#place;
    if (here.thing || here.asked) return;
    here.asked = true;
    const heard = (reply: Reply, buffers: DataView[]) => {
      const source = buffers?.[0];
      if (reply.type !== "module" || reply["name"] !== this.trait || !source) return;
      model.off("msg:custom", heard);
      const address = addressOf(source, "text/javascript");
      import(address)
        .catch(() => {
          for (const { reject } of here.waiters) reject(new Error(WORDS));
        })
        .finally(() => {
          here.asked = false;
          URL.revokeObjectURL(address);
        });
    };
    model.on("msg:custom", heard);
    tellKernel(model, { do: "module", name: this.trait }, []);
  }
}
