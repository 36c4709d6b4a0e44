// Where a room is in its life, and how long it was in each state.
import { frame, h, replace } from "./shared/dom";
import { clock, label } from "./shared/format";
import { hearing } from "./shared/hearing";
import { Link, type View } from "./shared/widget";

type Stay = { status: string; since: number };
const STEPS = ["idle", "live", "ended", "recorded"];

export default hearing({
  render({ model, el }: View) {
    const link = new Link(model);
    const title = h("strong", { class: "spnb-title", dir: "auto" });
    const steps = h("ol", { class: "spnb-steps", "aria-label": "life of the room" });
    let received = Date.now() / 1000;

    function seconds(status: string): number | null {
      const stays = link.get<Stay[]>("timeline");
      let total: number | null = null;
      stays.forEach((stay, index) => {
        if (stay.status !== status) return;
        const next = stays[index + 1];
        const end = next ? next.since : link.get<number>("now") + (Date.now() / 1000 - received);
        total = (total ?? 0) + Math.max(0, end - stay.since);
      });
      return total;
    }

    function draw() {
      const status = link.get<string>("status");
      title.textContent = link.get<string>("title");
      const seen = new Set(link.get<Stay[]>("timeline").map((stay) => stay.status));
      const shown = [...STEPS];
      if (seen.has("waitingReconnect")) shown.splice(2, 0, "waitingReconnect");
      for (const last of ["terminated", "error"]) if (status === last) shown.push(last);
      const at = shown.indexOf(status);
      replace(
        steps,
        ...shown.map((step, index) => {
          const stay = seconds(step);
          const state = step === status ? "now" : index < at ? "done" : "ahead";
          const final = ["recorded", "terminated", "error"].includes(step);
          return h(
            "li",
            { class: "spnb-step", "data-state": state, "data-status": step, "aria-current": step === status ? "step" : null },
            h("span", { class: "spnb-dot", "aria-hidden": "true" }, state === "done" || (final && state === "now") ? "✓" : ""),
            h("span", {}, label(step)),
            h("span", { class: "spnb-timer" }, stay != null && !final ? clock(stay) : ""),
          );
        }),
      );
    }

    link.follow(["status", "title", "timeline", "now"], () => {
      received = Date.now() / 1000;
      draw();
    });
    link.every(1000, draw);
    frame(el);
    link.mourn(el);
    el.append(h("div", { class: "spnb-card" }, title, steps));
    return () => link.end();
  },
});
