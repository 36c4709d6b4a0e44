"""The chat in browsers: two users in two of them, forty attacks, and a flood."""

from __future__ import annotations

import asyncio
import json

import pytest
from playwright.async_api import Page, expect

import spnb
from spnb.bench.chat import flood
from spnb.bench.lab import another_page
from tests.lab.attacks import ATTACKS
from tests.lab.conftest import CONNECT, Lab

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

CHAT = "room = sp.rooms.create('Chat across browsers')\nchat = spnb.Chat(room)\nchat"
GUEST = (
    "import os, spnb\n"
    "sp = spnb.connect('gwen', display_name='Gwen', url=os.environ['TEST_URL'], api_key=os.environ['TEST_KEY'])\n"
)
BANNED = """
import asyncio

async def banned():
    while not await room.asynchronous.chat.banned():
        await asyncio.sleep(0.1)

await asyncio.wait_for(banned(), 60)
print("banned")
"""
"""Waits until somebody is: the page that asked for it goes on meanwhile."""


async def say(page: Page, text: str) -> None:
    await page.get_by_label("your message").fill(text)
    await page.get_by_label("your message").press("Enter")


async def tool(page: Page, text: str, name: str) -> None:
    """Point at the message with this text and press one of its buttons."""
    line = page.locator(".spnb-line", has=page.locator(".spnb-words", has_text=text))
    await line.hover()
    await line.locator(".spnb-tools button", has_text=name).click()


