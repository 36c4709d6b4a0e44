// Why a file does not play, in words: expired, not there, a server in trouble, one that this page cannot reach, or its contents.
import assert from "node:assert/strict";
import { test } from "node:test";
import { aPage, modelOf } from "./models";

aPage();

const WHY: [number | undefined, RegExp][] = [
  [403, /The address has expired/],
  [404, /The stream is not there/],
  [503, /answers with an error \(503\)/],
  [undefined, /server does not answer this page/],
  [206, /This browser cannot play the stream/],
];

void test("a replay that cannot load says why, and each reason is another one", async () => {
  const { attach } = await import("../src/shared/source");
  const said: string[] = [];
  for (const [status, words] of WHY) {
    globalThis.fetch = () => (status ? Promise.resolve(new Response("x", { status })) : Promise.reject(new TypeError("no way")));
    const video = document.createElement("video");
    const failed = new Promise<string>((resolve) => {
      void attach(modelOf({}).model, video, "https://media.example/talk.mp4", null, () => Promise.reject(new Error("none")), {}, resolve).then(() => {
        assert.equal(video.getAttribute("src"), "https://media.example/talk.mp4");
        (video.onerror as () => void)();
      });
    });
    const told = await failed;
    assert.match(told, words);
    said.push(told);
  }
  assert.equal(new Set(said).size, WHY.length);
});

void test("who has moved on to something else is not told of what failed before", async () => {
  const { attach } = await import("../src/shared/source");
  let answer: (response: Response) => void = () => undefined;
  globalThis.fetch = () => new Promise<Response>((resolve) => (answer = resolve));
  const video = document.createElement("video");
  const told: string[] = [];
  await attach(modelOf({}).model, video, "https://media.example/one.mp4", null, () => Promise.reject(new Error("none")), {}, (words) => told.push(words));
  (video.onerror as () => void)();
  await attach(modelOf({}).model, video, "https://media.example/two.mp4", null, () => Promise.reject(new Error("none")), {}, (words) => told.push(words));
  answer(new Response("x", { status: 403 }));
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(told, []);
});
