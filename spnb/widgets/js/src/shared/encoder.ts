// The page's camera where no media connection leaves the page: pictures are encoded here, and go as messages. What is on its
// way and not acknowledged tells how much the way bears.

export type Size = { width: number; height: number };
export type Encoding = Size & { fps: number; bitrate: number };
/** `small` where it is of the small layer, which counts its own. */
export type Encoded = Size & { codec: string; key: boolean; at: number; n: number; small?: true };

const FIRST_BITS = 1_200_000;
const LEAST_BITS = 150_000;
const JUDGE_MS = 500;
/** How much longer than at best an acknowledgement may take, in milliseconds, before less is sent, and before none is. */
const LATE_MS = 150;
const STUCK_MS = 600;
const EARLY_SHARE = 0.25;
const CREDIT = 2;
const KEY_MS = 400;
/** Below so many bits a second half the size is sent, from so many on all of it; tried again after so many milliseconds. */
const HALF_BITS = 450_000;
export const WHOLE_BITS = 800_000;
const AGAIN_MS = 10_000;
export const HALF_FPS = 15;
/** How many pictures may wait for a page that is busy, and for the encoder. */
const WAITING = 3;
/** What has no more pixels is sent in this size alone. */
export const LEAST_HALVED = 640 * 360;

type Candidate = { name: string; config: (wish: Encoding) => VideoEncoderConfig };

const common = ({ width, height, fps, bitrate }: Encoding) => ({
  width,
  height,
  framerate: fps,
  bitrate,
  latencyMode: "realtime" as const,
});

const CANDIDATES: Candidate[] = [
  {
    // What is recorded without being encoded anew.
    name: "h264",
    config: (wish) => ({
      ...common(wish),
      codec: wish.width * wish.height > 1280 * 720 ? "avc1.42e028" : "avc1.42e01f",
      avc: { format: "annexb" as const },
    }),
  },
  { name: "vp8", config: (wish) => ({ ...common(wish), codec: "vp8" }) },
];

export const canEncode = (): boolean => typeof VideoEncoder !== "undefined" && typeof VideoFrame !== "undefined";

declare class MediaStreamTrackProcessor {
  constructor(init: { track: MediaStreamTrack; maxBufferSize?: number });
  readable: ReadableStream<VideoFrame>;
}

/** What gives pictures: a track, or a stream of one's pictures, which may move into a worker. */
export type Pictures = MediaStreamTrack | ReadableStream<VideoFrame>;

/** Whether this browser makes a stream of a track's pictures. */
export const canStream = (): boolean => typeof MediaStreamTrackProcessor !== "undefined";

/** The pictures of a track as a stream, where this browser makes one: not slowed down in a page that is not seen. */
export function streamOf(track: MediaStreamTrack): { pictures: Pictures; stop(): void } {
  if (!canStream()) return { pictures: track, stop: () => undefined };
  const own = track.clone();
  own.enabled = true;
  const { readable } = new MediaStreamTrackProcessor({ track: own, maxBufferSize: WAITING });
  return { pictures: readable, stop: () => own.stop() };
}

/** Calls `take` with each picture, which closes it; returns what ends it. */
function shown(from: Pictures, fps: number, take: (frame: VideoFrame) => void): () => void {
  if ("getReader" in from) {
    const reader = from.getReader();
    const next = (): void => {
      const step = ({ done, value }: ReadableStreamReadResult<VideoFrame>) => {
        if (value) take(value);
        if (!done) next();
      };
      reader.read().then(step).catch(() => undefined);
    };
    next();
    return () => void reader.cancel().catch(() => undefined);
  }
  const made = streamOf(from);
  if (made.pictures !== from) {
    const quiet = shown(made.pictures, fps, take);
    return () => {
      quiet();
      made.stop();
    };
  }
  const video = document.createElement("video");
  video.muted = true;
  video.srcObject = new MediaStream([from]);
  void video.play().catch(() => undefined);
  const timer = setInterval(() => {
    if (video.videoWidth) take(new VideoFrame(video, { timestamp: Math.round(performance.now() * 1000) }));
  }, 1000 / fps);
  return () => {
    clearInterval(timer);
    video.srcObject = null;
  };
}

/** How many bits the way bears, by how late acknowledgements come. */
export class Pace {
  bits: number;
  private best = Infinity;
  /** The quickest since it was judged last: on a busy machine some are late by themselves, on a full way all are. */
  private quickest = Infinity;
  private judged = 0;

  constructor(private most: number) {
    this.bits = Math.min(FIRST_BITS, most);
  }

  atMost(bits: number): void {
    this.most = bits;
    this.bits = Math.min(this.bits, bits);
  }

  /** An acknowledgement took so long; times are milliseconds. */
  took(duration: number): void {
    this.best = Math.min(this.best, duration);
    this.quickest = Math.min(this.quickest, duration);
  }

  /** Whether nothing more should be sent now, the oldest of what is out being so old. */
  stuck(oldest: number, patience = STUCK_MS): boolean {
    return oldest > (this.best === Infinity ? 0 : this.best) + patience;
  }

