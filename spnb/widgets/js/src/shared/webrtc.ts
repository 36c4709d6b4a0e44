// The shortest way to a viewer: LiveKit itself, with a token that does nothing but watch.
import type { RemoteTrack, Room } from "livekit-client";
import { findHub } from "./hub";
import { isLoopback, onRoad, roadTo, type Signpost } from "./road";
import type { Model } from "./widget";

/** What the kernel gives to a page that may watch by WebRTC. Secret: in memory only. */
export type Subscriber = { url: string; token: string; signpost: Signpost; iceServers: RTCIceServer[] };

/** How long media may take to connect, and a first picture to come, in milliseconds. */
const NEAR_MS = 2500;
const FAR_MS = 8000;
const FIRST_MS = 5000;
/** How long nothing at all may come, though something is sent. */
const SILENT_MS = 5000;
const LOOK_MS = 1000;

/** What has come so far: packets, and the time pictures waited before they were shown, in seconds. */
type Sum = { packets: number; waited: number; shown: number };

export class WebRtc {
  /** How long what is shown was on its way from the media server, in seconds; undefined while it is not known. */
  delay: number | undefined;
  readonly stream = new MediaStream();
  private room: Room | undefined;
  private before: Sum = { packets: 0, waited: 0, shown: 0 };
  private heardAt = 0;
  private looking: ReturnType<typeof setInterval> | undefined;

  /** `lost` is told, once and in words, why it does not go on. */
  constructor(private readonly lost: (why: string) => void) {}

  /** Connects; done when there is a picture to show. Throws in words what stands against it. */
  async open(model: Model, { url, token, signpost, iceServers }: Subscriber): Promise<void> {
    const { Room, RoomEvent, Track } = await findHub(model);
    const road = await roadTo(url, signpost);
    if (!road) throw new Error("this page has no way to the media server but the notebook's messages");
    if (road.via !== "direct" && !iceServers.length)
      throw new Error("this page reaches the media server by its Jupyter server only");
    // Two peer connections, for the reason that `onAir.ts` gives.
    const room = (this.room = new Room({ disconnectOnPageLeave: true, singlePeerConnection: false }));
    let refuse: (error: Error) => void = () => undefined;
    const gone = (why: string) => {
      if (this.room !== room) return;
      this.close();
      refuse(new Error(why));
      this.lost(why);
    };
    const pictured = new Promise<void>((resolve, reject) => {
      refuse = reject;
      room.on(RoomEvent.TrackSubscribed, (track: RemoteTrack) => {
        const isPicture = track.kind === Track.Kind.Video;
        if (isPicture && this.stream.getVideoTracks().length) gone("several pictures are on air, which HLS has side by side");
        else this.stream.addTrack(track.mediaStreamTrack);
        if (isPicture) resolve();
      });
    });
    pictured.catch(() => undefined);
    room.on(RoomEvent.TrackUnsubscribed, (track: RemoteTrack) => this.stream.removeTrack(track.mediaStreamTrack));
    // There is HLS at hand: who watches does not stand still until a broken line is mended.
    for (const broken of [RoomEvent.Reconnecting, RoomEvent.Disconnected] as const) room.on(broken, () => gone("the line broke"));
    const patience = isLoopback(url) ? NEAR_MS : FAR_MS;
    try {
      await room.connect(onRoad(road, url), token, {
        maxRetries: 0,
        peerConnectionTimeout: patience,
        websocketTimeout: patience,
        ...(iceServers.length && { rtcConfig: { iceServers } }),
      });
      await inTime(pictured, FIRST_MS, "no picture came");
    } catch (error) {
      this.close();
      throw error;
    }
    if (this.room !== room) throw new Error("the line broke");
    this.heardAt = performance.now();
    this.looking = setInterval(() => {
      void this.look(room).then((silent) => silent && gone("nothing came any more"));
    }, LOOK_MS);
  }

  /** Read what has come; the result is whether nothing has for too long. */
  private async look(room: Room): Promise<boolean> {
    const now = performance.now();
    const sum: Sum = { packets: 0, waited: 0, shown: 0 };
    let away = 0;
    let sent = false;
    for (const { trackPublications } of room.remoteParticipants.values())
      for (const publication of trackPublications.values()) {
        sent ||= publication.track !== undefined && !publication.isMuted;
        const report = await publication.track?.getRTCStatsReport();
        report?.forEach((entry: Record<string, unknown>) => {
          if (entry["type"] === "inbound-rtp") {
            sum.packets += Number(entry["packetsReceived"] ?? 0);
            if (entry["kind"] !== "video") return;
            sum.waited += Number(entry["jitterBufferDelay"] ?? 0) + Number(entry["totalDecodeTime"] ?? 0);
            sum.shown += Number(entry["jitterBufferEmittedCount"] ?? 0);
          } else if (entry["type"] === "candidate-pair" && entry["nominated"] === true)
            away = Number(entry["currentRoundTripTime"] ?? 0) / 2;
        });
      }
    const { before } = this;
    if (sum.packets !== before.packets || !sent) this.heardAt = now;
    const shown = sum.shown - before.shown;
    if (shown > 0) this.delay = away + Math.max(0, sum.waited - before.waited) / shown;
    this.before = sum;
    return now - this.heardAt > SILENT_MS;
  }

  close(): void {
    const { room } = this;
    this.room = undefined;
    clearInterval(this.looking);
    void room?.disconnect();
  }
}

async function inTime(waited: Promise<void>, ms: number, words: string): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(words)), ms);
  });
  try {
    await Promise.race([waited, late]);
  } finally {
    clearTimeout(timer);
  }
}
