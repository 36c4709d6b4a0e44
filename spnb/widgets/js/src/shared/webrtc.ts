// The shortest way to a viewer: LiveKit itself, with a token that does nothing but watch.
import { Room, RoomEvent, Track, type RemoteTrack } from "livekit-client";
import { onRoad, roadTo, type Signpost } from "./road";

/** What the kernel gives to a page that may watch by WebRTC. Secret: in memory only. */
export type Subscriber = { url: string; token: string; signpost: Signpost; iceServers: RTCIceServer[] };
/** Why the kernel has nothing to give, in words. */
export type Unwatchable = { why: string };

/** How long media may take to connect, and all of it until there is a picture, in milliseconds. */
const CONNECT_MS = 5000;
const ALL_MS = 8000;
/** How long nothing at all may come, though something is sent, or pictures that this browser does not show. */
const SILENT_MS = 5000;
const LOOK_MS = 1000;
const FIRST_LOOK_MS = 100;

/** What has come so far: packets, bytes of pictures, pictures decoded, and how long they waited for it, in seconds; how
 * often the picture stood still, and for how many seconds. */
type Sum = { packets: number; bytes: number; decoded: number; waited: number; shown: number; freezes: number; frozen: number };
const NOTHING: Sum = { packets: 0, bytes: 0, decoded: 0, waited: 0, shown: 0, freezes: 0, frozen: 0 };

export class WebRtc {
  /** How long what is shown was on its way from the media server, in seconds; undefined while it is not known. */
  delay: number | undefined;
  readonly stream = new MediaStream();
  /** Told how often the picture stood still for lack of data, and for how many seconds in all. */
  onFreeze: (times: number, seconds: number) => void = () => undefined;
  private room: Room | undefined;
  private before = NOTHING;
  private heardAt = 0;
  /** When the picture was last seen to move, or to be off since the host wants that. */
  private movedAt = 0;
  private dark = false;
  private looking: ReturnType<typeof setInterval> | undefined;
  private opened = false;

  /** `lost` is told, once and in words, why what was open does not go on; `renewed` that tracks have come anew. */
  constructor(
    private readonly lost: (why: string) => void,
    private readonly renewed: () => void,
  ) {}

  /** For how many seconds its picture has stood still. */
  get stood(): number {
    return (performance.now() - this.movedAt) / 1000;
  }

  get closed(): boolean {
    return this.opened && this.room === undefined;
  }

  /** Connects; done when there is a picture to show. Throws in words what stands against it. */
  async open(subscriber: Subscriber): Promise<void> {
    let refuse: (error: Error) => void = () => undefined;
    const refused = new Promise<never>((_, reject) => (refuse = reject));
    const timer = setTimeout(() => refuse(new Error("no picture came")), ALL_MS);
    try {
      await Promise.race([this.connect(subscriber, refuse), refused]);
    } catch (error) {
      this.close();
      throw error;
    } finally {
      clearTimeout(timer);
      this.opened = true;
    }
  }

