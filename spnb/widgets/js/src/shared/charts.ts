// A plotly figure in the page: drawn to its width, in the theme of the page, with clicks told in seconds.
import type { Axis, Drawn, Figure } from "plotly.js-basic-dist-min";
import type { Charts } from "../charts";
import { Carried } from "./carried";
import { h } from "./dom";
import type { Model } from "./widget";

const carried = new Carried<Charts>("charts");

export const announceCharts = (charts: Charts): void => carried.announce(charts);

/** Plotly, loaded through the widget's `charts` model. */
export const findCharts = (model: Model): Promise<Charts> => carried.find(model);

/** "01:02:03" → 3723; undefined where it is none. */
export function secondsOf(text: unknown): number | undefined {
  const parts = /^(\d+):(\d\d):(\d\d)$/.exec(String(text));
  return parts ? Number(parts[1]) * 3600 + Number(parts[2]) * 60 + Number(parts[3]) : undefined;
}

type Clicked = { event: MouseEvent; points: { customdata?: unknown; data: { name?: string } }[] };

export class Chart {
  readonly el = h("div", { class: "spnb-chart" });
  private readonly inner = h("div");
  private readonly line = h("span", { class: "spnb-now", hidden: true });
  private drawn: Drawn | undefined;
  private at: number | undefined;
  private readonly observer: ResizeObserver;

  constructor(
    private readonly charts: Charts,
    name: string,
    private readonly clicked?: (seconds: number) => void,
  ) {
    this.el.setAttribute("role", "img");
    this.el.setAttribute("aria-label", name);
    this.el.append(this.inner, this.line);
    this.observer = new ResizeObserver(() => {
      if (this.drawn && this.el.clientWidth) charts.Plots.resize(this.drawn);
      this.place();
    });
    this.observer.observe(this.el);
  }

  /** `relative`: its x axis is seconds since the stream began. */
  async draw(figure: Figure, relative: boolean): Promise<void> {
    const clear = "rgba(0,0,0,0)";
    const layout = { ...figure.layout, paper_bgcolor: clear, plot_bgcolor: clear, autosize: true };
    const first = !this.drawn;
    const config = { displaylogo: false, displayModeBar: false, responsive: false };
    this.drawn = await this.charts.react(this.inner, figure.data, layout, config);
    if (first) {
      if (this.clicked) this.drawn.on("plotly_click", (event: Clicked) => this.tell(event));
      this.drawn.on("plotly_relayout", () => this.place());
    }
    this.relative = relative;
    this.place();
  }

  private relative = true;

  private tell({ event, points }: Clicked): void {
    const star = points.find((point) => point.data.name === "moments") ?? (this.relative ? undefined : points[0]);
    const told = Array.isArray(star?.customdata) ? (star.customdata as unknown[])[0] : star?.customdata;
    const seconds = secondsOf(told) ?? (this.relative ? this.under(event) : undefined);
    if (seconds !== undefined) this.clicked?.(Math.max(0, seconds));
  }

  private under(event: MouseEvent): number {
    const axis = this.axis as Axis;
    return axis.p2c(event.clientX - this.inner.getBoundingClientRect().left - axis._offset);
  }

  private get axis(): Axis | undefined {
    return this.drawn?._fullLayout?.xaxis;
  }

  /** Show a moment; undefined takes the line away. */
  mark(seconds: number | undefined): void {
    this.at = seconds;
    this.place();
  }

  private place(): void {
    const { axis, at } = this;
    const shown = axis !== undefined && at !== undefined && this.relative;
    const x = shown ? axis.c2p(at) : 0;
    this.line.hidden = !shown || x < 0 || x > axis._length;
    if (this.line.hidden || !axis || !this.drawn) return;
    const { t, h: high } = this.drawn._fullLayout._size;
    this.line.style.cssText = `left:${axis._offset + x}px;top:${t}px;height:${high}px`;
  }

  end(): void {
    this.observer.disconnect();
    this.charts.purge(this.inner);
  }
}
