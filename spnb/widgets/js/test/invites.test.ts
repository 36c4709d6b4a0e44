import assert from "node:assert/strict";
import { test } from "node:test";
import { Window } from "happy-dom";
import { byLink, invites } from "../src/shared/invites";
import type { Session } from "../src/shared/session";
import type { Link, Reply } from "../src/shared/widget";

const window = new Window();
Object.assign(globalThis, { document: window.document, HTMLElement: window.HTMLElement, Node: window.Node });

const traits: Record<string, unknown> = { has_room: false };
let tell: (reply: Reply) => void = () => undefined;
let changed = () => undefined as void;
const link = {
  get: (name: string) => traits[name],
  hear: (callback: (reply: Reply) => void) => (tell = callback),
  follow: (_names: string[], update: () => void) => {
    changed = update;
    update();
  },
  atEnd: () => undefined,
} as unknown as Link;
const sent: [string, unknown][] = [];
const session = {
  client: "me",
  send: (action: string, content?: unknown) => sent.push([action, content]),
} as unknown as Session<unknown>;

function press(el: HTMLElement, name: string): void {
  const found = [...el.querySelectorAll("button")].find((one) => one.textContent === name);
  assert.ok(found, name);
  found.click();
}

void test("an invite link is shown to the page that asked, is in no markup, and is gone when it is done with", () => {
  const { el } = invites(link, session);
  press(el, "Invite by link");
  assert.deepEqual(sent.pop(), ["invite_link", undefined]);
  tell({ type: "invite_link", client: "another page", address: "spnb:co-host#theirs" });
  assert.equal(el.querySelector("[aria-label='Invite link']"), null);
  tell({ type: "invite_link", client: "me", address: "spnb:co-host#secret" });
  assert.equal(el.querySelector<HTMLInputElement>("[aria-label='Invite link']")?.value, "spnb:co-host#secret");
  assert.ok(!el.outerHTML.includes("secret"));
  press(el, "Done");
  assert.equal(el.querySelector("[aria-label='Invite link']"), null);
});

void test("a guest joins by a link, where there is no room yet", () => {
  const el = byLink(link, session);
  press(el, "Join");
  assert.deepEqual(sent, []);
  const field = el.querySelector("input");
  assert.ok(field);
  field.value = " spnb:co-host#secret ";
  press(el, "Join");
  assert.deepEqual(sent.pop(), ["accept_link", { link: "spnb:co-host#secret" }]);
  assert.equal(field.value, "");
  traits["has_room"] = true;
  changed();
  assert.ok(el.hidden);
});
