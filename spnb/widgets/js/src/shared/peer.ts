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

/** The whole picture or fewer of them: Python measures and cuts, and a size that changes breaks that. */
export async function wholePictures(sender: RTCRtpSender): Promise<void> {
  const parameters = sender.getParameters() as RTCRtpSendParameters & { degradationPreference?: string };
  parameters.degradationPreference = "maintain-resolution";
  // A wish that a browser does not know is no reason to send nothing.
  await sender.setParameters(parameters).catch(() => undefined);
}

/** Send another track; where the connection is closed meanwhile, there is nothing to send it by. */
export async function replaced(sender: RTCRtpSender | undefined, track: MediaStreamTrack): Promise<void> {
  await sender?.replaceTrack(track).catch((error: DOMException) => {
    if (sender.transport?.state !== "closed" && error.name !== "InvalidStateError") throw error;
  });
}

/** What a connection tells of its pictures: here, and at the other end. */
export async function pictureFlow(pc: RTCPeerConnection, wanted: string) {
  const found: { flow?: Record<string, number>; remote?: Record<string, number> } = {};
  (await pc.getStats()).forEach((report: Record<string, unknown>) => {
    if (report["kind"] !== "video") return;
    if (report["type"] === wanted) found.flow = report as Record<string, number>;
    if (report["type"] === "remote-inbound-rtp") found.remote = report as Record<string, number>;
  });
  return found;
}

/** Packets that have come over a connection so far, of any kind. */
export function receivedOf(report: RTCStatsReport) {
  let packets = 0;
  report.forEach((entry: Record<string, number | string>) => {
    if (entry["type"] === "candidate-pair") packets += Number(entry["packetsReceived"] ?? 0);
  });
  return packets;
}

/** What all copies of a picture have sent so far, and what the other end tells of it. */
export function sentOf(report: RTCStatsReport) {
  const sum = { bytes: 0, packets: 0, lost: 0, frames: 0, width: 0, height: 0, rtt: 0, jitter: 0 };
  report.forEach((entry: Record<string, number | string>) => {
    if (entry["type"] === "outbound-rtp" && entry["kind"] === "video") {
      sum.bytes += Number(entry["bytesSent"] ?? 0);
      sum.packets += Number(entry["packetsSent"] ?? 0);
      if (Number(entry["frameWidth"] ?? 0) >= sum.width) {
        sum.width = Number(entry["frameWidth"] ?? 0);
        sum.height = Number(entry["frameHeight"] ?? 0);
        sum.frames = Number(entry["framesEncoded"] ?? 0);
      }
    } else if (entry["type"] === "remote-inbound-rtp" && entry["kind"] === "video") {
      sum.lost += Number(entry["packetsLost"] ?? 0);
      sum.rtt = Math.max(sum.rtt, Number(entry["roundTripTime"] ?? 0) * 1000);
      sum.jitter = Math.max(sum.jitter, Number(entry["jitter"] ?? 0) * 1000);
    }
  });
  return sum;
}
