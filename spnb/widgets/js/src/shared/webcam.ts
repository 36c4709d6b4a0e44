// The page's camera and microphone: shown at once, and sent to the kernel over WebRTC, or as messages without UDP.
import { addressOf } from "./blob";
import { type Blur, blurOf, setBlur } from "./blur";
import { inWords, screenInWords, type Problem } from "./cameraTrouble";
import { openDevices, openScreen, soundWish, whenCameraComes, type Wishes } from "./devices";
import { canEncode, type Encoding } from "./encoder";
import { Frames } from "./frames";
import { MESSAGE_WIDTH, PictureSender, soundOf } from "./messages";
import { gathered, pictureFlow, replaced, wholePictures } from "./peer";
import type { Session } from "./session";
import type { Reply } from "./widget";

export type Numbers = { fps: number; width: number; height: number; kbps: number; rtt: number; loss: number };
export type Device = { id: string; name: string };

const ANSWER_MS = 2000;
const MOST_BITS = 5_000_000;
const MESSAGE_FPS = 30;

export class Webcam {
  state: "off" | "asking" | "on" = "off";
  via: "" | "webrtc" | "frames" | "messages" | "resting" = "";
  problem: Problem | null = null;
  stream: MediaStream | null = null;
  /** What comes back from the kernel: pictures that Python changed, or a source of the kernel's. */
  returned: MediaStream | null = null;
  /** The same where it comes as messages. */
  picture = "";
  numbers: Numbers | null = null;
  level = 0;
  cameras: Device[] = [];
  microphones: Device[] = [];
  lost = false;

  private pc: RTCPeerConnection | undefined;
  private generation = 0;
  private told: ((servers: RTCIceServer[]) => void) | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private beat: ReturnType<typeof setInterval> | undefined;
  private sending: (() => void) | undefined;
  private frames: Frames | undefined;
  private meter: { context: AudioContext; analyser: AnalyserNode; samples: Float32Array<ArrayBuffer> } | undefined;
  private before = { frames: 0, bytes: 0, at: 0, lost: 0, packets: 0 };
  private pictures: PictureSender | undefined;

  /** Where the page publishes by itself, the kernel is not sent pictures as well. */
  byPage: () => boolean = () => false;
  /** Told when there is another stream to publish. */
  onStream: () => void = () => undefined;
  onLost: () => void = () => undefined;
  /** The screen that is shared beside the camera; where the kernel sends, in its place. */
  screen: MediaStream | null = null;

  constructor(private readonly session: Session<unknown>) {}

  private readonly sound = (told: Record<string, unknown>, pieces: ArrayBuffer[]) => this.session.send("sound", told, pieces);

  get wishes(): Wishes {
    return this.session.get<Wishes>("wishes");
  }

  /** Whether the kernel plays a source of its own instead of the page's camera. */
  get kernelSource(): string {
    return this.session.get<string>("kernel_source");
  }

  /** Ask for camera and microphone and show them. Returns whether there is something to see. */
  async start(): Promise<boolean> {
    if (this.state === "asking") return false;
    this.release();
    this.state = "asking";
    this.problem = null;
    this.lost = false;
    this.session.changed();
    if (!this.kernelSource) {
      try {
        this.stream = await openDevices(this.wishes);
      } catch (error) {
        this.state = "off";
        this.endShare();
        this.problem = inWords(error);
        this.session.changed();
        return false;
      }
      if (this.state !== "asking") {
        this.release();
        return false;
      }
      this.stream.getVideoTracks()[0]?.addEventListener("ended", () => this.unplugged());
      this.listen();
      void this.list();
      if (this.wishes.blur) await this.blur();
    }
    this.state = "on";
    this.beat = setInterval(() => void this.measure(), 1000);
    this.session.changed();
    if (this.byPage()) {
      this.via = "resting";
      this.onStream();
    } else {
      await this.connect();
    }
    return true;
  }

  get sharing(): boolean {
    return this.screen !== null;
  }

  /** Share the screen, with its sound where the browser gives it; the browser asks which one. */
  async share(): Promise<void> {
    if (!this.stream || this.screen) return;
    this.problem = null;
    try {
      this.screen = await openScreen(this.wishes);
    } catch (error) {
      // Who thinks better of it is told nothing.
      if ((error as DOMException).name !== "NotAllowedError") this.problem = { kind: "screen", text: screenInWords(error) };
      this.session.changed();
      return;
    }
    const { screen } = this;
    screen.getVideoTracks()[0]?.addEventListener("ended", () => this.screen === screen && void this.unshare());
    await this.shown();
  }

