// What encodes pictures for the notebook's messages, and puts them together. It lives in a worker where there may be one.
import { Bundle } from "./bundle";
import { FrameSender, type Encoded, type Encoding, type Pictures, type Size } from "./encoder";

export type Asked =
  | { do: "encode"; wish: Encoding; pictures: Pictures }
  | { do: "take"; pictures: Pictures }
  | { do: "change"; wish: Encoding }
  | { do: "acknowledge"; n: number; key: boolean; bits: number | null }
  | { do: "sound"; packets: ArrayBuffer[] }
  | { do: "stop" };
export type Told =
  | { tells: "codec"; codec: string }
  | { tells: "bundle"; pictures: Encoded[]; pieces: ArrayBuffer[]; sent: number; bytes: number; size: Size }
  | { tells: "ready" | "failed" };

export class FrameLine {
  #frames: FrameSender | undefined;
  readonly #bundle: Bundle;

  constructor(private readonly tell: (told: Told) => void) {
    this.#bundle = new Bundle(({ pictures }, pieces) => {
      const { sent = 0, bytes = 0, size = { width: 0, height: 0 } } = this.#frames ?? {};
      tell({ tells: "bundle", pictures, pieces, sent, bytes, size });
    });
  }

  take(asked: Asked): void {
    const frames = this.#frames;
    if (asked.do === "encode") void this.#encode(asked.wish, asked.pictures);
    else if (asked.do === "sound") this.#bundle.sound(asked.packets);
    else if (asked.do === "take") frames?.take(asked.pictures);
    else if (asked.do === "change") frames?.change(asked.wish);
    else if (asked.do === "acknowledge") frames?.acknowledged(asked.n, asked.key, asked.bits);
    else {
      frames?.stop();
      this.#bundle.end();
    }
  }

  async #encode(wish: Encoding, pictures: Pictures): Promise<void> {
    const frames = (this.#frames = new FrameSender(
      wish,
      (told, bytes) => this.#bundle.picture(told, bytes),
      () => this.tell({ tells: "failed" }),
    ));
    // Who asked waits for an answer: what cannot be begun cannot be encoded.
    this.tell({ tells: "codec", codec: await frames.start(pictures).catch(() => "") });
  }
}