  /** The bits per second from now on, where they change. */
  judge(now: number, oldest: number): number | undefined {
    if (now - this.judged < JUDGE_MS) return undefined;
    this.judged = now;
    if (this.best === Infinity) return undefined;
    const late = (this.quickest === Infinity ? oldest : this.quickest) - this.best;
    this.quickest = Infinity;
    const before = this.bits;
    if (late > LATE_MS) this.bits = Math.max(LEAST_BITS, this.bits * 0.7);
    else if (late < LATE_MS / 2) this.bits = Math.min(this.most, this.bits * 1.2);
    return Math.abs(this.bits - before) > before * 0.02 ? this.bits : undefined;
  }
}

/** One size of what is sent: its encoder, and what of it is on its way. */
export class Layer {
  /** Nothing of it is made meanwhile. */
  rests = false;
  /** Whether any of it has gone out since it rested last. */
  begun = false;
  wantKey = true;
  sent = 0;
  bytes = 0;
  private encoder: VideoEncoder | undefined;
  private config: VideoEncoderConfig | undefined;
  private readonly out = new Map<number, number>();
  private keyed = 0;
  /** The number of the newest key frame. */
  private newestKey = 0;
  private due = 0;

  constructor(private readonly send: (chunk: EncodedVideoChunk, n: number, bytes: ArrayBuffer) => void) {}

  /** Begin, where this browser says that it can. */
  async start(config: VideoEncoderConfig, failed: () => void): Promise<boolean> {
    const { supported } = await VideoEncoder.isConfigSupported(config).catch(() => ({ supported: false }));
    if (!supported) return false;
    this.encoder = new VideoEncoder({ output: (chunk) => this.deliver(chunk), error: failed });
    this.use(config);
    return true;
  }

  /** The encoder, until it is closed or has failed. */
  private get open(): VideoEncoder | undefined {
    return this.encoder?.state === "closed" ? undefined : this.encoder;
  }

  private use(config: VideoEncoderConfig): void {
    this.open?.configure((this.config = config));
  }

  configure(config: VideoEncoderConfig): void {
    this.use(config);
    this.wantKey = true;
  }

  rate(bits: number): void {
    const bitrate = Math.round(bits);
    if (bitrate !== this.config?.bitrate) this.use({ ...this.config!, bitrate });
  }

  rest(rests: boolean): void {
    this.rests = rests;
    this.begun = false;
    this.wantKey = true;
    this.out.clear();
  }

  oldest(now: number): number {
    const [first] = this.out.values();
    return first === undefined ? 0 : now - first;
  }

  encode(frame: VideoFrame, now: number, stuck: boolean): void {
    const { open, config } = this;
    const interval = 1000 / (config?.framerate ?? HALF_FPS);
    // By when it was taken: a page that was busy gets several at once.
    const taken = frame.timestamp / 1000;
    if (this.rests || stuck || taken < this.due - interval * EARLY_SHARE) return;
    if (!open || open.encodeQueueSize >= WAITING) return;
    // What was missed is made up for, a little: cameras of a busy machine come unevenly.
    this.due = Math.max(this.due, taken - CREDIT * interval) + interval;
    const keyFrame = this.wantKey && now - this.keyed > KEY_MS;
    if (keyFrame) {
      this.wantKey = false;
      this.keyed = now;
    }
    open.encode(frame, { keyFrame });
  }

  private deliver(chunk: EncodedVideoChunk): void {
    if (this.rests) return;
    const bytes = new ArrayBuffer(chunk.byteLength);
    chunk.copyTo(bytes);
    const n = ++this.sent;
    if (chunk.type === "key") this.newestKey = n;
    this.begun = true;
    this.out.set(n, performance.now());
    this.bytes += bytes.byteLength;
    this.send(chunk, n, bytes);
  }

  /** The other end has this one, and may wish for a key frame. */
  acknowledged(n: number, key: boolean, pace: Pace): void {
    const at = this.out.get(n);
    if (at === undefined) return;
    pace.took(performance.now() - at);
    // They come in order: an acknowledgement that was lost is made up for by the next one.
    for (const earlier of this.out.keys()) if (earlier <= n) this.out.delete(earlier);
    // What asks for one before it has the one on its way has no need of another.
    if (key && n >= this.newestKey && this.keyed <= at) this.wantKey = true;
  }

  stop(): void {
    this.open?.close();
  }
}

/** Half of each side, in even numbers. */
export function halfOf({ width, height }: Size): Size {
  const even = (side: number) => Math.round(side / 4) * 2;
  return { width: even(width), height: even(height) };
}

export class FrameSender {
  codec = "";
  protected pace: Pace;
  protected readonly large: Layer;
  protected held = false;
  /** When the whole size may be tried; no time while it is sent. */
  protected whole = 0;
  private rest = AGAIN_MS;
  private made = CANDIDATES[0]!.config;
  private quiet: (() => void) | undefined;

