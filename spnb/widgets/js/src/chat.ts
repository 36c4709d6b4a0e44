// The live chat of a room.
import { ChatPane } from "./shared/chatPane";
import { frame, h } from "./shared/dom";
import { hearing } from "./shared/hearing";
import { Link, type View } from "./shared/widget";

export default hearing({
  render({ model, el }: View) {
    const link = new Link(model);
    const pane = new ChatPane(link);
    const title = h("h3", { dir: "auto" });
    const error = h("p", { class: "spnb-error", role: "alert" });
    link.follow(["title"], () => (title.textContent = link.get<string>("title")));
    link.follow(["error"], () => (error.textContent = link.get<string>("error")));
    frame(el);
    link.mourn(el);
    el.append(h("div", { class: "spnb-card" }, title, pane.el, error));
    return () => link.end();
  },
});
