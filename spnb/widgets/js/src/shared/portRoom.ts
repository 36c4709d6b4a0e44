// A room to publish in where no media connection reaches this page: it encodes, and its frames go over one WebSocket to
// the sandbox, by the road that its calls go. What goes out are livekit-client's own tracks, as in a room of its own:
// here stands in for `Room`, and for a track's sender, as much as publishing uses of them.
import { TrackEvent, type LocalTrack, type TrackPublishOptions } from "livekit-client";
import { LEAST_HALVED, halfOf, streamOf, type Size } from "./encoder";
import { soundOf } from "./messages";
import { PortLine, clock, type Asked, type Told } from "./portLine";
import { lineTo, type Line as LineOf } from "./lines";

declare const PORT_WORKER: string;
const PATH = "/sandbox/publish";
/** All goes through one connection of the notebook's server: bits per second of a picture, at most. */
const MOST_BITS = 2_400_000;

type Heard = Record<string, unknown>;
type Handler = (...told: never[]) => void;
type Line = LineOf<Asked>;
export class PortRoom {
  readonly localParticipant = {
    publishTrack: (track: LocalTrack, options: TrackPublishOptions) => this.#publish(track, options),
    unpublishTrack: (track: LocalTrack) => this.#unpublish(track),
  };
  /** Told who else publishes in the room. */
  onOthers: (others: string[]) => void = () => undefined;
  others: string[] = [];
  #line: Line | undefined;
  readonly #handlers = new Map<string, Handler[]>();
  readonly #answers = new Map<string, (answer: never) => void>();
  readonly #sent = new Map<LocalTrack, Sent>();
  #asks = 0;
  #joined: ((problem?: Error) => void) | undefined;

  on(event: string, handler: Handler): this {
    this.#handlers.set(event, [...(this.#handlers.get(event) ?? []), handler]);
    return this;
  }

  once(event: string, handler: Handler): this {
    return this.on(event, handler);
  }

  #emit(event: string, ...told: unknown[]): void {
    for (const handler of this.#handlers.get(event) ?? []) (handler as (...told: unknown[]) => void)(...told);
  }

  /** Join by the address that a media connection would begin at. */
  async connect(url: string, token: string): Promise<void> {
    const address = new URL(url);
    address.pathname = `${address.pathname.replace(/\/$/, "")}${PATH}`;
    const here = (tell: (told: Told) => void) => new PortLine(tell);
    const broken: Told = { tells: "closed", reason: "what encodes in this page broke" };
    const line = (this.#line = await lineTo<Asked, Told>(PORT_WORKER, here, (told) => this.#take(told), broken));
    await new Promise<void>((resolve, reject) => {
      this.#joined = (problem) => (problem ? reject(problem) : resolve());
      line.ask({ do: "open", address: address.href, token });
    });
  }

  #say(told: Heard): void {
    this.#line?.ask({ do: "say", told });
  }

  #take(told: Told): void {
    if (told.tells === "joined") {
      this.#emit("signalConnected");
      this.#joined?.();
    } else if (told.tells === "closed") {
      this.#joined?.(new Error(told.reason));
      this.#end(-1);
    } else if (told.tells === "codec") this.#answer(`codec ${told.key}`, told);
    else if (told.tells === "sent") {
      const sent = [...this.#sent.values()].find(({ key }) => key === told.key);
      if (sent) sent.told = told;
    } else if (told.tells === "heard") this.#heard(told.told);
  }

  #heard(told: Heard): void {
    if ("published" in told) this.#answer(`published ${String(told["ask"])}`, told["published"]);
    else if ("others" in told) this.onOthers((this.others = told["others"] as string[]));
    else if ("leave" in told) this.#end(Number(told["leave"]));
    else if (told["muted"] === true) {
      const [track] = [...this.#sent].find(([, { number }]) => number === told["mute"]) ?? [];
      const { kind } = track ?? {};
      if (track && !track.isMuted) void track.mute().then(() => this.#emit("trackMuted", { track, kind }, { isLocal: true }));
    }
  }

  #answer(to: string, answer: unknown): void {
    this.#answers.get(to)?.(answer as never);
    this.#answers.delete(to);
  }

  #asked<T>(what: string): Promise<T> {
    return new Promise<T>((resolve) => this.#answers.set(what, resolve));
  }

