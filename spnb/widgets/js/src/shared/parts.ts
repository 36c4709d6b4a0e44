// Several files as one time.

/** Which file a moment of the whole lies in, and where in that file. Beyond the end it is the end. */
export function span(lengths: number[], seconds: number): { file: number; offset: number } {
  let left = Math.max(0, seconds);
  for (const [file, length] of lengths.entries()) {
    // A file whose length is not known yet holds whatever comes.
    if (left < length || !length || file === lengths.length - 1)
      return { file, offset: length ? Math.min(left, length) : left };
    left -= length;
  }
  return { file: 0, offset: 0 };
}

/** The moment of the whole that lies `offset` seconds into a file. */
export function whole(lengths: number[], file: number, offset: number): number {
  return lengths.slice(0, file).reduce((sum, length) => sum + length, 0) + offset;
}
