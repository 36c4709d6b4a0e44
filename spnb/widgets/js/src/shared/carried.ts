// Something heavy that travels once per page, in the module of a model of its own; widgets find it through that model.
import type { Model } from "./widget";

/** The heavy module may come over a slow line. */
const LATE_MS = 60_000;

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
    const words = "This front end does not give a widget what it needs. Open the notebook in JupyterLab, Notebook 7 or Voila.";
    const reference = (model.get(this.trait) as string | null) ?? "";
    const carrier = reference.startsWith("IPY_MODEL_") && reference.slice("IPY_MODEL_".length);
    return new Promise<T>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(words)), LATE_MS);
      here.waiters.push((thing) => {
        clearTimeout(late);
        resolve(thing);
      });
      // Nobody asks where there is none to be asked, or where it knows nothing of models within models.
      Promise.resolve(carrier ? model.widget_manager.get_model(carrier) : undefined).catch(() => {
        clearTimeout(late);
        reject(new Error(words));
      });
    });
  }
}
