// A `FrameLine` in a worker.
import { FrameLine, type Asked, type Told } from "./shared/frameLine";

const line = new FrameLine((told: Told) => postMessage(told, told.tells === "bundle" ? { transfer: told.pieces } : {}));
addEventListener("message", ({ data }: MessageEvent<Asked>) => line.take(data));
postMessage({ tells: "ready" } satisfies Told);