  async unshare(): Promise<void> {
    if (!this.screen) return;
    this.endShare();
    await this.shown();
  }

  private endShare(): void {
    this.screen?.getTracks().forEach((track) => track.stop());
    this.screen = null;
  }

  /** What the kernel is sent. */
  private get outgoing(): MediaStreamTrack | undefined {
    return (this.byPage() ? undefined : this.screen?.getVideoTracks()[0]) ?? this.stream?.getVideoTracks()[0];
  }

  private async shown(): Promise<void> {
    const { outgoing } = this;
    const sender = this.pc?.getSenders().find((candidate) => candidate.track?.kind === "video");
    if (outgoing && sender?.track !== outgoing) await replaced(sender, outgoing);
    if (outgoing) this.frames?.take(outgoing);
    if (this.byPage()) this.onStream();
    else if (this.lost) this.tell();
    this.session.changed();
  }

  /** What was chosen for the sound is true of a microphone that is opened anew; the picture goes on. */
  async listenAnew(): Promise<void> {
    const { stream } = this;
    if (this.state !== "on" || !stream) return;
    const before = stream.getAudioTracks();
    if (!before.length) return;
    // Opened twice, browsers give it as it was opened first.
    before.forEach((track) => track.stop());
    const opened = await navigator.mediaDevices.getUserMedia({ audio: await soundWish(this.wishes) }).catch(() => null);
    const [sound] = opened?.getAudioTracks() ?? [];
    if (this.stream !== stream || !sound) {
      sound?.stop();
      if (this.stream === stream) this.problem = { kind: "microphone", text: "The microphone cannot be opened so. Choose otherwise." };
      this.session.changed();
      return;
    }
    this.problem = null;
    this.stream = new MediaStream([...stream.getVideoTracks(), sound]);
    const sender = this.pc?.getSenders().find((candidate) => candidate.track?.kind === "audio");
    await replaced(sender, sound);
    this.listen();
    if (this.byPage()) this.onStream();
    this.session.changed();
  }

  /** How the blur of what is behind the host stands. */
  get blurred(): Blur {
    return blurOf(this.stream?.getVideoTracks()[0], this.wishes.blur);
  }

  async blur(): Promise<void> {
    await setBlur(this.stream?.getVideoTracks()[0], this.wishes.blur);
    this.session.changed();
  }

  private async list(): Promise<void> {
    const devices = await navigator.mediaDevices.enumerateDevices();
    const of = (kind: string) =>
      devices
        .filter((device) => device.kind === kind && device.label)
        .map((device) => ({ id: device.deviceId, name: device.label }));
    this.cameras = of("videoinput");
    this.microphones = of("audioinput");
    this.session.changed();
  }

  private unplugged(): void {
    if (this.state !== "on" || !this.stream) return;
    this.lost = true;
    this.problem = { kind: "lost", text: "The camera is gone. Plug it in again, or choose another one." };
    if (this.byPage()) this.onLost();
    else this.tell();
    this.session.changed();
    whenCameraComes(() => this.lost, () => void this.start());
  }

  /** Whether the kernel gets pictures: a screen that is shared outlives the camera. */
  private tell(): void {
    this.session.send(this.outgoing?.readyState === "live" ? "found" : "lost", { reason: "the camera is gone" });
  }

  private listen(): void {
    void this.meter?.context.close();
    this.meter = undefined;
    if (!this.stream?.getAudioTracks().length) return;
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 512;
    context.createMediaStreamSource(this.stream).connect(analyser);
    this.meter = { context, analyser, samples: new Float32Array(analyser.fftSize) };
  }

  /** Loudness now, 0 to 1, on a scale that follows the ear. */
  loudness(): number {
    if (!this.meter) return 0;
    const { analyser, samples } = this.meter;
    analyser.getFloatTimeDomainData(samples);
    let sum = 0;
    for (const sample of samples) sum += sample * sample;
    const decibels = 10 * Math.log10(sum / samples.length + 1e-9);
    return Math.min(1, Math.max(0, (decibels + 60) / 60));
  }

  // -- to the kernel

