// A live chat, for any widget that has one: `new ChatPane(link).el`. Its kernel side is `ChatPart`.
//
// The list scrolls from its end (`column-reverse`): at the end it stays there by itself, whatever comes and however tall
// it is, so that nothing has to be measured when hundreds of messages come in a second. While they do only its end is
// drawn; what stands above follows when there is time, or at once where somebody scrolls up to it.
import { draw, quoted, type Line } from "./chatLine";
import { ChatRows, SHOWN, last, type News, type Row } from "./chatRows";
import { ChatTools } from "./chatTools";
import { h, replace, say } from "./dom";
import type { Placard } from "./placard";
import type { Link, Reply } from "./widget";

export type ChatState = {
  room?: string;
  there?: boolean;
  open?: boolean;
  unreadable?: boolean;
  canOpen?: boolean;
  closed?: boolean;
  me?: string;
  moderator?: boolean;
  slow?: number;
  muted?: boolean;
  announcement?: { text: string; user: string } | null;
  onScreen?: Placard | null;
};

const AT_END_PIXELS = 40;
/** More new messages at once than this, and reading them aloud would be no help. */
const READ_ALOUD = 3;
/** More than this at once is a flood; then this many are drawn, more than fit in sight. */
const FLOOD = 10;
const DRAWN_IN_FLOOD = 20;
const CALM_MS = 300;
const MORE_MS = 50;
/** Characters of a pinned message that stand on two lines. */
const SHORT_PIN = 80;
const TURNS = [0, 5, 15, 30, 60];

