// What stood over the picture of a recording stands there where it stood, as text.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Window } from "happy-dom";
import type { Link } from "../src/shared/widget";

const window = new Window();
Object.assign(globalThis, { document: window.document, HTMLElement: window.HTMLElement, Node: window.Node });

void test("a placard stands from its beginning to before its end", async () => {
  const { pastPlacards } = await import("../src/shared/placard");
  const placards = [
    { at: 1, until: 2, text: "<b>Why?</b>", name: "Ann" },
    { at: 2, until: null, text: "Thank you", name: "" },
  ];
  const video = document.createElement("video");
  const link = { get: () => placards, follow: (_: string[], draw: () => void) => draw() } as unknown as Link;
  const box = pastPlacards(link, video);
  const told = (seconds: number) => {
    Object.defineProperty(video, "currentTime", { value: seconds, configurable: true });
    video.dispatchEvent(new window.Event("timeupdate") as unknown as Event);
    return [box.textContent, box.dataset["name"], box.children.length];
  };
  assert.deepEqual(told(0.9), ["", "", 0]);
  assert.deepEqual(told(1), ["<b>Why?</b>", "Ann", 0]);
  assert.deepEqual(told(60), ["Thank you", "", 0]);
  assert.deepEqual(told(0), ["", "", 0]);
});

void test("what was put on screen and then deleted is gone from over the picture, its writer's name too", async () => {
  const { placard } = await import("../src/shared/placard");
  let state: object = { onScreen: { text: "<b>I take it back</b>", name: "Eve" } };
  let draw = () => undefined as void;
  const link = { get: () => state, follow: (_: string[], update: () => void) => (draw = update)() } as unknown as Link;
  const box = placard(link);
  const told = () => [box.textContent, box.dataset["name"], box.dir];
  assert.deepEqual(told(), ["<b>I take it back</b>", "Eve", "auto"]);
  state = { onScreen: null };
  draw();
  assert.deepEqual(told(), ["", "", "auto"]);
});
