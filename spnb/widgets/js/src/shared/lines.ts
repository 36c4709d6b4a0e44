// What works beside a notebook's page: in a worker where the page lets there be one, for a page that is busy for a tenth of
// a second, and often, keeps pictures waiting.
const WORKER_MS = 1500;

/** A line, here or in a worker. */
export type Line<Asked> = { ask(asked: Asked, moved?: Transferable[]): void; end(): void };

/** In a worker of this text, where there may be one, else here; a worker says something as soon as it is there. Should it
 *  break later, it is `broken` that is told. */
export async function lineTo<Asked, Told>(
  text: string,
  here: (tell: (told: Told) => void) => { take(asked: Asked): void },
  tell: (told: Told) => void,
  broken: Told,
): Promise<Line<Asked>> {
  try {
    const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    const worker = new Worker(address);
    await new Promise<void>((resolve, reject) => {
      setTimeout(reject, WORKER_MS, new Error("no worker"));
      worker.onerror = reject;
      worker.onmessage = () => resolve();
    }).finally(() => URL.revokeObjectURL(address));
    worker.onmessage = ({ data }: MessageEvent<Told>) => tell(data);
    worker.onerror = worker.onmessageerror = () => tell(broken);
    return { ask: (asked, moved = []) => worker.postMessage(asked, moved), end: () => worker.terminate() };
  } catch {
    return alone(here, tell);
  }
}

/** Here, in the page itself. */
export function alone<Asked, Told>(
  here: (tell: (told: Told) => void) => { take(asked: Asked): void },
  tell: (told: Told) => void,
): Line<Asked> {
  const line = here(tell);
  return { ask: (asked) => line.take(asked), end: () => undefined };
}
