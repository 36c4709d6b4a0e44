"""Two notebooks on one room: a host's Studio and a viewer's Player react to each other, and something is sold."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import expect

from tests.lab.conftest import CONNECT, Lab
from tests.lab.test_story import PLAYING

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.slow, pytest.mark.timeout(300)]

HOST = CONNECT + "studio = spnb.Studio(sp, sp.rooms.create('Engaging <b>talk</b>'), countdown=0)\nstudio"
FAN = (
    CONNECT + "from IPython.display import display\n"
    "room = next(room for room in sp.rooms.query(statuses=['live']) if room.title.startswith('Engaging'))\n"
    "player, viewers = spnb.Player(room), spnb.ViewerCount(room)\ndisplay(player, viewers)"
)
FLOATS = """() => {
    window.spnbFloats = [];
    const seen = (list) => list.forEach((record) => record.addedNodes.forEach((node) => {
        if (node.parentElement?.classList.contains('spnb-float')) {
            const studio = node.closest('.spnb-studio');
            window.spnbFloats.push([studio ? 'studio' : 'player', node.textContent]);
        }
    }));
    new MutationObserver(seen).observe(document.body, {childList: true, subtree: true});
}"""


async def test_two_notebooks_react_to_each_other_and_sell(lab: Lab) -> None:
    page = lab.page
    await lab.write_and_run("engaging-host.ipynb", HOST)
    host_panel = await page.evaluate_handle("window.spnbPanel")
    studio = page.locator(".spnb-studio")
    # The host puts two products on the list with the keyboard, before anything else.
    await studio.locator("summary", has_text="Products").press("Enter")  # folded away until the room is on air
    adder = studio.get_by_label("search products to add")
    await adder.fill("mug")
    await studio.get_by_role("button", name="add Enamel mug").press("Enter")
    await expect(studio.locator(".spnb-product-list li")).to_have_count(1)
    await adder.fill("desk")
    await studio.get_by_role("button", name="add Desk lamp").click()
    await expect(studio.locator(".spnb-product-list li")).to_have_count(2)
    await lab.shot("engagement-products")
    await studio.get_by_label("source", exact=True).select_option("test-card")
    await studio.get_by_role("button", name="Go live").click()
    await expect(studio.locator(".spnb-head .spnb-badge")).to_have_text("LIVE")

    # A viewer in another notebook, beside it.
    lab.write("engaging-fan.ipynb", FAN)
    await page.evaluate(
        """async () => {
            const app = window.jupyterapp;
            const panel = await app.commands.execute('docmanager:open',
                {path: 'engaging-fan.ipynb', options: {mode: 'split-right', ref: window.spnbPanel.id}});
            await panel.context.ready;
            await panel.sessionContext.ready;
            window.spnbPanel = panel;
        }"""
    )
    await page.wait_for_function("window.spnbPanel.sessionContext.kernelDisplayStatus === 'idle'")
    await lab.run_all()
    fan = page.locator(".jp-NotebookPanel").filter(has=page.locator(".spnb-viewers"))
    video = fan.locator(".spnb-player video")
    await expect(video).to_be_visible()
    await video.evaluate(PLAYING)
    await expect(fan.locator(".spnb-viewers .spnb-big")).to_have_text("1")
    await expect(studio.get_by_text("1 viewer", exact=True)).to_be_visible()
    await page.wait_for_function("document.querySelector('.spnb-reactions:not([hidden])')")

    # The viewer reacts: it floats here at once and there soon, once each.
    await page.evaluate(FLOATS)
    fire = fan.get_by_role("group", name="reactions").get_by_role("button", name="fire")
    await fire.click()
    await fire.press("Enter")
    await expect(studio.locator(".spnb-chip", has_text="fire")).to_contain_text("2")
    await lab.run_code("player._room.sync.react('clap')")
    await expect(fan.get_by_role("button", name="clap, 1 so far")).to_be_visible()
    await expect(studio.locator(".spnb-chip")).to_have_count(2)
    await expect(fan.get_by_role("button", name="fire, 2 so far")).to_be_visible()
    await page.wait_for_function("window.spnbFloats.filter(([where]) => where === 'studio').length === 3")
    floats = json.loads(await page.evaluate("JSON.stringify(window.spnbFloats.sort())"))
    assert floats == [["player", "👏"], ["player", "🔥"], ["player", "🔥"], *(["studio", each] for each in "👏🔥🔥")]

    # The host pins: the viewer sees it over the picture, and swapped, and gone.
    await studio.get_by_role("button", name="pin Enamel mug", exact=True).click()
    card = fan.locator(".spnb-pinned")
    await expect(card).to_contain_text("Enamel mug")
    await expect(card.get_by_role("link", name="open Enamel mug in the shop")).to_have_attribute(
        "href", "https://shop.example/mug"
    )
    await expect(fan.locator(".spnb-product-list li")).to_have_count(2)
    await fire.click()
    await lab.shot("engagement", ".jp-LabShell")
    await studio.get_by_role("button", name="pin Desk lamp", exact=True).click()
    await expect(card).to_contain_text("Desk lamp")
    await studio.get_by_role("button", name="unpin Desk lamp").click()
    await expect(card).to_be_hidden()

    # A viewer asks, the host puts it on screen: all see it over the picture, as text, until it is taken off.
    await lab.run_code("room.chat.send('<img src=x> What is in it? \\u202eoops')")
    line = studio.locator(".spnb-line", has_text="What is in it?")
    await line.hover()
    await studio.get_by_role("button", name="Show on screen:").click()
    placard = fan.locator(".spnb-onscreen")
    await expect(placard).to_have_text("<img src=x> What is in it? \u202eoops")
    await expect(placard).to_have_css("unicode-bidi", "isolate")
    await expect(studio.locator(".spnb-standing")).to_contain_text("What is in it?")
    await lab.shot("engagement-placard", ".jp-LabShell")
    await studio.get_by_role("button", name="Take off").click()
    await expect(placard).to_be_hidden()

    # Who watches is named; where motion is unwelcome nothing floats, and the counts still tell.
    await fan.get_by_role("button", name="Who?").click()
    await expect(fan.locator(".spnb-people li")).to_have_count(1)
    await page.emulate_media(reduced_motion="reduce")
    before = await page.evaluate("window.spnbFloats.length")
    await fan.get_by_role("button", name="wow", exact=True).click()
    await expect(studio.locator(".spnb-chip", has_text="wow")).to_contain_text("1")
    assert await page.evaluate("window.spnbFloats.length") == before
    await page.emulate_media(reduced_motion="no-preference")
    assert not [line for line in lab.console if line.startswith("pageerror")]
    await lab.close()
    await page.evaluate("(panel) => { window.spnbPanel = panel; }", host_panel)
    await lab.run_code("studio.close()")
