// How many watch now, and on request who.
import { frame, h, replace } from "./shared/dom";
import { hearing } from "./shared/hearing";
import { Link, type View } from "./shared/widget";

export default hearing({
  render({ model, el }: View) {
    const link = new Link(model);
    const number = h("strong", { class: "spnb-big" });
    const noun = h("span", {});
    const peak = h("span", { class: "spnb-note" });
    const title = h("span", { class: "spnb-title", dir: "auto" });
    const people = h("ul", { class: "spnb-people", "aria-label": "who watches" });
    const error = h("p", { class: "spnb-error", role: "alert" });
    const who = h("button", { type: "button", "aria-expanded": "false", click: toggle }, "Who?");
    let names: string[] | undefined;

    function toggle() {
      names = names ? undefined : [];
      if (names) link.send("who");
      draw();
    }

    function draw() {
      const live = link.get<boolean>("live");
      const count = link.get<number | null>("count");
      title.textContent = link.get<string>("title");
      number.textContent = live && count !== null ? String(count) : "–";
      noun.textContent = live ? (count === null ? "not counted yet" : count === 1 ? "viewer now" : "viewers now") : "off the air";
      peak.textContent = live && count === null ? "" : `at most ${link.get<number>("peak")}`;
      if (!live) names = undefined;
      who.hidden = !live;
      who.setAttribute("aria-expanded", String(names !== undefined));
      who.textContent = names ? "Hide" : "Who?";
      people.hidden = !names?.length;
      replace(people, ...(names ?? []).map((name) => h("li", { dir: "auto" }, name)));
      error.textContent = link.get<string>("error");
    }

    link.hear((reply) => {
      if (reply.type !== "who" || !names) return;
      names = reply["names"] as string[];
      draw();
    });
    link.follow(["count"], () => {
      if (names) link.send("who");
    });
    link.follow(["title", "live", "count", "peak", "error"], draw);
    frame(el);
    link.mourn(el);
    el.append(
      h(
        "section",
        { class: "spnb-card spnb-viewers", role: "group", "aria-label": "viewers" },
        title,
        h("p", { class: "spnb-row", role: "status" }, number, noun, peak),
        h("div", { class: "spnb-row" }, who),
        people,
        error,
      ),
    );
    return () => link.end();
  },
});