  async #publish(track: LocalTrack, options: TrackPublishOptions): Promise<void> {
    const line = this.#line;
    if (!line) throw new Error("the page has left");
    const picture = (track.kind as string) === "video";
    const key = ++this.#asks;
    const sent = new Sent(key, track, line);
    this.#sent.set(track, sent);
    let codec = "opus";
    let smaller: Size | undefined;
    if (picture) {
      const known = this.#asked<{ codec: string; layers: number }>(`codec ${key}`);
      smaller = sent.encode(options);
      const { codec: made, layers } = await known;
      codec = made;
      if (layers < 2) smaller = undefined;
    }
    if (!codec) throw new Error("this browser cannot encode");
    const published = this.#asked<number>(`published ${key}`);
    const { width = 0, height = 0 } = track.mediaStreamTrack.getSettings();
    const { source } = options;
    this.#say({ say: "publish", ask: key, kind: track.kind, codec, source, width, height, smaller, muted: track.isMuted });
    sent.number = await published;
    const muted = () => {
      this.#say({ say: "mute", track: sent.number, muted: track.isMuted });
      sent.heed();
    };
    track.on(TrackEvent.Muted, muted).on(TrackEvent.Unmuted, muted);
    sent.ends.push(() => track.off(TrackEvent.Muted, muted).off(TrackEvent.Unmuted, muted));
    if (picture) sent.heed();
    else sent.listen();
  }

  #unpublish(track: LocalTrack): Promise<void> {
    const sent = this.#sent.get(track);
    this.#sent.delete(track);
    sent?.stop();
    if (sent) this.#say({ say: "unpublish", track: sent.number });
    return Promise.resolve();
  }

  disconnect(): Promise<void> {
    this.#say({ say: "leave" });
    this.#handlers.clear();
    this.#end(-1);
    return Promise.resolve();
  }

  /** It is over: said once, with LiveKit's number of the reason, less than nothing where there is none. */
  #end(reason: number): void {
    const line = this.#line;
    this.#line = undefined;
    for (const sent of this.#sent.values()) sent.stop();
    this.#sent.clear();
    line?.ask({ do: "close" });
    // After what was said last has gone.
    if (line) setTimeout(() => line.end(), 1000);
    if (line) this.#emit("disconnected", reason);
  }
}

/** A track on its way out. */
class Sent {
  number = 0;
  told = { sent: 0, bytes: 0, width: 0, height: 0 };
  readonly ends: (() => void)[] = [];
  #stop: () => void = () => undefined;

  constructor(
    readonly key: number,
    readonly track: LocalTrack,
    private readonly line: Line,
  ) {}

  /** Encode pictures, in a smaller size as well where there is to be one; the line tells by which codec, and whether
   * both. */
  encode({ videoEncoding, simulcast, videoSimulcastLayers }: TrackPublishOptions): Size | undefined {
    const { key, line, track } = this;
    const { width = 1280, height = 720, frameRate = 30 } = track.mediaStreamTrack.getSettings();
    const wish = { width, height, fps: videoEncoding?.maxFramerate ?? frameRate, bitrate: Math.min(MOST_BITS, videoEncoding?.maxBitrate ?? MOST_BITS) };
    // Half of each side: livekit-client's own layer below 720p, and enough to see by where the way bears no more.
    const next = videoSimulcastLayers ? videoSimulcastLayers.at(-1) : halfOf(wish);
    const smaller = simulcast && next && next.height < height && width * height > LEAST_HALVED ? { width: next.width, height: next.height } : undefined;
    let now = track.mediaStreamTrack;
    const show = (shown: MediaStreamTrack, ask: (pictures: MediaStreamTrack | ReadableStream<VideoFrame>) => Asked) => {
      const made = streamOf((now = shown));
      line.ask(ask(made.pictures), "getReader" in made.pictures ? [made.pictures] : []);
      this.#stop();
      this.#stop = () => made.stop();
    };
    track.sender = {
      track: track.mediaStreamTrack,
      // A track that was just made still sets its own: that is shown already.
      replaceTrack: (next: MediaStreamTrack) => Promise.resolve(next === now ? undefined : show(next, (pictures) => ({ do: "take", key, pictures }))),
      getStats: () => Promise.resolve(this.#stats()),
    } as unknown as RTCRtpSender;
    show(track.mediaStreamTrack, (pictures) => ({ do: "encode", key, wish, smaller, pictures }));
    return smaller;
  }

  /** Nothing goes out while it is muted. */
  heed(): void {
    const { key, number, line, track } = this;
    line.ask({ do: "send", key, number, held: track.isMuted });
  }

  listen(): void {
    const { line, track } = this;
    const quiet = soundOf(new MediaStream([track.mediaStreamTrack]), ({ at }, pieces) => {
      const taken = clock() - performance.now() + Number(at);
      if (!track.isMuted) line.ask({ do: "sound", number: this.number, at: taken, pieces }, pieces);
    });
    this.ends.push(quiet);
  }

  /** As a connection would tell. */
  #stats(): Map<string, Record<string, number | string>> {
    const { sent, bytes, width, height } = this.told;
    const told = { type: "outbound-rtp", kind: "video", bytesSent: bytes, packetsSent: sent, framesEncoded: sent };
    return new Map([["out", { ...told, frameWidth: width, frameHeight: height }]]);
  }

  stop(): void {
    for (const end of this.ends) end();
    this.#stop();
    this.line.ask({ do: "stop", key: this.key });
  }
}
