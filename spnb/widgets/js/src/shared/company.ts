// Who else is on the stage, as this page's own connection to LiveKit shows it: their pictures, their sound.
import type { RemoteParticipant, RemoteTrack, RemoteTrackPublication, Room } from "livekit-client";
import type { Hub } from "../hub";
import { addressOf } from "./blob";
import type { Session } from "./session";

export type Other = { picture: MediaStreamTrack | null; muted: boolean; dark: boolean };

/** How often the kernel is told that somebody looks. */
const ASK_MS = 3000;

export class Company {
  #room: Room | undefined;
  #sounds = new Map<string, HTMLMediaElement>();
  #told = "";
  #tiles = new Map<string, string>();
  #asked = 0;
  readonly #session: Session<unknown>;

  constructor(session: Session<unknown>) {
    this.#session = session;
  }

  /** Whether this page can see the others at all. */
  get sees(): boolean {
    return this.#room !== undefined;
  }

  /** What comes from somebody; undefined for who is not in the room. */
  other(user: string): Other | undefined {
    const participant = this.#room?.remoteParticipants.get(user);
    if (!participant?.trackPublications.size) return undefined;
    const publications = [...participant.trackPublications.values()];
    // A shared screen is a second picture, with a second sound.
    const of = (kind: string, source: string) =>
      publications.find((publication) => (publication.source as string) === source) ??
      publications.find((publication) => (publication.kind as string) === kind);
    const camera = of("video", "camera");
    const microphone = of("audio", "microphone");
    return {
      picture: camera?.isMuted ? null : (camera?.track?.mediaStreamTrack ?? null),
      muted: microphone?.isMuted ?? true,
      dark: !camera || camera.isMuted,
    };
  }

  /** Somebody's picture as the kernel hands it on where it is in the room itself: asked for while it is looked at. */
  tile(user: string): string {
    if (Date.now() > this.#asked) {
      this.#asked = Date.now() + ASK_MS;
      this.#session.send("tiles");
    }
    return this.#tiles.get(user) ?? "";
  }

  took(user: string, picture?: DataView): void {
    URL.revokeObjectURL(this.#tiles.get(user) ?? "");
    this.#tiles.set(user, picture ? addressOf(picture, "image/jpeg") : "");
    this.#session.changed();
  }

  /** Look at a room this page has joined, until it leaves. */
  follow(room: Room, { RoomEvent }: Hub): void {
    this.leave();
    this.#room = room;
    const changed = () => this.#changed(room);
    const heard = (track: RemoteTrack, publication: RemoteTrackPublication) => {
      if ((track.kind as string) === "audio") this.#sounds.set(publication.trackSid, track.attach());
      changed();
    };
    const gone = (track: RemoteTrack, publication: RemoteTrackPublication) => {
      for (const element of track.detach()) element.remove();
      this.#sounds.delete(publication.trackSid);
      changed();
    };
    // Only who is here is subscribed to, one by one: a host who is alone negotiates nothing for it.
    const wanted = (publication: RemoteTrackPublication) => {
      publication.setSubscribed(true);
      changed();
    };
    room.on(RoomEvent.TrackPublished, wanted);
    room.on(RoomEvent.TrackUnpublished, changed);
    room.on(RoomEvent.TrackSubscribed, heard);
    room.on(RoomEvent.TrackUnsubscribed, gone);
    room.on(RoomEvent.TrackMuted, changed);
    room.on(RoomEvent.TrackUnmuted, changed);
    room.on(RoomEvent.ParticipantDisconnected, changed);
    room.remoteParticipants.forEach((participant: RemoteParticipant) => participant.trackPublications.forEach(wanted));
    changed();
  }

  #changed(room: Room): void {
    if (this.#room !== room) return;
    const others = [...room.remoteParticipants.values()]
      .filter((participant) => participant.trackPublications.size)
      .map((participant) => participant.identity);
    const told = JSON.stringify(others);
    if (told !== this.#told) {
      this.#told = told;
      this.#session.send("on_air", { event: "others", others });
    }
    this.#session.changed();
  }

  leave(): void {
    this.#room = undefined;
    this.#told = "";
    for (const element of this.#sounds.values()) element.remove();
    this.#sounds.clear();
  }
}
