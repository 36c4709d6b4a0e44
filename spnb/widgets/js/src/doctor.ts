// Which ways lead from this very page to the kernel's machine, and what each is good for.
import { framed } from "./shared/cameraTrouble";
import { frame, h, replace, say } from "./shared/dom";
import { canEncode } from "./shared/encoder";
import { kilobits } from "./shared/format";
import { hearing } from "./shared/hearing";
import { Examination, MOST_KBPS, type Rung, type Told } from "./shared/rungs";
import { Link, type View } from "./shared/widget";

const COLUMNS = ["Way", "Works", "Delay", "To this page", "From this page"];
const ROADS = ["direct", "jupyter", "port"];
const THROUGH: Record<string, string> = {
  direct: "straight",
  jupyter: "through the Jupyter server",
  port: "through the Jupyter server",
  messages: "by the kernel's messages",
};
/** Enough for 1280×720 at 30 pictures a second. */
const HD_KBPS = 2500;

const milliseconds = (value: number | null) => (value === null ? "–" : value < 1 ? "< 1 ms" : `${Math.round(value)} ms`);
const speed = (value: number | null) => (value === null ? "–" : value >= MOST_KBPS ? "over 100 Mb/s" : kilobits(value));

/** What follows from it, for who watches and for who goes on air. */
export function verdict(rungs: Rung[], camera: "allowed" | "insecure" | "framed", encodes: boolean): string[] {
  const works = (key: string) => rungs.find((rung) => rung.key === key && rung.works);
  const watch = rungs.find((rung) => (ROADS.includes(rung.key) || rung.key === "messages") && rung.works);
  const words = [watch ? `Streams reach this page ${THROUGH[watch.key]}.` : "Streams do not reach this page: no way works."];
  const messages = works("messages");
  if (camera === "insecure") words.push("It gives no camera: browsers do so on https pages and on localhost only.");
  else if (camera === "framed") words.push("The page around it gives it no camera: open the notebook in a browser tab of its own.");
  else if (works("media")) words.push("Its camera goes out straight, by WebRTC.");
  else if (messages && encodes)
    words.push(
      (messages.up ?? 0) >= HD_KBPS
        ? "Its camera goes out through the notebook's own connection, encoded by this page."
        : "Its camera goes out through the notebook's own connection, which is slow: expect a small picture.",
    );
  else if (messages) words.push("Its camera goes out as single pictures: this browser does not encode video by itself.");
  else words.push("Its camera does not go out from here.");
  return words;
}

function camera(): "allowed" | "insecure" | "framed" {
  if (!navigator.mediaDevices) return "insecure";
  return framed() ? "framed" : "allowed";
}

export default hearing({
  render({ model, el }: View) {
    const link = new Link(model);
    const words = h("p", { class: "spnb-verdict", role: "status" });
    const error = h("p", { class: "spnb-error", role: "alert" });
    const rows = h("tbody");
    const again = h("button", { type: "button", click: () => begin() }, "Check again");
    let examination: Examination | undefined;
    let running = 0;

    function line(rung: Rung): HTMLElement {
      const cells = [speed(rung.down), speed(rung.up)].map((text) => h("td", { class: "spnb-figure" }, text));
      return h(
        "tr",
        { "data-rung": rung.key, "data-works": String(rung.works) },
        h("td", {}, rung.name),
        h("td", {}, h("span", { class: "spnb-works" }, rung.works ? "✓ works" : "✗ no"), rung.why ? h("span", { class: "spnb-note" }, ` ${rung.why}`) : null),
        h("td", { class: "spnb-figure" }, milliseconds(rung.delay)),
        ...cells,
      );
    }

    function begin(): void {
      again.disabled = true;
      examination = undefined;
      say(words, "Checking each way …");
      link.send("begin");
    }

    async function examine(told: Told): Promise<void> {
      const mine = ++running;
      const found: Rung[] = [];
      const made = (examination = new Examination(link, told));
      replace(rows);
      for await (const rung of made.run()) {
        if (mine !== running) return;
        found.push(rung);
        replace(rows, ...found.map(line));
      }
      const judged = verdict(found, camera(), canEncode());
      say(words, judged.join(" "));
      again.disabled = false;
      link.send("found", { rungs: found, verdict: judged.join(" ") });
    }

    link.hear((reply, buffers) => {
      if (reply.client !== link.client) return;
      if (reply.type === "begin") {
        const { url, signpost, servers } = reply as unknown as Told;
        void examine({ url, signpost, servers });
      } else examination?.heard(reply.type, Number(reply["ask"]), buffers, (reply["sdp"] as string | undefined) ?? "");
    });
    link.follow(["error"], () => {
      say(error, link.get<string>("error"));
      if (error.textContent) again.disabled = false;
    });
    frame(el, "spnb-doctor");
    link.mourn(el);
    el.append(
      h(
        "section",
        { class: "spnb-card", "aria-label": "ways from this page" },
        h("div", { class: "spnb-head spnb-row" }, h("h3", {}, "From this page"), h("span", { class: "spnb-note" }), again),
        words,
        error,
        h(
          "div",
          { class: "spnb-scroll", tabindex: "0", role: "region", "aria-label": "each way" },
          h(
            "table",
            { class: "spnb-table" },
            h("thead", {}, h("tr", {}, ...COLUMNS.map((name) => h("th", { scope: "col" }, name)))),
            rows,
          ),
        ),
      ),
    );
    begin();
    return () => {
      running++;
      link.end();
    };
  },
});
