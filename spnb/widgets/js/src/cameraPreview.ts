// The webcam in the notebook: one camera per page, however many views show it.
import { frame, h } from "./shared/dom";
import { hearing } from "./shared/hearing";
import { previewPane } from "./shared/previewPane";
import { open, sessionOf, type Part, type Session } from "./shared/session";
import { Webcam } from "./shared/webcam";
import { Link, type Model, type Reply, type View } from "./shared/widget";

class Preview implements Part {
  readonly webcam: Webcam;
  constructor(session: Session<Preview>) {
    this.webcam = new Webcam(session);
  }
  heard(reply: Reply, buffers: DataView[]): void {
    this.webcam.heard(reply, buffers);
  }
  stop(): void {
    this.webcam.stop();
  }
}

export default hearing({
  initialize({ model, signal }: { model: Model; signal?: AbortSignal }) {
    open<Preview>(model, signal, (session) => new Preview(session));
  },
  render({ model, el }: View) {
    const link = new Link(model);
    const session = sessionOf<Preview>(model);
    const { webcam } = session.part;
    const pane = previewPane(session, webcam);
    const error = h("p", { class: "spnb-error", role: "alert" });
    const detach = session.attach(pane.draw);
    link.follow(["wishes", "holder", "filtered"], pane.draw);
    let source = webcam.kernelSource;
    link.follow(["kernel_source"], () => {
      if (webcam.kernelSource !== source && webcam.state === "on") void webcam.start();
      source = webcam.kernelSource;
      pane.draw();
    });
    link.follow(["error"], () => {
      error.textContent = link.get<string>("error");
    });
    // Another tab has taken the camera over: it is off here.
    link.follow(["holder"], () => {
      const holder = link.get<string>("holder");
      if (holder && holder !== session.client && webcam.via) webcam.stop();
    });
    frame(el);
    link.mourn(el);
    el.append(h("div", { class: "spnb-card" }, pane.el, pane.controls, error));
    return () => {
      detach();
      pane.end();
      link.end();
    };
  },
});
