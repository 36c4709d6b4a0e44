// A stream's numbers while it is on air, and the curve as it grows; afterwards its page.
import uPlot from "uplot";
import { card, cards } from "./shared/cards";
import { frame, h, replace } from "./shared/dom";
import { clock, label } from "./shared/format";
import { hearing } from "./shared/hearing";
import { LiveBins } from "./shared/liveBins";
import { StreamPage } from "./shared/streamPage";
import { onTheme } from "./shared/theme";
import { Link, type Reply, type View } from "./shared/widget";

type Now = {
  at: number;
  viewers: number | null;
  peak: number;
  peakAt: number;
  messages: number;
  reactions: number;
  chatRate: number;
  reactionRate: number;
};
type Panel = { name: "viewers" | "messages" | "reactions"; title: string; colour: string; high: number };

// The colours of the figures (`figures/template.py`).
const PANELS: Panel[] = [
  { name: "viewers", title: "viewers", colour: "#0072B2", high: 200 },
  { name: "messages", title: "messages", colour: "#E69F00", high: 90 },
  { name: "reactions", title: "reactions", colour: "#CC79A7", high: 110 },
];
const AXIS = 56;
const DRAW_MS = 100;
/** What is of the present alone: afterwards there is none. */
const PRESENT = ["viewers", "chatRate", "reactionRate"];
const count = (value: number | null) => value?.toLocaleString("en") ?? "–";

