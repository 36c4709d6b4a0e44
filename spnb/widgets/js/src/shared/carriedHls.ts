// A stream that comes by the widget's messages, for a page that has no other way to it.
import type { HlsConfig, Loader, LoaderCallbacks, LoaderConfiguration, LoaderContext, LoaderStats } from "hls.js";

export type Fetched = { status: number; bytes: Uint8Array<ArrayBuffer>; whole?: number };
/** Asks the kernel for a piece; `first` and `last` are the range's bytes, both inclusive. */
export type Ask = (url: string, first?: number, last?: number) => Promise<Fetched>;

const fresh = (): LoaderStats => ({
  aborted: false,
  loaded: 0,
  retry: 0,
  total: 0,
  chunkCount: 0,
  bwEstimate: 0,
  loading: { start: 0, first: 0, end: 0 },
  parsing: { start: 0, end: 0 },
  buffering: { start: 0, first: 0, end: 0 },
});

/** What hls.js loads with. */
export function loaderBy(ask: Ask): HlsConfig["loader"] {
  return class implements Loader<LoaderContext> {
    context: LoaderContext | null = null;
    stats = fresh();
    private waiting: ReturnType<typeof setTimeout> | undefined;

    load(context: LoaderContext, config: LoaderConfiguration, callbacks: LoaderCallbacks<LoaderContext>): void {
      const { stats } = this;
      this.context = context;
      stats.loading.start = performance.now();
      this.waiting = setTimeout(() => {
        stats.aborted = true;
        callbacks.onTimeout(stats, context, null);
      }, config.loadPolicy.maxLoadTimeMs);
      const ranged = context.rangeEnd ? ([context.rangeStart ?? 0, context.rangeEnd - 1] as const) : [];
      void ask(context.url, ...ranged).then(({ status, bytes }) => {
        clearTimeout(this.waiting);
        if (stats.aborted) return;
        stats.loading.first = stats.loading.end = performance.now();
        stats.loaded = stats.total = bytes.byteLength;
        if (status < 200 || status >= 300) {
          callbacks.onError({ code: status, text: `status ${status}` }, context, null, stats);
          return;
        }
        const text = context.responseType === "text" || !context.responseType;
        const data = text ? new TextDecoder().decode(bytes) : bytes.slice().buffer;
        callbacks.onSuccess({ url: context.url, code: status, data }, stats, context, null);
      });
    }

    abort(): void {
      this.stats.aborted = true;
      clearTimeout(this.waiting);
      if (this.context) this.context = null;
    }

    destroy(): void {
      this.abort();
    }

    getCacheAge(): number | null {
      return null;
    }

    getResponseHeader(): string | null {
      return null;
    }
  };
}
