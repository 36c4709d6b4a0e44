// What each way between this page and the kernel's machine is worth: whether it leads there, how late, how much it carries.
import { gathered } from "./peer";
import { candidates, type Road, type Signpost } from "./road";
import { Pending, type Link } from "./widget";

export type Rung = {
  key: Road["via"] | "messages" | "media";
  name: string;
  works: boolean;
  /** Milliseconds there and back; null where it was not measured. */
  delay: number | null;
  /** Kilobits per second towards the page, and away from it. */
  down: number | null;
  up: number | null;
  /** Why it does not work. */
  why: string;
};

export type Told = { url: string; signpost: Signpost; servers: RTCIceServer[] };
type Echo = { at: number; buffers: DataView[] };

// Longer than what only wants a road: who examines wants to know.
const PROBE_MS = 20_000;
const LOAD = 512 * 1024;
const LOAD_MS = 3000;
const ROUNDS = 5;
const MEDIA_MS = 8000;
const MEDIA_LOAD = 256 * 1024;
const PIECE = 16 * 1024;
/** More than this no stream needs, and a load as small as ours cannot tell. */
export const MOST_KBPS = 100_000;

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** Kilobits per second of so many bytes in so many milliseconds. */
export const rate = (bytes: number, milliseconds: number): number =>
  Math.min(MOST_KBPS, Math.round((bytes * 8) / Math.max(0.1, milliseconds)));

function rung(key: Rung["key"], name: string, told: Partial<Rung> = {}): Rung {
  return { key, name, works: false, delay: null, down: null, up: null, why: "", ...told };
}

async function rounds(once: () => Promise<unknown>): Promise<number> {
  const taken: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    await once();
    taken.push(performance.now() - began);
  }
  return median(taken);
}

/** Refuses what takes longer. */
const within = <T>(patience: number, wait: Promise<T>): Promise<T> =>
  Promise.race([
    wait,
    new Promise<never>((_, refuse) => setTimeout(() => refuse(new DOMException("", "TimeoutError")), patience)),
  ]);

const late = (error: unknown) => error instanceof DOMException && error.name === "TimeoutError";
const noAnswer = (error: unknown): string =>
  late(error) ? `no answer in ${PROBE_MS / 1000} s` : "nothing answers this page there";

/** Time what comes, for so long as there is patience; a part of it tells as well. */
async function timed(address: string): Promise<number | null> {
  try {
    const answer = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(PROBE_MS) });
    const reader = answer.body?.getReader();
    if (!answer.ok || !reader) return null;
    const began = performance.now();
    let bytes = 0;
    for (;;) {
      const { done, value } = await reader.read();
      bytes += value?.length ?? 0;
      if (done) break;
      if (performance.now() - began > LOAD_MS) {
        await reader.cancel();
        break;
      }
    }
    return bytes ? rate(bytes, performance.now() - began) : null;
  } catch {
    return null;
  }
}

const NAMES = {
  direct: "Straight to its address",
  jupyter: "Through the Jupyter server, by name",
  port: "Through the Jupyter server, by port",
  messages: "By the kernel's messages",
  media: "Media between page and kernel (WebRTC)",
};

const REFUSED: Record<number, string> = {
  403: "a page of this name is refused there",
  404: "the Jupyter server knows no such way",
};

async function byRoad(road: Road, { challenge, answer }: NonNullable<Signpost>): Promise<Rung> {
  const address = `${road.root}/sandbox/proof?challenge=${challenge}`;
  const ask = () => fetch(address, { cache: "no-store", signal: AbortSignal.timeout(PROBE_MS) });
  const made = rung(road.via, NAMES[road.via]);
  try {
    const told = await ask();
    if (!told.ok) return { ...made, why: `${REFUSED[told.status] ?? "it is answered by something else"} (HTTP ${told.status})` };
    const body = (await told.json().catch(() => ({}))) as { proof?: string };
    if (body.proof !== answer) return { ...made, why: "it ends somewhere else" };
    // It leads there; what is too busy to be timed does so all the same.
    const delay = await rounds(async () => (await ask()).arrayBuffer()).catch(() => null);
    return { ...made, works: true, delay, down: await timed(`${address}&load=${LOAD}`) };
  } catch (error) {
    return { ...made, why: noAnswer(error) };
  }
}

