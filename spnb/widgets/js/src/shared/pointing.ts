// How OBS is pointed at a room. The key is in this page's memory while it is shown, and nowhere else.
import { copyable } from "./copyable";
import { h, replace, say } from "./dom";
import type { Link } from "./widget";

/** A button that asks for an address and a fresh key, and shows them once. */
export function pointing(link: Link): HTMLElement {
  const ask = h("button", { type: "button", click: () => link.send("ingest") }, "Use OBS…");
  const note = h("span", { class: "spnb-note", role: "status" });
  const shown = h("div", { class: "spnb-encoder" });
  const el = h("div", {}, h("div", { class: "spnb-row spnb-wrap" }, ask, note), shown);

  function hide() {
    replace(shown);
    ask.hidden = false;
  }

  link.hear((reply) => {
    if (reply.type === "revoked") {
      if (reply["revoked"] !== true) return say(note, "");
      hide();
      say(note, "No key lets anybody in any more.");
    }
    if (reply.type !== "ingest" || typeof reply["key"] !== "string") return;
    ask.hidden = true;
    say(note, "");
    replace(
      shown,
      copyable("Server", String(reply["server"]), note),
      copyable("Stream key", reply["key"], note),
      h("p", { class: "spnb-note" }, "Shown this once, and kept nowhere. Whoever has the key goes live in this room."),
      h(
        "div",
        { class: "spnb-row spnb-wrap" },
        h("button", { type: "button", click: hide }, "Done"),
        h("button", { type: "button", click: () => link.send("revoke") }, "End all keys"),
      ),
    );
  });
  link.follow(["encoder"], () => {
    el.hidden = !link.get<boolean>("encoder");
    if (el.hidden) hide();
  });
  link.atEnd(hide);
  return el;
}
