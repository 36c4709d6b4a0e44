"""What goes wrong around a camera and a stage, and what the host is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import psutil
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.lab.audience import House, brightest, good_pictures, still_pictures
from tests.lab.conftest import CAMERA, GRACE, HUB, Lab
from tests.lab.test_preview import CELL as PREVIEW
from tests.lab.test_preview import LEFT_OVER
from tests.lab.test_story import PLAYING
from tests.lab.test_studio import CELL, ended, go_live, make_room, on_air
from tests.lab.visitors import another_browser, visit

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest_asyncio.fixture
async def no_udp(lab: Lab) -> AsyncIterator[Lab]:
    """The lab in a browser whose WebRTC may not use UDP, as behind many a company's firewall."""
    async with another_browser(lab, "--webrtc-ip-handling-policy=disable_non_proxied_udp") as other:
        yield other


WORKERS = """() => {
    window.spnbWorkers = [];
    window.Worker = class extends Worker {
        constructor(...given) {
            super(...given);
            window.spnbWorkers.push(this);
        }
    };
}"""
"""Keeps the page's workers in sight."""


async def test_without_udp_the_page_encodes_or_sends_pictures(no_udp: Lab) -> None:
    lab = no_udp
    await lab.write_and_run("no-udp.ipynb", PREVIEW)
    page = lab.page
    await page.evaluate(WORKERS)
    await page.get_by_role("button", name="Camera on").click()
    assert await page.locator(".spnb-preview video").evaluate(PLAYING) == CAMERA
    await expect(page.locator(".spnb-numbers")).to_contain_text("encoded here, sent through")
    look = "import json; print(json.dumps(list(next(preview.frames()).shape)))"
    assert json.loads(await lab.run_code(look)) == [*CAMERA[::-1], 3]
    # What encodes beside the page breaks: it goes on one by one, by itself.
    await page.evaluate("window.spnbWorkers.at(-1).postMessage(null)")
    await expect(page.locator(".spnb-numbers")).to_contain_text("no UDP here: sent as messages")
    await page.get_by_role("button", name="Camera off").click()
    # As in a browser that cannot encode.
    await page.evaluate("window.VideoEncoder = undefined")
    await page.get_by_role("button", name="Camera on").click()
    await expect(page.locator(".spnb-numbers")).to_contain_text("no UDP here: sent as messages")
    assert json.loads(await lab.run_code(look)) == [360, 640, 3]
    # Also while a cell keeps the kernel busy.
    busy = "import time; first = preview.count; time.sleep(3); print(preview.count - first)"
    assert int(await lab.run_code(busy)) > 3
    await lab.run_code("@preview.on_frame\ndef flip(pixels):\n    return pixels[::-1]")
    await expect(page.locator(".spnb-preview img")).to_be_visible()
    await page.get_by_role("button", name="Camera off").click()
    await expect(page.get_by_text("Camera is off")).to_be_visible()
    await lab.run_code("preview.clear_filter()")
    await lab.close()


async def no_camera(page: Page, words: str) -> None:
    await expect(page.get_by_text(words)).to_be_visible()
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()


async def test_a_camera_that_cannot_be_had_is_told_in_words(lab: Lab) -> None:
    page = lab.page
    await lab.write_and_run("no-camera.ipynb", PREVIEW)
    # The browser's own refusals, which a headless one does not give.
    await page.evaluate(
        "window.spnbOpen = navigator.mediaDevices.getUserMedia;"
        "void (navigator.mediaDevices.getUserMedia ="
        " () => Promise.reject(new DOMException('refused', window.spnbRefusal)))"
    )
    try:
        button = page.get_by_role("button", name="Camera on")
        for name, words in {
            "NotAllowedError": "Allow it with the camera icon",
            "NotFoundError": "No camera was found",
            "NotReadableError": "in use by another program",
        }.items():
            await page.evaluate("(name) => { window.spnbRefusal = name; }", name)
            await button.click()
            await no_camera(page, words)
            button = page.get_by_role("button", name="Try again")
    finally:
        await page.evaluate("void (navigator.mediaDevices.getUserMedia = window.spnbOpen)")


async def test_a_page_that_is_not_secure_is_told_that_it_has_no_camera(lab: Lab) -> None:
    browser = lab.page.context.browser
    assert browser is not None
    page = await browser.new_page()
    page.set_default_timeout(60_000)
    visitor = await visit(lab, page, HUB)
    await visitor.write_and_run("insecure.ipynb", PREVIEW)
    await page.get_by_role("button", name="Camera on").click()
    await no_camera(page, "https pages and to localhost only")
    await visitor.close()
    await page.close()


