// A host's whole journey: form, preview, 3-2-1, on air, and the replay.
import { framed } from "./shared/cameraTrouble";
import { chatBeside } from "./shared/chatBeside";
import { frame, h, replace } from "./shared/dom";
import { canEncode } from "./shared/encoder";
import { floatOver, reactionCounts } from "./shared/floating";
import { clock, kilobits, label, viewersOf } from "./shared/format";
import { HealthStrip, type Second } from "./shared/health";
import { hearing } from "./shared/hearing";
import { findHub } from "./shared/hub";
import { byLink, invites, received } from "./shared/invites";
import { OVER, askToLeave, leftovers } from "./shared/leftovers";
import { drawFinding, findingBadge } from "./shared/moderation";
import { playback } from "./shared/playback";
import { pointing } from "./shared/pointing";
import { previewPane } from "./shared/previewPane";
import { productList } from "./shared/products";
import { roomForm } from "./shared/roomForm";
import { open, sessionOf } from "./shared/session";
import { sleepingBar } from "./shared/sleepingBar";
import { stageGrid, type Person } from "./shared/stageGrid";
import { StudioPart } from "./shared/studioPart";
import { tuning } from "./shared/tuning";
import { Link, type Model, type View } from "./shared/widget";

type Phase = "idle" | "starting" | "live" | "stopping" | "ended";
type Summary = { seconds?: number; peak: number; kbps: number; loss: number };

const TOAST_MS = 6000;

