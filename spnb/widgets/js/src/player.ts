// What a viewer sees of a room.
import { chatBeside } from "./shared/chatBeside";
import { frame, h } from "./shared/dom";
import { playback } from "./shared/playback";
import { Link, type View } from "./shared/widget";

export default {
  render({ model, el }: View) {
    const link = new Link(model);
    const title = h("p", { class: "spnb-title" });
    link.follow(["title"], () => {
      title.textContent = link.get<string>("title");
    });
    frame(el);
    link.mourn(el);
    const head = h("div", { class: "spnb-head" }, title);
    const beside = chatBeside(link, model, el, h("div", {}, playback(link, model), head));
    head.append(beside.toggle);
    el.append(beside.el);
    return () => link.end();
  },
};
