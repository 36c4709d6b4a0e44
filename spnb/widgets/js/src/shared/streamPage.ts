// One stream's page: cards, the stack of viewers, chat and reactions, moments beside the recording, retention, joins
// and leaves, health, every number with its definition, and what was mended.
import type { Figure } from "plotly.js-basic-dist-min";
import { findHub } from "./hub";
import { card, cards, type Card } from "./cards";
import { Chart, findCharts } from "./charts";
import { h, replace } from "./dom";
import { label } from "./format";
import { isDark, onTheme } from "./theme";
import type { Link, Model, Reply } from "./widget";

type Moment = { at: number; clock: string; why: string; score: number };
export type Page = {
  room: string;
  title: string;
  creator: string;
  kind: string;
  status: string;
  began: string;
  length: string;
  cards: string[];
  numbers: Card[];
  moments: Moment[];
  quality: string[];
  figures: string[];
  clock_times: boolean;
};

const NAMES: Record<string, string> = {
  stack: "viewers, chat and reactions over time",
  retention: "retention",
  joins_leaves: "joins and leaves",
  health: "health of the broadcast",
};

export class StreamPage {
  readonly el = h("div", { class: "spnb-page", hidden: true });
  private readonly title = h("h3", { tabindex: -1, dir: "auto" });
  private readonly badge = h("span", { class: "spnb-badge" });
  private readonly facts = h("p", { class: "spnb-note" });
  private readonly kpis = cards("numbers of the stream");
  private readonly moments = h("ol", { class: "spnb-moments", "aria-label": "moments" });
  private readonly told = h("p", { class: "spnb-note", role: "status" });
  private readonly player = h("div", { class: "spnb-beside-player" });
  private readonly numbers = h("tbody");
  private readonly quality = h("ul", { class: "spnb-quality" });
  private readonly charts = new Map<string, Chart>();
  private readonly places = new Map<string, HTMLElement>();
  private readonly axis = h(
    "button",
    { type: "button", "aria-pressed": "false", click: () => this.turn() },
    "Clock times",
  );
  private clockTimes = false;
  private room = "";
  private asked = 0;
  private endPlayer: (() => void) | undefined;
  private followed: Model | undefined;

  constructor(
    private readonly link: Link,
    back?: () => void,
  ) {
    for (const name of Object.keys(NAMES)) this.places.set(name, h("div", { hidden: true }));
    const place = (name: string) => this.places.get(name) as HTMLElement;
    this.el.append(
      h(
        "div",
        { class: "spnb-head spnb-row" },
        back ? h("button", { type: "button", click: back }, "‹ All streams") : null,
        this.title,
        this.badge,
        h("span", { class: "spnb-note" }),
        this.axis,
      ),
      this.facts,
      this.kpis,
      place("stack"),
      h(
        "div",
        { class: "spnb-pair" },
        h("section", { role: "group", "aria-label": "what stood out" }, h("h4", {}, "Moments"), this.moments, this.told),
        this.player,
      ),
      h("div", { class: "spnb-pair" }, place("retention"), place("joins_leaves")),
      place("health"),
      h(
        "details",
        { class: "spnb-all" },
        h("summary", {}, "All numbers, with their definitions"),
        h("div", { class: "spnb-scroll" }, h("table", { class: "spnb-table" }, this.numbers)),
      ),
      h("section", { role: "group", "aria-label": "data quality" }, h("h4", {}, "Data quality"), this.quality),
    );
    link.hear((reply, buffers) => {
      if (reply.type === "stream") void this.show(reply, buffers);
    });
    link.follow(["player"], () => void this.showPlayer());
    link.atEnd(onTheme(() => this.room && this.ask(this.room)));
    link.atEnd(() => this.end());
  }

  ask(room: string, command = "stream"): void {
    this.asked += 1;
    this.room = room;
    this.el.setAttribute("aria-busy", "true");
    this.link.send(command, { room, ask: this.asked, dark: isDark(), clock_times: this.clockTimes });
  }

  /** Nothing that is still on its way is shown. */
  leave(): void {
    this.asked += 1;
    this.room = "";
    this.el.hidden = true;
  }

  private turn(): void {
    this.clockTimes = !this.clockTimes;
    this.axis.setAttribute("aria-pressed", String(this.clockTimes));
    this.ask(this.room);
  }