export class ChatPane {
  readonly el: HTMLElement;
  readonly rows = new ChatRows();
  private readonly lines = new Map<string, Line>();
  private readonly list = h("ol");
  private readonly log: HTMLElement;
  private readonly fresh: HTMLButtonElement;
  private readonly announced = h("span", { dir: "auto", class: "spnb-clamped" });
  private readonly whole = h("button", {
    type: "button",
    "aria-expanded": "false",
    click: () => this.open(this.announced.classList.contains("spnb-clamped")),
  });
  private readonly unpin = h("button", { type: "button", click: () => this.ask("chat_pin", {}) }, "Unpin");
  private readonly pinned = h(
    "div",
    { class: "spnb-banner spnb-announcement", hidden: true },
    h("strong", { role: "img", "aria-label": "pinned" }, "📌"),
    this.announced,
    this.whole,
    this.unpin,
  );
  private readonly standing = h("span", { dir: "auto" });
  private readonly onScreen = h(
    "div",
    { class: "spnb-banner spnb-standing", hidden: true },
    h("strong", {}, "On screen"),
    this.standing,
    h("button", { type: "button", click: () => this.ask("chat_screen", {}) }, "Take off"),
  );
  private readonly about = h("div", { class: "spnb-banner", hidden: true });
  private readonly problem = h("p", { class: "spnb-error", role: "alert" });
  private readonly note = h("span", { class: "spnb-note" });
  private readonly words: HTMLTextAreaElement;
  private readonly say: HTMLButtonElement;
  private readonly form: HTMLFormElement;
  private readonly slow: HTMLSelectElement;
  private readonly hush: HTMLButtonElement;
  private readonly controls: HTMLElement;
  private readonly empty = h("p", { class: "spnb-empty" });
  private readonly opener: HTMLButtonElement;
  private readonly tools: ChatTools;
  private readonly asked = new Map<number, (error: string) => void>();
  private asks = 0;
  private answering: Row | null = null;
  private editing: Row | null = null;
  private sending = false;
  private free = 0;
  private frame = 0;
  /** How far above the end the reader is, in pixels; known from scrolling, since to ask for it costs a layout. */
  private above = 0;
  private asleep = false;
  /** How many of the messages are drawn, from the end. */
  private drawn = SHOWN;
  private calm: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly link: Link) {
    this.tools = new ChatTools(
      {
        react: (row, name) => this.react(row, name),
        reply: (row) => this.turnTo(row, null),
        edit: (row) => this.turnTo(null, row),
        tell: (action, content) => this.ask(action, content),
      },
      () => ({ id: this.state.me ?? "", moderator: !!this.state.moderator }),
      () => this.drawSoon(),
      () => this.log.focus({ preventScroll: true }),
    );
    this.log = h(
      "div",
      {
        class: "spnb-lines",
        role: "log",
        tabindex: "0",
        "aria-label": "messages",
        scroll: () => this.scrolled(),
        pointerover: (event) => this.pointed(event),
        pointerleave: () => this.log.contains(document.activeElement) || this.tools.on(null),
        focusin: (event) => this.pointed(event),
        focusout: () => this.drawSoon(),
        keydown: (event) => this.key(event as KeyboardEvent),
      },
      this.list,
    );
    this.log.dataset["lmSuppressShortcuts"] = "true";
    this.fresh = h("button", { type: "button", class: "spnb-fresh", hidden: true, click: () => this.toEnd() });
    this.words = h("textarea", {
      rows: "1",
      maxlength: "20000",
      placeholder: "Say something…",
      "aria-label": "your message",
      keydown: (event) => {
        const { key, shiftKey, isComposing } = event as KeyboardEvent;
        if (key === "Enter" && !shiftKey && !isComposing) {
          event.preventDefault();
          this.form.requestSubmit();
        } else if (key === "Escape") this.turnTo(null, null);
      },
    });
    this.say = h("button", { type: "submit", class: "spnb-primary" }, "Send");
    this.form = h("form", { class: "spnb-row spnb-compose", submit: (event) => this.submit(event) }, this.words, this.say);
    this.slow = h(
      "select",
      { "aria-label": "slow mode", change: () => this.ask("chat_slow", { seconds: Number(this.slow.value) }) },
      ...TURNS.map((seconds) => h("option", { value: seconds }, seconds ? `Slow: ${seconds} s` : "Slow mode off")),
    );
    // Beside a picture "mute" is what silences the microphone.
    this.hush = h(
      "button",
      { type: "button", title: "who may write", click: () => this.ask("chat_mute", { seconds: this.state.muted ? 0 : null }) },
      "Moderators only",
    );
    this.controls = h("span", { class: "spnb-small" }, this.slow, this.hush);
    this.opener = h("button", { type: "button", class: "spnb-primary", click: () => this.ask("chat_open", {}) }, "Open the chat");
    this.el = h(
      "section",
      { class: "spnb-chat", role: "group", "aria-label": "live chat" },
      h("div", { class: "spnb-head" }, h("strong", {}, "Live chat"), this.note, this.controls),
      this.onScreen,
      this.pinned,
      h("div", { class: "spnb-lines-box" }, this.log, this.empty, this.fresh),
      h("div", { class: "spnb-row" }, this.opener),
      this.about,
      this.problem,
      this.form,
    );
    link.hear((reply) => this.heard(reply));
    link.follow(["chat_state"], () => this.drawState());
    link.every(500, () => this.drawTurn());
    link.atEnd(() => {
      cancelAnimationFrame(this.frame);
      clearTimeout(this.calm);
    });
    link.send("chat_hello");
  }

  private get state(): ChatState {
    return this.link.get<ChatState>("chat_state");
  }

  /** Out of sight nothing is drawn; what comes is kept all the same. */
  sleep(yes: boolean): void {
    this.asleep = yes;
    // Out of sight it has lost its place, and shown again it begins at the end.
    this.above = 0;
    if (!yes) this.drawSoon();
  }

  private heard(reply: Reply): void {
    if (reply.type === "chat") {
      const news = reply as unknown as News;
      const aloud = news.rows.length > READ_ALOUD ? "off" : "polite";
      if (this.log.ariaLive !== aloud) this.log.ariaLive = aloud;
      this.rows.take(news);
      if (news.rows.length > FLOOD) {
        this.drawn = DRAWN_IN_FLOOD;
        clearTimeout(this.calm);
        this.calm = setTimeout(() => this.drawMore(), CALM_MS);
      }
      this.drawSoon();
    } else if (reply.type === "chatAnswer") {
      const number = Number(reply["ask"]);
      this.asked.get(number)?.(reply["error"] as string);
      this.asked.delete(number);
    }
  }

  /** Ask the kernel for something; what goes wrong is told below the messages. */
  private ask(action: string, content: Record<string, unknown>, done?: (error: string) => void): void {
    const number = ++this.asks;
    this.asked.set(number, (error) => {
      this.problem.textContent = error;
      done?.(error);
    });
    this.link.send(action, { ask: number, ...content });
  }

  private react(row: Row, name: string): void {
    this.ask("chat_react", { message: row.id, name, on: !row.mine?.includes(name) });
  }

  // -- the list

  /** Whether the messages must stand still: the reader has scrolled up, or is about to do something with one. */
  private get reading(): boolean {
    const focused = document.activeElement;
    const inList = focused !== this.log && this.log.contains(focused);
    return this.above > AT_END_PIXELS || this.tools.busy || inList;
  }

  private scrolled(): void {
    this.above = -this.log.scrollTop;
    if (this.rows.held !== this.reading) this.drawSoon();
  }

  private drawSoon(): void {
    if (this.asleep) return;
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  private draw(): void {
    const reading = this.lines.size > 0 && this.reading;
    if (reading) this.rows.hold();
    else if (this.rows.held) this.rows.release();
    if (!reading && this.above) this.goToEnd();
    const holder = this.tools.holder;
    if (holder && !this.rows.shown.has(holder.dataset["id"] ?? "")) this.tools.on(null);
    if (reading) this.drawn = SHOWN;
    draw(this.list, this.lines, last(this.rows.shown, this.drawn), (row, name) => this.react(row, name));
    const { unseen } = this.rows;
    this.fresh.hidden = unseen <= 0;
    this.fresh.textContent = `${unseen} new ↓`;
    this.drawEmpty();
  }

  private goToEnd(): void {
    this.log.scrollTop = 0;
    this.above = 0;
  }

  private drawMore(): void {
    if (this.drawn >= SHOWN) return;
    this.drawn += DRAWN_IN_FLOOD;
    this.drawSoon();
    this.calm = setTimeout(() => this.drawMore(), MORE_MS);
  }

  private toEnd(): void {
    this.tools.on(null);
    if (this.log.contains(document.activeElement)) this.log.focus({ preventScroll: true });
    this.rows.release();
    this.goToEnd();
    this.draw();
  }

  private pointed(event: Event): void {
    const line = (event.target as HTMLElement).closest<Line>(".spnb-line");
    if (line && this.state.open) this.tools.on(line);
  }

  private key(event: KeyboardEvent): void {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const here = (document.activeElement as HTMLElement | null)?.closest<HTMLElement>(".spnb-line");
    if (step) {
      const all = [...this.list.children] as HTMLElement[];
      const at = here ? all.indexOf(here) + step : step < 0 ? all.length - 1 : 0;
      event.preventDefault();
      if (at >= all.length) this.toEnd();
      else all[Math.max(0, at)]?.focus();
    } else if (event.key === "End" || (event.key === "Escape" && here)) {
      event.preventDefault();
      this.toEnd();
    }
  }

  // -- around it

  private drawState(): void {
    const state = this.state;
    const { open, announcement, moderator } = state;
    this.form.hidden = !open;
    this.opener.hidden = !state.canOpen;
    this.controls.hidden = !open || !moderator;
    const slow = String(state.slow ?? 0);
    if (![...this.slow.options].some((option) => option.value === slow)) this.slow.append(h("option", { value: slow }, `Slow: ${slow} s`));
    this.slow.value = slow;
    this.hush.setAttribute("aria-pressed", String(!!state.muted));
    const notes = [];
    if (state.muted) notes.push("only moderators may write");
    if (state.slow) notes.push(`slow mode: one message in ${state.slow} s`);
    this.note.textContent = notes.join(" · ");
    this.drawPinned(announcement?.text ?? "", !!moderator);
    this.onScreen.hidden = !moderator || !state.onScreen;
    say(this.standing, state.onScreen?.text ?? "");
    this.drawEmpty();
    this.drawTurn();
  }

  /** A pinned message of two lines, and the rest of a long one at the press of a button. */
  private drawPinned(text: string, moderator: boolean): void {
    this.pinned.hidden = !text;
    this.unpin.hidden = !moderator;
    if (this.announced.textContent === text) return;
    this.announced.textContent = text;
    this.open(false);
    this.whole.hidden = !text.includes("\n") && text.length <= SHORT_PIN;
  }

  private open(yes: boolean): void {
    this.announced.classList.toggle("spnb-clamped", !yes);
    this.whole.textContent = yes ? "Show less" : "Show all";
    this.whole.setAttribute("aria-expanded", String(yes));
    // What may scroll is reached by keyboard.
    if (yes) this.announced.tabIndex = 0;
    else this.announced.removeAttribute("tabindex");
  }

  private drawEmpty(): void {
    const { open, closed, canOpen, there, unreadable } = this.state;
    const words: [unknown, string][] = [
      [closed, "This chat is closed."],
      [unreadable, "The chat cannot be read just now; it is tried again."],
      [open, "Nobody has said anything yet."],
      [canOpen, "This room has no chat yet."],
      [there, "Reading the chat…"],
      [true, "The host has not opened the chat yet."],
    ];
    this.empty.hidden = this.rows.shown.size > 0;
    this.empty.textContent = words.find(([holds]) => holds)?.[1] ?? "";
  }

  /** In slow mode the button counts down to one's next turn. */
  private drawTurn(): void {
    const left = this.state.slow && !this.state.moderator ? Math.ceil((this.free - Date.now()) / 1000) : 0;
    this.say.disabled = this.sending || left > 0;
    this.say.textContent = left > 0 ? `${left} s` : this.editing ? "Save" : "Send";
  }

  private turnTo(answering: Row | null, editing: Row | null): void {
    if (editing) this.words.value = editing.text;
    else if (this.editing) this.words.value = "";
    this.answering = answering;
    this.editing = editing;
    this.about.hidden = !answering && !editing;
    replace(
      this.about,
      h("span", { dir: "auto" }, answering ? quoted(answering) : "Editing your message"),
      h("button", { type: "button", "aria-label": "cancel", click: () => this.turnTo(null, null) }, "✕"),
    );
    this.drawTurn();
    if (answering || editing) {
      this.tools.on(null);
      this.words.focus();
    }
  }

  private submit(event: Event): void {
    event.preventDefault();
    const text = this.words.value.trim();
    if (!text || this.say.disabled) return;
    this.sending = true;
    const { editing, answering } = this;
    const content = editing ? { message: editing.id, text } : { text, replyTo: answering?.id };
    this.ask(editing ? "chat_edit" : "chat_send", content, (error) => {
      this.sending = false;
      if (!error) {
        this.words.value = "";
        if (!editing) this.free = Date.now() + (this.state.slow ?? 0) * 1000;
        this.turnTo(null, null);
        if (!editing) this.toEnd();
      }
      this.drawTurn();
    });
    this.drawTurn();
  }
}
