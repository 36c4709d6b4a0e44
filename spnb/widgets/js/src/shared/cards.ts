// A number with its name, what it means, how it has changed, and its trend.
import { h } from "./dom";

const [WIDE, HIGH] = [120, 28];

/** Steps by day, from zero up: counts are never smoothed. */
export function trend(values: (number | null)[]): SVGSVGElement {
  const make = (name: string) => document.createElementNS("http://www.w3.org/2000/svg", name);
  const svg = make("svg") as SVGSVGElement;
  svg.setAttribute("viewBox", `0 0 ${WIDE} ${HIGH}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "spnb-trend");
  svg.setAttribute("aria-hidden", "true");
  const known = values.map((value) => value ?? 0);
  const most = Math.max(1e-9, ...known);
  const step = WIDE / Math.max(1, known.length);
  const height = (value: number) => (HIGH - 1 - (value / most) * (HIGH - 3)).toFixed(1);
  const top = known.map((value, at) => `H${(at * step).toFixed(1)}V${height(value)}H${((at + 1) * step).toFixed(1)}`);
  const area = make("path");
  area.setAttribute("class", "spnb-area");
  area.setAttribute("d", `M0 ${HIGH}${top.join("")}V${HIGH}Z`);
  const line = make("path");
  line.setAttribute("d", `M0 ${height(known[0] ?? 0)}${top.join("")}`);
  svg.append(area, line);
  return svg;
}

export type Card = {
  name: string;
  label: string;
  value: string;
  about: string;
  before?: string;
  change?: string;
  trend?: (number | null)[];
  days?: string[];
};

export function card(told: Card): HTMLElement {
  const { change, before, trend: values, days } = told;
  const kind = change?.startsWith("▲") ? "up" : change?.startsWith("▼") ? "down" : "none";
  const ends = days?.length ? `${days[0] ?? ""} – ${days[days.length - 1] ?? ""}` : "";
  return h(
    "li",
    { class: "spnb-kpi", "data-name": told.name, title: told.about },
    h("span", { class: "spnb-kpi-label" }, told.label),
    h("strong", { class: "spnb-kpi-value" }, told.value),
    change === undefined
      ? null
      : h(
          "span",
          { class: "spnb-kpi-change", "data-change": kind, title: `in the period before: ${before ?? "n/a"}` },
          change,
          h("span", { class: "spnb-note" }, change === "n/a" ? " nothing before" : " vs before"),
        ),
    values ? h("span", { class: "spnb-kpi-trend", title: ends }, trend(values) as unknown as HTMLElement) : null,
    h("span", { class: "spnb-hush" }, told.about),
  );
}

export const cards = (label: string): HTMLElement => h("ul", { class: "spnb-kpis", "aria-label": label });
