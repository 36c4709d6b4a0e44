// What a viewer's player meets while it plays what is live: the rows of analytics' table `playback`.
import { uniqueId } from "./dom";

const TELL_SECONDS = 10;
/** No row of the table: somebody still waits for the first picture. */
const HERE = "here";

export type Met = { session: string; kind: string; value?: number; detail?: string };

interface Levels {
  levels: { bitrate: number }[];
  on(event: "hlsLevelSwitched", hear: (event: string, data: { level: number }) => void): void;
}

export class Experience {
  #session = "";
  #asked = 0;
  #started = false;
  #waiting: number | undefined;
  /** Whether it waits for another way to what plays. */
  #broken = false;
  #shownSince: number | undefined;
  #shown = 0;
  #level = -1;
  #followed: unknown;
  #timer: ReturnType<typeof setInterval> | undefined;
  readonly #video: HTMLVideoElement;
  readonly #tell: (met: Met) => void;
  readonly #behind: () => number | undefined;

  /** `behind` tells how far the picture is behind the host, in seconds, where that is known. */
  constructor(
    video: HTMLVideoElement,
    tell: (met: Met) => void,
    behind: () => number | undefined,
  ) {
    this.#video = video;
    this.#tell = tell;
    this.#behind = behind;
    video.addEventListener("playing", () => this.#shows());
    video.addEventListener("waiting", () => this.#stands());
    video.addEventListener("pause", () => this.#rests());
    video.addEventListener("emptied", () => (this.#broken ? this.#count() : this.#rests()));
  }

  /** Somebody wants to watch; who does already goes on. */
  ask(): void {
    if (this.#session) return;
    addEventListener("pagehide", this.#leave);
    this.#session = uniqueId();
    this.#asked = now();
    this.#started = false;
    this.#shown = 0;
    this.#say("asked");
    this.#timer = setInterval(() => this.#report(), TELL_SECONDS * 1000);
  }

  /** It cannot go on; the player may try again. */
  fail(words: string): void {
    this.#rests();
    this.#say("failed", undefined, words);
  }

  /** The picture stood still so often, for so many seconds in all: no event tells of that where it comes by WebRTC. */
  froze(times: number, seconds: number): void {
    if (!this.#started || this.#video.paused) return;
    this.#shown -= seconds;
    for (let time = 0; time < times; time++) this.#say("waited", seconds / times);
  }

  /** The line is broken, and the picture has stood for so many seconds; it will until there is another way. */
  breaks(stood: number): void {
    if (!this.#started || this.#video.paused) return;
    this.#count();
    this.#shown -= stood;
    this.#waiting ??= now() - stood;
    this.#broken = true;
  }

  /** Nobody waits any more for what was waited for. */
  went(): void {
    if (this.#waiting !== undefined) this.#say("waited", now() - this.#waiting);
    this.#waiting = undefined;
    this.#broken = false;
  }

  /** Tells when hls.js plays another quality. */
  follow(hls: unknown): void {
    if (hls === this.#followed) return;
    this.#followed = hls;
    this.#level = -1;
    const levels = hls as Levels | undefined;
    levels?.on("hlsLevelSwitched", (_event, { level }) => {
      const bitrate = levels.levels[level]?.bitrate;
      if (this.#level >= 0 && level !== this.#level) this.#say("switched", bitrate === undefined ? undefined : bitrate / 1000);
      this.#level = level;
    });
  }

  /** The viewer has left, or the stream is over. */
  end(): void {
    if (!this.#session) return;
    this.#rests();
    if (this.#started) this.#report();
    this.#say("left");
    clearInterval(this.#timer);
    removeEventListener("pagehide", this.#leave);
    this.#session = "";
  }

  /** A page that is closed may say so; of one that cannot, the kernel hears nothing any more. */
  readonly #leave = () => this.end();

  #shows(): void {
    if (!this.#session) return;
    if (!this.#started) {
      this.#started = true;
      this.#say("started", now() - this.#asked);
    }
    this.went();
    this.#shownSince ??= now();
  }

  /** The picture stands still for lack of data; what a viewer moves to is no lack. */
  #stands(): void {
    if (!this.#session) return;
    this.#count();
    if (this.#started && !this.#video.seeking && !this.#video.paused) this.#waiting ??= now();
  }

  #rests(): void {
    this.#count();
    this.went();
  }

  #count(): void {
    if (this.#shownSince !== undefined) this.#shown += now() - this.#shownSince;
    this.#shownSince = undefined;
  }

  #report(): void {
    if (!this.#started) return this.#say(HERE);
    const plays = this.#shownSince !== undefined;
    this.#count();
    if (plays) this.#shownSince = now();
    this.#say("played", Math.max(0, this.#shown));
    const behind = plays ? this.#behind() : undefined;
    if (behind !== undefined && behind >= 0) this.#say("delay", behind);
  }

  #say(kind: string, value?: number, detail?: string): void {
    if (!this.#session) return;
    this.#tell({
      session: this.#session,
      kind,
      ...(value === undefined ? {} : { value: Number(value.toFixed(3)) }),
      ...(detail === undefined ? {} : { detail }),
    });
  }
}

/** Seconds of a clock that nobody sets. */
function now(): number {
  return performance.now() / 1000;
}
