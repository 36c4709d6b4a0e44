// Two layers of the same pictures, as livekit-client sends several: a small one for small tiles and slow lines beside the
// large one. Where the way does not bear both, the large one gives way.
import { FrameSender, HALF_FPS, Layer, WHOLE_BITS, type Encoded, type Encoding, type Pictures, type Size } from "./encoder";

/** Bits per second of the small layer: beside the large one, and by itself, as of LiveKit's own of 640×360. */
const SMALL_BITS = 250_000;
const ALONE_BITS = 450_000;
/** How much longer than at best an acknowledgement may take, in milliseconds, before the small one goes on alone. */
const TIGHT_MS = 400;

export class LayeredSender extends FrameSender {
  /** Told when the large layer rests, muted or not: the small one is there. */
  onRests: () => void = () => undefined;
  private small: Layer | undefined;
  /** Whether anybody has use for the large layer. */
  private wanted = true;
  /** Pictures that went out in the small layer alone. */
  private lone = 0;

  /** Without a `smaller` size, or where this browser runs no second encoder, there is one layer. */
  constructor(
    wish: Encoding,
    send: (told: Encoded, bytes: ArrayBuffer) => void,
    failed: () => void,
    private readonly smaller: Size | undefined,
  ) {
    super(wish, send, failed);
  }

  get layers(): number {
    return this.small ? 2 : 1;
  }

  override get sent(): number {
    return super.sent + this.lone;
  }

  override get bytes(): number {
    return super.bytes + (this.small?.bytes ?? 0);
  }

  /** The largest that goes out. */
  override get size(): Encoding {
    return this.alone ? this.less : super.size;
  }

  private get less(): Encoding {
    return { ...this.wish, ...this.smaller, fps: Math.min(this.wish.fps, HALF_FPS) };
  }

  /** Whether the small layer goes out by itself. */
  private get alone(): boolean {
    return this.small !== undefined && (this.whole > 0 || !this.wanted);
  }

  protected override get bits(): number {
    return this.pace.bits - (this.small ? SMALL_BITS : 0);
  }

  override async start(from: Pictures): Promise<string> {
    const codec = await super.start(from);
    if (codec && this.smaller && this.wish.bitrate >= WHOLE_BITS) await this.second();
    return codec;
  }

  private async second(): Promise<void> {
    const small = new Layer((chunk, n, bytes) => {
      if (this.alone) this.lone += 1;
      const { width, height } = this.less;
      this.send({ codec: this.codec, key: chunk.type === "key", width, height, at: chunk.timestamp, n, small: true }, bytes);
    });
    const without = () => {
      small.stop();
      if (this.small !== small) return;
      this.small = undefined;
      this.large.rest(this.held);
      this.configure();
    };
    try {
      if (!(await small.start(this.config(this.less, SMALL_BITS), without))) return;
    } catch {
      return; // one encoder is all there is
    }
    small.rest(this.held);
    this.small = small;
    this.rate();
  }

  /** Whether anybody has use for the large layer, beside the small one. */
  want(large: boolean): void {
    if (large === this.wanted) return;
    this.wanted = large;
    this.configure();
  }

  protected override configure(): void {
    const { small, large, alone } = this;
    const { bitrate } = this.wish;
    // While the small one is alone nothing shows that the way bears more than what the large one is tried again with.
    if (small) this.pace.atMost(alone ? WHOLE_BITS : bitrate);
    if (!alone) super.configure();
    const rests = this.held || alone;
    if (small && large.rests !== rests) {
      large.rest(rests);
      if (alone) {
        // Whoever goes over to the small one does it at a key frame.
        small.wantKey = true;
        this.onRests();
      }
    }
    this.rate();
  }

  protected override rate(): void {
    if (!this.alone) super.rate();
    this.small?.rate(this.alone ? Math.min(this.pace.bits, ALONE_BITS) : SMALL_BITS);
  }

  protected override encode(frame: VideoFrame, now: number): void {
    const { large, small, pace } = this;
    if (!small) {
      super.encode(frame, now);
      return;
    }
    const oldest = Math.max(large.oldest(now), small.oldest(now));
    this.adapt(now, oldest);
    large.encode(frame, now, pace.stuck(oldest, TIGHT_MS));
    // What is seen, and recorded, first is the large one.
    if (large.rests || large.begun) small.encode(frame, now, pace.stuck(oldest));
  }

  override acknowledged(n: number, key: boolean, bits: number | null, small = false): void {
    if (small) this.small?.acknowledged(n, key, this.pace);
    else super.acknowledged(n, key, bits);
  }

  override key(small = false): void {
    if (!small) super.key();
    else if (this.small) this.small.wantKey = true;
  }

  override hold(held: boolean): void {
    super.hold(held);
    if (this.alone) this.large.rest(true);
    this.small?.rest(held);
  }

  override stop(): void {
    super.stop();
    this.small?.stop();
  }
}