  private async show(reply: Reply, buffers: DataView[]): Promise<void> {
    if (reply["ask"] !== this.asked) return;
    const page = reply as unknown as Page;
    const other = this.el.hidden;
    this.el.hidden = false;
    this.el.removeAttribute("aria-busy");
    this.title.textContent = page.title;
    this.badge.textContent = label(page.status);
    this.badge.dataset["status"] = page.status;
    this.badge.hidden = !page.status;
    const facts = [page.creator, page.kind === "coHosts" ? "Co-hosts" : page.kind && "Direct", page.began, page.length];
    replace(this.facts, ...facts.filter(Boolean).flatMap((fact, at) => [at ? " · " : "", h("bdi", {}, fact)]));
    const byName = new Map(page.numbers.map((number) => [number.name, number]));
    replace(this.kpis, ...page.cards.map((name) => card(byName.get(name) as Card)));
    replace(
      this.numbers,
      ...page.numbers.map((number) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, number.label),
          h("td", { class: "spnb-figure" }, number.value),
          h("td", {}, number.about),
        ),
      ),
    );
    this.drawMoments(page.moments);
    const mended = page.quality.length ? page.quality : ["Nothing had to be mended."];
    replace(this.quality, ...mended.map((step) => h("li", {}, step)));
    if (other) this.title.focus({ preventScroll: true });
    let charts;
    try {
      charts = await findCharts(this.link.model);
    } catch (error) {
      this.told.textContent = `There are no figures: ${(error as Error).message}`;
      return;
    }
    for (const [name, place] of this.places) {
      const buffer = buffers[page.figures.indexOf(name)];
      place.hidden = !buffer;
      if (!buffer || reply["ask"] !== this.asked) continue;
      const figure = JSON.parse(new TextDecoder().decode(buffer)) as Figure;
      if (name === "stack") {
        // The page has its title above.
        delete figure.layout["title"];
        figure.layout["margin"] = { t: 40 };
      } else {
        // Side by side there is little width: what is what stands below.
        figure.layout["margin"] = { t: 44, b: 90 };
        figure.layout["legend"] = { yref: "container", y: 0.01, yanchor: "bottom" };
      }
      let chart = this.charts.get(name);
      if (!chart) {
        const seek = name === "retention" ? undefined : (seconds: number) => this.go(seconds);
        chart = new Chart(charts, NAMES[name] ?? name, seek);
        this.charts.set(name, chart);
        place.append(chart.el);
      }
      await chart.draw(figure, !page.clock_times);
      // One chart after the other: the page stays quick between them.
      await new Promise(requestAnimationFrame);
    }
    this.el.dataset["drawn"] = page.room;
  }

  private drawMoments(moments: Moment[]): void {
    replace(
      this.moments,
      ...moments.map((moment) =>
        h(
          "li",
          {},
          h(
            "button",
            { type: "button", "data-at": moment.at, click: () => this.go(moment.at, moment.clock) },
            h("strong", { class: "spnb-timer" }, moment.clock),
            h("span", {}, moment.why),
            h("span", { class: "spnb-note" }, `score ${moment.score.toFixed(1)}`),
          ),
        ),
      ),
    );
    this.told.textContent = moments.length ? "" : "None stood out: it was a steady stream.";
  }

  private go(seconds: number, text?: string): void {
    const whole = Math.round(seconds);
    const clock = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    const at = text ?? clock.map((part) => String(part).padStart(2, "0")).join(":");
    this.told.textContent = this.followed ? `The recording plays at ${at}.` : `${at} into the stream.`;
    this.charts.get("stack")?.mark(seconds);
    this.link.send("moment", { seconds });
  }

  private async showPlayer(): Promise<void> {
    this.endPlayer?.();
    this.endPlayer = undefined;
    this.followed = undefined;
    replace(this.player);
    const reference = (this.link.get<string | null>("player") ?? "").replace("IPY_MODEL_", "");
    if (!reference) return;
    const model = await (this.link.model.widget_manager.get_model(reference) as Promise<Model>).catch(() => undefined);
    if (!model) {
      const words = "This front end shows no widget within another: show RecordingPlayer(room) in a cell of its own.";
      replace(this.player, h("p", { class: "spnb-note" }, words));
      return;
    }
    const hub = await findHub(model).catch((error: Error) => error.message);
    if (!(this.link.get<string | null>("player") ?? "").endsWith(reference) || this.followed) return;
    if (typeof hub === "string") return replace(this.player, h("p", { class: "spnb-note" }, hub));
    this.followed = model;
    const box = h("div");
    this.player.append(box);
    const end = hub.recordingPlayer.render({ model, el: box });
    const moved = () => this.charts.get("stack")?.mark(model.get("current_time") as number);
    model.on("change:current_time", moved);
    this.endPlayer = () => {
      model.off("change:current_time", moved);
      end();
    };
  }

  private end(): void {
    this.endPlayer?.();
    for (const chart of this.charts.values()) chart.end();
  }
}
