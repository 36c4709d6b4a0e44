// What a chat shows: the last hundred messages; while somebody reads further up, new ones wait and are counted.
export type Row = {
  id: string;
  user: string;
  name: string;
  text: string;
  at: number;
  role?: string;
  edited?: boolean;
  quote?: { name: string; text: string };
  reactions?: Record<string, number>;
  mine?: string[];
  forMe?: boolean;
  flags?: number;
};

export type News = { all?: boolean; rows: Row[]; changed?: Row[]; gone?: string[]; count?: number };

export const SHOWN = 100;

export class ChatRows {
  /** What is on the page, oldest first. */
  readonly shown = new Map<string, Row>();
  /** What came since the reader has scrolled up. */
  readonly waiting = new Map<string, Row>();
  /** How many came since then, also those that have passed by. */
  unseen = 0;
  held = false;

  take(news: News): void {
    if (news.all) {
      this.shown.clear();
      this.waiting.clear();
      this.unseen = 0;
    }
    const target = this.held && !news.all ? this.waiting : this.shown;
    for (const row of news.rows) {
      if (!this.shown.has(row.id)) target.set(row.id, row);
    }
    if (target === this.waiting) this.unseen += news.count ?? news.rows.length;
    for (const row of news.changed ?? []) {
      for (const rows of [this.shown, this.waiting]) if (rows.has(row.id)) rows.set(row.id, row);
    }
    for (const id of news.gone ?? []) {
      this.shown.delete(id);
      if (this.waiting.delete(id)) this.unseen -= 1;
    }
    prune(target);
  }

  hold(): void {
    this.held = true;
  }

  /** The reader is at the end again. */
  release(): void {
    this.held = false;
    this.unseen = 0;
    for (const [id, row] of this.waiting) this.shown.set(id, row);
    this.waiting.clear();
    prune(this.shown);
  }
}

/** The newest of the rows, in their order. */
export function last(rows: Map<string, Row>, count: number): Map<string, Row> {
  return rows.size <= count ? rows : new Map([...rows].slice(-count));
}

function prune(rows: Map<string, Row>): void {
  for (const id of rows.keys()) {
    if (rows.size <= SHOWN) return;
    rows.delete(id);
  }
}
