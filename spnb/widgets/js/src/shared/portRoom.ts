// A room to publish in where no media connection reaches this page: it encodes, and its frames go over one WebSocket to
// the sandbox, by the road that its calls go. What goes out are livekit-client's own tracks, as in a room of its own:
// here stands in for `Room`, and for a track's sender, as much as publishing uses of them.
import { TrackEvent, type LocalTrack, type TrackPublishOptions } from "livekit-client";
import { FrameSender, type Encoding } from "./encoder";
import { soundOf } from "./messages";

const PATH = "/sandbox/publish";
const OPEN_MS = 5000;
/** How often the other end is asked whether it is there, and how long it may say nothing, in milliseconds. */
const ASK_MS = 500;
const SILENT_MS = 2500;
/** What goes before a frame: its track's number, flags, its own number, and when it was taken. */
const LEAD_BYTES = 14;
const KEY = 1;
const PACKET_MS = 20;

type Heard = Record<string, unknown>;
type Handler = (...told: never[]) => void;

export class PortRoom {
  readonly localParticipant = {
    publishTrack: (track: LocalTrack, options: TrackPublishOptions) => this.#publish(track, options),
    unpublishTrack: (track: LocalTrack) => this.#unpublish(track),
  };
  /** Told who else publishes in the room. */
  onOthers: (others: string[]) => void = () => undefined;
  others: string[] = [];
  #socket: WebSocket | undefined;
  readonly #handlers = new Map<string, Handler[]>();
  readonly #asked = new Map<number, (number: number) => void>();
  readonly #sent = new Map<LocalTrack, Sent>();
  #heard = 0;
  #asks = 0;
  #beat: ReturnType<typeof setInterval> | undefined;

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
    const socket = (this.#socket = new WebSocket(address));
    socket.binaryType = "arraybuffer";
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("the media server does not answer")), OPEN_MS);
      socket.onopen = () => this.#say({ token });
      socket.onclose = ({ reason }) => {
        clearTimeout(late);
        reject(new Error(reason || "the media server takes no frames by this road"));
        this.#end(-1);
      };
      socket.onmessage = ({ data }: MessageEvent<string>) => {
        const told = JSON.parse(data) as Heard;
        this.#heard = performance.now();
        if (told["joined"]) {
          clearTimeout(late);
          this.#emit("signalConnected");
          resolve();
        } else this.#take(told);
      };
    });
    this.#beat = setInterval(() => {
      if (performance.now() - this.#heard > SILENT_MS) this.#end(-1);
      else this.#say({ say: "ping" });
    }, ASK_MS);
  }

  #say(told: Heard): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(told));
  }

  #take(told: Heard): void {
    const sent = (name: string) => [...this.#sent].find(([, one]) => one.number === told[name]);
    if ("ack" in told) sent("track")?.[1].frames?.acknowledged(Number(told["ack"]), told["key"] === true, null);
    else if ("key" in told) sent("key")?.[1].frames?.key();
    else if ("published" in told) this.#asked.get(Number(told["ask"]))?.(Number(told["published"]));
    else if ("others" in told) this.onOthers((this.others = told["others"] as string[]));
    else if ("leave" in told) this.#end(Number(told["leave"]));
    else if ("mute" in told) {
      const [track] = sent("mute") ?? [];
      if (track && told["muted"] === true && !track.isMuted) void track.mute().then(() => this.#emit("trackMuted", { track, kind: track.kind }, { isLocal: true }));
    }
  }

  async #publish(track: LocalTrack, options: TrackPublishOptions): Promise<void> {
    const picture = (track.kind as string) === "video";
    const { width = 0, height = 0 } = track.mediaStreamTrack.getSettings();
    const sent = new Sent(track, (...told) => this.#send(sent, ...told), () => this.#end(-1));
    this.#sent.set(track, sent);
    const codec = picture ? await sent.encode(options) : "opus";
    if (!codec) throw new Error("this browser cannot encode");
    const ask = ++this.#asks;
    const published = new Promise<number>((resolve) => this.#asked.set(ask, resolve));
    this.#say({ say: "publish", ask, kind: track.kind, codec, source: options.source, width, height, muted: track.isMuted });
    sent.number = await published;
    this.#asked.delete(ask);
    if (!picture) sent.listen();
    sent.frames?.hold(track.isMuted);
    const muted = () => this.#mute(sent);
    track.on(TrackEvent.Muted, muted).on(TrackEvent.Unmuted, muted);
    sent.quiet = () => track.off(TrackEvent.Muted, muted).off(TrackEvent.Unmuted, muted);
  }

  #mute(sent: Sent): void {
    this.#say({ say: "mute", track: sent.number, muted: sent.track.isMuted });
    sent.frames?.hold(sent.track.isMuted);
  }

  #send(sent: Sent, bytes: ArrayBuffer, key: boolean, at: number, n: number): void {
    if (!sent.number || sent.track.isMuted || this.#socket?.readyState !== WebSocket.OPEN) return;
    const message = new Uint8Array(LEAD_BYTES + bytes.byteLength);
    const lead = new DataView(message.buffer);
    lead.setUint8(0, sent.number);
    lead.setUint8(1, key ? KEY : 0);
    lead.setUint32(2, n);
    lead.setFloat64(6, at);
    message.set(new Uint8Array(bytes), LEAD_BYTES);
    this.#socket.send(message);
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
    const socket = this.#socket;
    this.#socket = undefined;
    clearInterval(this.#beat);
    for (const sent of this.#sent.values()) sent.stop();
    this.#sent.clear();
    socket?.close();
    if (socket) this.#emit("disconnected", reason);
  }
}

/** A track on its way out. */
class Sent {
  number = 0;
  frames: FrameSender | undefined;
  quiet: () => void = () => undefined;
  #silence: () => void = () => undefined;
  #ahead = Infinity;

  constructor(
    readonly track: LocalTrack,
    private readonly send: (bytes: ArrayBuffer, key: boolean, at: number, n: number) => void,
    private readonly failed: (words: string) => void,
  ) {}

  /** Encode pictures; the codec's name. */
  async encode({ videoEncoding }: TrackPublishOptions): Promise<string> {
    const { track } = this;
    const { width = 1280, height = 720, frameRate = 30 } = track.mediaStreamTrack.getSettings();
    const wish: Encoding = { width, height, fps: videoEncoding?.maxFramerate ?? frameRate, bitrate: videoEncoding?.maxBitrate ?? 2_500_000 };
    const frames = (this.frames = new FrameSender(wish, ({ key, at, n }, bytes) => this.send(bytes, key, this.#clock(at), n), this.failed));
    track.sender = {
      track: track.mediaStreamTrack,
      replaceTrack: (next: MediaStreamTrack) => Promise.resolve(frames.take(next)),
      getStats: () => Promise.resolve(this.#stats()),
    } as unknown as RTCRtpSender;
    frames.hold(true); // until the other end knows of it
    return frames.start(track.mediaStreamTrack);
  }

  /** A picture's time on the page's clock, which sound is told by too: as much later as the earliest one of them came. */
  #clock(at: number): number {
    const ahead = performance.now() * 1000 - at;
    if (ahead < this.#ahead || ahead > this.#ahead + 1_000_000) this.#ahead = ahead;
    return at + this.#ahead;
  }

  listen(): void {
    this.#silence = soundOf(new MediaStream([this.track.mediaStreamTrack]), ({ at }, pieces) =>
      pieces.forEach((piece, number) => this.send(piece, true, (Number(at) + number * PACKET_MS) * 1000, 0)),
    );
  }

  /** As a connection would tell. */
  #stats(): Map<string, Record<string, number | string>> {
    const { sent = 0, bytes = 0, size } = this.frames ?? {};
    const told = { type: "outbound-rtp", kind: "video", bytesSent: bytes, packetsSent: sent, framesEncoded: sent };
    return new Map([["out", { ...told, frameWidth: size?.width ?? 0, frameHeight: size?.height ?? 0 }]]);
  }

  stop(): void {
    this.quiet();
    this.#silence();
    this.frames?.stop();
  }
}
