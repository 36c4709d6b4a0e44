// A `PortLine` in a worker.
import { PortLine, type Asked, type Told } from "./shared/portLine";

const line = new PortLine((told: Told) => postMessage(told));
addEventListener("message", ({ data }: MessageEvent<Asked>) => line.take(data));
postMessage({ tells: "ready" } satisfies Told);
