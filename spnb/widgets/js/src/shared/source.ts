// Puts an address into a video: a file as it is, a playlist through hls.js wherever that can work.
import type Hls from "hls.js";
import type { HlsConfig } from "hls.js";
import { findHub } from "./hub";
import type { Model } from "./widget";

export const isPlaylist = (url: string): boolean => new URL(url, location.href).pathname.endsWith(".m3u8");

const MOST_MENDED = 3;

export type Failure = "expired" | "missing" | "unreachable" | "broken";

/** What a viewer is told of each. */
export const FAILURES: Record<Failure, [string, string]> = {
  expired: ["The address has expired", "A new one is being asked for."],
  missing: ["There is nothing at this address", "It may not be there yet, or not any more."],
  unreachable: ["The picture cannot be reached from this page", "The network, or the way this notebook is served, does not let it through."],
  broken: ["This browser cannot play it", "What came is damaged, or of a kind it does not know."],
};

/** Why an address does not play: what its server answers, if anything does. */
export async function failureOf(url: string): Promise<Failure> {
  try {
    const signal = AbortSignal.timeout(5000);
    const { ok, status } = await fetch(url, { headers: { Range: "bytes=0-0" }, cache: "no-store", signal });
    if ([401, 403, 410].includes(status)) return "expired";
    return ok ? "broken" : status === 404 ? "missing" : "unreachable";
  } catch {
    return "unreachable";
  }
}

/** Plays `url`; `failed` is told when it cannot go on. The result, where there is one, has to be destroyed. */
export async function attach(
  model: Model,
  video: HTMLVideoElement,
  url: string,
  config: Partial<HlsConfig>,
  failed: () => void,
): Promise<Hls | undefined> {
  // hls.js wherever it can work: browsers that now bring HLS of their own stall on live lists.
  const hub = isPlaylist(url) ? await findHub(model) : undefined;
  video.onerror = null;
  if (!hub?.Hls.isSupported()) {
    video.src = url;
    video.onerror = () => {
      if (video.getAttribute("src") === url) failed();
    };
    return undefined;
  }
  const hls = new hub.Hls(config);
  let mended = 0;
  hls.on(hub.Hls.Events.ERROR, (_event, data) => {
    if (!data.fatal) return;
    if (data.type === hub.Hls.ErrorTypes.MEDIA_ERROR && mended++ < MOST_MENDED) hls.recoverMediaError();
    else failed();
  });
  hls.loadSource(url);
  hls.attachMedia(video);
  return hls;
}
