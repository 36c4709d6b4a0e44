import assert from "node:assert/strict";
import { test } from "node:test";
import { blurOf, setBlur } from "../src/shared/blur";

/** What a camera tells of its blur, and does when asked; `obeys`: whether it does at all. */
function camera(values: boolean[] | undefined, obeys = true): MediaStreamTrack {
  const settings = { backgroundBlur: false };
  return {
    getCapabilities: () => (values ? { backgroundBlur: values } : {}),
    getSettings: () => settings,
    applyConstraints: ({ advanced }: { advanced: { backgroundBlur: boolean }[] }) => {
      if (!obeys) return Promise.reject(new Error("OverconstrainedError"));
      settings.backgroundBlur = advanced[0].backgroundBlur;
      return Promise.resolve();
    },
  } as unknown as MediaStreamTrack;
}

void test("there is a switch only where the browser can do both, and it is as the camera says", async () => {
  const able = camera([false, true]);
  assert.deepEqual(blurOf(able, false), { can: true, on: false, why: "" });
  await setBlur(able, true);
  assert.deepEqual(blurOf(able, true), { can: true, on: true, why: "" });
  await setBlur(able, false);
  assert.deepEqual(blurOf(able, false), { can: true, on: false, why: "" });
});

void test("where it cannot be switched, or did not obey, that is said", async () => {
  for (const unable of [camera(undefined), camera([false]), undefined]) {
    await setBlur(unable, true);
    assert.match(blurOf(unable, true).why, /cannot blur/);
    assert.equal(blurOf(unable, true).can, false);
  }
  assert.match(blurOf(camera([true]), false).why, /by the system/);
  const stubborn = camera([false, true], false);
  await setBlur(stubborn, true);
  assert.match(blurOf(stubborn, true).why, /did not change/);
});
