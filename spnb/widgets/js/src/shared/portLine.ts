// The line of a `PortRoom`: its WebSocket, and the encoders whose frames go over it. It lives in a worker where there may
// be one: a notebook's page is often busy for a tenth of a second and more, and pictures would wait for it.
import { type Encoding, type Pictures, type Size } from "./encoder";
import { LayeredSender } from "./layers";

const OPEN_MS = 5000;
/** How often the other end is asked whether it is there, and how long it may say nothing, in milliseconds. */
const ASK_MS = 500;
const SILENT_MS = 2500;
/** What goes before a frame: its track's number, flags, its own number, and when it was taken. */
const LEAD_BYTES = 14;
const KEY = 1;
const SMALL = 2;
const PACKET_MS = 20;

/** What is asked of it; `key` names a track of pictures. */
export type Asked =
  | { do: "open"; address: string; token: string }
  | { do: "say"; told: Record<string, unknown> }
  | { do: "encode"; key: number; wish: Encoding; smaller: Size | undefined; pictures: Pictures }
  | { do: "take"; key: number; pictures: Pictures }
  | { do: "send"; key: number; number: number; held: boolean }
  | { do: "want"; key: number }
  | { do: "stop"; key: number }
  | { do: "sound"; number: number; at: number; pieces: ArrayBuffer[] }
  | { do: "close" };
/** What it tells: what the other end says, what has been sent, and its end. */
export type Told =
  | { tells: "heard"; told: Record<string, unknown> }
  | { tells: "codec"; key: number; codec: string; layers: number }
  | { tells: "sent"; key: number; sent: number; bytes: number; width: number; height: number }
  | { tells: "ready" | "joined" }
  | { tells: "closed"; reason: string };

/** The time that pictures and sound are told by, in milliseconds: the same in a page and in its workers. */
export const clock = (): number => performance.timeOrigin + performance.now();

type Sent = { frames: LayeredSender; number: number; ahead: number };

export class PortLine {
  #socket: WebSocket | undefined;
  readonly #sent = new Map<number, Sent>();
  #heard = 0;
  #beat: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly tell: (told: Told) => void) {}

  take(asked: Asked): void {
    const sent = "key" in asked ? this.#sent.get(asked.key) : undefined;
    if (asked.do === "open") this.#open(asked.address, asked.token);
    else if (asked.do === "say") this.#say(asked.told);
    else if (asked.do === "encode") void this.#encode(asked);
    else if (asked.do === "take") sent?.frames.take(asked.pictures);
    else if (asked.do === "want") sent?.frames.key();
    else if (asked.do === "close") this.#close("");
    else if (asked.do === "sound")
      asked.pieces.forEach((piece, index) => this.#send(asked.number, piece, KEY, (asked.at + index * PACKET_MS) * 1000, 0));
    else if (sent && asked.do === "send") {
      sent.number = asked.number;
      sent.frames.hold(asked.held);
    } else if (sent) {
      sent.frames.stop();
      this.#sent.delete(asked.key);
    }
  }

  #open(address: string, token: string): void {
    const socket = (this.#socket = new WebSocket(address));
    socket.binaryType = "arraybuffer";
    const late = setTimeout(() => this.#close("the media server does not answer"), OPEN_MS);
    socket.onopen = () => this.#say({ token });
    socket.onclose = ({ reason }) => this.#close(reason || "the media server takes no frames by this road");
    socket.onmessage = ({ data }: MessageEvent<string>) => {
      const told = JSON.parse(data) as Record<string, unknown>;
      this.#heard = performance.now();
      const small = told["small"] === true;
      if ("over" in told) this.#close(String(told["over"]));
      else if ("ack" in told) this.#by(told["track"])?.frames.acknowledged(Number(told["ack"]), told["key"] === true, null, small);
      else if ("key" in told) this.#by(told["key"])?.frames.key(small);
      else if ("wants" in told) this.#by(told["wants"])?.frames.want(told["large"] === true);
      else if ("joined" in told) {
        clearTimeout(late);
        this.#beat = setInterval(() => this.#look(), ASK_MS);
        this.tell({ tells: "joined" });
      } else if (!("pong" in told)) this.tell({ tells: "heard", told });
    };
  }

  #look(): void {
    if (performance.now() - this.#heard > SILENT_MS) {
      this.#close("");
      return;
    }
    this.#say({ say: "ping" });
    for (const [key, { frames }] of this.#sent) {
      const { sent, bytes, size } = frames;
      this.tell({ tells: "sent", key, sent, bytes, width: size.width, height: size.height });
    }
  }

  #by(number: unknown): Sent | undefined {
    return [...this.#sent.values()].find((one) => one.number === number);
  }

  #say(told: Record<string, unknown>): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(told));
  }

  async #encode({ key, wish, smaller, pictures }: Asked & { do: "encode" }): Promise<void> {
    const frames = new LayeredSender(
      wish,
      ({ key: whole, at, n, small }, bytes) =>
        this.#send(sent.number, bytes, (whole ? KEY : 0) | (small ? SMALL : 0), this.#at(sent, at), n),
      () => this.#close(""),
      smaller,
    );
    frames.onRests = () => this.#say({ say: "rests", track: sent.number });
    const sent: Sent = { frames, number: 0, ahead: Infinity };
    this.#sent.set(key, sent);
    frames.hold(true); // until the other end knows of it
    const codec = await frames.start(pictures);
    this.tell({ tells: "codec", key, codec, layers: frames.layers });
  }

  /** A picture's time by the common clock: as much later as the earliest one of them came. */
  #at(sent: Sent, at: number): number {
    const ahead = clock() * 1000 - at;
    if (ahead < sent.ahead || ahead > sent.ahead + 1_000_000) sent.ahead = ahead;
    return at + sent.ahead;
  }

  #send(number: number, bytes: ArrayBuffer, flags: number, at: number, n: number): void {
    if (!number || this.#socket?.readyState !== WebSocket.OPEN) return;
    const message = new Uint8Array(LEAD_BYTES + bytes.byteLength);
    const lead = new DataView(message.buffer);
    lead.setUint8(0, number);
    lead.setUint8(1, flags);
    lead.setUint32(2, n);
    lead.setFloat64(6, at);
    message.set(new Uint8Array(bytes), LEAD_BYTES);
    this.#socket.send(message);
  }

  /** It is over: said once. */
  #close(reason: string): void {
    const socket = this.#socket;
    this.#socket = undefined;
    clearInterval(this.#beat);
    for (const { frames } of this.#sent.values()) frames.stop();
    this.#sent.clear();
    socket?.close();
    if (socket) this.tell({ tells: "closed", reason });
  }
}
