// Faults on demand: which are on and how often they struck, a form for another, and things that happen at once.
import { frame, h, replace } from "./shared/dom";
import { hearing } from "./shared/hearing";
import { Link, type View } from "./shared/widget";

type Fault = { id: string; kind: string; where: string; match: string; share: number; hits: number; left: number | null };

const REQUESTS: [string, string][] = [
  ["rate-limit", "Too many requests (429)"],
  ["server-error", "Server error (500)"],
  ["bad-gateway", "Bad gateway (502)"],
  ["timeout", "No answer, not carried out"],
  ["lost-answer", "No answer, but carried out"],
];
const EVENTS: [string, string][] = [
  ["drop", "Lost"],
  ["double", "Doubled"],
  ["delay", "Late"],
  ["reorder", "Overtaken by the next"],
];
const NAMES = new Map([...REQUESTS, ...EVENTS]);
const WHERE: Record<string, string> = { rest: "Request", mqtt: "Real-time event", webhook: "Webhook" };
const COLUMNS = ["Fault", "Strikes", "Matching", "Struck", "Left", ""];

export default hearing({
  render({ model, el }: View) {
    const link = new Link(model);
    const options = (list: [string, string][]) => list.map(([value, text]) => h("option", { value }, text));
    const target = h(
      "select",
      { "aria-label": "what is struck" },
      ...options([
        ["rest", "Requests"],
        ["mqtt", "Real-time events"],
        ["webhook", "Webhooks"],
      ]),
    );
    const kind = h("select", { "aria-label": "fault" });
    const match = h("input", { type: "text", "aria-label": "matching" });
    const times = h("input", { type: "number", min: "1", step: "1", placeholder: "for ever", "aria-label": "how often" });
    const share = h("input", { type: "number", min: "1", max: "100", step: "1", value: "100", "aria-label": "share in percent" });
    const error = h("p", { class: "spnb-error", role: "alert" });
    const told = h("span", { class: "spnb-note", role: "status" });
    const rows = h("tbody");
    const table = h(
      "div",
      { class: "spnb-scroll" },
      h(
        "table",
        { class: "spnb-table" },
        h("thead", {}, h("tr", {}, ...COLUMNS.map((name) => h("th", { scope: "col" }, name)))),
        rows,
      ),
    );
    const healthy = h("p", { class: "spnb-empty" }, "No faults: the sandbox is healthy.");

    function choose(): void {
      const requests = target.value === "rest";
      kind.replaceChildren(...options(requests ? REQUESTS : EVENTS));
      match.placeholder = requests ? "* or POST /api/v1/rooms" : "* or room.*";
    }
    target.addEventListener("change", choose);
    choose();

    const form = h(
      "form",
      { class: "spnb-filters spnb-faultform" },
      target,
      kind,
      match,
      h("label", { class: "spnb-inline" }, "times", times),
      h("label", { class: "spnb-inline" }, "share %", share),
      h("button", { type: "submit", class: "spnb-primary" }, "Add fault"),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      link.send("add", {
        kind: kind.value,
        where: target.value === "rest" ? null : target.value,
        match: match.value.trim() || "*",
        times: Number(times.value) || null,
        share: (Number(share.value) || 100) / 100,
      });
    });

    function button(text: string, action: string, content: Record<string, unknown> = {}): HTMLElement {
      return h("button", { type: "button", click: () => link.send(action, content) }, text);
    }

    function line(fault: Fault): HTMLElement {
      const name = NAMES.get(fault.kind) ?? fault.kind;
      const remove = button("Remove", "remove", { fault: fault.id });
      remove.setAttribute("aria-label", `remove ${name} on ${fault.match}`);
      const part = fault.share < 1 ? ` · ${Math.round(fault.share * 100)} %` : "";
      return h(
        "tr",
        { "data-fault": fault.id },
        h("td", {}, name),
        h("td", {}, `${WHERE[fault.where] ?? fault.where}${part}`),
        h("td", {}, h("code", {}, fault.match)),
        h("td", { class: "spnb-timer" }, String(fault.hits)),
        h("td", { class: "spnb-timer" }, fault.left == null ? "for ever" : String(fault.left)),
        h("td", {}, h("span", { class: "spnb-small" }, remove)),
      );
    }

    link.follow(["active"], () => {
      const active = link.get<Fault[]>("active");
      const focused = document.activeElement?.closest("[data-fault]")?.getAttribute("data-fault");
      replace(rows, ...active.map(line));
      // Counts are drawn anew under the finger: the button keeps its focus.
      if (focused && rows.isConnected) rows.querySelector<HTMLElement>(`[data-fault="${CSS.escape(focused)}"] button`)?.focus();
      table.hidden = !active.length;
      healthy.hidden = active.length > 0;
    });
    link.follow(["error", "told"], () => {
      error.textContent = link.get<string>("error");
      told.textContent = link.get<string>("told");
    });
    const group = (label: string, ...buttons: HTMLElement[]) =>
      h("div", { class: "spnb-row spnb-wrap", role: "group", "aria-label": label }, h("span", { class: "spnb-note" }, label), ...buttons);
    frame(el, "spnb-wide");
    link.mourn(el);
    el.append(
      h(
        "section",
        { class: "spnb-card", "aria-label": "faults on demand" },
        h("div", { class: "spnb-head" }, h("h3", {}, "Faults on demand"), told),
        form,
        error,
        table,
        healthy,
        group(
          "Cut now",
          button("Signalling", "cut", { what: "signalling" }),
          button("Media", "cut", { what: "transports" }),
          button("Viewers", "cut", { what: "viewers" }),
          button("Real time", "cut", { what: "realtime" }),
        ),
        group(
          "Let expire",
          button("Access tokens", "expire", { what: "access" }),
          button("LiveKit tokens", "expire", { what: "livekit" }),
        ),
        group("All of it", button("Clear all faults", "clear")),
      ),
    );
    return () => link.end();
  },
});