async def test_one_of_two_tabs_has_the_camera(lab: Lab) -> None:
    await lab.write_and_run("tabs.ipynb", PREVIEW)
    await lab.save()
    browser = lab.page.context.browser
    assert browser is not None
    page = await browser.new_page()
    page.set_default_timeout(60_000)
    other = await visit(lab, page)
    await other.open("tabs.ipynb")
    await lab.page.get_by_role("button", name="Camera on").click()
    assert await lab.page.locator(".spnb-preview video").evaluate(PLAYING) == CAMERA
    await expect(page.get_by_text("On in another tab")).to_be_visible()
    await page.get_by_role("button", name="Camera on").click()
    assert await page.locator(".spnb-preview video").evaluate(PLAYING) == CAMERA
    await expect(lab.page.get_by_text("On in another tab")).to_be_visible()
    assert not await lab.page.evaluate("[...document.querySelectorAll('video')].some((video) => video.srcObject)")
    await page.get_by_role("button", name="Camera off").click()
    await expect(page.get_by_text("Camera is off")).to_be_visible()
    assert (await lab.run_code(LEFT_OVER)).strip() == "0 []"
    await page.close()


@pytest.mark.parametrize("path", ["browser", "kernel"])
async def test_an_unplugged_camera_leaves_a_card_and_the_room_on_air(lab: Lab, path: str) -> None:
    room_id = await go_live(lab, f"unplugged-{path}.ipynb", CELL.replace("countdown=0", f"countdown=0, path='{path}'"))
    page, house = lab.page, House(lab)
    async with house.viewer(room_id) as watching:
        track, _ = await watching.track()
        await good_pictures(track)
        # What a browser does when a device is pulled out.
        await page.evaluate(
            "(() => { const track = document.querySelector('.spnb-preview video').srcObject.getVideoTracks()[0];"
            " track.stop(); track.dispatchEvent(new Event('ended')); })()"
        )
        await expect(page.get_by_text("The camera is gone").first).to_be_visible()
        await still_pictures(track)
        async with asyncio.timeout(60):  # the words on the card come sharper than a picture that just stopped
            while await brightest(track) <= 150:
                pass
        assert await house.status(room_id) == "live"
        await page.get_by_role("button", name="Camera on").click()
        await good_pictures(track)
    await page.get_by_role("button", name="End", exact=True).click()
    await page.get_by_role("button", name="End now").click()
    await ended(page)


async def test_a_room_stopped_elsewhere_is_left_and_told(lab: Lab) -> None:
    await go_live(lab, "elsewhere.ipynb")
    page = lab.page
    await lab.run_code("sp.rooms.stop(studio.room.room_id)")
    # Whichever hears it first, the service or the media server: the service says why.
    await expect(page.locator(".spnb-studio .spnb-main > .spnb-error")).to_contain_text(
        "stopped elsewhere", timeout=60_000
    )
    await ended(page)
    assert not await page.evaluate("window.spnbPanel === undefined")


async def test_a_dead_token_is_replaced_silently(lab: Lab) -> None:
    """The first broadcaster data has expired by the time of the click."""
    await lab.write_and_run("token.ipynb", CELL)
    page = lab.page
    await make_room(page)
    await page.get_by_role("button", name="Camera on").click()
    assert await page.locator(".spnb-preview video").evaluate(PLAYING) == CAMERA
    await lab.run_code(
        "from spnb.broadcast import credentials\n"
        "room_id = studio.room.room_id\n"
        "data = credentials._prepared[room_id]\n"
        "head, body, sign = data.co_host_token.split('.')\n"
        "credentials._prepared[room_id] = data.model_copy(update={'co_host_token': f'{head}.{body}.{sign[::-1]}'})"
    )
    await page.get_by_role("button", name="Go live").click()
    await on_air(page)
    await expect(page.locator(".spnb-studio .spnb-main > .spnb-error")).to_be_empty()
    await page.get_by_role("button", name="End", exact=True).click()
    await page.get_by_role("button", name="End now").click()
    await ended(page)


async def test_viewers_are_asked_about_before_the_end(lab: Lab) -> None:
    room_id = await go_live(lab, "asked.ipynb")
    page = lab.page
    await lab.run_code(
        "fan = spnb.connect('a-fan', url=os.environ['TEST_URL'], api_key=os.environ['TEST_KEY'])\n"
        f"fan.presence.heartbeat('{room_id}')"
    )
    await expect(page.get_by_text("1 viewer", exact=True)).to_be_visible()
    await page.get_by_role("button", name="End", exact=True).click()
    await lab.shot("studio-end-asks", ".spnb-studio")
    await page.get_by_role("button", name="Stay on air").click()
    assert await House(lab).status(room_id) == "live"
    await page.get_by_role("button", name="End", exact=True).click()
    await page.get_by_role("button", name="End now").click()
    await ended(page)


