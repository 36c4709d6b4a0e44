// What belongs to a page of a Studio: its camera, its connection, who is there with it, and its way to the air.
import { Company } from "./company";
import { canEncode } from "./encoder";
import { findHub } from "./hub";
import { OnAir } from "./onAir";
import { isLoopback, roadTo, type Signpost } from "./road";
import type { Part, Session } from "./session";
import { Webcam } from "./webcam";
import type { Model, Reply } from "./widget";

type Way = { way: "page" | "frames" | "none"; why: string };

const ROUTE_MS = 2500;

export class StudioPart implements Part {
  readonly webcam: Webcam;
  readonly onAir: OnAir;
  readonly company: Company;
  /** How this page may go on air: by itself, by frames that the kernel sends on, or neither. */
  way: Way | undefined;
  /** Why its own connection failed; remembered for the page. */
  #refused = "";
  #near = false;
  /** Whether what LiveKit's address leads to is the sandbox, which takes frames besides. */
  #port = false;
  /** What this page alone knows of, in words. */
  notice = "";
  #routed: (() => void)[] = [];
  readonly #session: Session<StudioPart>;

  constructor(
    session: Session<StudioPart>,
    model: Model,
  ) {
    this.#session = session;
    const plain = session as Session<unknown>;
    const webcam = (this.webcam = new Webcam(plain));
    this.onAir = new OnAir(plain, () => findHub(model), () => webcam.stream, (why) => this.#fell(why));
    this.company = new Company(plain);
    this.onAir.onRoom = (room, hub) => (room && hub ? this.company.follow(room, hub) : this.company.leave());
    this.onAir.screen = () => webcam.screen;
    this.onAir.onScreenMuted = () => {
      this.notice = "A moderator has stopped your screen share.";
      void webcam.unshare();
    };
    webcam.byPage = () => this.onAir.publishing;
    webcam.onStream = () => void this.onAir.renew();
    webcam.onLost = () => void this.onAir.showCard("Camera lost");
  }

  heard(reply: Reply, buffers: DataView[]): void {
    if (reply.type === "route") {
      void this.#find((reply["url"] as string | undefined) ?? "", (reply["signpost"] ?? null) as Signpost).then((way) => {
        this.way = way;
        for (const done of this.#routed.splice(0)) done();
        this.#session.changed();
      });
    } else if (reply.type === "tile") {
      this.company.took(String(reply["user"]), buffers[0]);
    } else if (reply.type === "encode") {
      void this.#encode(reply);
    } else if (this.onAir.heard(reply)) {
      // Encoding for the kernel as well would take from what viewers get.
      if (reply.type === "connect") this.webcam.rest();
      if (reply.type === "leave") void this.webcam.wake();
    } else {
      this.webcam.heard(reply, buffers);
    }
  }

  async #find(url: string, signpost: Signpost): Promise<Way> {
    const other = canEncode() ? "frames" : "none";
    if (!url) return { way: "none", why: "the room has no LiveKit address" };
    this.#near = isLoopback(url);
    this.#port = Boolean(signpost?.answer) && canEncode();
    if (this.#refused) return { way: other, why: this.#refused };
    if (await roadTo(url, signpost)) return { way: "page", why: "" };
    return { way: other, why: "LiveKit does not answer this page" };
  }

  /** The page's own connection failed: the next time it is not tried again. */
  #fell(why: string): void {
    this.#refused = why;
    this.way = undefined;
    void this.webcam.wake();
  }

  /** Encode for the kernel, which puts on air what comes. */
  async #encode(reply: Reply): Promise<void> {
    const number = (name: string) => Number(reply[name]);
    const [width, height, fps, bitrate] = [number("width"), number("height"), number("fps"), number("bitrate")];
    const codec = await this.webcam.encode({ width, height, fps, bitrate });
    const reason = codec ? undefined : "its camera is off, or it cannot encode";
    this.#session.send("answer", { ask: reply["ask"], ok: Boolean(codec), codec, reason });
  }

  /** See how this page may go on air; known ahead as a rule. */
  async route(): Promise<Way> {
    if (this.way === undefined) {
      await new Promise<void>((resolve) => {
        this.#routed.push(resolve);
        setTimeout(resolve, ROUTE_MS);
        this.#session.send("route");
      });
    }
    // What did not connect to the kernel will not to a LiveKit beside it.
    if (this.way?.way === "page" && this.#near && this.webcam.via === "frames") {
      if (!this.#port) return { way: "frames", why: "no media connection reaches this page" };
      this.onAir.walled = true;
    }
    return this.way ?? { way: canEncode() ? "frames" : "none", why: "the kernel did not tell where LiveKit is" };
  }

  stop(): void {
    void this.onAir.leave();
    this.webcam.stop();
  }
}
