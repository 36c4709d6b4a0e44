// Puts an address into a video: a file as it is, a playlist through hls.js wherever that can work.
import type Hls from "hls.js";
import type { HlsConfig } from "hls.js";
import { findHub } from "./hub";
import type { Model } from "./widget";

export const isPlaylist = (url: string): boolean => new URL(url, location.href).pathname.endsWith(".m3u8");

const MOST_MENDED = 3;

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
  if (!hub?.Hls.isSupported()) {
    video.src = url;
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
