// A file that comes whole by the widget's messages, piece after piece, for a page that has no other way to it.
import type { Ask } from "./carriedHls";

const PIECE = 4 * 2 ** 20;
/** What a page keeps in memory of one file. */
export const MOST_CARRIED = 512 * 2 ** 20;

/** The file, or why it does not come, in a status as servers tell it; undefined where it is not wanted any more. */
export async function carriedFile(
  ask: Ask,
  url: string,
  wanted: () => boolean,
  came: (bytes: number, whole: number) => void,
): Promise<Blob | number | undefined> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for (;;) {
    const { status, bytes, whole = 0 } = await ask(url, length, length + PIECE - 1);
    if (!wanted()) return undefined;
    // The end of what is exactly so many pieces long.
    if (status === 416 && length) break;
    if (status !== 206 && status !== 200) return status;
    pieces.push(bytes);
    length += bytes.byteLength;
    if (Math.max(length, whole) > MOST_CARRIED) return 413;
    came(length, whole);
    // A server that knows no ranges gives all at once.
    if (status === 200 || bytes.byteLength < PIECE) break;
  }
  const webm = pieces[0]?.[0] === 0x1a && pieces[0][1] === 0x45;
  return new Blob(pieces, { type: webm ? "video/webm" : "video/mp4" });
}
