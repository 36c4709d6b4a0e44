// The shorter way to what is live, by WebRTC: what stood against it last, and when it is worth another try.
import { WebRtc, type Subscriber, type Unwatchable } from "./webrtc";

/** Until it is tried again: the double each time, and anew from the first after one that has lasted. */
const AGAIN_MS = 15_000;
const MOST_MS = 120_000;
const LASTED_MS = 60_000;

type Make = (lost: (why: string) => void, renewed: () => void) => WebRtc;

export class Shortcut {
  /** Why what is live is not played by WebRTC, in words. */
  why = "";
  /** Whether the service lets viewers in by HLS alone. */
  barred = false;
  private pause = AGAIN_MS;
  private openedAt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** What is on its way to take the place of what plays. */
  private opening: WebRtc | undefined;
  /** Counts what was asked for: what comes late is for nobody. */
  private turn = 0;

  /** `lost` is told when what was open does not go on, `renewed` when its tracks have come anew, `again` when it is
   * worth another try. */
  constructor(
    private readonly lost: (made: WebRtc) => void,
    private readonly renewed: (made: WebRtc) => void,
    private readonly again: () => void,
    private readonly make: Make = (lost, renewed) => new WebRtc(lost, renewed),
  ) {}

  /** Connects; there is none where that cannot be, or where it was given up meanwhile. */
  async open(subscriber: Subscriber | Unwatchable | null): Promise<WebRtc | undefined> {
    this.giveUp();
    const mine = this.turn;
    try {
      if (!subscriber) this.barred = true;
      if (!subscriber || "why" in subscriber) throw new Error(subscriber?.why ?? "the service lets viewers in by HLS alone");
      const made: WebRtc = this.make(
        (why) => {
          this.fall(why);
          this.lost(made);
        },
        () => this.renewed(made),
      );
      this.opening = made;
      await made.open(subscriber);
      if (mine !== this.turn) return undefined;
      this.opening = undefined;
      this.openedAt = performance.now();
      this.why = "";
      clearTimeout(this.timer);
      return made;
    } catch (error) {
      if (mine === this.turn) this.fall((error as Error).message);
      return undefined;
    }
  }

  private fall(why: string): void {
    if (this.openedAt && performance.now() - this.openedAt > LASTED_MS) this.pause = AGAIN_MS;
    this.openedAt = 0;
    this.why = why;
    clearTimeout(this.timer);
    if (this.barred) return;
    this.arm();
    this.pause = Math.min(MOST_MS, this.pause * 2);
  }

  /** What has come is not wanted now: another try later. */
  putOff(made: WebRtc): void {
    made.close();
    this.arm();
  }

  private arm(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.arm();
      this.again();
    }, this.pause);
  }

  /** Give up what is on its way. */
  giveUp(): void {
    this.turn++;
    this.opening?.close();
    this.opening = undefined;
  }

  end(): void {
    this.giveUp();
    clearTimeout(this.timer);
  }
}
