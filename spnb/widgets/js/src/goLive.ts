// From a source to the air: choice, 3-2-1, LIVE badge with timer, viewers and health, and the way out.
import { field, frame, h, replace } from "./shared/dom";
import { clock, label } from "./shared/format";
import { HealthStrip, type Second } from "./shared/health";
import { hearing } from "./shared/hearing";
import { OVER, askToLeave } from "./shared/leftovers";
import { drawFinding, findingBadge } from "./shared/moderation";
import { Link, type View } from "./shared/widget";

type Phase = "idle" | "starting" | "live" | "stopping" | "ended";

export default hearing({
  render({ model, el }: View) {
    const link = new Link(model);
    let counting: ReturnType<typeof setTimeout> | undefined;
    let left = 0;

    const title = h("strong", { class: "spnb-title", dir: "auto" });
    const badge = h("span", { class: "spnb-badge", role: "status" });
    const finding = findingBadge();
    const timer = h("span", { class: "spnb-timer", "aria-label": "time on air" });
    const viewers = h("span", { class: "spnb-note" });
    const strip = new HealthStrip();
    const error = h("p", { class: "spnb-error", role: "alert" });
    const source = h(
      "select",
      {},
      h("option", { value: "test-card" }, "Test card with clock and tone"),
      h("option", { value: "camera" }, "Camera of the kernel's machine"),
      h("option", { value: "file" }, "Media file"),
    );
    const path = h("input", { type: "text", placeholder: "path of the file" });
    const pathField = field("File", path);
    const count = h("div", { class: "spnb-countdown", "aria-live": "assertive" });
    const start = h("button", { type: "button", class: "spnb-live", click: begin }, "Go live");
    const cancel = h("button", { type: "button", click: stopCounting }, "Cancel");
    const stop = h("button", { type: "button", class: "spnb-danger", click: ask }, "End broadcast");
    const sure = h("div", { class: "spnb-banner", role: "alertdialog", "aria-label": "end the broadcast?", hidden: true });
    const setup = h("div", { class: "spnb-setup" }, field("Source", source), pathField);
    const actions = h("div", { class: "spnb-row" });

    source.addEventListener("change", draw);

    function begin() {
      left = link.get<number>("countdown");
      tick();
    }

    function tick() {
      if (left <= 0) {
        counting = undefined;
        link.send("start", { source: source.value, path: path.value });
      } else {
        counting = setTimeout(() => {
          left -= 1;
          tick();
        }, 1000);
      }
      draw();
    }

    function ask() {
      sure.hidden = false;
      askToLeave(sure, OVER, "End now", answer);
    }

    function answer(yes: boolean) {
      sure.hidden = true;
      if (yes) link.send("stop");
      else stop.focus();
    }

    function stopCounting() {
      clearTimeout(counting);
      counting = undefined;
      draw();
    }

    function draw() {
      const phase = link.get<Phase>("phase");
      const status = link.get<string>("status");
      const onAir = phase === "live" || phase === "stopping";
      title.textContent = link.get<string>("title");
      badge.textContent = onAir && status === "live" ? "LIVE" : label(status);
      badge.dataset["status"] = status;
      drawFinding(finding, link.get<string>("moderation"));
      pathField.hidden = source.value !== "file";
      setup.hidden = onAir || phase === "ended" || phase === "starting" || counting !== undefined;
      count.hidden = counting === undefined;
      count.textContent = counting === undefined ? "" : String(left);
      error.textContent = link.get<string>("error");
      if (counting !== undefined) replace(actions, cancel);
      else if (phase === "idle") replace(actions, start);
      else if (phase === "starting") replace(actions, h("span", { class: "spnb-note" }, "Connecting…"));
      else if (phase === "live") replace(actions, stop);
      else if (phase === "stopping") replace(actions, h("span", { class: "spnb-note" }, "Leaving the air…"));
      else replace(actions, h("span", { class: "spnb-note" }, "This room is over for good: a new broadcast needs a new room."));
      if (phase !== "live") sure.hidden = true;
      drawTime();
      strip.el.hidden = !onAir;
    }

    function drawTime() {
      const since = link.get<number>("live_since");
      const phase = link.get<Phase>("phase");
      timer.hidden = !since || phase !== "live";
      if (since) timer.textContent = clock(Date.now() / 1000 - since);
      const watching = link.get<number>("viewers");
      viewers.textContent = phase === "live" ? `${watching} ${watching === 1 ? "viewer" : "viewers"}` : "";
    }

    link.follow(["phase", "status", "title", "error", "live_since", "viewers", "moderation"], draw);
    link.follow(["stats"], () => {
      const stats = link.get<Second | null>("stats");
      if (stats) strip.add(stats);
    });
    let began = 0;
    link.follow(["live_since"], () => (began = performance.now()));
    link.every(1000, () => {
      drawTime();
      if (link.get<Phase>("phase") === "live") strip.check(began);
    });
    link.atEnd(stopCounting);
    frame(el);
    link.mourn(el);
    el.append(
      h(
        "div",
        { class: "spnb-card spnb-golive" },
        h("div", { class: "spnb-head" }, badge, title, finding, timer, viewers),
        setup,
        count,
        strip.el,
        error,
        actions,
        sure,
      ),
    );
    return () => link.end();
  },
});
