// How long somebody has really watched: what was played, without pauses, buffering and seeking.
import { uniqueId } from "./dom";

const TELL_SECONDS = 10;

/** Seconds in all, whether it plays now, and whether that was all. */
export type Watched = { session: string; seconds: number; playing: boolean; over: boolean };

export class WatchSession {
  seconds = 0;
  #name = "";
  #told = -1;
  #since: number | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  readonly #video: HTMLVideoElement;
  readonly #tell: (told: Watched) => void;

  constructor(
    video: HTMLVideoElement,
    tell: (told: Watched) => void,
  ) {
    this.#video = video;
    this.#tell = tell;
    video.addEventListener("playing", () => this.#running(true));
    for (const pause of ["pause", "waiting", "seeking", "ended", "emptied", "stalled"])
      video.addEventListener(pause, () => this.#running(pause === "stalled" && !video.paused && video.readyState > 2));
    video.addEventListener("pause", () => this.#report());
    video.addEventListener("ended", () => this.#report());
  }

  /** Another stream: another session. */
  begin(): void {
    this.end();
    this.#name = uniqueId();
    this.seconds = 0;
    this.#told = -1;
    this.#timer = setInterval(() => this.#report(), TELL_SECONDS * 1000);
    if (!this.#video.paused && this.#video.readyState > 2) this.#running(true);
  }

  #running(yes: boolean): void {
    this.#count();
    this.#since = yes && this.#name ? performance.now() / 1000 : undefined;
    // At once, so that the viewer counts from the first second.
    if (this.#since !== undefined && this.#told < 0) this.#report();
  }

  #count(): void {
    if (this.#since === undefined) return;
    const now = performance.now() / 1000;
    this.seconds += now - this.#since;
    this.#since = now;
  }

  /** Also while paused: who pauses is still there. Only a session that never played is nobody's. */
  #report(over = false): void {
    if (!this.#name) return;
    this.#count();
    if (this.#told < 0 && !this.seconds && this.#since === undefined) return;
    this.#told = this.seconds;
    const seconds = Number(this.seconds.toFixed(2));
    this.#tell({ session: this.#name, seconds, playing: this.#since !== undefined && !over, over });
  }

  end(): void {
    this.#report(true);
    clearInterval(this.#timer);
    this.#since = undefined;
    this.#name = "";
  }
}
