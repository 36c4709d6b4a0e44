"""A host's Studio and a viewer's Player in two notebooks, each on a page of its own: they chat and react."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from spnb.bench.lab import another_page
from tests.lab.conftest import CONNECT, Lab
from tests.lab.test_story import PLAYING

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.slow, pytest.mark.timeout(300)]

HOST = CONNECT + "room = sp.rooms.create('Talk across notebooks')\nstudio = spnb.Studio(sp, room, countdown=0)\nstudio"
FAN = (
    "import os, spnb\nurl, key = os.environ['TEST_URL'], os.environ['TEST_KEY']\n"
    "sp = spnb.connect('fay', display_name='Fay <b>Fan</b>', url=url, api_key=key)\n"
    "player = spnb.Player(sp.rooms.get({room!r}))\nplayer"
)
FLOATS = """() => {
    window.spnbTalkObserver?.disconnect();
    window.spnbTalkFloats = [];
    const seen = (list) => list.forEach((record) => record.addedNodes.forEach((node) => {
        if (node.parentElement?.classList.contains('spnb-float')) window.spnbTalkFloats.push(node.textContent);
    }));
    window.spnbTalkObserver = new MutationObserver(seen);
    window.spnbTalkObserver.observe(document.body, {childList: true, subtree: true});
}"""
SIDES = """() => {
    const box = (where) => document.querySelector(where).getBoundingClientRect();
    const [main, side] = [box('.spnb-main'), box('.spnb-aside')];
    return side.left >= main.right ? 'beside' : side.top >= main.bottom ? 'below' : 'over each other';
}"""


async def say(page: Page, text: str) -> None:
    await page.get_by_label("your message").fill(text)
    await page.get_by_label("your message").press("Enter")


async def theme(page: Page, name: str) -> None:
    await page.evaluate(f"window.jupyterapp.commands.execute('apputils:change-theme', {{theme: 'JupyterLab {name}'}})")
    await page.wait_for_function(f"document.body.dataset.jpThemeName === 'JupyterLab {name}'")


async def test_a_studio_and_a_player_talk_across_two_notebooks(lab: Lab) -> None:
    await lab.write_and_run("talk-host.ipynb", HOST)
    host = lab.page
    room_id = (await lab.run_code("print(room.room_id)")).strip()
    studio = host.locator(".spnb-studio")
    await expect(studio.get_by_text("Nobody has said anything yet.")).to_be_visible()
    async with another_page(lab) as other:
        await other.write_and_run("talk-fan.ipynb", FAN.format(room=room_id))
        fan = other.page
        # Before the stream there is a chat, and what is said lands in the other notebook, both ways, once.
        await say(fan, "Is it <i>soon</i>?")
        await expect(studio.locator(".spnb-words")).to_have_text(["Is it <i>soon</i>?"])
        await expect(studio.locator(".spnb-who")).to_have_text("Fay <b>Fan</b>")
        await say(host, "Right now")
        await expect(fan.locator(".spnb-words")).to_have_text(["Is it <i>soon</i>?", "Right now"])
        await expect(fan.locator(".spnb-role")).to_have_text("HOST")
        await expect(fan.get_by_label("your message")).to_be_focused()

        await studio.get_by_label("source", exact=True).select_option("test-card")
        await studio.get_by_role("button", name="Go live").click()
        await expect(studio.locator(".spnb-head .spnb-badge")).to_have_text("LIVE")
        video = fan.locator(".spnb-player video")
        await expect(video).to_be_visible()
        await video.evaluate(PLAYING)

        # A reaction floats over the other's picture, from either side.
        await fan.wait_for_function("document.querySelector('.spnb-reactions:not([hidden])')")
        for page in (host, fan):
            await page.evaluate(FLOATS)
        await fan.get_by_role("group", name="reactions").get_by_role("button", name="fire").click()
        await host.wait_for_function("window.spnbTalkFloats.length === 1")
        assert await host.evaluate("window.spnbTalkFloats") == ["🔥"]
        await lab.run_code("room.react('clap')")
        await fan.wait_for_function("window.spnbTalkFloats.length === 2")
        assert await fan.evaluate("window.spnbTalkFloats") == ["🔥", "👏"]
        # Who writes code goes on writing it. The editor is focused, not clicked: it may be scrolled out of sight.
        editor = host.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell .cm-content").first
        await editor.focus()
        await say(fan, "On air!")
        await expect(studio.locator(".spnb-words")).to_have_text(["Is it <i>soon</i>?", "Right now", "On air!"])
        await expect(editor).to_be_focused()
        await say(host, "Hello everybody")
        said = ["Is it <i>soon</i>?", "Right now", "On air!", "Hello everybody"]
        await expect(fan.locator(".spnb-words")).to_have_text(said)

        # Beside the picture where there is width, below it where there is not.
        for page in (host, fan):
            assert await page.evaluate(SIDES) == "beside"
        await lab.shot("talk-studio-light")
        await other.shot("talk-player-light")
        for page in (host, fan):
            await theme(page, "Dark")
        await lab.shot("talk-studio-dark")
        await other.shot("talk-player-dark")
        await theme(host, "Light")
        await fan.set_viewport_size({"width": 760, "height": 1400})
        await fan.wait_for_function(f"({SIDES})() === 'below'")
        await other.shot("talk-player-narrow")
        await fan.set_viewport_size({"width": 1280, "height": 1400})

        # Put away by keyboard; what is said meanwhile is counted, and there when it is shown again.
        fold = fan.get_by_role("button", name="Hide chat")
        await fold.press("Enter")
        await expect(fan.locator(".spnb-chat")).to_be_hidden()
        await say(host, "while it was away")
        shown = fan.get_by_role("button", name="Show chat · 1 new")
        await expect(shown).to_be_focused()
        await expect(shown).to_have_attribute("aria-expanded", "false")
        await shown.press("Enter")
        await expect(fan.locator(".spnb-words")).to_have_text([*said, "while it was away"])
        assert await fan.evaluate("document.activeElement.textContent") == "Hide chat"

        # After the end the talk goes on beside the replay.
        await studio.get_by_role("button", name="End", exact=True).click()
        await studio.get_by_role("button", name="End now").click()
        await expect(fan.locator(".spnb-player .spnb-badge")).to_have_text("REPLAY")
        await say(fan, "Thank you")
        await expect(studio.locator(".spnb-words").last).to_have_text("Thank you")
        await lab.shot("talk-studio-after")

        # Another stream is another room, and no word of the last one stands there.
        await studio.get_by_role("button", name="New stream").click()
        await host.get_by_label("Title").fill("Another talk")
        await host.get_by_role("button", name="Create room").click()
        await expect(studio.get_by_text("Nobody has said anything yet.")).to_be_visible()
        await expect(studio.locator(".spnb-line")).to_have_count(0)
    assert not [line for line in lab.console if line.startswith("pageerror")]