export default hearing({
  initialize({ model, signal }: { model: Model; signal?: AbortSignal }) {
    open<StudioPart>(model, signal, (session) => new StudioPart(session, model));
    // The heavy module is fetched while the host still thinks about a title.
    void findHub(model);
  },

  render({ model, el }: View) {
    const link = new Link(model);
    const session = sessionOf<StudioPart>(model);
    const { webcam, onAir, company } = session.part;
    const pane = previewPane(session, webcam);
    const strip = new HealthStrip();
    let counting: ReturnType<typeof setTimeout> | undefined;
    let left = 0;
    let leaving = false;
    let room = "";

    const badge = h("span", { class: "spnb-badge", role: "status" });
    const title = h("strong", { class: "spnb-title", dir: "auto" });
    const host = h("bdi", { class: "spnb-note spnb-host", "aria-label": "host" });
    const finding = findingBadge();
    const timer = h("span", { class: "spnb-timer", "aria-label": "time on air" });
    const viewers = h("span", { class: "spnb-note" });
    const head = h("div", { class: "spnb-head" }, badge, title, host, finding, timer, viewers);
    const banner = h("div", { class: "spnb-banner", role: "alert" });
    const count = h("div", { class: "spnb-count", "aria-live": "assertive" });
    const error = h("p", { class: "spnb-error", role: "alert" });
    const route = h("p", { class: "spnb-note" });
    const source = h(
      "select",
      { "aria-label": "source" },
      h("option", { value: "page" }, "This page's camera"),
      h("option", { value: "test-card" }, "Test card"),
      h("option", { value: "file" }, "Media file"),
      h("option", { value: "camera" }, "Kernel's camera"),
      h("option", { value: "screen" }, "Kernel's screen"),
    );
    const path = h("input", { type: "text", placeholder: "path of the file", "aria-label": "media file" });
    const go = h("button", { type: "button", class: "spnb-live", click: begin }, "Go live");
    const cancel = h("button", { type: "button", click: stopCounting }, "Cancel");
    const mute = h("button", { type: "button", click: () => toggle("audio") });
    const dark = h("button", { type: "button", click: () => toggle("video") });
    const share = h("button", { type: "button", click: turnShare });
    const tune = tuning(session, webcam);
    const end = h("button", { type: "button", class: "spnb-danger", click: ask }, "End");
    const decline = h("button", { type: "button", click: () => session.send("leave_stage") }, "Stop co-hosting");
    const waiting = h("span", { class: "spnb-note" }, "The room is not live yet: you can join once the host is on air.");
    const another = h("button", { type: "button", click: () => session.send("new") }, "New stream");
    const actions = h("div", { class: "spnb-row spnb-wrap spnb-actions" });
    const sure = h("div", { class: "spnb-banner", role: "alertdialog", "aria-label": "leave the air?" });
    const formPlace = h("div");
    const over = h("div");
    const stage = h("div", { class: "spnb-stage" }, pane.el, floatOver(link).el, count);
    const tab = h("div");
    void findHub(model).then((hub) => link.atEnd(hub.cameraTab(model, tab)));
    const placard = h("div", { class: "spnb-placard", hidden: true }, "Hidden from viewers");
    stage.append(placard);
    const grid = stageGrid(link, session, company, stage);
    const guests = invites(link, session);
    const coHosts = () => link.get<string>("role") === "coHost";
    const sold = h("summary", {}, "Products");
    const goods = h("details", { class: "spnb-company" }, sold, productList(link, true));
    const crowd = h("div", { class: "spnb-crowd" }, reactionCounts(link), goods);
    const places = h("div", { class: "spnb-row spnb-wrap" });
    // The controls float over the picture while on air, and stand below it otherwise.
    let floating = false;
    function float(yes: boolean) {
      if (yes === floating) return;
      floating = yes;
      actions.classList.toggle("spnb-floating", yes);
      if (yes) stage.append(actions);
      else grid.el.after(actions);
    }
    const numbers = h("p", { class: "spnb-summary" });
    const ended = h("p", { class: "spnb-note" }, "This room is over for good. To go live again, start a new stream.");
    let hadRoom = link.get<boolean>("has_room");
    let madeHere = false;
    let lastPhase: Phase | undefined;
    // What a host needs first stands first: the picture, the way on air and off it, and what is wrong.
    const live = [grid.el, tab, actions, sure, error, strip.el, places, pane.controls];
    const work = [...live, over, route, tune.el, crowd, guests.el, byLink(link, session)];
    const talk = chatBeside(link, model, el, h("div", {}, ...work));
    head.append(talk.toggle);
    const section = h(
      "section",
      { class: "spnb-card spnb-studio", role: "group", "aria-label": "studio" },
      head,
      received(link, session),
      leftovers(link, session),
      pointing(link),
      banner,
      talk.el,
    );

    async function snapshot(): Promise<Blob | null> {
      if (!pane.video.videoWidth) return null;
      const canvas = h("canvas");
      [canvas.width, canvas.height] = [1280, 720];
      const { videoWidth: wide, videoHeight: high } = pane.video;
      const scale = Math.max(1280 / wide, 720 / high);
      canvas
        .getContext("2d")
        ?.drawImage(pane.video, (1280 - wide * scale) / 2, (720 - high * scale) / 2, wide * scale, high * scale);
      return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
    }

    // -- going live

    function begin() {
      left = link.get<number>("countdown");
      if (source.value === "page") {
        // The browser may still have to ask: not while the numbers run.
        void (webcam.state === "on" ? Promise.resolve(true) : webcam.start()).then((ready) => ready && tick());
      } else {
        tick();
      }
    }

    function tick() {
      if (left > 0) {
        counting = setTimeout(() => {
          left -= 1;
          tick();
        }, 1000);
      } else {
        counting = undefined;
        void start("start");
      }
      draw();
    }

    async function start(command: string) {
      const content: Record<string, unknown> = { source: source.value, path: path.value };
      if (source.value === "page") {
        if (webcam.state !== "on" && !(await webcam.start())) return;
        const settings = webcam.stream?.getVideoTracks()[0]?.getSettings();
        Object.assign(content, {
          ...(await session.part.route()),
          encodes: canEncode(),
          width: settings?.width,
          height: settings?.height,
          fps: Math.round(settings?.frameRate ?? webcam.wishes.fps),
        });
      }
      session.send(command, content);
    }

    function stopCounting() {
      clearTimeout(counting);
      counting = undefined;
      draw();
    }

    source.addEventListener("change", () => {
      if (link.get<Phase>("phase") === "live" && source.value !== "file") void start("switch");
      draw();
    });
    path.addEventListener("change", () => {
      if (link.get<Phase>("phase") === "live" && source.value === "file") void start("switch");
    });

    // -- on air

    function toggle(what: "audio" | "video") {
      session.send("mute", { what, muted: !link.get<Record<string, boolean>>("muted")[what] });
    }

    function turnShare() {
      session.part.notice = "";
      void (webcam.sharing ? webcam.unshare() : webcam.share());
    }

    function ask() {
      const watching = link.get<number | null>("viewers");
      const people = `${watching} ${watching === 1 ? "viewer is" : "viewers are"} watching. `;
      leaving = true;
      draw();
      const words = coHosts() ? "You leave the stage; the stream goes on without you." : `${watching ? people : ""}${OVER}`;
      askToLeave(sure, words, coHosts() ? "Leave now" : "End now", answer);
    }

    function answer(yes: boolean) {
      leaving = false;
      if (yes) session.send(coHosts() ? "leave_stage" : "stop");
      draw();
      if (!yes) end.focus();
    }

    function resume() {
      source.value = "page";
      void webcam.start().then((ready) => ready && session.send("resume"));
    }

    // -- drawing

    function draw() {
      const phase = link.get<Phase>("phase");
      pane.onAir(phase === "live" || phase === "stopping");
      pane.instead = source.value === "page" || !link.get<boolean>("has_room") ? "" : (source.selectedOptions[0]?.text ?? "");
      pane.draw();
      const status = link.get<string>("status");
      const here = link.get<boolean>("has_room");
      const onScreen = phase === "live" || phase === "stopping";
      const done = phase === "ended";
      const watched = holds();
      if (room !== link.get<string>("title") && phase === "idle" && here) {
        room = link.get<string>("title");
        session.part.way = undefined;
        if (watched) void session.part.route();
      }
      if (here && !hadRoom && madeHere) section.scrollIntoView({ block: "start" });
      hadRoom = here;
      title.textContent = here ? link.get<string>("title") : "Studio";
      host.textContent = link.get<Person[]>("people").find((person) => person.role === "host")?.name ?? "";
      host.hidden = !here || !host.textContent;
      badge.textContent = onScreen && status === "live" ? "LIVE" : here ? label(status) : "New";
      badge.dataset["status"] = here ? status : "";
      drawFinding(finding, link.get<string>("moderation"));
      formPlace.hidden = here;
      crowd.hidden = !here;
      grid.el.hidden = done;
      grid.draw();
      guests.draw();
      tab.hidden = done || (!framed() && webcam.problem?.kind !== "editor");
      guests.el.hidden = !here || done || coHosts();
      const early = coHosts() && status === "idle";
      go.textContent = coHosts() ? "Join stage" : "Go live";
      end.textContent = coHosts() ? "Leave stage" : "End";
      count.hidden = counting === undefined;
      count.textContent = counting === undefined ? "" : String(left);
      pane.controls.hidden = done || (source.value !== "page" && here);
      tune.el.hidden = done || !here;
      tune.draw(source.value === "page");
      source.hidden = !here || done || counting !== undefined || phase === "starting";
      path.hidden = source.hidden || source.value !== "file";
      go.disabled = webcam.state === "asking" || early || (source.value === "page" && !watched && Boolean(webcam.problem));
      const muted = link.get<Record<string, boolean>>("muted");
      mute.textContent = muted["audio"] ? "Unmute" : "Mute";
      mute.dataset["off"] = String(Boolean(muted["audio"]));
      dark.textContent = muted["video"] ? "Show camera" : "Hide camera";
      dark.dataset["off"] = String(Boolean(muted["video"]));
      placard.hidden = !muted["video"] || phase !== "live";
      share.textContent = webcam.sharing ? "Stop sharing" : "Share screen";
      share.hidden = source.value !== "page" || webcam.state !== "on";
      const away = link.get<boolean>("away");
      float(phase === "live" && source.value === "page" && webcam.state === "on" && !grid.shared());
      if (!here) replace(actions);
      else if (counting !== undefined) replace(actions, cancel);
      else if (phase === "idle") replace(actions, source, path, go, coHosts() && decline, early && waiting);
      else if (phase === "starting") replace(actions, h("span", { class: "spnb-note" }, "Connecting…"));
      else if (phase === "live") replace(actions, mute, dark, share, end);
      else if (phase === "stopping") replace(actions, h("span", { class: "spnb-note" }, "Leaving the air…"));
      else replace(actions, another);
      replace(places, ...(phase === "live" ? [source, path, grid.choice] : []));
      // Products have their time on air; before and after they make room.
      if (phase !== lastPhase) goods.open = phase === "live";
      lastPhase = phase;
      const tagged = link.get<unknown[]>("products").length;
      sold.textContent = tagged ? `Products · ${tagged}` : "Products";
      goods.hidden = !here || (!tagged && !link.get<boolean>("manages"));
      sure.hidden = !leaving || phase !== "live";
      drawBanner(phase, away);
      drawOver(done);
      route.textContent = onScreen || phase === "starting" ? link.get<string>("route") : "";
      error.textContent = here ? link.get<string>("error") || session.part.notice : "";
      strip.el.hidden = !onScreen;
      drawTime();
    }

    const awayBanner = [
      h("span", {}, "You are still on air here, but the page that sent the picture is gone."),
      h("button", { type: "button", class: "spnb-primary", click: resume }, "Resume"),
      h("button", { type: "button", class: "spnb-danger", click: ask }, "End"),
    ];
    const reconnecting = h("span", {}, "Reconnecting… the room stays open, viewers see you are coming back.");

    function drawBanner(phase: Phase, away: boolean) {
      const connection = onAir.state === "reconnecting" ? "reconnecting" : link.get<string>("connection");
      banner.dataset["kind"] = connection;
      if (away && phase === "live") {
        replace(banner, ...awayBanner);
        banner.hidden = false;
      } else if (connection === "reconnecting") {
        replace(banner, reconnecting);
        banner.hidden = false;
      } else {
        const back = connection === "reconnected" && phase === "live";
        if (back && !toast) toast = setTimeout(() => (banner.hidden = true), TOAST_MS);
        if (!back) {
          clearTimeout(toast);
          toast = undefined;
          banner.hidden = true;
        } else if (!banner.textContent?.startsWith("Reconnected")) {
          replace(banner, h("span", {}, "Reconnected."));
          banner.hidden = false;
        }
      }
    }
    let toast: ReturnType<typeof setTimeout> | undefined;

    let replay: HTMLElement | undefined;
    function drawOver(done: boolean) {
      over.hidden = !done;
      if (!done) {
        if (replay) replace(over);
        replay = undefined;
        return;
      }
      if (!replay) {
        replay = playback(link, model, "recording");
        replace(over, replay, numbers, ended);
      }
      const summary = link.get<Summary>("summary");
      ended.hidden = coHosts();
      numbers.textContent = summary.seconds
        ? `On air ${clock(summary.seconds)} · ${summary.peak ? `at most ${summary.peak}` : "no"} ` +
          `${summary.peak === 1 ? "viewer" : "viewers"}${summary.peak > 1 ? " at once" : ""} · ` +
          `${kilobits(summary.kbps)} · ${(summary.loss * 100).toFixed(1)} % lost`
        : "";
    }

    function drawTime() {
      const since = link.get<number>("live_since");
      timer.hidden = !since;
      if (since) timer.textContent = clock(Date.now() / 1000 - since);
      viewers.textContent = since ? viewersOf(link.get<number | null>("viewers")) : "";
    }

    /** Whether this page is the one that may send. */
    function holds(): boolean {
      const holder = link.get<string>("holder");
      return !holder || holder === session.client;
    }

    link.follow(["stats"], () => {
      const stats = link.get<Second | null>("stats");
      if (stats && link.get<Phase>("phase") === "live") strip.add(stats);
    });
    // Over is over: no camera stays on behind the replay.
    link.follow(["phase"], () => {
      if (link.get<Phase>("phase") === "ended") webcam.stop();
    });
    let began = 0;
    link.follow(["live_since"], () => {
      began = performance.now();
      if (!link.get<number>("live_since")) strip.clear();
    });
    link.follow(["holder"], () => {
      const holder = link.get<string>("holder");
      if (holder && holder !== session.client && webcam.via && !onAir.publishing) webcam.stop();
    });
    const form = roomForm(link, { snapshot });
    form.addEventListener("submit", () => (madeHere = true));
    formPlace.append(form);
    link.atEnd(sleepingBar(stage, actions));
    const detach = session.attach(draw);
    link.follow(
      [
        "phase",
        "status",
        "title",
        "error",
        "live_since",
        "viewers",
        "connection",
        "muted",
        "volume",
        "has_room",
        "away",
        "summary",
        "route",
        "wishes",
        "holder",
        "filtered",
        "kernel_source",
        "moderation",
        "role",
        "people",
        "stage_layout",
        "invitations",
        "invite_error",
        "products",
        "manages",
      ],
      draw,
    );
    link.every(1000, () => {
      drawTime();
      if (link.get<Phase>("phase") === "live" && !link.get<boolean>("away")) strip.check(began);
    });
    link.atEnd(stopCounting);
    frame(el);
    link.mourn(el);
    el.append(section, formPlace);
    return () => {
      detach();
      pane.end();
      grid.end();
      link.end();
    };
  },
});
