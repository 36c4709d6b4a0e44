// How the host sounds and looks: switches of the microphone, the background, and the volume. Applied at once, on air too.
import type { Wishes } from "./devices";
import { h } from "./dom";
import type { Session } from "./session";
import type { Webcam } from "./webcam";

const HEARD = ["echo", "noise", "stereo"] as const;
const TOLD_MS = 150;

export interface Tuning {
  el: HTMLElement;
  /** `page`: whether the page's own camera and microphone are meant. */
  draw(page: boolean): void;
}

export function tuning(session: Session<unknown>, webcam: Webcam): Tuning {
  const box = (name: keyof Wishes) =>
    h("input", { type: "checkbox", change: (event) => choose(name, (event.target as HTMLInputElement).checked) });
  const boxes = { echo: box("echo"), noise: box("noise"), stereo: box("stereo"), blur: box("blur") };
  const labelled = (input: HTMLInputElement, text: string) => h("label", { class: "spnb-inline" }, input, text);
  const background = labelled(boxes.blur, "Blur background");
  const why = h("span", { class: "spnb-note" });
  const switches = h(
    "div",
    { class: "spnb-menus" },
    labelled(boxes.echo, "Echo cancellation"),
    labelled(boxes.noise, "Noise suppression"),
    labelled(boxes.stereo, "Stereo"),
    background,
    why,
  );
  const volume = h("input", { type: "range", min: 0, max: 2, step: 0.05, input: louder });
  const told = h("output", { class: "spnb-timer" });
  const el = h(
    "details",
    { class: "spnb-company" },
    h("summary", {}, "Sound and background"),
    switches,
    h("label", { class: "spnb-inline" }, "Volume", volume, told),
  );
  let before = heard();
  let blurred = webcam.wishes.blur;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function choose(name: keyof Wishes, value: boolean): void {
    session.send("wishes", { wishes: { ...webcam.wishes, [name]: value } });
  }

  function heard(): string {
    return HEARD.map((name) => String(webcam.wishes[name])).join();
  }

  function louder(): void {
    told.textContent = percent(Number(volume.value));
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = undefined;
      session.send("volume", { volume: Number(volume.value) });
    }, TOLD_MS);
  }

  function draw(page: boolean): void {
    const { wishes } = webcam;
    // What was chosen has come back from the kernel: now it is true everywhere.
    if (heard() !== before) {
      before = heard();
      void webcam.listenAnew();
    }
    if (wishes.blur !== blurred) {
      blurred = wishes.blur;
      void webcam.blur();
    }
    for (const name of HEARD) boxes[name].checked = wishes[name];
    const { can, on, why: reason } = webcam.blurred;
    boxes.blur.checked = on;
    background.hidden = !can;
    why.textContent = reason;
    why.hidden = !reason || webcam.state !== "on";
    switches.hidden = !page;
    if (!timer && document.activeElement !== volume) {
      volume.value = String(session.get<number>("volume"));
      told.textContent = percent(Number(volume.value));
    }
  }

  return { el, draw };
}

const percent = (volume: number): string => `${Math.round(volume * 100)} %`;
