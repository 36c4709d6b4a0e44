// What a viewer sees: the live stream, the replay, and a card in between. Addresses are asked for and kept in memory.
import type Hls from "hls.js";
import { h, say } from "./dom";
import { Experience } from "./experience";
import { label } from "./format";
import { floatOver, reactionBar } from "./floating";
import { pinnedCard, productList } from "./products";
import type { Signpost } from "./road";
import { sight } from "./sight";
import { asker, attach } from "./source";
import { WatchSession } from "./watchSession";
import type { Link, Model } from "./widget";

const STEP = 10;
const FAR_BEHIND = 12;
const RESUME_BEHIND = 4;
const FOLLOWING = 8;
const AGAIN_MS = 2000;
/** A kernel that is there answers in less, unless it is busy. */
const UNANSWERED_MS = 20_000;

export const CARDS: Record<string, [string, string]> = {
  idle: ["The broadcast has not started", "It begins here by itself."],
  live: ["Starting…", "The first seconds are on their way."],
  waitingReconnect: ["The host is reconnecting", "Stay here: it goes on by itself."],
  ended: ["The stream has ended", "The replay is being prepared."],
  recorded: ["Loading the replay…", ""],
  terminated: ["This stream was ended by moderation", ""],
  error: ["This stream has failed", ""],
};

export interface WaitingCard {
  el: HTMLElement;
  draw(head: string, text: string, failing: boolean): void;
}

/** What stands where nothing plays: what is the matter, and a way to try again where something failed. */
export function waitingCard(retry: () => void): WaitingCard {
  const head = h("strong");
  const text = h("span");
  const again = h("button", { type: "button", hidden: true, click: retry }, "Try again");
  const el = h("div", { class: "spnb-waiting" }, h("div", { role: "status" }, head, text), again);
  return {
    el,
    draw(now, words, failing) {
      say(head, now);
      say(text, words);
      again.hidden = !failing;
    },
  };
}