  private async connect(): Promise<void> {
    const generation = ++this.generation;
    const iceServers = await this.ways();
    if (generation !== this.generation) return;
    const pc = (this.pc = new RTCPeerConnection({ iceServers }));
    const video = this.outgoing;
    const audio = this.stream?.getAudioTracks()[0];
    if (video) video.contentHint = "motion";
    const sender = video
      ? pc.addTransceiver(video, {
          direction: "sendrecv",
          streams: this.stream ? [this.stream] : [],
          sendEncodings: [{ maxBitrate: MOST_BITS }],
        }).sender
      : undefined;
    if (!video) pc.addTransceiver("video", { direction: "recvonly" });
    if (audio) pc.addTransceiver(audio, { direction: "sendonly" });
    pc.addEventListener("track", (event) => {
      if (event.track.kind !== "video" || generation !== this.generation) return;
      this.returned = new MediaStream([event.track]);
      this.session.changed();
    });
    pc.addEventListener("connectionstatechange", () => {
      if (generation !== this.generation) return;
      if (pc.connectionState === "connected") {
        clearTimeout(this.timer);
        this.via = "webrtc";
        this.session.changed();
      } else if (pc.connectionState === "failed") {
        this.fallBack();
      }
    });
    try {
      if (sender) await wholePictures(sender);
      await pc.setLocalDescription();
      await gathered(pc);
    } catch {
      // Whoever goes on the air at once has closed it meanwhile; else there is another way.
      if (generation === this.generation) this.fallBack();
      return;
    }
    if (generation !== this.generation) return;
    this.session.send("offer", { gen: generation, sdp: pc.localDescription?.sdp, fps: this.wishes.fps });
  }

  /** STUN and TURN servers, asked for each time: no trait holds their passwords. */
  private async ways(): Promise<RTCIceServer[]> {
    if (!this.session.get<boolean>("relayed")) return [];
    const told = new Promise<RTCIceServer[]>((resolve) => (this.told = resolve));
    this.session.send("ways");
    return told;
  }

  heard(reply: Reply, buffers: DataView[]): void {
    if (reply.type === "ways") this.told?.(reply["servers"] as RTCIceServer[]);
    if (reply.type === "answer" && reply["gen"] === this.generation) void this.answered((reply["sdp"] as string | undefined) ?? "");
    if (reply.type === "ack" && this.frames)
      this.frames.acknowledged(Number(reply["n"]), reply["key"] === true, reply["bits"] as number | null);
    else if (reply.type === "ack") this.pictures?.acknowledged(Number(reply["n"]));
    if (reply.type === "picture" && buffers[0]) {
      if (this.picture) URL.revokeObjectURL(this.picture);
      this.picture = addressOf(buffers[0], "image/jpeg");
      this.session.changed();
    }
  }

  private async answered(sdp: string): Promise<void> {
    const { pc, generation } = this;
    if (!pc) return;
    try {
      await pc.setRemoteDescription({ type: "answer", sdp });
    } catch {
      if (generation === this.generation) this.fallBack();
      return;
    }
    // Only now: a kernel that is busy answers late, and that says nothing about the network.
    this.timer = setTimeout(() => {
      if (generation === this.generation && pc.connectionState !== "connected") this.fallBack();
    }, ANSWER_MS);
  }

  private fallBack(): void {
    clearTimeout(this.timer);
    this.generation += 1;
    this.pc?.close();
    this.pc = undefined;
    this.returned = null;
    const settings = this.stream?.getVideoTracks()[0]?.getSettings();
    if (this.stream && settings && canEncode()) {
      const { width = 1280, height = 720 } = settings;
      const fps = this.wishes.fps;
      void this.encode({ width, height, fps, bitrate: Math.min(MOST_BITS, width * height * fps * 0.1) });
    } else {
      this.asPictures();
    }
  }

  /** Whole pictures, one by one: for browsers that cannot encode better. */
  private asPictures(): void {
    this.via = "messages";
    this.session.send("messages", { fps: Math.min(MESSAGE_FPS, this.wishes.fps) });
    if (this.stream) {
      const pictures = (this.pictures = new PictureSender((n, bytes) => this.session.send("frame", { n }, [bytes])));
      pictures.start(() => this.outgoing, Math.min(MESSAGE_FPS, this.wishes.fps));
      const quiet = soundOf(this.stream, this.sound);
      this.sending = () => {
        pictures.stop();
        quiet();
      };
    }
    this.session.changed();
  }

