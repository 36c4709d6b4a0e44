import assert from "node:assert/strict";
import { test } from "node:test";
import { Window } from "happy-dom";
import { previewPane } from "../src/shared/previewPane";
import type { Session } from "../src/shared/session";
import type { Webcam } from "../src/shared/webcam";

const window = new Window();
Object.assign(globalThis, { document: window.document, HTMLElement: window.HTMLElement, Node: window.Node });

test("the camera is flipped where there are two, and is opened anew once the kernel has taken the choice", () => {
  const sent: unknown[] = [];
  const session = { client: "a", get: () => "", send: (action: string, content: object) => sent.push([action, content]) };
  const wishes = { camera: "front camera", microphone: "", height: 720, fps: 30, mirror: false };
  const webcam = { wishes, cameras: [{ id: "1", name: "front camera" }], microphones: [], state: "on", stream: null, screen: null, loudness: () => 0, start: () => sent.push("start") };
  const pane = previewPane(session as unknown as Session<unknown>, webcam as unknown as Webcam);
  const flip = [...pane.controls.querySelectorAll("button")].find((one) => one.textContent === "Flip camera");
  assert.ok(flip);
  pane.draw();
  assert.equal(flip.hidden, true);
  webcam.cameras = [...webcam.cameras, { id: "2", name: "back camera" }];
  pane.draw();
  assert.equal(flip.hidden, false);
  flip.click();
  assert.deepEqual(sent, [["wishes", { wishes: { ...wishes, camera: "back camera" } }]]);
  webcam.wishes = { ...wishes, camera: "back camera" };
  pane.draw();
  assert.equal(sent.at(-1), "start");
  pane.end();
});

test("where something else goes on air the picture's place names it, not a camera that is off", () => {
  const session = { client: "a", get: () => "", send: () => undefined };
  const wishes = { camera: "", microphone: "", height: 720, fps: 30, mirror: false };
  const webcam = { wishes, cameras: [], microphones: [], state: "off", stream: null, screen: null, loudness: () => 0 };
  const pane = previewPane(session as unknown as Session<unknown>, webcam as unknown as Webcam);
  const told = () => [...pane.el.querySelectorAll(".spnb-waiting > *")].map((part) => part.textContent);
  pane.draw();
  assert.equal(told()[0], "Camera is off");
  pane.instead = "Test card";
  pane.draw();
  assert.deepEqual(told(), ["Test card", "Goes on air in place of this page's camera."]);
  pane.onAir(true);
  pane.draw();
  assert.deepEqual(told(), ["Test card", "Viewers see this; this page's camera is not used."]);
  pane.end();
});
