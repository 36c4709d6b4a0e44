// A strip of what a broadcast is doing, once a second, with the colours of OBS and with words beside them.
import { h, replace } from "./dom";
import { kilobits } from "./format";

export type Second = { fps: number; kbps: number; width: number; height: number; loss: number; rtt: number; wanted?: number };
type Grade = "good" | "fair" | "bad";

const SECONDS = 60;
const SILENT_SECONDS = 6;
const [WIDE, HIGH] = [40, 18];

/** Frames missed over 1 % amber, over 5 % red; frame rate under 95 % amber, under 80 % red. */
export function grade(second: Second): Grade {
  const share = second.wanted ? second.fps / second.wanted : 1;
  if (second.loss > 0.05 || share < 0.8) return "bad";
  if (second.loss > 0.01 || share < 0.95) return "fair";
  return "good";
}

export const GRADES: Record<Grade, string> = { good: "● Good", fair: "◐ Fair", bad: "○ Poor" };

function spark(values: number[]): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDE} ${HIGH}`);
  svg.setAttribute("class", "spnb-spark");
  svg.setAttribute("aria-hidden", "true");
  const most = Math.max(1e-9, ...values);
  const points = values.map((value, index) => {
    const x = WIDE - ((values.length - 1 - index) * WIDE) / (SECONDS - 1);
    return `${x.toFixed(1)},${(HIGH - 1 - (value / most) * (HIGH - 2)).toFixed(1)}`;
  });
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("points", points.join(" "));
  svg.append(line);
  return svg;
}

export class HealthStrip {
  readonly el = h("div", { class: "spnb-health", role: "group", "aria-label": "health of the broadcast" });
  // Only a change of the grade is worth saying aloud.
  private readonly spoken = h("span", { class: "spnb-hush", role: "status" });
  private graded: Grade | undefined;
  private last = 0;
  private seconds: Second[] = [];

  add(second: Second): void {
    this.seconds = [...this.seconds.slice(1 - SECONDS), second];
    const now = grade(second);
    this.last = performance.now();
    if (this.graded && now !== this.graded) this.spoken.textContent = `The broadcast's health is ${GRADES[now].slice(2)}.`;
    this.graded = now;
    this.el.dataset["health"] = now;
    const cell = (name: string, text: string, values: number[]) =>
      h("span", { class: "spnb-cell", title: name }, spark(values) as unknown as HTMLElement, text);
    replace(
      this.el,
      h("span", { class: "spnb-grade" }, GRADES[now]),
      h("span", {}, `${second.width}×${second.height}`),
      cell("frames per second", `${Math.round(second.fps)} fps`, this.seconds.map(({ fps }) => fps)),
      cell("bit rate", kilobits(second.kbps), this.seconds.map(({ kbps }) => kbps)),
      cell("packets lost", `${(second.loss * 100).toFixed(1)} % lost`, this.seconds.map(({ loss }) => loss)),
      cell("round trip", `${Math.round(second.rtt)} ms`, this.seconds.map(({ rtt }) => rtt)),
      this.spoken,
    );
  }

  /** Old numbers are no numbers: where none came for some seconds, that is said instead. */
  check(since: number): void {
    const silent = (performance.now() - Math.max(this.last, since)) / 1000;
    if (silent < SILENT_SECONDS) return;
    this.el.dataset["health"] = "bad";
    const words = `No health numbers for ${Math.floor(silent)} s: whether anything goes out is not known. If it lasts, reload the page.`;
    if (this.graded) this.spoken.textContent = "There are no health numbers.";
    this.graded = undefined;
    replace(this.el, h("span", { class: "spnb-grade" }, GRADES.bad.replace("Poor", "Unknown")), h("span", {}, words), this.spoken);
  }

  clear(): void {
    this.seconds = [];
    this.graded = undefined;
    this.spoken.textContent = "";
    replace(this.el);
  }
}