export default hearing({
  render({ model, el }: View) {
    const link = new Link(model);
    const bins = new LiveBins();
    const title = h("h3");
    const badge = h("span", { class: "spnb-badge", role: "status" });
    const since = h("span", { class: "spnb-note" });
    const timer = h("span", { class: "spnb-timer" });
    const kpis = cards("live numbers");
    const curves = h("div", { class: "spnb-curves" });
    curves.setAttribute("role", "img");
    const bar = h("p", { class: "spnb-note" });
    const again = h("button", { type: "button", click: () => page.ask("it", "reload") }, "Read again");
    const after = h(
      "div",
      { class: "spnb-head spnb-row", hidden: true },
      h("h4", {}, "The stream is over. Its page:"),
      h("span", { class: "spnb-note" }),
      again,
    );
    const error = h("p", { class: "spnb-error", role: "alert" });
    const banner = h("ul", { class: "spnb-alerts", role: "alert", hidden: true });
    const page = new StreamPage(link);
    let now: Now | undefined;
    let plots: uPlot[] = [];
    let waiting: ReturnType<typeof setTimeout> | undefined;
    let frameAsked = 0;
    let asked = false;

    const values: Record<string, HTMLElement> = {};
    for (const [name, text, about] of [
      ["viewers", "Viewers now", "as the service counted them last"],
      ["peak", "Peak viewers", "the most seen since this is watched"],
      ["chatRate", "Messages per minute", "of the last minute"],
      ["messages", "Messages", "since it is counted, deleted ones not"],
      ["reactionRate", "Reactions per minute", "of the last minute"],
      ["reactions", "Reactions", "since it is counted"],
    ] as const) {
      const made = card({ name, label: text, value: "–", about });
      values[name] = made.querySelector("strong") as HTMLElement;
      kpis.append(made);
    }

    function data(name: Panel["name"]): uPlot.AlignedData {
      const { width } = bins;
      const x = bins.viewers.map((_, at) => at * width);
      const y: (number | null)[] = bins[name].slice();
      // The last step is held until now.
      x.push(Math.max(now?.at ?? 0, x.length * width));
      y.push(name === "viewers" ? (y[y.length - 1] ?? null) : null);
      return [x, y];
    }

    /** Changes of status as lines, each with its word. */
    function marks(plot: uPlot) {
      const { ctx, bbox } = plot;
      const style = getComputedStyle(el);
      ctx.save();
      ctx.font = `${11 * devicePixelRatio}px ${style.fontFamily}`;
      ctx.fillStyle = ctx.strokeStyle = style.color;
      ctx.textAlign = "left";
      ctx.textBaseline = "alphabetic";
      ctx.setLineDash([4, 4]);
      let free = -Infinity;
      for (const [at, status] of link.get<[number, string][]>("changes")) {
        const x = Math.round(plot.valToPos(at, "x", true));
        if (x < bbox.left || x > bbox.left + bbox.width) continue;
        ctx.globalAlpha = 0.6;
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
        if (plot !== plots[0] || x < free) continue;
        ctx.globalAlpha = 1;
        const word = label(status);
        const room = ctx.measureText(word).width;
        const left = x + room + 8 > bbox.left + bbox.width ? x - room - 4 : x + 4;
        ctx.fillText(word, left, bbox.top + 12 * devicePixelRatio);
        free = left + room;
      }
      ctx.restore();
    }

    function build() {
      for (const plot of plots) plot.destroy();
      replace(curves);
      const style = getComputedStyle(el);
      const [ink, line] = [style.color, style.getPropertyValue("--s-line").trim() || "#d1d9e0"];
      const font = `12px ${style.fontFamily}`;
      plots = PANELS.map((panel, at) => {
        const last = at === PANELS.length - 1;
        const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line } };
        const stepped = uPlot.paths.stepped?.({ align: 1 });
        const bars = uPlot.paths.bars?.({ size: [1, Infinity], align: 1, gap: 0 });
        return new uPlot(
          {
            width: Math.max(300, curves.clientWidth || el.clientWidth || 600),
            height: panel.high,
            padding: [8, 16, last ? 0 : 6, 0],
            legend: { show: false },
            cursor: { sync: { key: link.client }, drag: { setScale: false }, points: { size: 6 }, y: false },
            scales: {
              x: { time: false, range: (_plot, _low, high) => [0, Math.max(60, high)] },
              y: { range: (_plot, _low, high) => [0, Math.max(1, (high || 0) * 1.08)] },
            },
            axes: [
              { ...axis, show: last, values: (_plot, splits) => splits.map((split) => clock(split)), size: 34 },
              {
                ...axis,
                size: AXIS,
                label: panel.title,
                labelFont: font,
                labelSize: 16,
                values: (_plot, splits) => splits.map((split) => (Number.isInteger(split) ? count(split) : "")),
              },
            ],
            series: [
              {},
              panel.name === "viewers"
                ? { stroke: panel.colour, fill: `${panel.colour}33`, width: 2, paths: stepped, points: { show: false } }
                : { stroke: panel.colour, fill: panel.colour, width: 0, paths: bars, points: { show: false } },
            ],
            hooks: { draw: [marks] },
          },
          data(panel.name),
          curves,
        );
      });
    }

    /** One curve in a frame: the page stays quick between them. */
    function drawFrom(at: number) {
      const [plot, panel] = [plots[at], PANELS[at]];
      if (plot && panel) plot.setData(data(panel.name));
      if (at + 1 < plots.length) frameAsked = requestAnimationFrame(() => drawFrom(at + 1));
    }

    function drawNow() {
      waiting = undefined;
      if (!now) return;
      const over = link.get<boolean>("over");
      for (const [name, value] of Object.entries(values))
        value.textContent = over && PRESENT.includes(name) ? "–" : count(now[name as keyof Now]);
      (values["peak"] as HTMLElement).title = `first at ${clock(now.peakAt)}`;
      timer.textContent = clock(now.at);
      const words = `${count(now.viewers)} watching, at most ${count(now.peak)}`;
      curves.setAttribute("aria-label", `viewers, messages and reactions so far: ${words}`);
      if (!plots.length) build();
      else drawFrom(0);
      bar.textContent = `Messages and reactions per ${bins.width === 1 ? "second" : `${bins.width} seconds`}; of viewers the most in each.`;
      el.dataset["bins"] = String(bins.viewers.length);
    }

    /** A few times a second at most, however fast seconds come. */
    function soon() {
      waiting ??= setTimeout(() => (frameAsked = requestAnimationFrame(drawNow)), now ? DRAW_MS : 0);
    }

    function take(reply: Reply) {
      now = reply as unknown as Now;
      if (reply.type === "so far") {
        bins.take(Number(reply["width"]), reply["series"] as [(number | null)[], number[], number[]]);
        const from = reply["since"] as number | null;
        since.textContent = from !== null && from > 2 ? `chat and reactions counted from ${clock(from)} on` : "";
      } else {
        const [messages = 0, reactions = 0] = reply["new"] as number[];
        bins.add(now.at, now.viewers, messages, reactions);
      }
      soon();
    }

    function drawState() {
      title.textContent = link.get<string>("title");
      const status = link.get<string>("status");
      badge.textContent = label(status);
      badge.dataset["status"] = status;
      error.textContent = link.get<string>("error");
      const alerts = link.get<[number, string][]>("banner");
      banner.hidden = !alerts.length;
      replace(banner, ...alerts.map(([at, words]) => h("li", {}, h("strong", {}, clock(at)), ` ${words}`)));
      const over = link.get<boolean>("over");
      after.hidden = !over;
      if (over && !asked) {
        asked = true;
        page.ask("it");
      }
      soon();
    }

    let ready = false;
    link.hear((reply) => {
      if (reply.type === "so far") ready = true;
      // What came before the curve so far is in it.
      if (reply.type === "so far" || (reply.type === "tick" && ready)) take(reply);
    });
    link.follow(["title", "status", "changes", "over", "banner", "error"], drawState);
    const sized = new ResizeObserver(() => {
      for (const [at, plot] of plots.entries())
        if (curves.clientWidth && curves.clientWidth !== plot.width)
          plot.setSize({ width: curves.clientWidth, height: (PANELS[at] as Panel).high });
    });
    sized.observe(curves);
    link.atEnd(() => {
      sized.disconnect();
      clearTimeout(waiting);
      cancelAnimationFrame(frameAsked);
      for (const plot of plots) plot.destroy();
    });
    frame(el, "spnb-wide");
    // Behind the frame, which marks the element with the new theme first.
    link.atEnd(onTheme(build));
    link.mourn(el);
    el.append(
      h(
        "section",
        { class: "spnb-card spnb-live-dashboard" },
        h("div", { class: "spnb-head spnb-row" }, title, badge, timer, since),
        error,
        banner,
        kpis,
        curves,
        bar,
        after,
        page.el,
      ),
    );
    link.send("hello");
    return () => link.end();
  },
});
