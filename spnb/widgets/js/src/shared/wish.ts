// What a host wants sent, and how LiveKit is asked for it.
import type { TrackPublishOptions } from "livekit-client";
import type { Hub } from "../hub";

/** How to publish: pixels, pictures and bits per second, heights of smaller copies or whether there are any. */
export type Wish = {
  width: number;
  height: number;
  fps: number;
  bitrate: number;
  simulcast: boolean | number[];
  degradation: "resolution" | "framerate" | "balanced";
  stereo: boolean;
  audioBitrate: number | null;
};

/** Bits per second of a smaller copy, for each of its pixels and pictures. */
const BITS_PER_PIXEL = 0.1;

export function videoOptions({ Track, VideoPreset }: Hub, wish: Wish): TrackPublishOptions {
  const options: TrackPublishOptions = {
    source: Track.Source.Camera,
    simulcast: Boolean(wish.simulcast),
    videoCodec: "vp8",
    videoEncoding: { maxBitrate: wish.bitrate, maxFramerate: wish.fps },
    degradationPreference: wish.degradation === "balanced" ? "balanced" : `maintain-${wish.degradation}`,
  };
  if (Array.isArray(wish.simulcast)) {
    options.videoSimulcastLayers = [...wish.simulcast]
      .sort((one, other) => one - other)
      .map((height) => {
        const width = Math.round((height * wish.width) / wish.height / 2) * 2;
        return new VideoPreset(width, height, Math.round(width * height * wish.fps * BITS_PER_PIXEL), wish.fps);
      });
  }
  return options;
}