/** The stream or its replay. `only` keeps it to the replay, for a host who sees the preview. */
export function playback(link: Link, model: Model, only?: "recording"): HTMLElement {
  const video = h("video", { playsinline: true, controls: true, "aria-label": "stream" });
  video.muted = true;
  const card = waitingCard(retry);
  const badge = h("span", { class: "spnb-badge" });
  const sound = h("button", { type: "button", class: "spnb-sound", click: unmute }, "Tap for sound");
  let hls: Hls | undefined;
  let playing = "";
  /** Whether what plays has been put into the video. */
  let attached = false;
  let unanswered: ReturnType<typeof setTimeout> | undefined;
  const session = new WatchSession(video, (told) => link.send("watched", told));
  const met = new Experience(video, (told) => link.send("met", told), age);
  let asked = "";
  let slow = false;
  let trouble = "";
  const inView = link.get<string>("autoplay") === "visible" && !only ? sight() : undefined;
  const fetch = asker(link);

  const back = h("button", { type: "button", click: () => skip(-STEP) }, `− ${STEP} s`);
  const forth = h("button", { type: "button", click: () => skip(STEP) }, `+ ${STEP} s`);
  const first = h("button", { type: "button", click: toBeginning }, "From the beginning");
  const edge = h("button", { type: "button", click: toEdge }, "Go to live");
  const delay = h("button", { type: "button", "aria-pressed": "false", click: turnDelay }, "Delay");
  const moves = h("div", { class: "spnb-row spnb-moves" }, first, back, forth, edge, delay);
  const picture = h("figure", { class: "spnb-player" }, video, card.el, h("div", { class: "spnb-over-video" }, badge, sound));
  /** Whether the viewer follows what is on air, rather than having gone back. */
  let following = true;

  function skip(seconds: number) {
    video.currentTime = Math.max(0, Math.min(video.duration || 0, video.currentTime + seconds));
  }

  function toBeginning() {
    video.currentTime = video.seekable.length ? video.seekable.start(0) : 0;
    void video.play().catch(() => undefined);
    drawEdge();
  }

  /** How long ago what is shown was taken, in seconds, by the dates of the playlist and this machine's clock. */
  function age(): number | undefined {
    const at = playing === "live" ? hls?.playingDate : undefined;
    return at ? (Date.now() - at.getTime()) / 1000 : undefined;
  }

  function turnDelay() {
    delay.setAttribute("aria-pressed", String(delay.getAttribute("aria-pressed") !== "true"));
    drawEdge();
  }

  /** How far behind what is on air the picture is, in seconds. */
  function behind(): number {
    const { seekable } = video;
    return playing === "live" && seekable.length ? seekable.end(seekable.length - 1) - video.currentTime : 0;
  }

  function toEdge() {
    const { seekable } = video;
    following = true;
    if (hls?.liveSyncPosition) video.currentTime = hls.liveSyncPosition;
    else if (seekable.length) video.currentTime = seekable.end(seekable.length - 1) - 2;
    void video.play().catch(() => undefined);
    drawEdge();
  }

  function drawEdge() {
    edge.hidden = playing !== "live" || (following && behind() < FAR_BEHIND);
    moves.hidden = !playing;
    first.hidden = delay.hidden = playing !== "live" || !hls;
    const told = delay.getAttribute("aria-pressed") === "true" ? age() : undefined;
    delay.textContent = told === undefined ? "Delay" : `Delay ${told.toFixed(1)} s`;
  }

  /** Who paused what is on air goes on with what is on air then; who had gone back goes on there. */
  function resume() {
    if (playing === "live" && following && behind() > RESUME_BEHIND) toEdge();
  }

  function unmute() {
    video.muted = false;
    sound.hidden = true;
  }

  function ask() {
    const status = link.get<string>("status");
    if (inView?.hidden) return;
    const kind = status === "recorded" ? "recording" : link.get<boolean>("playable") && !only ? "live" : "";
    if (kind && kind !== playing && kind !== asked) {
      asked = kind;
      link.send("play", { kind });
      clearTimeout(unanswered);
      unanswered = setTimeout(() => {
        trouble = "The kernel does not answer: it may be busy with a cell, or gone.";
        asked = "";
        draw();
        ask();
      }, UNANSWERED_MS);
    }
    if (!kind && playing === "live" && status === "ended") draw();
  }

  async function play(kind: string, address: string, signpost: Signpost) {
    // A stream that ended while the viewer had paused is handed over to the replay where it stood, paused.
    const paused = playing === "live" && kind === "recording" && video.paused;
    const stood = video.currentTime;
    hls?.destroy();
    hls = undefined;
    playing = kind;
    attached = false;
    following = true;
    asked = "";
    session.begin();
    draw();
    const config = { lowLatencyMode: !slow, startPosition: paused ? stood : -1 };
    let made: Hls | undefined;
    try {
      made = await attach(model, video, address, signpost, fetch, config, (words) => {
        // Without low latency the next time: what fails there may work with whole segments.
        slow = true;
        stop(words);
        setTimeout(ask, AGAIN_MS);
      });
    } catch (error) {
      // What this page lacks it will lack in two seconds: tried again when somebody wants it.
      if (playing === kind) stop((error as Error).message);
      return;
    }
    if (playing !== kind) return made?.destroy();
    hls = made;
    attached = true;
    trouble = "";
    if (paused && !hls) video.currentTime = stood;
    sound.hidden = !video.muted;
    if (!paused && !inView?.hidden) await video.play().catch(() => undefined);
    draw();
  }

  function stop(words: string) {
    hls?.destroy();
    hls = undefined;
    playing = "";
    asked = "";
    trouble = words;
    met.fail(words);
    draw();
  }

  function retry() {
    trouble = "";
    asked = "";
    draw();
    ask();
  }

  /** Who wants to see what is live does until there is the replay, or the stream is put out; a failure is tried again. */
  function meet() {
    const kind = asked || playing;
    if (kind === "live") met.ask();
    else if (kind || link.get<string>("status") === "terminated") met.end();
    met.follow(hls);
  }

  function draw() {
    const status = link.get<string>("status");
    meet();
    const [head, text] = CARDS[status] ?? [label(status), ""];
    const over = status === "ended" || status === "terminated" || status === "error";
    const covered = !playing || !attached || over || (status === "recorded" && playing !== "recording");
    card.el.hidden = !covered;
    video.hidden = covered && !playing;
    const failing = !playing && !over ? trouble : "";
    card.draw(failing ? "This cannot be played now" : head, (!only && link.get<string>("error")) || failing || text, Boolean(failing));
    badge.textContent = playing === "recording" ? "REPLAY" : status === "live" ? "LIVE" : label(status);
    badge.dataset["status"] = playing === "recording" ? "recorded" : status;
    sound.hidden = !playing || covered || !video.muted;
    drawEdge();
  }

  /** What moderation has ended goes off at once; what ends by itself plays to its end. */
  function cutOff() {
    if (link.get<string>("status") !== "terminated" || !playing) return;
    hls?.destroy();
    hls = undefined;
    playing = "";
    session.end();
    video.pause();
    video.removeAttribute("src");
    video.load();
  }

  video.addEventListener("volumechange", draw);
  video.addEventListener("play", resume);
  video.addEventListener("seeked", () => {
    following = behind() < FOLLOWING;
    drawEdge();
  });
  link.hear((reply) => {
    if (reply.type === "play" || reply.type === "wait") clearTimeout(unanswered);
    if (reply.type === "play") void play(String(reply["kind"]), String(reply["url"]), (reply["signpost"] ?? null) as Signpost);
    if (reply.type === "wait") {
      asked = "";
      setTimeout(ask, AGAIN_MS);
    }
  });
  link.follow(["status", "playable", "error"], () => {
    cutOff();
    draw();
    ask();
    meet();
  });
  if (inView) {
    inView.follow(picture, (seen) => {
      // What scrolling paused goes on by itself; what the viewer paused does not.
      if (!seen && playing && !video.paused) {
        inView.paused = true;
        video.pause();
      } else if (seen && inView.paused) {
        inView.paused = false;
        void video.play().catch(() => undefined);
      }
      ask();
    });
    link.atEnd(() => inView.end());
  }
  link.every(500, drawEdge);
  link.atEnd(() => {
    session.end();
    met.end();
    clearTimeout(unanswered);
    hls?.destroy();
    video.removeAttribute("src");
    video.load();
  });
  if (only) return h("div", {}, picture, moves);
  const floating = floatOver(link);
  picture.append(floating.el, pinnedCard(link));
  return h("div", {}, picture, moves, reactionBar(link, floating), productList(link));
}
