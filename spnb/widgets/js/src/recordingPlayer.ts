// A recording of several files as one: one time line, marks, and a kernel that follows and seeks.
import type Hls from "hls.js";
import { frame, h, replace } from "./shared/dom";
import { clock } from "./shared/format";
import { hearing } from "./shared/hearing";
import { at, placardBox, put, type Timed } from "./shared/placard";
import { span, whole } from "./shared/parts";
import type { Signpost } from "./shared/road";
import { asker, attach, TOO_LONG } from "./shared/source";
import { CARDS, waitingCard } from "./shared/playback";
import { WatchSession } from "./shared/watchSession";
import { Link, type View } from "./shared/widget";

type Mark = { at: number; label: string };

const STEP = 10;
const TELL_MS = 500;
const AGAIN_MS = 4000;
const MOST_UNANSWERED = 5;

export default hearing({
  render({ model, el }: View) {
    const link = new Link(model);
    const title = h("p", { class: "spnb-title", dir: "auto" });
    const video = h("video", { playsinline: true, "aria-label": "recording", tabindex: 0 });
    const card = waitingCard(retry);
    const play = h("button", { type: "button", click: toggle });
    const back = h("button", { type: "button", click: () => seek(now() - STEP) }, `− ${STEP} s`);
    const forth = h("button", { type: "button", click: () => seek(now() + STEP) }, `+ ${STEP} s`);
    const sound = h("button", { type: "button", click: () => (video.muted = !video.muted) });
    const speed = h(
      "select",
      { "aria-label": "speed" },
      ...[0.5, 1, 1.5, 2].map((rate) => h("option", { value: rate, selected: rate === 1 }, `${rate}×`)),
    );
    const wide = h("button", { type: "button", click: () => void figure.requestFullscreen?.() }, "Full screen");
    const slider = h("input", { type: "range", min: 0, step: 0.1, value: 0, "aria-label": "position" });
    const ticks = h("div", { class: "spnb-ticks", "aria-hidden": "true" });
    const time = h("span", { class: "spnb-timer" });
    const chapters = h("ol", { class: "spnb-marks", "aria-label": "marks" });
    const screen = placardBox();
    const figure = h("figure", { class: "spnb-player" }, video, screen, card.el);

    const session = new WatchSession(video, (told) => link.send("watched", told));
    const fetch = asker(link);
    const known: number[] = [];
    let hls: Hls | undefined;
    let file = -1;
    let wanted = { file: 0, offset: 0 };
    let going = false;
    let tried = false;
    let trouble = "";
    let coming = "";
    let unanswered = 0;
    let told = "";
    let dragging = false;

    /** Seconds of each file: what the kernel says, or the file itself once it was opened. */
    const lengths = () => link.get<number[]>("files").map((seconds, index) => known[index] || seconds);
    const now = () =>
      file < 0 ? whole(lengths(), wanted.file, wanted.offset) : whole(lengths(), file, video.currentTime);

    let again: ReturnType<typeof setTimeout> | undefined;

    /** Ask for a file, and once more where no answer came: the service may have been away. */
    function ask(number: number, stale = false) {
      link.send("play", { file: number, stale });
      clearTimeout(again);
      hls?.destroy();
      again = setTimeout(() => {
        if (file >= 0 || wanted.file !== number) return;
        unanswered += 1;
        if (unanswered >= MOST_UNANSWERED) trouble = "The kernel does not answer: it may be busy with a cell, or gone.";
        draw();
        ask(number);
      }, AGAIN_MS);
    }

    function retry() {
      trouble = "";
      unanswered = 0;
      draw();
      ask(wanted.file, true);
    }

    function seek(seconds: number) {
      const parts = lengths();
      if (!parts.length) return;
      wanted = span(parts, seconds);
      if (wanted.file === file) {
        video.currentTime = wanted.offset;
        draw();
      } else {
        // The files before it stay in the browser's cache; the address is asked for anew, it may have expired.
        file = -1;
        ask(wanted.file);
      }
    }

    function toggle() {
      going = video.paused;
      if (going) {
        if (file === lengths().length - 1 && video.ended) seek(0);
        void video.play().catch(() => undefined);
      } else {
        video.pause();
      }
    }

    function tell() {
      if (file < 0) return;
      const at = Number(now().toFixed(1));
      const state = `${at} ${video.paused}`;
      if (state === told) return;
      told = state;
      link.send("at", { seconds: at, playing: !video.paused });
    }

    function draw() {
      const status = link.get<string>("status");
      const parts = lengths();
      const total = parts.reduce((sum, seconds) => sum + seconds, 0);
      const ready = status === "recorded" && parts.length > 0;
      const [head, text] = CARDS[status] ?? [status, ""];
      card.el.hidden = ready && file >= 0 && !coming;
      const words = link.get<string>("error") || trouble || coming || text;
      card.draw(trouble ? "This cannot be played now" : coming ? "The recording is coming" : head, words, Boolean(trouble));
      drawScreen();
      for (const control of [play, back, forth, slider]) control.disabled = !ready;
      play.textContent = video.paused ? "▶ Play" : "❚❚ Pause";
      sound.textContent = video.muted ? "Unmute" : "Mute";
      sound.setAttribute("aria-pressed", String(video.muted));
      slider.max = String(total);
      if (!dragging) slider.value = String(now());
      slider.setAttribute("aria-valuetext", `${clock(now())} of ${clock(total)}`);
      time.textContent = ready ? `${clock(now())} / ${clock(total)}` : "";
    }

    function drawScreen() {
      put(screen, file < 0 ? null : at(link.get<Timed[]>("placards"), now()));
    }

    function drawMarks() {
      const total = lengths().reduce((sum, seconds) => sum + seconds, 0);
      const marks = link.get<Mark[]>("marks");
      replace(
        chapters,
        ...marks.map((mark) =>
          h(
            "li",
            {},
            h(
              "button",
              { type: "button", click: () => seek(mark.at) },
              h("span", { class: "spnb-timer" }, clock(mark.at)),
              h("span", { dir: "auto" }, mark.label),
            ),
          ),
        ),
      );
      chapters.hidden = !marks.length;
      replace(
        ticks,
        ...marks.filter((mark) => total && mark.at <= total).map((mark) => {
          const tick = h("span");
          tick.style.left = `${(100 * mark.at) / total}%`;
          return tick;
        }),
      );
    }

    async function load(number: number, address: string, signpost: Signpost) {
      if (number !== wanted.file) return;
      if (file < 0 && !told) session.begin();
      file = number;
      coming = "";
      clearTimeout(again);
      hls?.destroy();
      hls = undefined;
      let made: Hls | undefined;
      try {
        made = await attach(model, video, address, signpost, fetch, { startPosition: wanted.offset }, lost, (bytes, whole) => {
          if (number !== file) return;
          const of = whole ? ` of ${(whole / 1e6).toFixed(1)}` : "";
          coming = `${(bytes / 1e6).toFixed(1)}${of} MB have come by the notebook's messages.`;
          draw();
        });
      } catch (error) {
        if (number === file) giveUp((error as Error).message);
        return;
      }
      if (number !== file) return made?.destroy();
      hls = made;
      coming = "";
      video.playbackRate = Number(speed.value);
      video.currentTime = wanted.offset;
      if (going) await video.play().catch(() => undefined);
      draw();
    }

    video.addEventListener("loadedmetadata", () => {
      tried = false;
      trouble = "";
      unanswered = 0;
      if (file >= 0 && Number.isFinite(video.duration)) known[file] = video.duration;
      video.playbackRate = Number(speed.value);
      draw();
      drawMarks();
    });
    video.addEventListener("ended", () => {
      if (file >= 0 && file < lengths().length - 1) {
        wanted = { file: file + 1, offset: 0 };
        ask(wanted.file);
      } else {
        going = false;
      }
    });
    function lost(words: string) {
      if (file < 0) return;
      wanted = { file, offset: video.currentTime || wanted.offset };
      // The address has expired, as a rule: once, a fresh one.
      if (tried || words === TOO_LONG) return giveUp(words);
      tried = true;
      file = -1;
      ask(wanted.file, true);
      draw();
    }

    /** It failed with a fresh address too: said, and tried again when somebody wants it. */
    function giveUp(words: string) {
      file = -1;
      tried = false;
      trouble = words;
      draw();
    }

    for (const event of ["play", "pause", "seeked", "timeupdate", "volumechange", "ended"])
      video.addEventListener(event, draw);
    for (const event of ["pause", "seeked"]) video.addEventListener(event, tell);
    video.addEventListener("click", toggle);
    video.addEventListener("keydown", (event) => {
      if (event.key === " " || event.key === "k") toggle();
      else if (event.key === "ArrowLeft") seek(now() - STEP);
      else if (event.key === "ArrowRight") seek(now() + STEP);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    slider.addEventListener("input", () => {
      dragging = true;
      time.textContent = clock(Number(slider.value));
    });
    slider.addEventListener("change", () => {
      dragging = false;
      seek(Number(slider.value));
    });
    speed.addEventListener("change", () => (video.playbackRate = Number(speed.value)));

    link.hear((reply) => {
      if (reply.type === "play") void load(Number(reply["file"]), String(reply["url"]), (reply["signpost"] ?? null) as Signpost);
      if (reply.type === "wait") unanswered = 0;
      if (reply.type !== "seek") return;
      if (reply["play"]) going = true;
      seek(Number(reply["seconds"]));
      if (going && file >= 0 && video.paused) void video.play().catch(() => undefined);
    });
    link.follow(["title"], () => {
      title.textContent = link.get<string>("title");
    });
    link.follow(["status", "files", "error"], () => {
      // A page that comes later begins where the playing was.
      if (file < 0 && !told && lengths().length && link.get<string>("status") === "recorded")
        seek(link.get<number>("current_time"));
      draw();
      drawMarks();
    });
    link.follow(["marks"], drawMarks);
    link.follow(["placards"], drawScreen);
    link.every(TELL_MS, tell);
    link.atEnd(() => {
      session.end();
      clearTimeout(again);
      video.pause();
      video.removeAttribute("src");
      video.load();
    });
    frame(el);
    link.mourn(el);
    el.append(
      title,
      figure,
      h("div", { class: "spnb-track" }, ticks, slider),
      h("div", { class: "spnb-row spnb-wrap spnb-moves" }, play, back, forth, sound, speed, wide, time),
      chapters,
    );
    return () => link.end();
  },
});
