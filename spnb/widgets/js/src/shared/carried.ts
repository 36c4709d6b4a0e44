// Something heavy that travels once per page, in the module of a model of its own; widgets find it through that model.
import type { Model } from "./widget";

type Waiting<T> = { thing?: T; waiters: ((thing: T) => void)[] };

export class Carried<T> {
  private readonly name: symbol;

  /** `trait` is the widgets' reference to the model that carries it. */
  constructor(private readonly trait: string) {
    this.name = Symbol.for(`spnb.${trait}`);
  }

  private get place(): Waiting<T> {
    const page = globalThis as unknown as Record<symbol, Waiting<T> | undefined>;
    return (page[this.name] ??= { waiters: [] });
  }

  announce(thing: T): void {
    this.place.thing = thing;
    for (const waiter of this.place.waiters.splice(0)) waiter(thing);
  }

  async find(model: Model): Promise<T> {
    const here = this.place;
    if (here.thing) return here.thing;
    const reference = (model.get(this.trait) as string | null) ?? "";
    if (reference.startsWith("IPY_MODEL_")) await model.widget_manager.get_model(reference.slice("IPY_MODEL_".length));
    return here.thing ?? new Promise((resolve) => here.waiters.push(resolve));
  }
}
