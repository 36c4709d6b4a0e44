// The browser path: this page publishes its camera straight to LiveKit, directed by the kernel.
import type { LocalAudioTrack, LocalTrack, LocalVideoTrack, Room, TrackPublishOptions } from "livekit-client";
import type { Hub } from "../hub";
import { canEncode } from "./encoder";
import { receivedOf, sentOf } from "./peer";
import { SoundGate, cameraPicture, card, type Picture } from "./gate";
import type { ScreenOnAir } from "./screenOnAir";
import type { Session } from "./session";
import { isLoopback, onRoad, roadTo, type Signpost } from "./road";
import type { Reply } from "./widget";
import { videoOptions, type Wish } from "./wish";

export type Health = { fps: number; kbps: number; width: number; height: number; loss: number; rtt: number; jitter: number };

type Kind = "audio" | "video";
/** What the host wants, told by the kernel with each connection, and whenever it changes. */
type Intent = { muted: Record<Kind, boolean>; volume: number };
/** How long media may take to connect, in milliseconds, on the kernel's machine and elsewhere. */
const NEAR_MS = 2500;
const FAR_MS = 8000;
/** How long a connection on air may hear nothing of the server, be on its way back, and how often that is looked at, in milliseconds. */
const SILENT_MS = 2000;
const BACK_MS = 2500;
const LISTEN_MS = 500;

const SILENT = "the media server has gone silent";
const NOT_ALONE = "the others on the stage are seen by the notebook's own connection";

const ENDS: Record<number, string> = {
  2: "duplicate identity",
  4: "participant removed",
  5: "room deleted",
  10: "room closed",
};

export class OnAir {
  state: "" | "connecting" | "connected" | "reconnecting" = "";
  health: Health | null = null;
  /** Told of the room this page has joined, and of its end. */
  onRoom: (room?: Room, hub?: Hub) => void = () => undefined;
  /** The screen that is shared beside the camera, if any. */
  screen: () => MediaStream | null = () => null;
  /** Told when a moderator has muted the shared screen: it is not shared any more. */
  onScreenMuted: () => void = () => undefined;
  private room: Room | undefined;
  /** The connection's number: a command that means an older one is not for this. */
  private number = 0;
  private intent: Intent = { muted: { audio: false, video: false }, volume: 1 };
  private wish: Wish | undefined;
  // Tracks, not publications: those are other ones each time the library publishes anew.
  private video: LocalVideoTrack | undefined;
  private audio: LocalAudioTrack | undefined;
  private sound: SoundGate | undefined;
  private shared: ScreenOnAir | undefined;
  private picture: Picture | undefined;
  /** What `picture` shows: a camera's track, or a card's words. */
  private shown: MediaStreamTrack | string | undefined;
  private lost = "";
  /** Whether the published sound has two channels. */
  private stereo = false;
  private working: Promise<void> = Promise.resolve();
  private beat: ReturnType<typeof setInterval> | undefined;
  private pulse: ReturnType<typeof setInterval> | undefined;
  /** Whether there is another way to send, which is better than a long wait for this one. */
  private impatient = false;
  /** No media connection reaches this page, as is known: its frames go through the port that its calls go by. */
  walled = false;
  private ported = false;
  private away: ReturnType<typeof setTimeout> | undefined;
  /** When the media server last told what it has received: Unix milliseconds; 0 before the first time. */
  private heardOf = { packets: 0, at: 0 };
  private before = { at: 0, bytes: 0, packets: 0, lost: 0, frames: 0 };

  constructor(
    private readonly session: Session<unknown>,
    private readonly hub: () => Promise<Hub>,
    private readonly stream: () => MediaStream | null,
    private readonly failed: (why: string) => void,
  ) {}

  get publishing(): boolean {
    return this.room !== undefined;
  }

  heard(reply: Reply): boolean {
    const work: Record<string, () => Promise<void>> = {
      connect: () => this.connect(String(reply["url"]), String(reply["token"]), reply),
      publish: () => this.publishAnew(reply),
      leave: () => (reply["connection"] === this.number ? this.leave() : Promise.resolve()),
    };
    const action = work[reply.type];
    if (action) {
      action().then(
        () => this.session.send("answer", { ask: reply["ask"], ok: true, port: this.walled && reply.type === "connect" }),
        (error: unknown) => {
          const reason = error instanceof Error ? error.message : String(error);
          if (reply.type !== "publish") {
            void this.leave();
            this.failed(reason);
          }
          this.session.send("answer", { ask: reply["ask"], ok: false, reason });
        },
      );
      return true;
    }
    if (reply.type === "intent") {
      if (reply["connection"] === this.number) {
        this.want(reply);
        void this.apply();
      }
      return true;
    }
    return false;
  }

