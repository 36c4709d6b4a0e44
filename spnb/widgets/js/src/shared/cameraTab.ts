// Where the page around the notebook gives it no camera: a tab that has one, opened by a link for one use.
import { copyable } from "./copyable";
import { h, replace, say } from "./dom";
import { base, onRoad, roadTo, type Signpost } from "./road";
import { Link, type Model, type Reply } from "./widget";

const STATES: Record<string, string> = {
  open: "The camera is in its tab: keep that open, and go live there or end here.",
  cut: "The camera's tab has lost its line to the kernel, and tries again.",
  closed: "The camera's tab was closed.",
  expired:
    "No tab came by that link, and it has expired. A kernel on another machine than this browser cannot be reached so: " +
    "open the notebook in JupyterLab, or publish from the kernel.",
};
const NOWHERE =
  "Neither the Jupyter server nor this computer leads from here to the kernel's machine, so no tab can reach it. " +
  "Publish from the kernel: room.go_live(spnb.Camera()), or choose a source of the kernel's.";
const UNSEEN = "This page cannot see whether the link leads to the kernel: it does where both are on this computer.";

/** Fill `place` with the button, and with what becomes of the link. Returns a function that ends it. */
export function cameraTab(model: Model, place: HTMLElement): () => void {
  const link = new Link(model);
  const note = h("span", { class: "spnb-note", role: "status" });
  const way = h("div");
  const button = h("button", { type: "button", class: "spnb-primary", click: ask }, "Open camera in a tab");

  function ask(): void {
    button.disabled = true;
    link.send("companion", { base: base() ?? "" });
  }

  async function open(reply: Reply): Promise<void> {
    const url = String(reply["url"]);
    const road = await roadTo(url, reply["signpost"] as Signpost);
    button.disabled = false;
    // A page of no Jupyter server may be forbidden to look: there the tab itself shows whether it gets there.
    if (!road && base() !== undefined) {
      replace(way);
      say(note, NOWHERE);
      return;
    }
    const href = `${road ? onRoad(road, url).replace(/\/?$/, "/") : url}#${String(reply["token"])}`;
    const open = h("a", { href, target: "_blank", rel: "noopener noreferrer" }, "Open it by this link");
    const once = h("span", { class: "spnb-note" }, `If no tab has opened. It works once, within ${String(reply["seconds"])} s.`);
    replace(way, h("div", { class: "spnb-row spnb-wrap" }, open, once), copyable("Link", href, note));
    say(note, road ? "" : UNSEEN);
    open.click();
  }

  link.hear((reply) => {
    if (reply.type !== "companion") return;
    const state = STATES[String(reply["state"])];
    if (!state) return void open(reply);
    button.hidden = ["open", "cut"].includes(String(reply["state"]));
    replace(way);
    say(note, state);
  });
  place.classList.add("spnb-camera-tab");
  place.append(h("div", { class: "spnb-row spnb-wrap" }, button, note), way);
  return () => link.end();
}