async def test_two_users_in_two_browsers_talk(lab: Lab) -> None:
    await lab.write_and_run("host-chat.ipynb", CONNECT + CHAT)
    room_id = (await lab.run_code("print(room.room_id)")).strip()
    host = lab.page
    await expect(host.get_by_text("Nobody has said anything yet.")).to_be_visible()
    async with another_page(lab) as other:
        await other.write_and_run("guest-chat.ipynb", GUEST + f"chat = spnb.Chat(sp.rooms.get({room_id!r}))\nchat")
        guest = other.page
        await say(guest, "Good morning")
        await expect(host.locator(".spnb-line")).to_contain_text("Gwen")
        await expect(host.locator(".spnb-words")).to_have_text(["Good morning"])
        await tool(host, "Good morning", "Reply")
        await say(host, "Welcome @gwen")
        answer = guest.locator(".spnb-line", has_text="Welcome")
        await expect(answer.locator(".spnb-quote")).to_have_text("↩ Gwen: Good morning")
        await expect(answer.locator(".spnb-role")).to_have_text(["HOST", "@you"])
        await tool(guest, "Welcome", "❤️")
        await expect(host.locator(".spnb-tallies")).to_have_text("❤️ 1")
        await host.get_by_role("button", name="love: 1").click()
        await expect(guest.locator(".spnb-tallies")).to_have_text("❤️ 2")
        await expect(guest.get_by_role("button", name="love: 2, yours too")).to_be_visible()
        await tool(guest, "Good morning", "Edit")
        await say(guest, "Good evening")
        await expect(host.locator(".spnb-words")).to_have_text(["Good evening", "Welcome @gwen"])
        await tool(host, "Good evening", "Pin")
        await expect(guest.locator(".spnb-announcement")).to_contain_text("Good evening")
        await expect(guest.get_by_role("button", name="Unpin")).to_have_count(0)
        # By keyboard alone: up from the end to the message, and on to its tools.
        await guest.get_by_label("messages").focus()
        await guest.keyboard.press("ArrowUp")
        await expect(guest.locator(".spnb-line", has_text="Welcome")).to_be_focused()
        await guest.keyboard.press("ArrowUp")
        await expect(guest.locator(".spnb-line .spnb-tools")).to_be_visible()
        await lab.shot("chat-host")
        await other.shot("chat-guest")
        await guest.evaluate("document.body.dataset.jpThemeLight = 'false'")
        await guest.evaluate("window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
        await guest.wait_for_function("document.body.dataset.jpThemeName === 'JupyterLab Dark'")
        await other.shot("chat-dark")
        await host.get_by_label("slow mode").select_option("30")
        await expect(guest.get_by_text("slow mode: one message in 30 s")).to_be_visible()
        await guest.keyboard.press("Escape")
        await say(guest, "once")
        await expect(guest.locator(".spnb-compose button")).to_be_disabled()
        await host.get_by_label("slow mode").select_option("0")
        await expect(guest.locator(".spnb-compose button")).to_be_enabled()
        await tool(host, "once", "Delete")
        await host.get_by_role("button", name="Delete, really").click()
        await expect(guest.locator(".spnb-words")).to_have_text(["Good evening", "Welcome @gwen"])
        await tool(host, "Good evening", "Ban")
        await host.get_by_role("button", name="Ban, really").click()
        assert await lab.run_code(BANNED) == "banned\n"
        await say(guest, "let me in")
        await expect(guest.locator(".spnb-chat .spnb-error")).to_contain_text("banned")
        await expect(guest.get_by_label("your message")).to_have_value("let me in")
        await expect(host.locator(".spnb-words")).to_have_text(["Good evening", "Welcome @gwen"])


async def test_forty_attacks_are_only_text(lab: Lab) -> None:
    assert len(ATTACKS) >= 40
    # Names, quotations, reactions and announcements are as foreign as texts.
    attack = json.dumps(ATTACKS)
    await lab.write_and_run("attacked.ipynb", CONNECT + CHAT)
    await lab.page.evaluate("window.spnbHit = []")
    for name in ("alert", "confirm", "prompt"):
        await lab.page.evaluate(f"void (window.{name} = (what) => window.spnbHit.push(String(what)))")
    await lab.run_code(
        "import json\n"
        f"attacks = json.loads({attack!r})\n"
        "url, key = os.environ['TEST_URL'], os.environ['TEST_KEY']\n"
        "mallory = spnb.connect('mallory', display_name=attacks[0][:100], url=url, api_key=key)\n"
        "theirs = mallory.rooms.get(room.room_id).chat\n"
        "sent = [theirs.send(text) for text in attacks]\n"
        "theirs.send(attacks[1], reply_to=sent[0])\n"
        "for message, name in zip(sent, attacks): theirs.react(message, name[:100])\n"
        "room.chat.pin(attacks[0])\n"
        "room.chat.show(sent[0])\n"
    )
    page = lab.page
    shown = page.locator(".spnb-words")
    await expect(shown).to_have_count(len(ATTACKS) + 1)
    assert await shown.evaluate_all("(all) => all.map((one) => one.textContent)") == [*ATTACKS, ATTACKS[1]]
    await expect(page.locator(".spnb-tallies")).to_have_count(len(ATTACKS))
    await expect(page.locator(".spnb-announcement span")).to_have_text(ATTACKS[0])
    await expect(page.locator(".spnb-standing span")).to_have_text(ATTACKS[0])
    # Whatever could be triggered later is tried: every line is hovered, focused and answered.
    for at in range(0, len(ATTACKS), 10):
        await page.locator(".spnb-line").nth(at).hover()
    await tool(page, ATTACKS[2], "Reply")
    inside = (
        "img, script, iframe, object, embed, svg, link, style, base, form form, a, math, video, audio, details, meta"
    )
    assert await page.locator(f".spnb-chat :is({inside})").count() == 0
    assert await page.evaluate(
        "[...document.querySelectorAll('.spnb-chat *')].every((one) =>"
        " [...one.attributes].every((attribute) => !attribute.name.startsWith('on')))"
    )
    assert await page.evaluate("window.spnbHit") == []
    await lab.shot("chat-attacked")


IN_ORDER = """() => {
    // At each moment: no message twice, none before an earlier one of its sender, at most a hundred.
    window.spnbFaults = [];
    window.spnbMost = 0;
    const list = document.querySelector('.spnb-lines ol');
    new MutationObserver(() => {
        const ids = new Set(), newest = {};
        for (const line of list.children) {
            const text = line.querySelector('.spnb-words')?.textContent ?? 'nothing';
            if (ids.has(line.dataset.id)) window.spnbFaults.push(`twice: ${text}`);
            ids.add(line.dataset.id);
            const [, number, sender] = text.match(/^message (\\d+) of sender (\\d+),/) ?? [];
            if (number <= newest[sender]) window.spnbFaults.push(`out of order: ${text}`);
            newest[sender] = Number(number);
        }
        window.spnbMost = Math.max(window.spnbMost, ids.size);
    }).observe(list, {childList: true});
}"""
SECONDS, EACH_SECOND = 8, 500


async def test_a_flood_of_five_hundred_a_second_is_shown_held_and_stays_small(lab: Lab) -> None:
    page, received = lab.page, 0

    def count(frame: str | bytes) -> None:
        nonlocal received
        received += len(frame)

    page.on("websocket", lambda socket: socket.on("framereceived", count))
    await lab.write_and_run("hail.ipynb", "import json\n" + CONNECT + CHAT)
    await expect(page.get_by_text("Nobody has said anything yet.")).to_be_visible()
    feed = (await lab.run_code("print(room.chat.channel.feed_id)")).strip()
    await page.evaluate(IN_ORDER)
    before = received
    messages_before = int(await lab.run_code("print(chat.chat_messages)"))
    clock = asyncio.get_running_loop().time
    began = clock()
    async with await spnb.connect_async("flood", url=lab.sandbox.url, api_key=lab.sandbox.api_key) as writer:
        sent, took = await flood(lab.sandbox.url, await writer.access_token(), feed, SECONDS, EACH_SECOND)
    assert sent == SECONDS * EACH_SECOND
    await lab.run_code("last = room.chat.send('the last of them')")
    await expect(page.locator(".spnb-words").last).to_have_text("the last of them")
    until_shown = clock() - began  # a busy machine's kernel is behind the service
    # Nothing was lost on the way, and the end is shown as the service has it.
    await expect(page.locator(".spnb-line")).to_have_count(100)
    told = await lab.run_code("print(last.segment, json.dumps([m.text for m in room.chat.recent(100)]))")
    segment, texts = told.split(" ", 1)
    assert int(segment) == sent + 1
    assert await page.locator(".spnb-words").all_text_contents() == json.loads(texts)
    assert await page.evaluate("[window.spnbFaults, window.spnbMost <= 100]") == [[], True]
    # The list scrolls from its end: there is 0, and what is above is negative.
    lines = page.locator(".spnb-lines")
    assert await lines.evaluate("(list) => list.scrollTop") == 0
    # All that came to the page, JupyterLab's own messages included: in batches, and only what it shows.
    assert received - before < 1_000_000 * took
    state = await lab.run_code(
        "rows = chat._rows\nprint(json.dumps([chat.chat_messages, chat.chat_bytes, chat.error]))\n"
        "print(json.dumps([len(rows), len(rows._fresh), len(rows._gone), len(rows._quotes) <= 1000]))"
    )
    spent, held = (json.loads(line) for line in state.splitlines())
    assert held == [100, 0, 0, True]
    messages, size, error = spent
    assert error == ""
    assert messages - messages_before <= 11 * until_shown
    assert size < sent * 250
    # Who reads further up stays there, and sees how many are new.
    await lines.evaluate("(list) => { list.scrollTop = -list.scrollHeight; }")
    up = await lines.evaluate("(list) => list.scrollTop")
    top = await page.locator(".spnb-words").first.text_content()
    await lab.run_code("[room.chat.send(f'new {n}') for n in range(12)]")
    await expect(page.get_by_role("button", name="12 new ↓")).to_be_visible()
    assert await page.locator(".spnb-words").first.text_content() == top
    assert await lines.evaluate("(list) => list.scrollTop") == up < -1000
    await lab.shot("chat-held")
    await page.get_by_role("button", name="12 new ↓").click()
    await expect(page.locator(".spnb-words").last).to_have_text("new 11")
    await expect(page.locator(".spnb-line")).to_have_count(100)
    await expect(page.locator(".spnb-fresh")).to_be_hidden()
