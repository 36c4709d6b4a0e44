// Pictures one by one, and sound, as messages to the kernel: the last way of a page that has no other.
import { opus } from "./encoder";

const WINDOW = 4;
export const MESSAGE_WIDTH = 640;
/** Packets of sound in one message, at most: all that one piece of it may become; and how long the first waits for others. */
const TOGETHER = 5;
const TOGETHER_MS = 10;

/** Sends JPEG pictures of a stream. */
export class PictureSender {
  sent = 0;
  bytes = 0;
  #heard = 0;
  #end: () => void = () => undefined;

  constructor(private readonly send: (n: number, bytes: ArrayBuffer) => void) {}

  acknowledged(n: number): void {
    this.#heard = Math.max(this.#heard, n);
  }

  /** `outgoing` is what is sent now: a camera, or a screen in its place. */
  start(outgoing: () => MediaStreamTrack | undefined, fps: number): void {
    const video = document.createElement("video");
    video.muted = true;
    let sent: MediaStreamTrack | undefined;
    const canvas = document.createElement("canvas");
    const context = canvas.getContext("2d");
    let slow = 0;
    let busy = false;
    let over = false;
    const tick = () => {
      const now = outgoing();
      if (now && now !== sent) {
        sent = now;
        video.srcObject = new MediaStream([now]);
        void video.play().catch(() => undefined);
      }
      if (busy || !context || !video.videoWidth) return;
      // Paced by time. A kernel that lags behind slows it down, and never to a halt: it may be hearing all of it.
      if (this.sent - this.#heard >= WINDOW && ++slow % 6) return;
      canvas.width = Math.min(MESSAGE_WIDTH, video.videoWidth);
      canvas.height = Math.round((canvas.width * video.videoHeight) / video.videoWidth / 2) * 2;
      context.drawImage(video, 0, 0, canvas.width, canvas.height);
      busy = true;
      canvas.toBlob(
        (blob) => {
          void (blob?.arrayBuffer() ?? Promise.resolve(undefined)).then((bytes) => {
            busy = false;
            if (!bytes || over) return;
            this.sent += 1;
            this.bytes += bytes.byteLength;
            this.send(this.sent, bytes);
          });
        },
        "image/jpeg",
        0.7,
      );
    };
    const timer = setInterval(tick, 1000 / fps);
    this.#end = () => {
      over = true;
      clearInterval(timer);
      video.srcObject = null;
    };
  }

  stop(): void {
    this.#end();
  }
}

/** Sends a stream's sound, as Opus where this browser makes it; returns what ends that. */
export function soundOf(
  stream: MediaStream,
  send: (content: Record<string, unknown>, pieces: ArrayBuffer[]) => void,
): () => void {
  if (!stream.getAudioTracks().length) return () => undefined;
  const context = new AudioContext({ sampleRate: 48_000 });
  const tap = context.createScriptProcessor(4096, 1, 1);
  // What is made of one piece of sound goes in one message: each one is answered by the kernel's server with two more.
  let packets: ArrayBuffer[] = [];
  let first = 0;
  const flush = () => {
    if (packets.length) send({ codec: "opus", at: first }, packets);
    packets = [];
  };
  const encode = opus((bytes, at) => {
    if (!packets.length) first = at;
    if (packets.push(bytes) >= TOGETHER) flush();
    else setTimeout(flush, TOGETHER_MS);
  });
  tap.onaudioprocess = ({ inputBuffer }) => {
    if (encode) {
      encode(inputBuffer.getChannelData(0).slice());
      return;
    }
    const samples = Int16Array.from(inputBuffer.getChannelData(0), (value) => Math.max(-1, Math.min(1, value)) * 32767);
    send({}, [samples.buffer]);
  };
  context.createMediaStreamSource(stream).connect(tap);
  tap.connect(context.destination);
  return () => {
    tap.disconnect();
    void context.close();
  };
}
