// Keeps a viewer of a live list with low latency near what is on air, and smooth: it begins near, falls back with each wait
// for data, and comes back after a while without.
import Hls, { ErrorDetails, Events, type ErrorData, type HlsConfig } from "hls.js";

/** How much further back each wait puts a viewer, how far all of them may, and how much comes back at once, in seconds. */
const STEP = 0.5;
const MOST = 3;
const BACK = 0.25;
/** How long nothing may have been waited for before it comes back; longer each time that was in vain, in milliseconds. */
const CALM_MS = 10_000;
const CALMEST_MS = 120_000;
/** A picture that begins, or has stood still, hops over what is further behind than this, in seconds; the rest is caught up with. */
const WORTH = 0.75;
const SHORT = 0.5;
/** How long after such a moment it may, in milliseconds. */
const HOP_MS = 5000;

/** How much further behind than the server asks for a viewer is; times are milliseconds. */
export class Patience {
  seconds = 0;
  #calm = CALM_MS;
  #since = 0;
  #returned = false;

  waited(now: number): void {
    if (this.#returned) this.#calm = Math.min(CALMEST_MS, this.#calm * 2);
    this.#returned = false;
    this.#since = now;
    this.seconds = Math.min(MOST, this.seconds + STEP);
  }

  /** It plays; whether the viewer may come nearer. */
  plays(now: number): boolean {
    if (!this.seconds || now - this.#since < this.#calm) return false;
    this.#since = now;
    this.#returned = true;
    this.seconds = Math.max(0, this.seconds - BACK);
    return true;
  }
}

export class NearHls extends Hls {
  readonly #patience = new Patience();
  /** Until when it may hop: right after the picture began, or stood still. */
  #until = 0;
  #begun = false;
  /** Whether the viewer has gone back. */
  #back = false;
  #at = 0;
  #video: HTMLMediaElement | null = null;

  constructor(config: Partial<HlsConfig>) {
    // Its own answer to a wait is a whole second, and for good.
    super({ ...config, liveSyncOnStallIncrease: 0 });
    this.on(Events.MEDIA_ATTACHED, (_event, { media }) => this.#watch(media));
    this.on(Events.MEDIA_DETACHING, () => this.#leave());
    this.on(Events.ERROR, (_event, { details }: ErrorData) => {
      if (details === ErrorDetails.BUFFER_STALLED_ERROR && this.#follows) this.#waited();
    });
  }

  get #follows(): boolean {
    return this.lowLatencyMode && this.latestLevelDetails?.live === true;
  }

  #watch(video: HTMLMediaElement): void {
    this.#video = video;
    video.addEventListener("playing", this.#began);
    video.addEventListener("seeking", this.#sought);
    video.addEventListener("timeupdate", this.#plays);
  }

  #leave(): void {
    this.#video?.removeEventListener("playing", this.#began);
    this.#video?.removeEventListener("seeking", this.#sought);
    this.#video?.removeEventListener("timeupdate", this.#plays);
    this.#video = null;
    this.#begun = false;
    this.#at = 0;
  }

  readonly #began = () => {
    if (!this.#begun) this.#until = performance.now() + HOP_MS;
    this.#begun = true;
  };

  /** Who goes back stays there, through waits too, until they go to what is on air. */
  readonly #sought = () => {
    const at = this.#video?.currentTime ?? 0;
    if (!this.#begun) return;
    if (at < this.#at) this.#back = true;
    else if (at >= (this.liveSyncPosition ?? Infinity) - WORTH) this.#back = false;
    if (this.#back) this.#until = 0;
  };

  readonly #plays = () => {
    if (!this.#video || !this.#follows) return;
    this.#at = this.#video.currentTime;
    if (this.#patience.plays(performance.now())) this.#aim();
    this.#hop(this.#video);
  };

  #waited(): void {
    const now = performance.now();
    if (!this.#back) this.#until = now + HOP_MS;
    this.#patience.waited(now);
    this.#aim();
  }

  #aim(): void {
    const { partHoldBack = 0 } = this.latestLevelDetails ?? {};
    if (partHoldBack) this.targetLatency = partHoldBack + this.#patience.seconds;
  }

  /** Where the picture would only creep to what is on air: what is there already is skipped. */
  #hop(video: HTMLMediaElement): void {
    const { buffered } = video;
    const last = buffered.length - 1;
    if (performance.now() > this.#until || last < 0 || video.seeking || video.paused) return;
    const to = (this.liveSyncPosition ?? 0) - SHORT;
    if (to - video.currentTime < WORTH || to < buffered.start(last) || to + SHORT > buffered.end(last)) return;
    this.#until = 0;
    video.currentTime = to;
  }
}
