// What belongs to a page rather than to a view: a camera, a connection. Views come and go (cells are run again, outputs
// cleared, a second view opened); the session ends a moment after the last one has gone.
import { uniqueId } from "./dom";
import { tellKernel, type Model, type Reply } from "./widget";

const NAME = Symbol.for("spnb.sessions");
const GRACE_MS = 1500;

type Registry = Map<string, Session<unknown>>;

function registry(): Registry {
  const page = globalThis as unknown as Record<symbol, Registry | undefined>;
  return (page[NAME] ??= new Map<string, Session<unknown>>());
}

export interface Part {
  /** Let go of everything; where the page itself goes nothing can be waited for. */
  stop(): void;
  heard(reply: Reply, buffers: DataView[]): void;
}

export class Session<P> {
  readonly client = uniqueId();
  part!: P & Part;
  private views = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private ended = false;

  constructor(private readonly model: Model) {}

  send(action: string, content: Record<string, unknown> = {}, buffers: ArrayBuffer[] = []): void {
    if (!this.ended) tellKernel(this.model, { do: action, client: this.client, ...content }, buffers);
  }

  get<T>(name: string): T {
    return this.model.get(name) as T;
  }

  /** Tell the views that something has changed. */
  changed(): void {
    for (const view of this.views) view();
  }

  attach(view: () => void): () => void {
    clearTimeout(this.timer);
    this.views.add(view);
    return () => {
      this.views.delete(view);
      if (!this.views.size) this.timer = setTimeout(() => this.part.stop(), GRACE_MS);
    };
  }

  get seen(): boolean {
    return this.views.size > 0;
  }

  /** The kernel is gone: stop, and say nothing any more. */
  end(): void {
    this.ended = true;
    clearTimeout(this.timer);
    this.part.stop();
  }
}

/** To be called in a widget's `initialize`, which runs once for each model of a page. Starts nothing by itself. */
export function open<P>(model: Model, signal: AbortSignal | undefined, make: (session: Session<P>) => P & Part): void {
  const session = new Session<P>(model);
  session.part = make(session);
  registry().set(String(model.get("session")), session);
  model.on("msg:custom", ((reply: Reply, buffers: DataView[]) => {
    if (!reply.client || reply.client === session.client) session.part.heard(reply, buffers ?? []);
  }));
  model.on("comm_live_update", (() => {
    if (!model.comm_live) session.end();
  }));
  const leaving = () => session.part.stop();
  addEventListener("pagehide", leaving);
  signal?.addEventListener("abort", () => {
    removeEventListener("pagehide", leaving);
    session.end();
  });
}

export function sessionOf<P>(model: Model): Session<P> {
  return registry().get(String(model.get("session"))) as Session<P>;
}