/** What is elsewhere proves nothing to a page of another origin: only that it answers. */
async function elsewhere(url: URL): Promise<Rung> {
  const origin = `${url.protocol.replace("ws", "http")}//${url.host}`;
  const made = rung("direct", `Straight to ${url.host}`);
  try {
    const delay = await rounds(() =>
      fetch(origin, { mode: "no-cors", cache: "no-store", signal: AbortSignal.timeout(PROBE_MS) }),
    );
    return { ...made, works: true, delay };
  } catch (error) {
    return { ...made, why: noAnswer(error) };
  }
}

/** Questions and answers of one examination, over the widget's messages. */
export class Examination {
  private readonly asked = new Pending<Echo>();
  private readonly answers = new Pending<string>();

  constructor(
    private readonly link: Link,
    private readonly told: Told,
  ) {}

  heard(type: string, ask: number, buffers: DataView[], sdp: string): void {
    if (type === "echo") this.asked.settle(ask, { at: performance.now(), buffers });
    else if (type === "answer") this.answers.settle(ask, sdp);
  }

  /** Each rung as soon as it is known. */
  async *run(): AsyncGenerator<Rung> {
    const { url, signpost } = this.told;
    const address = new URL(url);
    if (signpost?.answer) for (const road of candidates(address)) yield await byRoad(road, signpost);
    else yield await elsewhere(address);
    yield await this.messages();
    yield await this.media();
  }

  private echo(bytes: number, wanted: number): Promise<Echo> {
    const load = bytes ? [crypto.getRandomValues(new Uint8Array(65_536)).buffer] : [];
    while (load.length * 65_536 < bytes) load.push(load[0]!);
    return within(PROBE_MS, this.asked.ask((ask) => this.link.send("echo", { ask, wanted }, load)));
  }

  private async messages(): Promise<Rung> {
    const made = rung("messages", NAMES.messages);
    try {
      const delay = await rounds(() => this.echo(0, 0));
      let began = performance.now();
      const up = (await this.echo(LOAD, 0)).at - began - delay;
      began = performance.now();
      const down = (await this.echo(0, LOAD)).at - began - delay;
      return { ...made, works: true, delay, down: rate(LOAD, down), up: rate(LOAD, up) };
    } catch (error) {
      return { ...made, why: noAnswer(error) };
    }
  }

  private async media(): Promise<Rung> {
    const made = rung("media", NAMES.media);
    if (typeof RTCPeerConnection === "undefined") return { ...made, why: "this browser has no WebRTC" };
    const pc = new RTCPeerConnection({ iceServers: this.told.servers });
    try {
      const channel = pc.createDataChannel("doctor");
      channel.binaryType = "arraybuffer";
      let heard: (text: string) => void = () => undefined;
      channel.onmessage = ({ data }: MessageEvent<string>) => heard(data);
      const hears = (text: string) =>
        within(MEDIA_MS, new Promise<void>((resolve) => (heard = (said) => said === text && resolve())));
      const opening = new Promise<unknown>((resolve) => (channel.onopen = resolve));
      const opened = within(MEDIA_MS, opening).then(
        () => true,
        () => false,
      );
      await pc.setLocalDescription(await pc.createOffer());
      await gathered(pc);
      const sdp = pc.localDescription?.sdp ?? "";
      const asked = this.answers.ask((ask) => this.link.send("offer", { ask, sdp }));
      const answer = await within(MEDIA_MS, asked).catch(() => "");
      if (!answer) return { ...made, why: "the kernel did not answer" };
      await pc.setRemoteDescription({ type: "answer", sdp: answer });
      if (!(await opened)) return { ...made, why: `no connection in ${MEDIA_MS / 1000} s: the network lets no media through` };
      const delay = await rounds(() => {
        const back = hears("?");
        channel.send("?");
        return back;
      });
      const began = performance.now();
      const taken = hears(String(MEDIA_LOAD)).then(() => rate(MEDIA_LOAD, performance.now() - began - delay));
      for (let sent = 0; sent < MEDIA_LOAD; sent += PIECE) channel.send(new Uint8Array(PIECE));
      // A line too slow for that has connected all the same.
      return { ...made, works: true, delay, up: await taken.catch(() => null) };
    } catch (error) {
      return { ...made, why: noAnswer(error) };
    } finally {
      pc.close();
    }
  }
}
