// How widgets find the hub in the page.
import type { Hub } from "../hub";
import { Carried } from "./carried";
import type { Model } from "./widget";

const carried = new Carried<Hub>("hub");

export const announceHub = (hub: Hub): void => carried.announce(hub);

/** The hub, loaded through the widget's `hub` model. */
export const findHub = (model: Model): Promise<Hub> => carried.find(model);
