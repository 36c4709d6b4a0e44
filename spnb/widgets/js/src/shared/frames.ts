// Encoded pictures of a page's camera, and its sound, on their way into the notebook's messages.
import { canStream, streamOf, type Encoded, type Encoding, type Size } from "./encoder";
import { FrameLine, type Asked, type Told } from "./frameLine";
import { alone, lineTo, type Line } from "./lines";

declare const FRAME_WORKER: string;
const here = (tell: (told: Told) => void) => new FrameLine(tell);

export class Frames {
  codec = "";
  /** Pictures and bytes so far, and the size that the way bears. */
  sent = 0;
  bytes = 0;
  size: Size;
  #line: Line<Asked> | undefined;
  #quiet: () => void = () => undefined;
  #over = false;
  #known: (codec: string) => void = () => undefined;

  /** `send` is given what goes in one message; `failed` is told when no more can be made. */
  constructor(
    private readonly wish: Encoding,
    private readonly send: (told: { pictures: Encoded[] }, pieces: ArrayBuffer[]) => void,
    private readonly failed: () => void,
  ) {
    this.size = wish;
  }

  /** Begin; the codec's name, or nothing where this browser encodes none that can be sent on, or it is over already. */
  async start(track: MediaStreamTrack): Promise<string> {
    const tell = (told: Told) => this.#told(told);
    // What cannot move into a worker stays here.
    const line = canStream() ? await lineTo<Asked, Told>(FRAME_WORKER, here, tell, { tells: "failed" }) : alone(here, tell);
    if (this.#over) {
      line.end();
      return "";
    }
    this.#line = line;
    const known = new Promise<string>((resolve) => (this.#known = resolve));
    this.#show(track, { do: "encode", wish: this.wish });
    return (this.codec = await known);
  }

  #told(told: Told): void {
    if (this.#over) return;
    if (told.tells === "codec") this.#known(told.codec);
    else if (told.tells === "failed") this.failed();
    else if (told.tells === "bundle") {
      ({ sent: this.sent, bytes: this.bytes, size: this.size } = told);
      this.send({ pictures: told.pictures }, told.pieces);
    }
  }

  #show(track: MediaStreamTrack, asked: { do: "encode"; wish: Encoding } | { do: "take" }): void {
    const made = streamOf(track);
    const { pictures } = made;
    this.#line?.ask({ ...asked, pictures }, "getReader" in pictures ? [pictures] : []);
    this.#quiet();
    this.#quiet = () => made.stop();
  }

  /** Send these pictures from now on. */
  take(track: MediaStreamTrack): void {
    if (this.#line) this.#show(track, { do: "take" });
  }

  /** Another size or rate from now on; the codec stays. */
  change(wish: Encoding): void {
    this.#line?.ask({ do: "change", wish });
  }

  acknowledged(n: number, key: boolean, bits: number | null): void {
    this.#line?.ask({ do: "acknowledge", n, key, bits });
  }

  /** Packets of Opus, which go with the pictures. */
  sound(packets: ArrayBuffer[]): void {
    this.#line?.ask({ do: "sound", packets }, packets);
  }

  stop(): void {
    this.#over = true;
    this.#known("");
    this.#quiet();
    this.#line?.ask({ do: "stop" });
    this.#line?.end();
  }
}
