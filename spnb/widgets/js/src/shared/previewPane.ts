// The picture of a webcam with all that belongs to it: permission in words, numbers, level, devices.
import { h, replace } from "./dom";
import { kilobits } from "./format";
import type { Session } from "./session";
import { flipped, type Wishes } from "./devices";
import type { Webcam } from "./webcam";

const HEIGHTS = [360, 480, 720, 1080];
const RATES = [15, 24, 30, 60];

export interface Pane {
  el: HTMLElement;
  video: HTMLVideoElement;
  controls: HTMLElement;
  draw: () => void;
  /** On air the camera is switched off by ending, not by a button beside the menus. */
  onAir(yes: boolean): void;
  /** What goes on air instead of this page's camera, by its name; empty where nothing does. */
  instead: string;
  end(): void;
}

function option(value: string, text: string, chosen: boolean): HTMLOptionElement {
  const element = h("option", { value }, text);
  element.selected = chosen;
  return element;
}

export function previewPane(session: Session<unknown>, webcam: Webcam): Pane {
  const video = h("video", { playsinline: true, autoplay: true, "aria-label": "preview" });
  video.muted = true;
  // The camera beside a shared screen, as viewers see it.
  const inset = h("video", { class: "spnb-inset", playsinline: true, autoplay: true, "aria-label": "your camera" });
  inset.muted = true;
  const picture = h("img", { alt: "preview", hidden: true });
  const card = h("div", { class: "spnb-waiting", role: "status" });
  const numbers = h("span", { class: "spnb-numbers" });
  const bar = h("span");
  const level = h("span", { class: "spnb-level", role: "meter", "aria-label": "microphone level" }, bar);
  const start = h("button", { type: "button", class: "spnb-primary", click: () => void webcam.start() });
  const stop = h("button", { type: "button", click: () => webcam.stop() }, "Turn camera off");
  const camera = h("select", { "aria-label": "camera" });
  const flip = h("button", { type: "button", click: turn }, "Flip camera");
  const microphone = h("select", { "aria-label": "microphone" });
  const height = h("select", { "aria-label": "resolution" });
  const rate = h("select", { "aria-label": "frame rate" });
  const mirror = h("input", { type: "checkbox" });
  const menus = h(
    "span",
    { class: "spnb-menus" },
    camera,
    flip,
    microphone,
    height,
    rate,
    h("label", { class: "spnb-inline" }, mirror, "Mirror"),
  );
  const note = h("span", { class: "spnb-error", role: "alert" });
  const controls = h("div", { class: "spnb-row spnb-wrap" }, start, stop, menus, note);
  const el = h(
    "figure",
    { class: "spnb-player spnb-preview" },
    video,
    picture,
    card,
    h("div", { class: "spnb-under-video" }, level, numbers),
  );

  function choose(change: Partial<Wishes>, restart: boolean): void {
    session.send("wishes", { wishes: { ...webcam.wishes, ...change } });
    // The camera is opened anew once the choice has come back from the kernel.
    if (restart && webcam.state === "on") again = true;
  }
  function shownCamera(): string {
    return webcam.wishes.camera || (webcam.stream?.getVideoTracks()[0]?.label ?? "");
  }

  function turn(): void {
    const next = flipped(webcam.cameras.map(({ name }) => name), shownCamera());
    if (next) choose({ camera: next }, true);
  }
  let again = false;
  let air = false;
  camera.addEventListener("change", () => choose({ camera: camera.value }, true));
  microphone.addEventListener("change", () => choose({ microphone: microphone.value }, true));
  height.addEventListener("change", () => choose({ height: Number(height.value) }, true));
  rate.addEventListener("change", () => choose({ fps: Number(rate.value) }, true));
  mirror.addEventListener("change", () => choose({ mirror: mirror.checked }, false));

  let known = "";
  function drawMenus(): void {
    const { wishes, cameras, microphones } = webcam;
    const now = JSON.stringify([wishes, cameras, microphones]);
    if (now === known) return;
    if (again) {
      again = false;
      void webcam.start();
    }
    known = now;
    replace(camera, ...cameras.map(({ name }) => option(name, name, name === shownCamera())));
    replace(microphone, ...microphones.map(({ name }) => option(name, name, name === wishes.microphone)));
    replace(height, ...HEIGHTS.map((value) => option(String(value), `${value}p`, value === wishes.height)));
    replace(rate, ...RATES.map((value) => option(String(value), `${value} fps`, value === wishes.fps)));
    camera.hidden = !cameras.length;
    flip.hidden = !flipped(cameras.map(({ name }) => name), shownCamera());
    microphone.hidden = !microphones.length;
    mirror.checked = wishes.mirror;
  }

  function seen(): string {
    return air ? "Viewers see this; this page's camera is not used." : "Goes on air in place of this page's camera.";
  }

  function draw(): void {
    const holder = session.get<string>("holder");
    const elsewhere = Boolean(holder) && holder !== session.client && webcam.state === "off";
    const kernel = webcam.kernelSource;
    const changed = session.get<boolean>("filtered") || Boolean(kernel);
    const plain = webcam.screen ?? webcam.stream;
    const source = changed && webcam.via !== "resting" ? webcam.returned : plain;
    if (video.srcObject !== source) video.srcObject = source;
    const beside = webcam.screen && webcam.via === "resting" ? webcam.stream : null;
    if (inset.srcObject !== beside) inset.srcObject = beside;
    if (beside && !inset.isConnected) video.after(inset);
    else if (!beside) inset.remove();
    const still = changed && (webcam.via === "messages" || webcam.via === "frames") && Boolean(webcam.picture);
    picture.hidden = !still;
    if (still && picture.src !== webcam.picture) picture.src = webcam.picture;
    el.classList.toggle("spnb-mirror", webcam.wishes.mirror && !kernel);
    el.classList.toggle("spnb-screen", source === webcam.screen && Boolean(source));
    menus.hidden = Boolean(kernel);
    drawMenus();

    const problem = elsewhere ? null : webcam.problem;
    // What keeps only the screen or another microphone away takes no picture.
    const aside = problem?.kind === "screen" || problem?.kind === "microphone";
    note.textContent = aside ? (problem?.text ?? "") : "";
    card.hidden = webcam.state === "on" && (!problem || aside);
    card.dataset["problem"] = problem?.kind ?? "";
    const head = problem
      ? "No picture"
      : webcam.state === "asking"
        ? "Waiting for the camera…"
        : elsewhere
          ? "On in another tab"
          : kernel
            ? "Preview is off"
            : made.instead || "Camera is off";
    const text = problem
      ? problem.text
      : webcam.state === "asking"
        ? "Allow it where the browser asks."
        : elsewhere
          ? webcam.problem
            ? "The camera goes on and off there."
            : "Switching it on here takes it over."
          : kernel || (made.instead && seen()) || "Nobody but you sees the preview.";
    replace(card, h("strong", {}, head), h("span", {}, text));
    start.textContent = problem && problem.kind !== "lost" ? "Try again" : kernel ? "Show preview" : "Turn camera on";
    start.hidden = (webcam.state === "on" && !webcam.lost) || (elsewhere && Boolean(webcam.problem));
    start.disabled = webcam.state === "asking";
    stop.hidden = webcam.state !== "on" || air;
    level.hidden = webcam.state !== "on" || !webcam.stream?.getAudioTracks().length;
    const shown = webcam.numbers;
    const way =
      webcam.via === "messages"
        ? " · no UDP here: sent as messages"
        : webcam.via === "frames"
          ? " · encoded here, sent through the notebook"
          : "";
    numbers.textContent =
      webcam.state === "on" && shown
        ? `${shown.width}×${shown.height} · ${Math.round(shown.fps)} fps · ${kilobits(shown.kbps)}` +
          (webcam.via === "webrtc" ? ` · ${Math.round(shown.rtt)} ms · ${(shown.loss * 100).toFixed(1)} % lost` : way)
        : "";
    numbers.hidden = !numbers.textContent;
  }

  const made: Pane = {
    el,
    video,
    controls,
    draw,
    instead: "",
    onAir(yes) {
      air = yes;
    },
    end() {
      clearInterval(beat);
      video.srcObject = inset.srcObject = null;
    },
  };
  const beat = setInterval(() => {
    const loud = webcam.loudness();
    bar.style.width = `${Math.round(loud * 100)}%`;
    level.setAttribute("aria-valuenow", loud.toFixed(2));
  }, 100);

  return made;
}
