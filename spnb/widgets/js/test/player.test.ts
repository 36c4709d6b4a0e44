// The Player's head, and what is said where nothing plays: a kernel that does not answer, an address that fails.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { aPage, button, drawn, modelOf } from "./models";

aPage();
const ends: (() => void)[] = [];
afterEach(() => ends.splice(0).forEach((end) => end()));

async function player(changes: Record<string, unknown> = {}) {
  const { default: widget } = await import("../src/player");
  const page = modelOf({
    title: "",
    host: "",
    since: 0,
    count: null,
    status: "idle",
    playable: false,
    error: "",
    webrtc: false,
    autoplay: "always",
    chat_state: {},
    reactions: {},
    products: [],
    pinned: "",
    ...changes,
  });
  const view = drawn(widget, page);
  ends.push(view.end);
  return view;
}

void test("its head tells the title, the host, the viewers and the time on air, as text that turns nothing round", async () => {
  const { change, shown } = await player({ title: "<b>Talk</b> \u202eoops" });
  const title = shown(".spnb-head .spnb-title");
  assert.deepEqual([title?.textContent, title?.childElementCount, title?.dir], ["<b>Talk</b> \u202eoops", 0, "auto"]);
  assert.deepEqual([shown(".spnb-host"), shown(".spnb-timer")], [null, null]);
  change({ host: "Ann \u202eoops", since: Date.now() / 1000 - 75, count: 2, status: "live" });
  const host = shown(".spnb-head .spnb-host");
  assert.deepEqual([host?.tagName, host?.textContent], ["BDI", "Ann \u202eoops"]);
  assert.match(shown(".spnb-head .spnb-timer")?.textContent ?? "", /^1:1\d$/);
  assert.match(shown(".spnb-head")?.textContent ?? "", /2 viewers/);
});

void test("a kernel that does not answer is told, and asked again", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { asked, el, shown, tell } = await player({ status: "recorded" });
  assert.equal(asked("play").length, 1);
  context.mock.timers.tick(20_000);
  assert.match(shown(".spnb-waiting")?.textContent ?? "", /This cannot be played now.*The kernel does not answer/);
  button(el, "Try again");
  assert.equal(asked("play").length, 2);
  // "Not yet" is no failure: it is asked again, and nothing is said to have failed.
  tell({ type: "wait", ask: asked("play").at(-1)?.["ask"] });
  context.mock.timers.tick(2000);
  assert.equal(asked("play").length, 3);
});

void test("a replay whose address has expired is told so, and a new one is asked for", async () => {
  globalThis.fetch = () => Promise.resolve(new Response("", { status: 403 }));
  const { asked, el, shown, tell } = await player({ status: "recorded" });
  tell({ type: "play", kind: "recording", url: "https://media.example/talk.mp4", ask: asked("play")[0]?.["ask"] });
  const video = el.querySelector("video");
  while (!video?.onerror) await new Promise((resolve) => setTimeout(resolve));
  (video.onerror as () => void)();
  while (!shown(".spnb-waiting button")) await new Promise((resolve) => setTimeout(resolve));
  assert.match(shown(".spnb-waiting")?.textContent ?? "", /This cannot be played now.*The address has expired/);
  button(el, "Try again").click();
  assert.equal(asked("play").length, 2);
});