  constructor(
    protected wish: Encoding,
    protected readonly send: (told: Encoded, bytes: ArrayBuffer) => void,
    private readonly failed: () => void,
  ) {
    this.pace = new Pace(wish.bitrate);
    this.large = new Layer((chunk, n, bytes) => {
      const { width, height } = this.size;
      this.send({ codec: this.codec, key: chunk.type === "key", width, height, at: chunk.timestamp, n }, bytes);
    });
  }

  get sent(): number {
    return this.large.sent;
  }

  get bytes(): number {
    return this.large.bytes;
  }

  /** The size that the way bears. */
  get size(): Encoding {
    const { fps } = this.wish;
    return this.whole ? { ...this.wish, ...halfOf(this.wish), fps: Math.min(fps, HALF_FPS) } : this.wish;
  }

  /** Of the bits that the way bears a second, those for what is sent in this size. */
  protected get bits(): number {
    return this.pace.bits;
  }

  /** Begin; the codec's name, or nothing where this browser encodes none that can be sent on. */
  async start(from: Pictures): Promise<string> {
    for (const { name, config } of CANDIDATES) {
      if (!(await this.large.start({ ...config(this.wish), bitrate: Math.round(this.bits) }, this.failed))) continue;
      this.codec = name;
      this.made = config;
      this.take(from);
      return name;
    }
    return "";
  }

  /** Send these pictures from now on. */
  take(from: Pictures): void {
    this.quiet?.();
    this.quiet = shown(from, this.wish.fps, (frame) => {
      const now = performance.now();
      if (!this.held && this.codec) this.encode(frame, now);
      frame.close();
    });
  }

  /** Another size or rate from now on; the codec stays. What the way bears is found out anew: the other end does something
   * else with it as well. */
  change(wish: Encoding): void {
    this.wish = wish;
    this.pace = new Pace(wish.bitrate);
    [this.whole, this.rest] = [0, AGAIN_MS];
    this.configure();
  }

  protected config(size: Encoding, bits: number): VideoEncoderConfig {
    return { ...this.made(size), bitrate: Math.round(bits) };
  }

  protected configure(): void {
    this.large.configure(this.config(this.size, this.bits));
  }

  protected rate(): void {
    this.large.rate(this.bits);
  }

  protected encode(frame: VideoFrame, now: number): void {
    const oldest = this.large.oldest(now);
    this.adapt(now, oldest);
    this.large.encode(frame, now, this.pace.stuck(oldest));
  }

  protected adapt(now: number, oldest: number): void {
    const changed = this.pace.judge(now, oldest);
    const { bits } = this.pace;
    const { width, height } = this.wish;
    if (this.whole ? bits >= WHOLE_BITS && now > this.whole : bits < HALF_BITS && width * height > LEAST_HALVED) {
      this.whole = this.whole ? 0 : now + this.rest;
      // What was tried in vain is tried more seldom.
      if (this.whole) this.rest *= 2;
      this.configure();
    } else if (changed) this.rate();
  }

  /** The other end has this one, and says what it wishes. */
  acknowledged(n: number, key: boolean, bits: number | null): void {
    this.large.acknowledged(n, key, this.pace);
    if (bits) this.pace.atMost(Math.min(bits, this.wish.bitrate));
  }

  /** A key frame as soon as may be. */
  key(): void {
    this.large.wantKey = true;
  }

  /** Nothing is encoded meanwhile; then a key frame is first. */
  hold(held: boolean): void {
    this.held = held;
    this.large.rest(held);
  }

  stop(): void {
    this.quiet?.();
    this.quiet = undefined;
    this.large.stop();
  }
}

/** How far the clock of sound may be from the page's before it is set anew, in milliseconds. */
const APART_MS = 200;

/** Sound as Opus, in packets of 20 ms, each with when it was taken (milliseconds of the page's clock); `undefined` where
 * this browser makes none. */
export function opus(send: (bytes: ArrayBuffer, at: number) => void): ((samples: Float32Array<ArrayBuffer>) => void) | undefined {
  if (typeof AudioEncoder === "undefined") return undefined;
  const encoder = new AudioEncoder({
    output: (chunk) => {
      const bytes = new ArrayBuffer(chunk.byteLength);
      chunk.copyTo(bytes);
      send(bytes, chunk.timestamp / 1000);
    },
    error: () => undefined,
  });
  encoder.configure({ codec: "opus", sampleRate: 48_000, numberOfChannels: 1, bitrate: 48_000 });
  let at = -Infinity;
  return (samples) => {
    if (encoder.state !== "configured") return;
    const took = (performance.now() - samples.length / 48) * 1000;
    if (Math.abs(took - at) > APART_MS * 1000) at = took;
    const data = new AudioData({
      format: "f32",
      sampleRate: 48_000,
      numberOfFrames: samples.length,
      numberOfChannels: 1,
      timestamp: Math.max(0, at),
      data: samples,
    });
    at += (samples.length * 1_000_000) / 48_000;
    encoder.encode(data);
    data.close();
  };
}
