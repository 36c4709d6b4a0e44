// What the host has put on screen: a text over the picture, and who wrote it.
import { h, say } from "./dom";
import type { Link } from "./widget";

export type Placard = { text: string; name: string };

export const placardBox = () => h("p", { class: "spnb-onscreen", dir: "auto", role: "status" });

/** Where nothing is to be shown it is empty, and so not seen. */
export function put(box: HTMLElement, shown: Placard | null | undefined): void {
  box.dataset["name"] = shown?.name ?? "";
  say(box, shown?.text ?? "");
}

export function placard(link: Link): HTMLElement {
  const box = placardBox();
  link.follow(["chat_state"], () => put(box, link.get<{ onScreen?: Placard | null }>("chat_state").onScreen));
  return box;
}
