/** An address in this page for bytes that came in a message; whoever asked for it revokes it. */
export function addressOf(bytes: DataView, type: string): string {
  // The message's own memory may be used again.
  const copy = new Uint8Array(bytes.byteLength);
  copy.set(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  return URL.createObjectURL(new Blob([copy], { type }));
}