  /** Send encoded pictures, and sound, as messages from now on; the codec's name, or nothing where that cannot be. */
  async encode(wish: Encoding): Promise<string> {
    const track = this.outgoing;
    if (!this.stream || !track || !canEncode()) return "";
    if (this.via === "frames" && this.frames) {
      this.frames.change(wish);
      return this.frames.codec;
    }
    this.disconnect();
    const { generation, stream } = this;
    this.via = "frames";
    const frames = (this.frames = new Frames(
      wish,
      (told, pieces) => this.session.send("encoded", told, pieces),
      () => {
        if (this.frames !== frames) return;
        this.disconnect();
        this.asPictures();
      },
    ));
    this.session.send("messages", { fps: wish.fps });
    const codec = await frames.start(track);
    if (generation !== this.generation) {
      frames.stop();
      return "";
    }
    if (!codec) {
      frames.stop();
      this.frames = undefined;
      this.asPictures();
      return "";
    }
    // Packets of Opus go with the pictures.
    const quiet = soundOf(stream, (told, pieces) => (told["codec"] ? frames.sound(pieces) : this.sound(told, pieces)));
    this.sending = () => {
      quiet();
      frames.stop();
    };
    this.session.changed();
    return codec;
  }

  /** Keep the camera, but send nothing to the kernel: the page publishes by itself. */
  rest(): void {
    if (this.state !== "on" || this.via === "resting") return;
    this.disconnect();
    this.via = "resting";
    this.session.send("rest");
    this.session.changed();
  }

  /** Send to the kernel again. */
  async wake(): Promise<void> {
    if (this.state === "on" && this.via === "resting") {
      this.via = "";
      await this.connect();
    }
  }

  // -- numbers

  private async measure(): Promise<void> {
    const now = performance.now();
    const seconds = Math.max(0.001, (now - this.before.at) / 1000);
    if (this.frames) {
      const { sent, bytes, size } = this.frames;
      const fps = (sent - this.before.frames) / seconds;
      const kbps = ((bytes - this.before.bytes) * 8) / 1000 / seconds;
      this.before = { ...this.before, frames: sent, bytes, at: now };
      this.numbers = { ...size, fps, kbps, rtt: 0, loss: 0 };
    } else if (this.via === "messages") {
      const settings = this.stream?.getVideoTracks()[0]?.getSettings();
      const { sent = 0, bytes = 0 } = this.pictures ?? {};
      const fps = (sent - this.before.frames) / seconds;
      const kbps = ((bytes - this.before.bytes) * 8) / 1000 / seconds;
      this.before = { ...this.before, frames: sent, bytes, at: now };
      const width = Math.min(MESSAGE_WIDTH, settings?.width ?? 0);
      const height = settings?.width ? Math.round((width * (settings.height ?? 0)) / settings.width) : 0;
      this.numbers = { fps, width, height, kbps, rtt: 0, loss: 0 };
    } else if (this.pc) {
      const found = await this.fromConnection(this.pc, now, seconds);
      if (found) this.numbers = found;
    } else {
      this.numbers = null;
    }
    this.session.changed();
  }

  private async fromConnection(pc: RTCPeerConnection, now: number, seconds: number): Promise<Numbers | null> {
    const { flow, remote } = await pictureFlow(pc, this.stream ? "outbound-rtp" : "inbound-rtp");
    if (!flow) return null;
    const frames = flow["framesEncoded"] ?? flow["framesDecoded"] ?? 0;
    const bytes = flow["bytesSent"] ?? flow["bytesReceived"] ?? 0;
    const packets = flow["packetsSent"] ?? flow["packetsReceived"] ?? 0;
    const lost = remote?.["packetsLost"] ?? flow["packetsLost"] ?? 0;
    const { before } = this;
    this.before = { frames, bytes, at: now, lost, packets };
    if (!before.at || bytes < before.bytes) return null;
    return {
      fps: (frames - before.frames) / seconds,
      width: flow["frameWidth"] ?? 0,
      height: flow["frameHeight"] ?? 0,
      kbps: ((bytes - before.bytes) * 8) / 1000 / seconds,
      rtt: (remote?.["roundTripTime"] ?? 0) * 1000,
      loss: packets > before.packets ? Math.max(0, lost - before.lost) / (packets - before.packets) : 0,
    };
  }

  // -- off

  private disconnect(): void {
    this.generation += 1;
    clearTimeout(this.timer);
    this.sending?.();
    this.sending = undefined;
    this.frames?.stop();
    this.frames = undefined;
    this.pictures = undefined;
    this.pc?.close();
    this.pc = undefined;
    this.returned = null;
    this.before = { frames: 0, bytes: 0, at: 0, lost: 0, packets: 0 };
  }

  private release(): void {
    this.disconnect();
    clearInterval(this.beat);
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    void this.meter?.context.close();
    this.meter = undefined;
    if (this.picture) URL.revokeObjectURL(this.picture);
    this.picture = "";
    this.numbers = null;
    this.via = "";
  }

  stop(): void {
    if (this.state === "off" && !this.stream) return;
    this.state = "off";
    this.endShare();
    this.release();
    this.session.send("camera_off");
    this.session.changed();
  }
}
