// Pictures and sound that go to the kernel in one message: each costs the kernel, its server and this page several more.
import type { Encoded } from "./encoder";

const PICTURES = 4;
/** How long what is there waits for more, in milliseconds: below what counts as late. */
const WAIT_MS = 100;

export class Bundle {
  #told: Encoded[] = [];
  #pictures: ArrayBuffer[] = [];
  #sound: ArrayBuffer[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `send` is given what is told of each picture; the pieces are the pictures, and then packets of Opus. */
  constructor(private readonly send: (told: { pictures: Encoded[] }, pieces: ArrayBuffer[]) => void) {}

  picture(told: Encoded, bytes: ArrayBuffer): void {
    this.#told.push(told);
    // A viewer begins with a key frame: that one waits for nothing.
    if (this.#pictures.push(bytes) >= PICTURES || told.key) this.#flush();
    else this.#wait();
  }

  sound(packets: ArrayBuffer[]): void {
    this.#sound.push(...packets);
    this.#wait();
  }

  #wait(): void {
    this.#timer ??= setTimeout(() => this.#flush(), WAIT_MS);
  }

  #flush(): void {
    const pictures = this.#told;
    const pieces = [...this.#pictures, ...this.#sound];
    this.end();
    this.send({ pictures }, pieces);
  }

  /** What waits goes nowhere. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    [this.#told, this.#pictures, this.#sound] = [[], [], []];
  }
}
