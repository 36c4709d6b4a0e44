// The page's side of a list of rooms: rows by id, pictures by id, and a page of what is wanted in the order wanted.
import { addressOf } from "./blob";
import type { Link } from "./widget";

export type Row = {
  id: string;
  title: string;
  creator: string;
  status: string;
  type: string;
  community: string;
  since: number;
  created: number;
  seconds: number;
  /** Null where they are not counted yet. */
  viewers: number | null;
  products: number;
  moderation: string;
  description: string;
  ghost: boolean;
};

export type Wanted = { text: string; status: string; type: string; community: string; sort: string };

const ORDERS: Record<string, (one: Row, other: Row) => number> = {
  newest: (one, other) => other.created - one.created,
  oldest: (one, other) => one.created - other.created,
  viewers: (one, other) => (other.viewers ?? 0) - (one.viewers ?? 0) || other.created - one.created,
  longest: (one, other) => (one.since || Infinity) - (other.since || Infinity),
  title: (one, other) => one.title.localeCompare(other.title),
};

/** The rows that are wanted, in the order that is wanted. */
export function chosen(rows: Iterable<Row>, wanted: Wanted): Row[] {
  const text = wanted.text.trim().toLowerCase();
  const found: Row[] = [];
  for (const row of rows) {
    if (wanted.status && row.status !== wanted.status) continue;
    if (wanted.type && row.type !== wanted.type) continue;
    if (wanted.community && row.community !== wanted.community) continue;
    if (text && !`${row.title}\n${row.creator}\n${row.id}`.toLowerCase().includes(text)) continue;
    found.push(row);
  }
  return found.sort(ORDERS[wanted.sort] ?? ORDERS["newest"]);
}

export class Rows {
  readonly rows = new Map<string, Row>();
  readonly pictures = new Map<string, string>();
  private sight = "";

  /** `changed` is told which rows are new, other or gone; all of them where there is no list. */
  constructor(
    private readonly link: Link,
    changed: (ids: string[] | null) => void,
    pictured: (id: string) => void,
  ) {
    link.hear((reply, buffers) => {
      if (reply.type === "rows") {
        const rows = reply["rows"] as Row[];
        const gone = reply["gone"] as string[];
        if (reply["all"]) this.rows.clear();
        for (const row of rows) this.rows.set(row.id, row);
        for (const id of gone) this.rows.delete(id);
        changed(reply["all"] ? null : [...rows.map((row) => row.id), ...gone]);
      } else if (reply.type === "thumbnail" && buffers[0]) {
        const id = String(reply["room"]);
        const before = this.pictures.get(id);
        this.pictures.set(id, addressOf(buffers[0], "image/jpeg"));
        if (before) URL.revokeObjectURL(before);
        pictured(id);
      }
    });
    link.atEnd(() => this.pictures.forEach((picture) => URL.revokeObjectURL(picture)));
    link.send("hello");
  }

  /** These rows are on the screen: their pictures and viewers are worth keeping fresh. */
  inSight(ids: string[]): void {
    const now = ids.join();
    if (now === this.sight) return;
    this.sight = now;
    this.link.send("sight", { rooms: ids });
  }
}
