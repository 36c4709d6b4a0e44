// What the automatic moderation found, as a badge: a sign and words, so that nothing hangs on its colour.
import { h } from "./dom";

/** The badge of a finding such as "flagged: violence"; hidden where there is none. */
export function drawFinding(badge: HTMLElement, finding: string): void {
  const kind = finding.split(":")[0] ?? "";
  badge.hidden = !finding;
  badge.dataset["moderation"] = kind;
  badge.textContent = finding ? `${kind === "terminated" ? "▲" : "⚑"} ${finding}` : "";
}

export function findingBadge(finding = ""): HTMLElement {
  const badge = h("span", { class: "spnb-finding", title: "found by the automatic moderation" });
  drawFinding(badge, finding);
  return badge;
}