COVERED = """() => {
    const area = (where) => {
        const { width, height } = document.querySelector(where).getBoundingClientRect();
        return width * height;
    };
    return area('.spnb-floating') / area('.spnb-stage');
}"""
"""The share of the picture that lies under the controls."""


async def test_everything_by_keyboard_and_in_the_dark(lab: Lab) -> None:
    await lab.write_and_run("keyboard.ipynb", CELL.replace("countdown=0", "countdown=1"))
    page = lab.page
    await page.evaluate("window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    # Focused and pressed in one step: a lab that has just run cells, or changed its theme, may take the focus.
    await page.get_by_role("button", name="Camera on").press("Enter")
    assert await page.locator(".spnb-preview video").evaluate(PLAYING) == CAMERA
    await page.get_by_label("Title").focus()
    await page.keyboard.type("By keyboard")
    await page.keyboard.press("Enter")
    await expect(page.locator(".spnb-studio .spnb-title").first).to_have_text("By keyboard")
    await page.get_by_role("button", name="Hide chat").focus()
    for _ in range(8):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.textContent") == "Go live":
            break
    assert await page.evaluate("document.activeElement.textContent") == "Go live", "it is reached by Tab"
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    await asyncio.sleep(2.5)
    assert await page.evaluate("document.activeElement.textContent") == "Go live", "what is drawn anew keeps the focus"
    await page.keyboard.press("Enter")
    await on_air(page)
    await lab.shot("studio-dark")
    # On a narrow page the bar over the picture covers little of it, and goes by itself; a key brings it back.
    await page.set_viewport_size({"width": 900, "height": 1400})
    await page.locator(".spnb-stage").hover()
    assert await page.evaluate(COVERED) < 0.15
    await lab.shot("studio-narrow", ".spnb-studio")
    await page.evaluate("document.activeElement.blur()")
    bar = page.locator(".spnb-floating")
    await expect(bar).to_have_css("opacity", "0")
    await page.get_by_role("button", name="Mute", exact=True).focus()
    await expect(bar).to_have_css("opacity", "1")
    await page.set_viewport_size({"width": 1280, "height": 1400})
    await page.get_by_role("button", name="End", exact=True).focus()
    await page.keyboard.press("Space")
    assert await page.evaluate("document.activeElement.textContent") == "Stay on air", "the safe answer has the focus"
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Space")
    await ended(page)
    await page.evaluate("window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")


async def test_a_closed_tab_ends_the_room(lab: Lab) -> None:
    async with another_browser(lab) as other:
        room_id = await go_live(other, "closed-tab.ipynb")
        await other.page.close(run_before_unload=False)
        await House(lab).until(room_id, "ended", "recorded", seconds=GRACE + 20)


async def test_a_laptop_asleep_leaves_no_ghost(lab: Lab) -> None:
    """The whole browser stands still, as with the lid closed, and wakes up after the grace time."""
    mark = f"--spnb-asleep={lab.token}"
    async with another_browser(lab, mark) as other:
        room_id = await go_live(other, "asleep.ipynb")
        browsers = [process for process in psutil.process_iter(["cmdline"]) if mark in (process.info["cmdline"] or [])]
        family = {child for browser in browsers for child in [browser, *browser.children(recursive=True)]}
        for process in family:
            process.suspend()
        try:
            await House(lab).until(room_id, "ended", "recorded", seconds=GRACE + 45)
        finally:
            for process in family:
                process.resume()
        await ended(other.page)
        await other.close()


async def test_an_interrupted_kernel_stays_on_air_and_obeys(lab: Lab) -> None:
    room_id = await go_live(lab, "interrupted.ipynb")
    busy = asyncio.create_task(lab.run_code("import time; time.sleep(60)"))
    await asyncio.sleep(0.5)
    await lab.page.evaluate("window.spnbPanel.sessionContext.session.kernel.interrupt()")
    assert "KeyboardInterrupt" in await busy
    assert await House(lab).status(room_id) == "live"
    await lab.page.get_by_role("button", name="End", exact=True).click()
    await lab.page.get_by_role("button", name="End now").click()
    await ended(lab.page)


async def test_end_is_heard_while_a_cell_is_busy(lab: Lab) -> None:
    room_id = await go_live(lab, "busy-end.ipynb")
    await asyncio.sleep(2)
    busy = asyncio.create_task(lab.run_code("import time; time.sleep(15)"))
    await asyncio.sleep(0.5)
    await lab.page.get_by_role("button", name="End", exact=True).click()
    await lab.page.get_by_role("button", name="End now").click()
    await House(lab).until(room_id, "ended", "recorded", seconds=8)
    assert not busy.done(), "it was heard only after the cell"
    await busy
