// The addresses a connection may be reached at, before they are told.
const GATHER_MS = 1000;

/** Wait until they are all known, or long enough. */
export async function gathered(pc: RTCPeerConnection): Promise<void> {
  if (pc.iceGatheringState === "complete") return;
  await new Promise<void>((resolve) => {
    const late = setTimeout(resolve, GATHER_MS);
    pc.addEventListener("icegatheringstatechange", () => {
      if (pc.iceGatheringState !== "complete") return;
      clearTimeout(late);
      resolve();
    });
  });
}
