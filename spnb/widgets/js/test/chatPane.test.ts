// What stands above a chat: what is pinned, all of it at the press of a button, and what is on screen; gone where that is deleted.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { aPage, button, modelOf } from "./models";

aPage();
const ends: (() => void)[] = [];
afterEach(() => ends.splice(0).forEach((end) => end()));

async function pane(state: object) {
  const { ChatPane } = await import("../src/shared/chatPane");
  const { Link } = await import("../src/shared/widget");
  const page = modelOf({ chat_state: { room: "r", there: true, open: true, me: "me", ...state } });
  const link = new Link(page.model);
  ends.push(() => link.end());
  const { el } = new ChatPane(link);
  document.body.append(el);
  const change = (changes: object) => page.change({ chat_state: { ...(page.model.get("chat_state") as object), ...changes } });
  const shown = (selector: string) => {
    const found = el.querySelector<HTMLElement>(selector);
    return found && !found.closest("[hidden]") ? found : null;
  };
  return { ...page, el, change, shown };
}

void test("a long pinned message is opened and closed by a button, and then scrolls by keyboard", async () => {
  const text = `<b>${"long ".repeat(40)}</b>\n\u202eoops`;
  const { el, shown } = await pane({ announcement: { text, user: "ann" } });
  const words = shown(".spnb-announcement span");
  assert.deepEqual([words?.textContent, words?.childElementCount, words?.dir], [text, 0, "auto"]);
  const whole = button(el, "Show all");
  whole.focus();
  assert.equal(document.activeElement, whole);
  assert.equal(whole.getAttribute("aria-expanded"), "false");
  assert.ok(words?.classList.contains("spnb-clamped"));
  whole.click();
  assert.equal(document.activeElement, whole, "it is the same button, with the focus");
  assert.deepEqual([whole.textContent, whole.getAttribute("aria-expanded"), words?.classList.contains("spnb-clamped")], ["Show less", "true", false]);
  assert.equal(words?.tabIndex, 0);
  whole.click();
  assert.deepEqual([whole.textContent, words?.classList.contains("spnb-clamped"), words?.hasAttribute("tabindex")], ["Show all", true, false]);
});

void test("a short one needs no button, and another one stands closed again", async () => {
  const { el, change } = await pane({ announcement: { text: "Short", user: "ann" } });
  assert.throws(() => button(el, "Show all"));
  change({ announcement: { text: "x".repeat(100), user: "ann" } });
  button(el, "Show all").click();
  change({ announcement: { text: "y".repeat(100), user: "ann" } });
  assert.equal(button(el, "Show all").getAttribute("aria-expanded"), "false");
});

void test("who moderates sees what is on screen; what is deleted is gone from here", async () => {
  const said = { text: "<i>I take it back</i>", name: "Eve", message: "m" };
  const { asked, el, change, shown } = await pane({ moderator: true, onScreen: said, announcement: { text: said.text, user: "eve" } });
  assert.equal(shown(".spnb-standing span")?.textContent, said.text);
  button(el, "Take off").click();
  assert.equal(asked("chat_screen").length, 1);
  change({ onScreen: null, announcement: null });
  assert.deepEqual([shown(".spnb-standing"), shown(".spnb-announcement")], [null, null]);
  assert.doesNotMatch(el.textContent ?? "", /take it back/);
  change({ moderator: false, onScreen: said });
  assert.equal(shown(".spnb-standing"), null, "viewers see it over the picture");
});
