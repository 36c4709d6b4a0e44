// The browser path: this page publishes its camera straight to LiveKit, directed by the kernel.
import type { LocalTrackPublication, Room } from "livekit-client";
import type { Hub } from "../hub";
import type { Session } from "./session";
import type { Reply } from "./widget";
import { reachable } from "./widget";

export type Health = { fps: number; kbps: number; width: number; height: number; loss: number; rtt: number; jitter: number };

export class OnAir {
  state: "" | "connecting" | "connected" | "reconnecting" = "";
  health: Health | null = null;
  /** Told of the room this page has joined, and of its end. */
  onRoom: (room?: Room, hub?: Hub) => void = () => undefined;
  private room: Room | undefined;
  private video: LocalTrackPublication | undefined;
  private audio: LocalTrackPublication | undefined;
  private beat: ReturnType<typeof setInterval> | undefined;
  private before = { at: 0, bytes: 0, packets: 0, lost: 0, frames: 0 };
  private hidden = false;
  private card: { track: MediaStreamTrack; stop(): void } | undefined;

  constructor(
    private readonly session: Session<unknown>,
    private readonly hub: () => Promise<Hub>,
    private readonly stream: () => MediaStream | null,
    private readonly failed: () => void,
  ) {}

  get publishing(): boolean {
    return this.room !== undefined;
  }

  heard(reply: Reply): boolean {
    const work: Record<string, () => Promise<void>> = {
      connect: () => this.connect(String(reply["url"]), String(reply["token"]), reply),
      leave: () => this.leave(),
    };
    const action = work[reply.type];
    if (action) {
      action().then(
        () => this.session.send("answer", { ask: reply["ask"], ok: true }),
        (error: unknown) => {
          void this.leave();
          this.failed();
          const reason = error instanceof Error ? error.message : String(error);
          this.session.send("answer", { ask: reply["ask"], ok: false, reason });
        },
      );
      return true;
    }
    if (reply.type === "mute") {
      void this.mute(String(reply["what"]), Boolean(reply["muted"]));
      return true;
    }
    return false;
  }

  private async connect(url: string, token: string, wish: Reply): Promise<void> {
    await this.leave();
    const hub = await this.hub();
    const { Room, RoomEvent } = hub;
    // Two peer connections, as every server speaks: a server that knows only those refuses the newer path, and browsers
    // log a refused WebSocket with its whole address, token included.
    const room = (this.room = new Room({
      dynacast: true,
      stopLocalTrackOnUnpublish: false,
      disconnectOnPageLeave: true,
      singlePeerConnection: false,
    }));
    const told = (state: "connected" | "reconnecting", event?: string) => {
      if (this.room !== room) return;
      this.state = state;
      if (event) this.session.send("on_air", { event });
      this.session.changed();
    };
    room.on(RoomEvent.Reconnecting, () => told("reconnecting", "reconnecting"));
    room.on(RoomEvent.SignalReconnecting, () => told("reconnecting", "reconnecting"));
    room.on(RoomEvent.Reconnected, () => told("connected", "reconnected"));
    // The library mutes a track whose device is gone; here a card takes its place, or another device.
    room.on(RoomEvent.TrackMuted, (publication) => {
      if (publication === this.video && !this.hidden) void this.video.unmute();
    });
    room.on(RoomEvent.Disconnected, (reason) => {
      // An attempt that fails also ends with this event: its own error tells of it.
      if (this.room !== room || this.state === "connecting") return;
      this.forget();
      const named = { 2: "duplicate identity", 4: "participant removed", 5: "room deleted", 10: "room closed" } as Record<
        number,
        string
      >;
      this.session.send("on_air", { event: "disconnected", reason: named[Number(reason)] ?? "connection lost" });
      this.session.changed();
    });
    this.state = "connecting";
    this.session.changed();
    // Published as soon as the server listens, while media connections are still being made: a third of the way saved.
    const published = new Promise<void>((resolve, reject) => {
      room.once(RoomEvent.SignalConnected, () => {
        this.publish(room, wish).then(resolve, reject);
      });
    });
    published.catch(() => undefined);
    try {
      await room.connect(reachable(url), token, { autoSubscribe: false });
      await published;
    } catch (error) {
      if (this.room === room) this.forget();
      void room.disconnect(false);
      throw error;
    }
    told("connected");
    if (this.room === room) this.onRoom(room, hub);
  }

