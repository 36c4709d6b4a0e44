// What goes out of a page: sound through a volume that a mute holds at nothing, a picture or a card in its place. Muted
// is muted here, before any connection: whatever LiveKit's client does by itself, nothing else is there to be sent.

/** Sound on its way out: of one track, at one volume. Another microphone takes the place of the first unheard. */
export class SoundGate {
  readonly track: MediaStreamTrack;
  readonly #context = new AudioContext({ sampleRate: 48_000 });
  readonly #volume = this.#context.createGain();
  readonly #out = this.#context.createMediaStreamDestination();
  #source: MediaStreamAudioSourceNode | undefined;
  #level = 0;
  readonly #awake = setInterval(() => this.#wake(), 1000);

  constructor(stereo: boolean) {
    this.#out.channelCount = stereo ? 2 : 1;
    this.#volume.gain.value = 0;
    this.#volume.connect(this.#out);
    const [track] = this.#out.stream.getAudioTracks();
    if (!track) throw new Error("this browser gives no sound");
    this.track = track;
    this.#wake();
  }

  #wake(): void {
    if (this.#context.state === "suspended") void this.#context.resume();
  }

  take(sound: MediaStreamTrack | undefined): void {
    this.#source?.disconnect();
    this.#source = undefined;
    if (!sound) return;
    this.#source = this.#context.createMediaStreamSource(new MediaStream([sound]));
    this.set(this.#level);
  }

  /** How loud from now on; at nothing the sound is not even connected. */
  set(level: number): void {
    this.#level = level;
    this.#volume.gain.value = level;
    if (level > 0) this.#source?.connect(this.#volume);
    else this.#source?.disconnect();
  }

  stop(): void {
    clearInterval(this.#awake);
    this.#source?.disconnect();
    this.track.stop();
    void this.#context.close();
  }
}

/** A picture on its way out. */
export type Picture = { track: MediaStreamTrack; stop(): void };

export type Size = { width: number; height: number; fps: number };

/** A camera's picture, no larger and no more often than is wished for; the camera's own track stays as it is. */
export async function cameraPicture(camera: MediaStreamTrack, most: Size): Promise<Picture> {
  const track = camera.clone();
  track.enabled = true;
  const { width = 0, height = 0, frameRate = 0 } = camera.getSettings();
  const limits: MediaTrackConstraints = {};
  if (most.width && most.width < width) limits.width = most.width;
  if (most.height && most.height < height) limits.height = most.height;
  if (most.fps && most.fps < Math.floor(frameRate)) limits.frameRate = most.fps;
  if (Object.keys(limits).length) await track.applyConstraints(limits).catch(() => undefined);
  return { track, stop: () => track.stop() };
}

/** A card with a few words in a picture's place. */
export function card(text: string): Picture | undefined {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [1280, 720];
  const pen = canvas.getContext("2d");
  const [track] = canvas.captureStream(5).getVideoTracks();
  if (!pen || !track) return undefined;
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
  return {
    track,
    stop() {
      clearInterval(timer);
      track.stop();
    },
  };
}
