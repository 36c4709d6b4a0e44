// How widgets find the hub in the page.
import type { Hub } from "../hub";
import type { Model } from "./widget";

const NAME = Symbol.for("spnb.hub");
type Waiting = { hub?: Hub; waiters: ((hub: Hub) => void)[] };

function place(): Waiting {
  const page = globalThis as unknown as Record<symbol, Waiting | undefined>;
  return (page[NAME] ??= { waiters: [] });
}

export function announceHub(hub: Hub): void {
  const here = place();
  here.hub = hub;
  for (const waiter of here.waiters.splice(0)) waiter(hub);
}

/** The hub, loaded through the widget's `hub` model. */
export async function findHub(model: Model): Promise<Hub> {
  const here = place();
  if (here.hub) return here.hub;
  const reference = (model.get("hub") as string | null) ?? "";
  if (reference.startsWith("IPY_MODEL_")) await model.widget_manager.get_model(reference.slice("IPY_MODEL_".length));
  return here.hub ?? new Promise((resolve) => here.waiters.push(resolve));
}