  private async connect({ url, token, signpost, iceServers }: Subscriber, refuse: (error: Error) => void): Promise<void> {
    const road = await roadTo(url, signpost);
    if (!road) throw new Error("this page has no way to the media server but the notebook's messages");
    if (road.via !== "direct" && !iceServers.length)
      throw new Error("this page reaches the media server by its Jupyter server only");
    if (this.opened) throw new Error("it was given up");
    // Two peer connections, for the reason that `onAir.ts` gives.
    const room = (this.room = new Room({ disconnectOnPageLeave: true, singlePeerConnection: false }));
    const gone = (why: string) => {
      if (this.room !== room) return;
      const { opened } = this;
      this.close();
      if (opened) this.lost(why);
      else refuse(new Error(why));
    };
    room.on(RoomEvent.TrackSubscribed, (track: RemoteTrack) => {
      if (this.room !== room) return;
      if (track.kind === Track.Kind.Video && this.stream.getVideoTracks().length)
        return gone("several pictures are on air, which HLS has side by side");
      this.stream.addTrack(track.mediaStreamTrack);
      if (this.opened) this.renewed();
    });
    // What is closed keeps its last picture.
    room.on(RoomEvent.TrackUnsubscribed, (track: RemoteTrack) => {
      if (this.room === room) this.stream.removeTrack(track.mediaStreamTrack);
    });
    // There is HLS at hand: who watches does not stand still until a broken line is mended.
    let connected = false;
    for (const broken of [RoomEvent.Reconnecting, RoomEvent.Disconnected] as const)
      // An attempt that fails also ends with such an event: its own error tells of it.
      room.on(broken, () => connected && gone("the line broke"));
    const ways = iceServers.length && { rtcConfig: { iceServers } };
    const patience = { maxRetries: 0, peerConnectionTimeout: CONNECT_MS, websocketTimeout: CONNECT_MS };
    try {
      await room.connect(onRoad(road, url), token, { ...patience, ...ways });
    } catch (error) {
      console.debug("spnb: no WebRTC:", (error as Error).name);
      throw new Error("no line to the media server came about");
    }
    connected = true;
    while (this.room === room && !(this.before = await read(room)).decoded) await new Promise((next) => setTimeout(next, FIRST_LOOK_MS));
    if (this.room !== room) throw new Error("it was given up");
    this.heardAt = this.movedAt = performance.now();
    this.looking = setInterval(() => void this.look(room, gone), LOOK_MS);
  }

  /** Read what has come; where for too long nothing has that can be shown, it is over. */
  private async look(room: Room, gone: (why: string) => void): Promise<void> {
    const now = await read(room);
    const { before } = this;
    this.before = now;
    const blind = now.bytes > before.bytes && now.decoded === before.decoded;
    if (!now.sent || (now.packets !== before.packets && !blind)) this.heardAt = performance.now();
    const moved = now.decoded !== before.decoded;
    if (moved || now.dark) this.movedAt = performance.now();
    // What the host has switched off is no freeze, until it is there again.
    if (now.freezes > before.freezes && !this.dark) this.onFreeze(now.freezes - before.freezes, now.frozen - before.frozen);
    this.dark = now.dark || (this.dark && !moved);
    const shown = now.shown - before.shown;
    if (shown > 0) this.delay = now.away + Math.max(0, now.waited - before.waited) / shown;
    if (performance.now() - this.heardAt > SILENT_MS)
      gone(blind ? "this browser does not show its picture" : "nothing came any more");
  }

  close(): void {
    const { room } = this;
    this.opened = true;
    this.room = undefined;
    this.delay = undefined;
    clearInterval(this.looking);
    void room?.disconnect();
  }
}

/** What has come, whether anything is sent at all, whether the picture is off, and how far away the server is, in seconds. */
async function read(room: Room): Promise<Sum & { sent: boolean; dark: boolean; away: number }> {
  const sum = { ...NOTHING, sent: false, dark: false, away: 0 };
  for (const { trackPublications } of room.remoteParticipants.values())
    for (const { track, isMuted, kind } of trackPublications.values()) {
      sum.sent ||= track !== undefined && !isMuted;
      sum.dark ||= isMuted && kind === Track.Kind.Video;
      // A track that has just ended has no report.
      const report = await track?.getRTCStatsReport().catch(() => undefined);
      report?.forEach((entry: Record<string, unknown>) => {
        if (entry["type"] === "inbound-rtp") {
          sum.packets += Number(entry["packetsReceived"] ?? 0);
          if (entry["kind"] !== "video") return;
          sum.bytes += Number(entry["bytesReceived"] ?? 0);
          sum.decoded += Number(entry["framesDecoded"] ?? 0);
          sum.waited += Number(entry["jitterBufferDelay"] ?? 0) + Number(entry["totalDecodeTime"] ?? 0);
          sum.shown += Number(entry["jitterBufferEmittedCount"] ?? 0);
          sum.freezes += Number(entry["freezeCount"] ?? 0);
          sum.frozen += Number(entry["totalFreezesDuration"] ?? 0);
        } else if (entry["type"] === "candidate-pair" && entry["nominated"] === true)
          sum.away = Number(entry["currentRoundTripTime"] ?? 0) / 2;
      });
    }
  return sum;
}
