// What a viewer sees: the live stream, the replay, and a card in between. Addresses are asked for and kept in memory.
import type Hls from "hls.js";
import { h, say } from "./dom";
import { Experience } from "./experience";
import { label } from "./format";
import { floatOver, reactionBar } from "./floating";
import { findHub } from "./hub";
import { pinnedCard, productList } from "./products";
import type { Signpost } from "./road";
import type { Shortcut } from "./shortcut";
import { sight } from "./sight";
import { asker, attach } from "./source";
import { WatchSession } from "./watchSession";
import type { Subscriber, Unwatchable, WebRtc } from "./webrtc";
import type { Link, Model } from "./widget";

const STEP = 10;
const FAR_BEHIND = 12;
const RESUME_BEHIND = 4;
const FOLLOWING = 8;
const AGAIN_MS = 2000;
/** The first of a live list is not where it was once hls.js knows its times better: before it, it goes where it is live. */
const NEAR_BEGINNING = 0.5;
/** Who pauses for longer, or scrolls away, keeps no line open. */
const PAUSED_MS = 10_000;
/** After so long without a picture by WebRTC, HLS begins, until there is one. */
const HEAD_START_MS = 1500;
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
  const video = h("video", { playsinline: true, controls: true, controlslist: "nofullscreen", "aria-label": "stream" });
  video.muted = true;
  const card = waitingCard(retry);
  const badge = h("span", { class: "spnb-badge" });
  const sound = h("button", { type: "button", class: "spnb-sound", click: unmute }, "Tap for sound");
  let hls: Hls | undefined;
  let webrtc: WebRtc | undefined;
  /** Tries it; there is none before it is wanted. */
  let shortcut: Shortcut | undefined;
  let leaving: ReturnType<typeof setTimeout> | undefined;
  let playing = "";
  /** Counts what was asked for: what comes late is for nobody. */
  let turn = 0;
  /** Where to begin in what comes next, in seconds; what is on air without. */
  let wanted: number | undefined;
  /** When the stream went on air, and when the viewer paused it by WebRTC, in Unix seconds; 0 while it plays. */
  let began = 0;
  let pausedAt = 0;
  /** Whether the viewer had paused what was taken off, and where it stood. */
  let held = { paused: false, at: 0 };
  /** Where it stood when it was paused, while what has been put into the video since has not been played. */
  let stands: number | undefined;
  /** Whether what plays has been put into the video. */
  let attached = false;
  let unanswered: ReturnType<typeof setTimeout> | undefined;
  const session = new WatchSession(video, (told) => link.send("watched", told));
  const met = new Experience(video, (told) => link.send("met", told), age);
  let asked = "";
  /** Whether it was asked for by WebRTC. */
  let upward = false;
  let slow = false;
  let trouble = "";
  const inView = link.get<string>("autoplay") === "visible" && !only ? sight() : undefined;
  const fetch = asker(link);

  const back = h("button", { type: "button", click: () => skip(-STEP) }, `− ${STEP} s`);
  const forth = h("button", { type: "button", click: () => skip(STEP) }, `+ ${STEP} s`);
  const first = h("button", { type: "button", click: toBeginning }, "From the beginning");
  const edge = h("button", { type: "button", click: toLive }, "Go to live");
  const delay = h("button", { type: "button", "aria-pressed": "false", click: turnDelay }, "Delay");
  const why = h("span", { class: "spnb-note", hidden: true });
  // Of the whole figure: what the host puts on screen stands over it there too.
  const wide = h("button", { type: "button", hidden: !document.fullscreenEnabled, click: () => void picture.requestFullscreen() }, "Full screen");
  const moves = h("div", { class: "spnb-row spnb-moves" }, first, back, forth, edge, wide, delay, why);
  const picture = h("figure", { class: "spnb-player" }, video, card.el, h("div", { class: "spnb-over-video" }, badge, sound));
  /** Whether the viewer follows what is on air, rather than having gone back. */
  let following = true;

  function skip(seconds: number) {
    if (webrtc) return goBack(Math.max(0, (wanted ?? (pausedAt || Date.now() / 1000) - began) + seconds));
    goTo(Math.min(video.duration || 0, video.currentTime + seconds));
  }

  /** What was is in HLS alone. */
  function goBack(to: number) {
    wanted = to;
    askFor("live", false);
  }

  function goTo(at: number) {
    const { seekable } = video;
    const least = seekable.length ? seekable.start(0) : 0;
    video.currentTime = Math.max(playing === "live" ? least + NEAR_BEGINNING : least, at);
    drawEdge();
  }

  function toBeginning() {
    if (webrtc) return goBack(0);
    void start();
    goTo(0);
  }

  /** How long ago what is shown was taken, in seconds, by the dates of the playlist and this machine's clock. */
  function age(): number | undefined {
    if (webrtc) return webrtc.delay;
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

  function byWebRtc(): boolean {
    return link.get<boolean>("webrtc") === true && !only && !shortcut?.barred && typeof RTCPeerConnection === "function";
  }

  function toLive() {
    wanted = undefined;
    // By HLS at once: the line takes its time, and may not come about.
    toEdge();
    if (!webrtc && byWebRtc() && !asked) askFor("live", true);
  }

  function toEdge() {
    const { seekable } = video;
    following = true;
    if (hls?.liveSyncPosition) video.currentTime = hls.liveSyncPosition;
    else if (seekable.length) video.currentTime = seekable.end(seekable.length - 1) - 2;
    void start();
    drawEdge();
  }

  /** Play; in silence where this browser lets nothing be heard before somebody has clicked. */
  async function start(): Promise<void> {
    try {
      await video.play();
    } catch (error) {
      if ((error as Error).name !== "NotAllowedError" || video.muted) return;
      video.muted = true;
      await video.play().catch(() => undefined);
    }
  }

  function drawEdge() {
    edge.hidden = playing !== "live" || (following && behind() < FAR_BEHIND);
    moves.hidden = !playing;
    first.hidden = delay.hidden = playing !== "live" || !(hls ?? webrtc);
    forth.hidden = webrtc !== undefined;
    const asked = delay.getAttribute("aria-pressed") === "true";
    const told = asked ? age() : undefined;
    const way = webrtc ? "WebRTC" : slow ? "HLS" : "low-latency HLS";
    say(delay, told === undefined ? "Delay" : `Delay ${told.toFixed(1)} s by ${way}`);
    why.hidden = !asked || delay.hidden || Boolean(webrtc) || !shortcut?.why;
    say(why, `Not by WebRTC: ${shortcut?.why}.`);
  }

  /** Who paused what is on air goes on with what is on air then; who had gone back goes on there. */
  function resume() {
    if (playing === "live" && !attached && !asked && held.paused) {
      held = { paused: false, at: 0 };
      if (link.get<boolean>("playable")) askFor("live", false);
    }
    if (webrtc?.closed && !asked && link.get<boolean>("playable")) askFor("live", true);
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
    if (kind && kind !== playing && kind !== asked) askFor(kind, kind === "live" && !shortcut?.why && byWebRtc());
    if (!kind && playing === "live" && status === "ended") draw();
  }

  function askFor(kind: string, webrtc: boolean) {
    shortcut?.giveUp();
    asked = kind;
    upward = webrtc;
    link.send("play", { kind, webrtc, ask: ++turn });
    clearTimeout(unanswered);
    unanswered = setTimeout(() => {
      trouble = "The kernel does not answer: it may be busy with a cell, or gone.";
      asked = "";
      draw();
      ask();
    }, UNANSWERED_MS);
  }

  /** Take off what is in the video. */
  function takeOff() {
    // A stream that is over pauses the video too, which is nothing the viewer did.
    if (attached)
      held = webrtc
        ? { paused: pausedAt > 0, at: Math.max(0, pausedAt - began) }
        : { paused: video.paused && !video.ended, at: stands ?? video.currentTime };
    hls?.destroy();
    hls = undefined;
    clearTimeout(leaving);
    webrtc?.close();
    webrtc = undefined;
    if (video.srcObject) video.srcObject = null;
    attached = false;
  }

  async function connect(subscriber: Subscriber | Unwatchable | null): Promise<WebRtc | undefined> {
    const mine = turn;
    const hub = await findHub(model).catch(() => undefined);
    if (mine !== turn || !hub) return undefined;
    shortcut ??= new hub.Shortcut(
      (made) => {
        if (webrtc !== made) return;
        if (link.get<boolean>("playable")) met.breaks(made.stood);
        takeOff();
        draw();
        // What is over ends here; what goes on goes on by HLS.
        if (link.get<boolean>("playable") && !asked) askFor("live", false);
      },
      (made) => {
        // The host is back: a video that has run out does not go on by itself.
        if (webrtc === made && !pausedAt && !inView?.hidden) void start();
      },
      () => {
        if (playing === "live" && attached && !webrtc && !asked && atEdge() && byWebRtc()) askFor("live", true);
      },
    );
    return shortcut.open(subscriber);
  }

  async function play(kind: string, address: string, signpost: Signpost, subscriber: Subscriber | Unwatchable | null) {
    const mine = turn;
    const moving = kind === "live" && playing === "live";
    let made: WebRtc | undefined;
    if (kind === "live" && upward) {
      const line = connect(subscriber);
      // HLS that plays waits for the line; else it begins where that takes long, until there is one.
      made = await (attached && !webrtc ? line : Promise.race([line, new Promise<undefined>((next) => setTimeout(next, HEAD_START_MS))]));
      if (!made) void line.then((late) => late && turnOver(late, mine));
    }
    if (mine !== turn) return made?.close();
    if (moving && upward && attached && !webrtc && (!made || !atEdge())) {
      // HLS plays on: there is no WebRTC, or the viewer has gone back again meanwhile, or paused.
      made?.close();
      asked = "";
      return drawEdge();
    }
    const at = wanted;
    wanted = undefined;
    takeOff();
    // A stream that ended while the viewer had paused is handed over to the replay where it stood, paused.
    const paused = held.paused && at === undefined && !upward && playing === "live";
    playing = kind;
    stands = paused && kind === "live" ? held.at : undefined;
    following = at === undefined;
    if (!moving) session.begin();
    draw();
    if (made) {
      show(made);
    } else {
      const config = {
        lowLatencyMode: !slow,
        // Each wait would leave the viewer further behind: what is missing is caught up with, too slowly to be heard.
        maxLiveSyncPlaybackRate: 1.1,
        startPosition: paused && kind === "recording" ? held.at : -1,
      };
      try {
        const attaching = attach(model, video, address, signpost, fetch, config, (words) => {
          // Without low latency the next time: what fails there may work with whole segments.
          slow = true;
          stop(words);
          setTimeout(ask, AGAIN_MS);
        });
        const ready = await attaching;
        if (mine !== turn || webrtc) return ready?.destroy();
        hls = ready;
      } catch (error) {
        // What this page lacks it will lack in two seconds: tried again when somebody wants it.
        if (mine === turn) stop((error as Error).message);
        return;
      }
      if (paused && !hls) video.currentTime = held.at;
    }
    // A live list begins where it is live; from there it goes back.
    if (at !== undefined) video.addEventListener("playing", () => mine === turn && goTo(at), { once: true });
    plays();
    if (inView?.hidden) {
      inView.paused = !paused;
      met.went();
    } else if (!paused) await start();
    draw();
  }

  function show(made: WebRtc) {
    webrtc = made;
    made.onFreeze = (times, seconds) => met.froze(times, seconds);
    pausedAt = 0;
    video.removeAttribute("src");
    video.srcObject = made.stream;
  }

  /** Whether the viewer watches what is on air. */
  const atEdge = () => following && !video.paused;

  /** From HLS, which began first, to WebRTC. */
  function turnOver(made: WebRtc, mine: number) {
    if (mine !== turn || webrtc || (attached ? !atEdge() : !following || inView?.hidden)) return shortcut?.putOff(made);
    takeOff();
    show(made);
    plays();
    void start();
    draw();
  }

  function plays() {
    attached = true;
    asked = trouble = "";
    sound.hidden = !video.muted;
  }

  function stop(words: string) {
    turn++;
    shortcut?.giveUp();
    takeOff();
    held = { paused: false, at: 0 };
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
    if (["ended", "recorded", "error"].includes(link.get<string>("status"))) met.went();
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

  /** What moderation has ended goes off at once; what ends by itself plays to its end, which by WebRTC is now. */
  function cutOff() {
    const status = link.get<string>("status");
    if (webrtc && (status === "ended" || status === "error")) takeOff();
    if (status !== "terminated" || !playing) return;
    turn++;
    takeOff();
    playing = "";
    session.end();
    video.pause();
    video.removeAttribute("src");
    video.load();
  }

  video.addEventListener("volumechange", draw);
  video.addEventListener("play", () => {
    clearTimeout(leaving);
    pausedAt = 0;
    stands = undefined;
    resume();
  });
  video.addEventListener("pause", () => {
    if (!webrtc?.stream.active) return;
    pausedAt = Date.now() / 1000;
    clearTimeout(leaving);
    leaving = setTimeout(() => webrtc?.close(), PAUSED_MS);
  });
  video.addEventListener("seeked", () => {
    following = behind() < FOLLOWING;
    drawEdge();
  });
  link.hear((reply) => {
    if (reply["ask"] !== turn || (reply.type !== "play" && reply.type !== "wait")) return;
    clearTimeout(unanswered);
    if (reply.type === "play")
      void play(
        String(reply["kind"]),
        String(reply["url"]),
        (reply["signpost"] ?? null) as Signpost,
        (reply["subscriber"] ?? null) as Subscriber | Unwatchable | null,
      );
    if (reply.type === "wait") {
      asked = "";
      wanted = undefined;
      if (playing === "live" && !attached && !held.paused) playing = "";
      setTimeout(ask, AGAIN_MS);
    }
  });
  link.follow(["since"], () => (began = link.get<number>("since") || began));
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
        void start();
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
    turn++;
    shortcut?.end();
    takeOff();
    video.removeAttribute("src");
    video.load();
  });
  if (only) return h("div", {}, picture, moves);
  const floating = floatOver(link);
  picture.append(floating.el, pinnedCard(link));
  return h("div", {}, picture, moves, reactionBar(link, floating), productList(link));
}