  private want(reply: Reply): void {
    const muted = reply["muted"] as Record<Kind, boolean>;
    this.intent = { muted: { audio: muted.audio, video: muted.video }, volume: Number(reply["volume"]) };
    // Silence and darkness do not wait for anything.
    this.sound?.set(this.intent.muted.audio ? 0 : this.intent.volume);
    this.shared?.heed(this.intent);
    if (this.intent.muted.video && this.picture && typeof this.shown !== "string") this.picture.track.enabled = false;
  }

  private async connect(url: string, token: string, reply: Reply): Promise<void> {
    await this.leave();
    this.number = Number(reply["connection"]);
    this.want(reply);
    this.wish = reply as unknown as Wish;
    this.impatient = reply["impatient"] === true;
    const hub = await this.hub();
    const signpost = (reply["signpost"] ?? null) as Signpost;
    const road = await roadTo(url, signpost);
    if (!road) throw new Error("no road leads to LiveKit's address from this page");
    // Only the sandbox takes frames, and it has shown that it is there.
    const port = (this.ported = this.impatient && canEncode() && Boolean(signpost?.answer));
    const here = () => {
      if (this.number !== Number(reply["connection"])) throw new Error("the page has left");
    };
    here();
    if (!(port && this.walled)) {
      try {
        // Two peer connections, as every server speaks: a server that knows only those refuses the newer path, and
        // browsers log a refused WebSocket with its whole address, token included.
        const options = { dynacast: true, stopLocalTrackOnUnpublish: false, disconnectOnPageLeave: true, singlePeerConnection: false };
        return await this.join(new hub.Room(options), hub, onRoad(road, url), token, reply);
      } catch (error) {
        if (!port) throw error;
        here();
        this.walled = true;
      }
    }
    const room = new hub.PortRoom();
    room.onOthers = (others) => {
      this.session.send("on_air", { event: "others", others });
      if (others.length && this.state === "connected") this.lose(NOT_ALONE);
    };
    await this.join(room as unknown as Room, hub, onRoad(road, url), token, reply);
    if (room.others.length) throw new Error(NOT_ALONE);
  }

  private async join(room: Room, hub: Hub, address: string, token: string, reply: Reply): Promise<void> {
    const { RoomEvent } = hub;
    this.room = room;
    const told = (state: "connected" | "reconnecting", event?: string) => {
      if (this.room !== room) return;
      this.state = state;
      clearTimeout(this.away);
      if (state === "reconnecting" && this.impatient) this.away = setTimeout(() => this.lose(SILENT), BACK_MS);
      if (event) this.session.send("on_air", { event });
      this.session.changed();
    };
    room.on(RoomEvent.Reconnecting, () => told("reconnecting", "reconnecting"));
    room.on(RoomEvent.SignalReconnecting, () => told("reconnecting", "reconnecting"));
    room.on(RoomEvent.Reconnected, () => {
      told("connected", "reconnected");
      if (this.room === room) void this.apply();
    });
    room.on(RoomEvent.TrackMuted, (publication, who) => {
      if (this.room !== room || !who.isLocal) return;
      if (this.shared?.has(publication.track as LocalTrack | undefined)) this.screenMutedElsewhere(publication.kind as Kind);
      else this.mutedElsewhere(publication.kind as Kind);
    });
    room.on(RoomEvent.TrackUnmuted, (_publication, who) => {
      if (this.room === room && who.isLocal) void this.apply();
    });
    room.on(RoomEvent.Disconnected, (reason) => {
      // An attempt that fails also ends with this event: its own error tells of it.
      if (this.room !== room || this.state === "connecting") return;
      this.forget();
      this.over(ENDS[Number(reason)] ?? "connection lost", Number(reason) in ENDS);
    });
    this.state = "connecting";
    this.session.changed();
    // Published as soon as the server listens, while media connections are still being made: a third of the way saved.
    const published = new Promise<void>((resolve, reject) => {
      room.once(RoomEvent.SignalConnected, () => {
        this.publish(room).then(resolve, reject);
      });
    });
    published.catch(() => undefined);
    const ways = reply["iceServers"] as RTCIceServer[] | undefined;
    try {
      const patience = isLoopback(String(reply["url"])) ? NEAR_MS : FAR_MS;
      await room.connect(address, token, {
        autoSubscribe: false,
        maxRetries: 0,
        peerConnectionTimeout: patience,
        ...(ways?.length && { rtcConfig: { iceServers: ways } }),
        websocketTimeout: patience,
      });
      await published;
    } catch (error) {
      if (this.room === room) this.forget();
      void room.disconnect(false);
      throw error;
    }
    told("connected");
    if (this.room === room && !(room instanceof hub.PortRoom)) this.onRoom(room, hub);
  }

