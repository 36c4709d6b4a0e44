// The Studio from its form to its end, by what its kernel tells it: what stands there, and what is asked.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { OVER } from "../src/shared/leftovers";
import { aPage, button, drawn, modelOf } from "./models";

aPage();
const ends: (() => void)[] = [];
afterEach(() => ends.splice(0).forEach((end) => end()));

const HOST = { user: "ann", name: "Ann <b>Other</b> \u202eoops", role: "host", me: true, on: true };

async function studio(changes: Record<string, unknown> = {}) {
  const { announceHub } = await import("../src/shared/hub");
  const { default: widget } = await import("../src/studio");
  announceHub({ cameraTab: () => () => undefined } as never);
  const page = modelOf({
    session: String(Math.random()),
    phase: "idle",
    status: "",
    title: "",
    error: "",
    live_since: 0,
    viewers: null,
    connection: "",
    muted: { audio: false, video: false },
    volume: 1,
    has_room: false,
    away: false,
    summary: {},
    route: "",
    wishes: { camera: "", microphone: "", height: 720, fps: 30, mirror: false },
    holder: "",
    filtered: false,
    kernel_source: "",
    moderation: "",
    role: "host",
    people: [],
    stage_layout: {},
    layouts: [],
    invitations: [],
    invited: [],
    invite_error: "",
    products: [],
    manages: true,
    pinned: "",
    leftovers: [],
    chat_state: {},
    countdown: 0,
    stats: null,
    reactions: {},
    communities: [],
    created: {},
    limits: { title: 1000, description: 5000, thumbnail: 2_000_000 },
    ...changes,
  });
  widget.initialize({ model: page.model });
  const view = drawn(widget, page);
  ends.push(view.end);
  return view;
}

const ROOM = { has_room: true, title: "A talk \u202eoops", status: "idle", people: [HOST] };
const LIVE = { phase: "live", status: "live", live_since: Date.now() / 1000 - 75 };

void test("its head tells the title, the host, the viewers and the time on air, as text that turns nothing round", async () => {
  const { change, shown } = await studio();
  assert.equal(shown(".spnb-host"), null);
  change(ROOM);
  const title = shown(".spnb-head .spnb-title");
  assert.deepEqual([title?.textContent, title?.dir], [ROOM.title, "auto"]);
  const host = shown(".spnb-head .spnb-host");
  assert.deepEqual([host?.tagName, host?.textContent, host?.childElementCount], ["BDI", HOST.name, 0]);
  assert.equal(shown(".spnb-head .spnb-timer"), null);
  change({ ...LIVE, viewers: 1 });
  assert.match(shown(".spnb-head .spnb-timer")?.textContent ?? "", /^1:1\d$/);
  assert.match(shown(".spnb-head")?.textContent ?? "", /LIVE.*1 viewer/);
  change({ viewers: null });
  assert.doesNotMatch(shown(".spnb-head")?.textContent ?? "", /viewer/, "who was not counted is not nobody");
});

void test("products stand open on air, and are folded away before and after", async () => {
  const { change, el } = await studio(ROOM);
  const goods = () => el.querySelector<HTMLDetailsElement>(".spnb-crowd details")?.open;
  assert.equal(goods(), false);
  change(LIVE);
  assert.equal(goods(), true);
  change({ phase: "ended", status: "ended" });
  assert.equal(goods(), false);
});

void test("the end is always asked about, with what it does, and the safe answer has the focus", async () => {
  for (const [viewers, people] of [[null, ""], [0, ""], [1, "1 viewer is watching. "], [12, "12 viewers are watching. "]] as const) {
    const { asked, el, shown } = await studio({ ...ROOM, ...LIVE, viewers });
    button(el, "End").click();
    assert.equal(asked("stop").length, 0);
    assert.equal(shown("[role=alertdialog] span")?.textContent, `${people}${OVER}`);
    assert.equal(document.activeElement?.textContent, "Stay on air");
    button(el, "Stay on air").click();
    assert.equal(shown("[role=alertdialog]"), null);
    assert.equal(document.activeElement?.textContent, "End");
    assert.equal(asked("stop").length, 0);
    button(el, "End").click();
    button(el, "End now").click();
    assert.equal(asked("stop").length, 1);
    }
});

void test("a co-host leaves the stage, and is told that the stream goes on", async () => {
  const { asked, el, shown } = await studio({ ...ROOM, ...LIVE, role: "coHost" });
  button(el, "Leave stage").click();
  assert.match(shown("[role=alertdialog]")?.textContent ?? "", /the stream goes on without you/);
  button(el, "Leave now").click();
  assert.deepEqual([asked("leave_stage").length, asked("stop").length], [1, 0]);
});

void test("buttons are named by what they do, and a hidden camera says so over the picture", async () => {
  const { asked, change, el, shown } = await studio({ ...ROOM, ...LIVE });
  assert.equal(shown(".spnb-placard"), null);
  button(el, "Hide camera").click();
  assert.deepEqual([asked("mute")[0]?.["what"], asked("mute")[0]?.["muted"]], ["video", true]);
  change({ muted: { audio: true, video: true } });
  assert.equal(shown(".spnb-placard")?.textContent, "Hidden from viewers");
  button(el, "Show camera");
  button(el, "Unmute").click();
  assert.deepEqual([asked("mute")[1]?.["what"], asked("mute")[1]?.["muted"]], ["audio", false]);
});

void test("a room that is over is said to be over for good", async () => {
  const { change, el, shown } = await studio({ ...ROOM, ...LIVE });
  change({ phase: "ended", status: "recorded" });
  assert.match(shown(".spnb-studio")?.textContent ?? "", /This room is over for good\. To go live again, start a new stream\./);
  button(el, "New stream");
});
