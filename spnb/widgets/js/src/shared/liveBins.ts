// What a live chart keeps, however long the stream: the same rule as the kernel's `LiveSeries`.
export const MOST_BINS = 900;

export class LiveBins {
  width = 1;
  viewers: (number | null)[] = [];
  messages: number[] = [];
  reactions: number[] = [];

  constructor(private readonly most = MOST_BINS) {}

  add(second: number, viewers: number | null, messages: number, reactions: number): void {
    let place = Math.floor(Math.max(0, second) / this.width);
    while (place >= this.most) {
      this.halve();
      place = Math.floor(Math.max(0, second) / this.width);
    }
    while (this.viewers.length <= place) {
      this.viewers.push(null);
      this.messages.push(0);
      this.reactions.push(0);
    }
    if (viewers !== null) this.viewers[place] = Math.max(viewers, this.viewers[place] ?? 0);
    this.messages[place] = (this.messages[place] ?? 0) + messages;
    this.reactions[place] = (this.reactions[place] ?? 0) + reactions;
  }

  take(width: number, [viewers, messages, reactions]: [(number | null)[], number[], number[]]): void {
    this.width = width;
    [this.viewers, this.messages, this.reactions] = [[...viewers], [...messages], [...reactions]];
  }

  private halve(): void {
    this.width *= 2;
    const pairs = <T>(values: T[], join: (one: T, other: T | undefined) => T): T[] =>
      Array.from({ length: Math.ceil(values.length / 2) }, (_, at) => join(values[2 * at] as T, values[2 * at + 1]));
    const most = (one: number | null, other: number | null | undefined) =>
      one === null ? (other ?? null) : other == null ? one : Math.max(one, other);
    const sum = (one: number, other: number | undefined) => one + (other ?? 0);
    this.viewers = pairs(this.viewers, most);
    this.messages = pairs(this.messages, sum);
    this.reactions = pairs(this.reactions, sum);
  }
}