  private publish(room: Room): Promise<void> {
    return this.inTurn(() => this.publishNow(room));
  }

  /** What changes tracks is done one after the other. */
  private inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.working.then(work);
    this.working = done.catch(() => undefined);
    return done;
  }

  private async publishNow(room: Room): Promise<void> {
    const { LocalVideoTrack } = await this.hub();
    const [microphone] = this.stream()?.getAudioTracks() ?? [];
    const { wish } = this;
    if (this.room !== room || !wish) throw new Error("the page has left");
    await this.show();
    if (this.room !== room || !this.picture) throw new Error("the camera of the page is off");
    const local = room.localParticipant;
    const video = (this.video = new LocalVideoTrack(this.picture.track));
    // Muted from its first moment on: nobody has heard of the track yet.
    if (this.intent.muted.video) await video.mute();
    const publishing: Promise<unknown>[] = [local.publishTrack(video, videoOptions(await this.hub(), wish))];
    if (microphone) publishing.push(this.publishSound(room, microphone, wish));
    await Promise.all(publishing);
    clearInterval(this.beat);
    this.beat = setInterval(() => void this.measure(), 1000);
    clearInterval(this.pulse);
    if (this.impatient) this.pulse = setInterval(() => void this.listen(), LISTEN_MS);
    await this.bring();
  }

  private async publishSound(room: Room, microphone: MediaStreamTrack, wish: Wish): Promise<void> {
    const { LocalAudioTrack, Track } = await this.hub();
    this.stereo = isStereo(microphone);
    const sound = (this.sound = new SoundGate(wish.stereo && this.stereo));
    sound.take(microphone);
    sound.set(this.intent.muted.audio ? 0 : this.intent.volume);
    const audio = (this.audio = new LocalAudioTrack(sound.track));
    if (this.intent.muted.audio) await audio.mute();
    const options: TrackPublishOptions = { source: Track.Source.Microphone };
    if (wish.audioBitrate) options.audioPreset = { maxBitrate: wish.audioBitrate };
    if (wish.stereo && this.stereo) options.forceStereo = true;
    await room.localParticipant.publishTrack(audio, options);
  }

  /** Sound of two channels is another track than sound of one: viewers are told on publishing. */
  private async bringSound(): Promise<void> {
    const { room, wish, audio, sound } = this;
    const [microphone] = this.stream()?.getAudioTracks() ?? [];
    if (!room || !wish?.stereo || !microphone || !audio || isStereo(microphone) === this.stereo) return;
    await room.localParticipant.unpublishTrack(audio, false);
    sound?.stop();
    await this.publishSound(room, microphone, wish);
  }

  /** The screen that is shared now goes out, and no other. */
  private async bringScreen(): Promise<void> {
    const { room, shared } = this;
    const screen = this.screen();
    if (shared && shared.screen !== screen) {
      this.shared = undefined;
      await shared.unpublish();
    }
    if (!room || !screen || this.shared) return;
    const hub = await this.hub();
    const made = (this.shared = new hub.ScreenOnAir(room, hub, screen, this.intent));
    try {
      await made.publish(this.wish?.fps ?? 30);
    } catch (error) {
      if (this.shared === made) this.shared = undefined;
      made.stop();
      throw error;
    }
  }

  /** Publish otherwise from now on. */
  private async publishAnew(reply: Reply): Promise<void> {
    const { room } = this;
    if (!room || reply["connection"] !== this.number) throw new Error("the page has left");
    this.want(reply);
    this.wish = reply as unknown as Wish;
    const before = [this.video, this.audio];
    const { sound } = this;
    this.shown = undefined; // its size may be another one
    for (const track of before) if (track) await room.localParticipant.unpublishTrack(track, false);
    this.video = this.audio = this.sound = undefined;
    sound?.stop();
    await this.publish(room);
  }

  // -- what goes out

  /** Bring what is published in line with what the host wants. */
  private apply(): Promise<void> {
    return this.inTurn(() => this.bring()).catch(() => undefined);
  }

  private async bring(): Promise<void> {
    await this.show();
    await this.bringScreen();
    await this.shared?.bring();
    for (const kind of ["audio", "video"] as const) {
      const track = kind === "video" ? this.video : this.audio;
      const muted = this.intent.muted[kind];
      if (track && track.isMuted !== muted) await (muted ? track.mute() : track.unmute());
    }
  }

  /** The picture that may be seen now: the camera's, or a card. */
  private async show(): Promise<void> {
    const [camera] = this.stream()?.getVideoTracks() ?? [];
    const wanted = this.intent.muted.video ? "Camera off" : this.lost || camera;
    if (wanted === undefined || wanted === this.shown) return;
    const before = this.picture;
    const most = this.wish ?? { width: 0, height: 0, fps: 0 };
    const made = typeof wanted === "string" ? card(wanted) : await cameraPicture(wanted, most);
    if (!made) return;
    this.shown = wanted;
    this.picture = made;
    await this.video?.replaceTrack(made.track, true);
    before?.stop();
  }

  private mutedElsewhere(kind: Kind): void {
    const track = kind === "video" ? this.video : this.audio;
    if (!track?.isMuted || this.intent.muted[kind]) return;
    if (track.mediaStreamTrack.readyState === "ended") {
      // The library mutes a track whose device is gone; here a card takes its place, or another device.
      void this.apply();
      return;
    }
    // A moderator did, at the server: from now on it is so until the host takes it back.
    this.intent = { ...this.intent, muted: { ...this.intent.muted, [kind]: true } };
    if (kind === "audio") this.sound?.set(0);
    void this.apply();
    this.session.send("on_air", { event: "muted", what: kind });
  }

  private screenMutedElsewhere(kind: Kind): void {
    if (this.intent.muted[kind]) return;
    // At once, and not only at the server: the share ends.
    this.shared?.heed({ muted: { audio: true, video: true }, volume: 0 });
    this.onScreenMuted();
  }

  /** The page has other devices, or shares its screen, or does no more. */
  async renew(): Promise<void> {
    const [microphone] = this.stream()?.getAudioTracks() ?? [];
    this.sound?.take(microphone);
    await this.inTurn(() => this.bringSound()).catch(() => undefined);
    const { lost } = this;
    this.lost = "";
    await this.apply();
    if (lost) this.session.send("on_air", { event: "restored" });
  }

  /** The camera is gone: viewers see a card that says so, and the room stays on air. */
  async showCard(text: string): Promise<void> {
    if (!this.video) return;
    this.lost = text;
    await this.apply();
    this.session.send("on_air", { event: "lost", reason: "the camera is gone" });
  }

  /** Whether the server is still heard: reports on the picture come once a second, other packets far more often. */
  private async listen(): Promise<void> {
    const report = await this.video?.getRTCStatsReport();
    if (!report || this.state !== "connected") return;
    const now = performance.now();
    const packets = receivedOf(report);
    if (packets !== this.heardOf.packets) this.heardOf = { packets, at: now };
    else if (packets && now - this.heardOf.at > SILENT_MS) this.lose(SILENT);
  }

  private async measure(): Promise<void> {
    const report = await this.video?.getRTCStatsReport();
    if (!report) return;
    const sum = sentOf(report);
    if (!sum.frames && !this.intent.muted.video) return; // not a picture yet: that is no rate of zero
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

  /** The connection is given up: there is another way, this page's own where it is the first that fails. */
  private lose(reason: string): void {
    const { room } = this;
    if (!room) return;
    this.forget();
    void room.disconnect(false);
    if (!this.over(reason, false)) this.failed(reason);
  }

  /** Tell that this page's connection has ended; whether it has another one to try. */
  private over(reason: string, meant: boolean): boolean {
    const next = !meant && this.ported && !this.walled;
    this.walled ||= next;
    this.session.send("on_air", { event: "disconnected", reason, next });
    this.session.changed();
    return next;
  }

  private forget(): void {
    clearInterval(this.beat);
    clearInterval(this.pulse);
    clearTimeout(this.away);
    this.heardOf = { packets: 0, at: 0 };
    this.picture?.stop();
    this.sound?.stop();
    this.shared?.stop();
    this.shared = undefined;
    this.picture = this.sound = this.shown = undefined;
    this.working = Promise.resolve();
    this.lost = "";
    this.room = undefined;
    this.onRoom();
    this.video = this.audio = undefined;
    this.health = null;
    this.before = { at: 0, bytes: 0, packets: 0, lost: 0, frames: 0 };
    this.state = "";
  }

  async leave(): Promise<void> {
    const { room } = this;
    this.number = 0;
    if (!room) return;
    this.forget();
    await room.disconnect(false);
  }
}

function isStereo(sound: MediaStreamTrack): boolean {
  return (sound.getSettings().channelCount ?? 1) > 1;
}
