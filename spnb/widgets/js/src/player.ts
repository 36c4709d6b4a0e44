// What a viewer sees of a room.
import { chatBeside } from "./shared/chatBeside";
import { frame, h, say } from "./shared/dom";
import { clock, viewersOf } from "./shared/format";
import { hearing } from "./shared/hearing";
import { placard } from "./shared/placard";
import { playback } from "./shared/playback";
import { Link, type View } from "./shared/widget";

export default hearing({
  render({ model, el }: View) {
    const link = new Link(model);
    const title = h("p", { class: "spnb-title", dir: "auto" });
    const host = h("bdi", { class: "spnb-note spnb-host", "aria-label": "host" });
    const time = h("span", { class: "spnb-timer", "aria-label": "time on air" });
    const viewers = h("span", { class: "spnb-note" });
    const tick = () => {
      const since = link.get<number>("since");
      time.hidden = viewers.hidden = !since;
      say(time, since ? clock(Date.now() / 1000 - since) : "");
    };
    link.follow(["title", "host", "since", "count"], () => {
      say(title, link.get<string>("title"));
      say(host, link.get<string>("host"));
      host.hidden = !host.textContent;
      say(viewers, viewersOf(link.get<number | null>("count")));
      tick();
    });
    link.every(1000, tick);
    frame(el);
    link.mourn(el);
    const head = h("div", { class: "spnb-head spnb-wrap" }, title, host, time, viewers);
    const played = playback(link, model);
    played.querySelector(".spnb-player")?.append(placard(link));
    const beside = chatBeside(link, model, el, h("div", {}, played, head));
    head.append(beside.toggle);
    el.append(beside.el);
    return () => link.end();
  },
});
