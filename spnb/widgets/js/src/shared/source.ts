// Puts an address into a video: a file as it is, a playlist through hls.js wherever that can work, by the road there is.
import type Hls from "hls.js";
import type { HlsConfig } from "hls.js";
import { carriedFile } from "./carriedFile";
import { loaderBy, type Ask } from "./carriedHls";
import { findHub } from "./hub";
import { forgetRoad, onRoad, roadTo, type Signpost } from "./road";
import { Pending, type Link, type Model, type Reply } from "./widget";

export const isPlaylist = (url: string): boolean => new URL(url, location.href).pathname.endsWith(".m3u8");

const MOST_MENDED = 3;
export const TOO_LONG =
  "Only the notebook's messages reach this page, and this file is too large for them. Open the notebook in a browser, or download the recording.";

/** How a view asks the kernel for what it cannot reach. */
export function asker(link: Link): Ask {
  const pending = new Pending<[Reply, DataView[]]>();
  link.hear((reply, buffers) => {
    if (reply.type === "fetched") pending.settle(Number(reply["ask"]), [reply, buffers]);
  });
  return async (url, first, last) => {
    const [reply, [view]] = await pending.ask((ask) => link.send("fetch", { ask, url, first, last }));
    const bytes = new Uint8Array(view?.byteLength ?? 0);
    if (view) bytes.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
    return { status: Number(reply["status"]), bytes, whole: Number(reply["whole"]) };
  };
}

/** What each video is to play now. */
const playing = new WeakMap<HTMLVideoElement, object>();

/** Plays `address`; `failed` is told, in words, when it cannot go on, and `came` how much of a file has come that only
 * messages bring. The result, where there is one, has to be destroyed. */
export async function attach(
  model: Model,
  video: HTMLVideoElement,
  address: string,
  signpost: Signpost,
  ask: Ask,
  config: Partial<HlsConfig>,
  failed: (words: string) => void,
  came: (bytes: number, whole: number) => void = () => undefined,
): Promise<Hls | undefined> {
  video.onerror = null;
  playing.set(video, {});
  const road = await roadTo(address, signpost);
  const url = road ? onRoad(road, address) : address;
  // hls.js wherever it can work: browsers that now bring HLS of their own stall on live lists.
  const hub = isPlaylist(url) ? await findHub(model) : undefined;
  if (!hub?.Hls.isSupported()) {
    if (road) playFile(video, url, failed);
    else if (hub) failed("This page has no way to the stream but the notebook's messages, and this browser cannot play those.");
    else await playCarried(video, address, ask, failed, came);
    return undefined;
  }
  const hls = new hub.Hls(road ? config : { ...config, loader: loaderBy(ask) });
  let mended = 0;
  hls.on(hub.Hls.Events.ERROR, (_event, data) => {
    if (!data.fatal) return;
    if (data.type === hub.Hls.ErrorTypes.MEDIA_ERROR && mended++ < MOST_MENDED) {
      hls.recoverMediaError();
      return;
    }
    // What has an answer has a road; else it may lead nowhere now.
    if (!data.response?.code) forgetRoad(address);
    failed(inWords(data.response?.code, data.type === hub.Hls.ErrorTypes.NETWORK_ERROR));
  });
  hls.loadSource(url);
  hls.attachMedia(video);
  return hls;
}

/** A file as it is. Why one does not load the video does not tell: its server does, where it answers this page at all. */
function playFile(video: HTMLVideoElement, url: string, failed: (words: string) => void): void {
  video.onerror = () => {
    video.onerror = null;
    void whyNot(url).then((words) => video.getAttribute("src") === url && failed(words));
  };
  video.src = url;
}

/** A file of which only messages reach this page. */
async function playCarried(
  video: HTMLVideoElement,
  address: string,
  ask: Ask,
  failed: (words: string) => void,
  came: (bytes: number, whole: number) => void,
): Promise<void> {
  const mine = playing.get(video);
  const file = await carriedFile(ask, address, () => playing.get(video) === mine, came);
  if (file === undefined) return;
  if (typeof file === "number") return failed(file === 413 ? TOO_LONG : inWords(file, true));
  const url = URL.createObjectURL(file);
  const emptied = () => URL.revokeObjectURL(url);
  video.addEventListener("loadstart", () => video.addEventListener("emptied", emptied, { once: true }), { once: true });
  video.onerror = () => failed(inWords(undefined, false));
  video.src = url;
}

async function whyNot(url: string): Promise<string> {
  try {
    const answer = await fetch(url, { headers: { Range: "bytes=0-0" }, cache: "no-store" });
    void answer.body?.cancel();
    return answer.ok ? inWords(undefined, false) : inWords(answer.status, true);
  } catch {
    return inWords(undefined, true);
  }
}

function inWords(status: number | undefined, network: boolean): string {
  if (status === 403) return "The address has expired: a new one is fetched.";
  if (status === 404) return "The stream is not there.";
  if (status) return `The stream's server answers with an error (${status}).`;
  return network ? "The stream's server does not answer this page." : "This browser cannot play the stream.";
}
