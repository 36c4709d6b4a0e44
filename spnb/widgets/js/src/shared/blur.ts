// Blur of what is behind the host, as far as the browser has it: the constraint `backgroundBlur` of Media Capture Extensions.

const CANNOT = "This browser cannot blur the background of this camera by itself.";
const ALWAYS = "The background is blurred by the system's settings, and is switched there.";
const REFUSED = "The browser did not change the blur of the background.";

/** How the blur of a camera stands: whether it can be switched, whether it is on, and why not, in words. */
export interface Blur {
  can: boolean;
  on: boolean;
  why: string;
}

export function blurOf(camera: MediaStreamTrack | undefined, wanted: boolean): Blur {
  const values = camera?.getCapabilities?.().backgroundBlur ?? [];
  const can = values.includes(true) && values.includes(false);
  if (!can) return { can, on: values.includes(true), why: values.includes(true) ? ALWAYS : CANNOT };
  const on = camera?.getSettings().backgroundBlur ?? false;
  return { can, on, why: on === wanted ? "" : REFUSED };
}

/** Have it blurred or not; how it stands afterwards is asked of the camera. */
export async function setBlur(camera: MediaStreamTrack | undefined, wanted: boolean): Promise<void> {
  if (camera && blurOf(camera, wanted).can) {
    await camera.applyConstraints({ advanced: [{ backgroundBlur: wanted }] }).catch(() => undefined);
  }
}
