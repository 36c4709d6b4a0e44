// What the host has put on screen: a text over the picture, and who wrote it.
import { h, say } from "./dom";
import type { Link } from "./widget";

export type Placard = { text: string; name: string };

export type Timed = Placard & { at: number; until: number | null };

/** What stood there at a moment, in seconds from the beginning. */
export const at = (placards: Timed[], now: number): Timed | undefined =>
  placards.find((one) => one.at <= now && now < (one.until ?? Infinity));

export const placardBox = () => h("p", { class: "spnb-onscreen", dir: "auto", role: "status" });

/** Where nothing is to be shown it is empty, and so not seen. */
export function put(box: HTMLElement, shown: Placard | null | undefined): void {
  box.dataset["name"] = shown?.name ?? "";
  say(box, shown?.text ?? "");
}

/** What stood over the picture of a recording, where it stood. */
export function pastPlacards(link: Link, video: HTMLVideoElement): HTMLElement {
  const box = placardBox();
  const draw = () => put(box, at(link.get<Timed[]>("placards"), video.currentTime));
  video.addEventListener("timeupdate", draw);
  link.follow(["placards"], draw);
  return box;
}

export function placard(link: Link): HTMLElement {
  const box = placardBox();
  link.follow(["chat_state"], () => put(box, link.get<{ onScreen?: Placard | null }>("chat_state").onScreen));
  return box;
}
