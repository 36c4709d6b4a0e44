// One room as it stands in a feed: its post's text, its picture, and whether it is on air.
import { addressOf } from "./shared/blob";
import { frame, h } from "./shared/dom";
import { clock, label } from "./shared/format";
import { hearing } from "./shared/hearing";
import { pastPlacards } from "./shared/placard";
import { playback } from "./shared/playback";
import { drawFinding, findingBadge } from "./shared/moderation";
import { pointing } from "./shared/pointing";
import { Link, type View } from "./shared/widget";

export default hearing({
  render({ model, el }: View) {
    const link = new Link(model);
    const picture = h("img", { alt: "", hidden: true });
    const badge = h("span", { class: "spnb-badge" });
    const finding = findingBadge();
    const time = h("span", { class: "spnb-timer" });
    const title = h("span", { class: "spnb-title", dir: "auto" });
    const who = h("span", { class: "spnb-note", dir: "auto" });
    const text = h("p", { class: "spnb-post", dir: "auto" });
    const thumb = h("span", { class: "spnb-thumb" }, picture, badge, time);
    const watch = h("button", { type: "button", class: "spnb-primary", click: replay }, "Watch replay");
    let address = "";

    function replay() {
      watch.remove();
      const played = playback(link, model, "recording");
      played.querySelector("figure")?.append(pastPlacards(link, played.querySelector("video")!));
      thumb.replaceWith(played);
    }

    function draw() {
      const status = link.get<string>("status");
      badge.dataset["status"] = status;
      watch.hidden = status !== "recorded";
      badge.textContent = status === "live" ? "LIVE" : label(status);
      title.textContent = link.get<string>("title");
      who.textContent = link.get<string>("creator");
      text.textContent = link.get<string>("post");
      drawFinding(finding, link.get<string>("moderation"));
      // A post that says no more than the title says it once.
      text.hidden = !text.textContent || text.textContent === title.textContent;
      tick();
    }

    function tick() {
      const since = link.get<number>("since");
      const live = link.get<string>("status") === "live";
      const seconds = live && since ? Date.now() / 1000 - since : link.get<number>("seconds");
      time.textContent = seconds ? clock(seconds) : "";
    }

    link.follow(["picture"], () => {
      const bytes = link.get<DataView | null>("picture");
      if (address) URL.revokeObjectURL(address);
      address = "";
      if (bytes?.byteLength) {
        address = addressOf(bytes, "image/jpeg");
        picture.src = address;
      }
      picture.hidden = !address;
    });
    link.follow(["title", "status", "creator", "post", "since", "seconds", "moderation"], draw);
    link.every(1000, tick);
    link.atEnd(() => address && URL.revokeObjectURL(address));
    frame(el);
    link.mourn(el);
    el.append(
      h(
        "article",
        { class: "spnb-card spnb-roomcard" },
        text,
        thumb,
        title,
        who,
        finding,
        watch,
        pointing(link),
      ),
    );
    return () => link.end();
  },
});
