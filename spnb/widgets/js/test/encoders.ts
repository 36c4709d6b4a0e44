// A browser that encodes, as far as senders of frames use one.
import assert from "node:assert/strict";

type Chunk = { type: string; byteLength: number; timestamp: number; copyTo(): void };

/** Encoders whose frames come out at once, and a track that gives one when told. */
export function page() {
  const asked: boolean[] = [];
  const encoders: Encoder[] = [];
  class Encoder {
    static isConfigSupported = async () => ({ supported: true });
    state = "unconfigured";
    encodeQueueSize = 0;
    config = { width: 0, bitrate: 0 };
    constructor(readonly told: { output(chunk: Chunk): void; error(error: Error): void }) {
      encoders.push(this);
    }
    configure(config: { width: number; bitrate: number }) {
      assert.notEqual(this.state, "closed");
      this.state = "configured";
      this.config = config;
    }
    close() {
      this.state = "closed";
    }
    encode(_frame: unknown, { keyFrame }: { keyFrame: boolean }) {
      assert.equal(this.state, "configured");
      asked.push(keyFrame);
      this.told.output({ type: keyFrame ? "key" : "delta", byteLength: 9, timestamp: 0, copyTo: () => undefined });
    }
  }
  let give: (read: { done: boolean; value: { close(): void; timestamp: number } }) => void = () => undefined;
  class Processor {
    readable = { getReader: () => ({ read: () => new Promise((next) => (give = next)), cancel: async () => undefined }) };
  }
  Object.assign(globalThis, { VideoEncoder: Encoder, MediaStreamTrackProcessor: Processor, VideoFrame: class {} });
  const next = async (taken = performance.now()) => {
    give({ done: false, value: { close: () => undefined, timestamp: taken * 1000 } });
    await new Promise((turn) => setImmediate(turn));
  };
  const track = { enabled: true, clone: () => ({ ...track, stop: () => undefined }) } as unknown as MediaStreamTrack;
  return { asked, next, encoders, track };
}