  private async publish(room: Room, wish: Reply): Promise<void> {
    const { Track } = await this.hub();
    const [camera] = this.stream()?.getVideoTracks() ?? [];
    const [microphone] = this.stream()?.getAudioTracks() ?? [];
    if (this.room !== room || !camera) throw new Error("the camera of the page is off");
    const fps = Number(wish["fps"]) || 30;
    const local = room.localParticipant;
    const publishing = [
      local.publishTrack(camera, {
        source: Track.Source.Camera,
        simulcast: true,
        videoCodec: "vp8",
        videoEncoding: { maxBitrate: Number(wish["bitrate"]) || 2_500_000, maxFramerate: fps },
        degradationPreference: "maintain-resolution",
      }),
    ];
    if (microphone) publishing.push(local.publishTrack(microphone, { source: Track.Source.Microphone }));
    [this.video, this.audio] = await Promise.all(publishing);
    this.beat = setInterval(() => void this.measure(), 1000);
  }

  private async mute(what: string, muted: boolean): Promise<void> {
    const publication = what === "video" ? this.video : this.audio;
    if (what === "video") this.hidden = muted;
    await (muted ? publication?.mute() : publication?.unmute());
  }

  /** Send another picture: another camera, the screen. The old track is stopped by who made it. */
  async replace(track: MediaStreamTrack): Promise<void> {
    const lost = this.card;
    this.card = undefined;
    await this.video?.videoTrack?.replaceTrack(track, true);
    if (!lost) return;
    lost.stop();
    this.session.send("on_air", { event: "restored" });
  }

  async replaceSound(track: MediaStreamTrack): Promise<void> {
    await this.audio?.audioTrack?.replaceTrack(track, true);
  }

  /** The camera is gone: viewers see a card that says so, and the room stays on air. */
  async showCard(text: string): Promise<void> {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [1280, 720];
    const pen = canvas.getContext("2d");
    if (!pen || !this.video) return;
    const draw = () => {
      pen.fillStyle = "#1c2128";
      pen.fillRect(0, 0, 1280, 720);
      pen.fillStyle = "#e6edf3";
      pen.font = "600 64px system-ui, sans-serif";
      pen.textAlign = "center";
      pen.fillText(text, 640, 380);
    };
    draw();
    const timer = setInterval(draw, 200);
    const [track] = canvas.captureStream(5).getVideoTracks();
    if (!track) return;
    const stop = () => {
      clearInterval(timer);
      track.stop();
    };
    await this.replace(track);
    this.card = { track, stop };
    this.session.send("on_air", { event: "lost", reason: "the camera is gone" });
  }

  private async measure(): Promise<void> {
    const report = await this.video?.videoTrack?.getRTCStatsReport();
    if (!report) return;
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
    const now = performance.now();
    const { before } = this;
    this.before = { at: now, bytes: sum.bytes, packets: sum.packets, lost: sum.lost, frames: sum.frames };
    if (!before.at || sum.bytes < before.bytes || sum.frames < before.frames) return;
    const seconds = (now - before.at) / 1000;
    const packets = sum.packets - before.packets;
    this.health = {
      fps: (sum.frames - before.frames) / seconds,
      kbps: ((sum.bytes - before.bytes) * 8) / 1000 / seconds,
      width: sum.width,
      height: sum.height,
      loss: packets > 0 ? Math.max(0, sum.lost - before.lost) / packets : 0,
      rtt: sum.rtt,
      jitter: sum.jitter,
    };
    this.session.send("on_air", { event: "stats", ...this.health });
    this.session.changed();
  }

  private forget(): void {
    clearInterval(this.beat);
    this.card?.stop();
    this.card = undefined;
    this.hidden = false;
    this.room = undefined;
    this.onRoom();
    this.video = this.audio = undefined;
    this.health = null;
    this.before = { at: 0, bytes: 0, packets: 0, lost: 0, frames: 0 };
    this.state = "";
  }

  async leave(): Promise<void> {
    const { room } = this;
    if (!room) return;
    this.forget();
    await room.disconnect(false);
  }
}

/** Whether LiveKit answers this page at all. */
export async function answers(url: string): Promise<boolean> {
  if (!url) return false;
  const address = reachable(url).replace(/^ws/, "http");
  try {
    await fetch(address, { mode: "no-cors", cache: "no-store", signal: AbortSignal.timeout(1500) });
    return true;
  } catch {
    return false;
  }
}
