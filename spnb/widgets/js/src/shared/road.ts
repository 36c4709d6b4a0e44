// How this page reaches an address of the kernel's machine: itself, through the Jupyter server, or by messages. Each road
// has to show what only its true end can answer; the one that did is remembered for the page. A better one that did not
// may only have been slow to answer: it is looked for again, beside what goes on, while a lesser one is in use.

/** A challenge, and what the true end answers to it; none for an address that is on no one machine. */
export type Signpost = { challenge: string; answer: string } | null;
export type Road = { via: "direct" | "jupyter" | "port"; root: string };

// What is refused says so at once; a server that is busy answers late.
const PROBE_MS = 8000;
/** For how long a lesser road is believed to be the best. */
const LESSER_MS = 30_000;
const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];
const NAME = Symbol.for("spnb.roads");

type Found = { road: Promise<Road | undefined>; since: number };
type Known = Map<string, Found>;

function known(): Known {
  const page = globalThis as unknown as Record<symbol, Known | undefined>;
  return (page[NAME] ??= new Map<string, Found>());
}

export const isLoopback = (address: string): boolean => LOOPBACK.includes(new URL(address).hostname);

/** Where the Jupyter server has its own pages; undefined where none serves this page. */
export function base(): string | undefined {
  const config = document.getElementById("jupyter-config-data")?.textContent;
  const told = config ? (JSON.parse(config) as { baseUrl?: string }).baseUrl : document.body.dataset["baseUrl"];
  return told === undefined ? undefined : new URL(told, location.href).href.replace(/\/$/, "");
}

/** The roads that this page has, in the order in which they are tried. */
export function candidates(address: URL): Road[] {
  const origin = `${address.protocol.replace("ws", "http")}//${address.host}`;
  const jupyter = base();
  const direct: Road = { via: "direct", root: origin };
  if (jupyter === undefined) return [direct];
  const proxied: Road[] = [
    { via: "jupyter", root: `${jupyter}/spnb` },
    { via: "port", root: `${jupyter}/proxy/${address.port}` },
  ];
  // A page of another name than loopback's is turned away there, and browsers ask the user before they even try.
  return LOOPBACK.includes(location.hostname) ? [direct, ...proxied] : [...proxied, direct];
}

async function shows({ root }: Road, { challenge, answer }: NonNullable<Signpost>): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(PROBE_MS);
    const told = await fetch(`${root}/sandbox/proof?challenge=${challenge}`, { cache: "no-store", signal });
    return told.ok && ((await told.json()) as { proof?: string }).proof === answer;
  } catch {
    return false;
  }
}

async function look(address: URL, signpost: NonNullable<Signpost>): Promise<Road | undefined> {
  for (const road of candidates(address)) if (await shows(road, signpost)) return road;
  return undefined;
}

/** The road to an address; undefined where only messages reach it. */
export async function roadTo(address: string, signpost: Signpost): Promise<Road | undefined> {
  const url = new URL(address);
  const direct: Road = { via: "direct", root: `${url.protocol.replace("ws", "http")}//${url.host}` };
  // What does not tell cannot be proven: as it is, and what tries it says how it went.
  if (!signpost?.answer) return direct;
  const roads = known();
  const found = roads.get(url.host) ?? { road: look(url, signpost), since: Date.now() };
  roads.set(url.host, found);
  const road = await found.road;
  // That there is none is not remembered: a sandbox may have been about to start.
  if (!road) roads.delete(url.host);
  else if (road.via !== candidates(url)[0]?.via && Date.now() - found.since > LESSER_MS) {
    found.since = Date.now();
    void look(url, signpost).then((better) => better && (found.road = Promise.resolve(better)));
  }
  return road;
}

/** It led somewhere, and no longer does: looked for anew the next time. */
export function forgetRoad(address: string): void {
  known().delete(new URL(address).host);
}

/** The address as it is called on that road. */
export function onRoad(road: Road, address: string): string {
  const url = new URL(address);
  const root = url.protocol.startsWith("ws") ? road.root.replace(/^http/, "ws") : road.root;
  return `${root}${url.pathname === "/" && road.via !== "direct" ? "" : url.pathname}${url.search}`;
}
