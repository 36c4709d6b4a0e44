// What a viewer sees of a room.
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
    el.append(playback(link, model), title);
    return () => link.end();
  },
};
