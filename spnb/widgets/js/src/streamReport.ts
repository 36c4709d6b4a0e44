// One stream's page by itself.
import { frame, h } from "./shared/dom";
import { hearing } from "./shared/hearing";
import { StreamPage } from "./shared/streamPage";
import { Link, type View } from "./shared/widget";

export default hearing({
  render({ model, el }: View) {
    const link = new Link(model);
    const page = new StreamPage(link);
    const error = h("p", { class: "spnb-error", role: "alert" });
    const waiting = h("p", { class: "spnb-note", role: "status" }, "Reckoning …");
    link.follow(["error"], () => {
      error.textContent = link.get<string>("error");
    });
    link.hear((reply) => {
      if (reply.type === "stream") waiting.hidden = true;
    });
    frame(el, "spnb-wide");
    link.mourn(el);
    el.append(h("section", { class: "spnb-card" }, error, waiting, page.el));
    page.ask("it");
    return () => link.end();
  },
});
