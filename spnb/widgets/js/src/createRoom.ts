// A form for a new room, and the made room as a card.
import { frame, h, replace } from "./shared/dom";
import { label } from "./shared/format";
import { hearing } from "./shared/hearing";
import { roomForm } from "./shared/roomForm";
import { Link, type View } from "./shared/widget";

type Made = { id?: string; title: string; status: string; creator: string };

export default hearing({
  render({ model, el }: View) {
    const link = new Link(model);
    const made = h("div", { "aria-live": "polite" });
    link.follow(["created"], () => {
      const room = link.get<Made>("created");
      replace(
        made,
        room.id &&
          h(
            "div",
            { class: "spnb-card spnb-made" },
            h("span", { class: "spnb-tick", "aria-hidden": "true" }, "✓"),
            h(
              "div",
              {},
              h("strong", {}, room.title),
              h("p", { class: "spnb-note" }, `${label(room.status)} · by ${room.creator} · ${room.id}`),
            ),
          ),
      );
    });
    frame(el);
    link.mourn(el);
    el.append(roomForm(link), made);
    return () => link.end();
  },
});
