// A shared screen as it goes out beside the camera: announced as a screen, with its sound where the browser gives it,
// and gated as everything else is.
import type { LocalAudioTrack, LocalTrack, LocalVideoTrack, Room } from "livekit-client";
import type { Hub } from "../hub";
import { SoundGate } from "./gate";

const MOST_BITS = 3_000_000;

export type Gate = { muted: { audio: boolean; video: boolean }; volume: number };

export class ScreenOnAir {
  private readonly picture: MediaStreamTrack;
  private readonly video: LocalVideoTrack;
  private sound: SoundGate | undefined;
  private audio: LocalAudioTrack | undefined;

  /** `screen` itself is left alone: what goes out is a copy, which can be darkened. */
  constructor(
    private readonly room: Room,
    private readonly hub: Hub,
    readonly screen: MediaStream,
    private gate: Gate,
  ) {
    const [picture] = screen.getVideoTracks();
    if (!picture) throw new Error("the screen has no picture");
    this.picture = picture.clone();
    this.picture.contentHint = "detail";
    this.video = new hub.LocalVideoTrack(this.picture);
    this.darken();
  }

  async publish(fps: number): Promise<void> {
    const { LocalAudioTrack, Track } = this.hub;
    const local = this.room.localParticipant;
    if (this.gate.muted.video) await this.video.mute();
    const publishing: Promise<unknown>[] = [
      local.publishTrack(this.video, {
        source: Track.Source.ScreenShare,
        simulcast: false,
        videoCodec: "vp8",
        videoEncoding: { maxBitrate: MOST_BITS, maxFramerate: fps },
        degradationPreference: "maintain-resolution",
      }),
    ];
    const [heard] = this.screen.getAudioTracks();
    if (heard) {
      this.sound = new SoundGate(true);
      this.sound.take(heard);
      this.quieten();
      this.audio = new LocalAudioTrack(this.sound.track);
      if (this.gate.muted.audio) await this.audio.mute();
      publishing.push(local.publishTrack(this.audio, { source: Track.Source.ScreenShareAudio, dtx: false, forceStereo: true }));
    }
    await Promise.all(publishing);
  }

  private darken(): void {
    this.picture.enabled = !this.gate.muted.video;
  }

  private quieten(): void {
    this.sound?.set(this.gate.muted.audio ? 0 : this.gate.volume);
  }

  /** Dark and silent at once, as the host wants it; `bring` tells the server. */
  heed(gate: Gate): void {
    this.gate = gate;
    if (gate.muted.video) this.darken();
    this.quieten();
  }

  async bring(): Promise<void> {
    const { audio, video } = this.gate.muted;
    for (const [track, muted] of [[this.video, video], [this.audio, audio]] as const) {
      if (track && track.isMuted !== muted) await (muted ? track.mute() : track.unmute());
    }
    this.darken();
  }

  has(track: LocalTrack | undefined): boolean {
    return track !== undefined && (track === this.video || track === this.audio);
  }

  async unpublish(): Promise<void> {
    for (const track of [this.video, this.audio]) if (track) await this.room.localParticipant.unpublishTrack(track, false);
    this.stop();
  }

  stop(): void {
    this.picture.stop();
    this.sound?.stop();
  }
}
