// A page's camera and microphone, opened as the host has chosen.

export type Wishes = {
  camera: string;
  microphone: string;
  height: number;
  fps: number;
  mirror: boolean;
  echo: boolean;
  noise: boolean;
  stereo: boolean;
  blur: boolean;
};

const HEIGHTS: Record<number, number> = { 360: 640, 480: 640, 720: 1280, 1080: 1920 };

/** Camera and microphone as they were chosen; a camera alone where there is no microphone. */
export async function openDevices(wishes: Wishes): Promise<MediaStream> {
  if (!navigator.mediaDevices?.getUserMedia) throw new DOMException("", "InsecureOrigin");
  const { camera, height, fps } = wishes;
  const video: MediaTrackConstraints = {
    width: { ideal: HEIGHTS[height] ?? Math.round((height * 16) / 9) },
    height: { ideal: height },
    frameRate: { ideal: fps },
  };
  const cameraId = await named("videoinput", camera);
  if (cameraId) video.deviceId = { exact: cameraId };
  const audio = await soundWish(wishes);
  try {
    return await navigator.mediaDevices.getUserMedia({ video, audio });
  } catch (error) {
    const kind = (error as DOMException).name;
    // A camera without a microphone is still worth showing; what was chosen last may not be there any more.
    if (kind === "NotFoundError" || kind === "OverconstrainedError") {
      return await navigator.mediaDevices.getUserMedia({ video: { ...video, deviceId: undefined } });
    }
    throw error;
  }
}

const FRONT = /front|user|facetime/i;
const BACK = /back|rear|environment|world/i;

/** The camera to turn to: on a phone one that looks the other way, else the next. Undefined where there is but one. */
export function flipped(cameras: readonly string[], now: string): string | undefined {
  const at = cameras.indexOf(now);
  const others = cameras.slice(at + 1).concat(cameras.slice(0, Math.max(0, at)));
  const other = BACK.test(now) ? FRONT : FRONT.test(now) ? BACK : undefined;
  return others.find((name) => other?.test(name)) ?? others.find((name) => name !== now);
}

/** What is asked of a microphone. */
export async function soundWish(wishes: Wishes): Promise<MediaTrackConstraints> {
  const { microphone, echo, noise, stereo } = wishes;
  const id = await named("audioinput", microphone);
  const audio: MediaTrackConstraints = { echoCancellation: echo, noiseSuppression: noise, autoGainControl: noise };
  if (stereo) audio.channelCount = { ideal: 2 };
  if (id) audio.deviceId = { exact: id };
  return audio;
}

/** A device by the name it was chosen with. */
async function named(kind: string, name: string): Promise<string | undefined> {
  if (!name) return undefined;
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.find((device) => device.kind === kind && device.label === name)?.deviceId;
}

/** A screen, or what of it the user picks, and its sound as it is where the browser gives it. */
export function openScreen(wishes: Wishes): Promise<MediaStream> {
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  return navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: wishes.fps } }, audio });
}

/** Once there is a camera again, if one is still missed then. */
export function whenCameraComes(missed: () => boolean, come: () => void): void {
  const { mediaDevices } = navigator;
  const end = () => mediaDevices.removeEventListener("devicechange", look);
  const look = () => {
    if (!missed()) return end();
    void mediaDevices.enumerateDevices().then((devices) => {
      if (!missed() || !devices.some((device) => device.kind === "videoinput")) return;
      end();
      come();
    });
  };
  mediaDevices.addEventListener("devicechange", look);
}
