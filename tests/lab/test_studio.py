"""The Studio in a browser with a camera: both ways to the air, controls, and every way off it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from tests.lab.audience import House, good_pictures
from tests.lab.conftest import CARD, CONNECT, GRACE, Lab
from tests.lab.test_story import PLAYING

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.slow, pytest.mark.timeout(300)]

CELL = CONNECT + "studio = spnb.Studio(sp, countdown=0)\nstudio"


# The preview's way to the kernel is still being made when the host is on the air by the page.
SLOW_PREVIEW = """() => {
    const {setParameters} = RTCRtpSender.prototype;
    const held = new Promise((resolve) => (window.spnbGoOn = resolve));
    RTCRtpSender.prototype.setParameters = async function (...given) {
        RTCRtpSender.prototype.setParameters = setParameters;
        await held;
        return setParameters.apply(this, given);
    };
}"""


async def make_room(page: Page, title: str = "Studio talk") -> None:
    await page.get_by_label("Title").fill(title)
    await page.get_by_role("button", name="Create room").click()
    await expect(page.locator(".spnb-studio .spnb-title").first).to_have_text(title)


async def on_air(page: Page) -> None:
    await expect(page.locator(".spnb-studio .spnb-head .spnb-badge")).to_have_text("LIVE")


async def go_live(lab: Lab, name: str, cell: str = CELL) -> str:
    """A Studio on air; the room's id."""
    lab.write(name, cell)
    await lab.open(name)
    await lab.run_all()
    await make_room(lab.page)
    await lab.page.get_by_role("button", name="Go live").click()
    await on_air(lab.page)
    return await House(lab).room_id()


async def ended(page: Page) -> None:
    await expect(page.locator(".spnb-studio .spnb-player .spnb-badge").last).to_have_text("REPLAY")


@pytest.mark.usefixtures("in_hd")
async def test_a_host_is_published_by_the_page_itself(lab: Lab) -> None:
    lab.write("studio.ipynb", CELL)
    await lab.open("studio.ipynb")
    await lab.run_all()
    page = lab.page
    await page.evaluate(SLOW_PREVIEW)
    await page.get_by_role("button", name="Camera on").click()
    assert await page.locator(".spnb-preview video").evaluate(PLAYING) == [1280, 720]
    await page.get_by_role("button", name="Snapshot").click()
    await expect(page.get_by_text("The preview's picture is the thumbnail")).to_be_visible()
    await lab.shot("studio-form")
    await make_room(page)
    await page.get_by_role("button", name="Go live").click()
    await on_air(page)
    await expect(page.get_by_text("Sent straight from this page")).to_be_visible()
    await page.evaluate("window.spnbGoOn()")
    await expect(page.locator(".spnb-health")).to_contain_text("1280×720")
    house = House(lab)
    room_id = await house.room_id()
    async with house.viewer(room_id) as watching:
        track, _ = await watching.track()
        await good_pictures(track, size=(1280, 720))
        assert len(watching.room.remote_participants) == 1
        await page.get_by_role("button", name="Mute").click()
        await expect(page.get_by_role("button", name="Unmute")).to_be_visible()
        async with asyncio.timeout(60):
            while "track_muted" not in watching.events:
                await asyncio.sleep(0.05)
        await lab.shot("studio-live")
        # The page's layers are HLS's qualities, as they are: it sends H.264 where the server takes that.
        sizes = await house.qualities(room_id, 2)
        assert sizes[0] == "1280x720", sizes
        # A cell that keeps the kernel busy for long does not touch the stream.
        until_told = "import pathlib, time\nwhile not pathlib.Path('enough').exists(): time.sleep(0.1)"
        busy = asyncio.create_task(lab.run_code(until_told))
        await good_pictures(track)
        assert not busy.done()
        (lab.folder / "enough").touch()
        await busy
    await page.get_by_role("button", name="End", exact=True).click()
    await page.get_by_role("button", name="End now").click()
    await ended(page)
    assert await page.locator(".spnb-studio .spnb-player video").last.evaluate(PLAYING) == [1280, 720]
    await lab.shot("studio-ended")
    assert not [line for line in lab.console if line.startswith("pageerror")]
    assert await house.status(room_id) == "recorded"


async def test_a_host_is_published_by_the_kernel(lab: Lab) -> None:
    room_id = await go_live(lab, "studio-kernel.ipynb", CELL.replace("countdown=0", "countdown=1, path='kernel'"))
    page = lab.page
    await expect(page.get_by_text("Sent by the kernel, as was chosen")).to_be_visible()
    await expect(page.locator(".spnb-health")).to_contain_text("640×360")
    async with House(lab).viewer(room_id) as watching:
        track, _ = await watching.track()
        await good_pictures(track, size=(640, 360))
    await page.get_by_role("button", name="End", exact=True).click()
    await page.get_by_role("button", name="End now").click()
    await ended(page)


async def test_sources_are_switched_on_air(lab: Lab) -> None:
    room_id = await go_live(lab, "studio-switch.ipynb")
    page, house = lab.page, House(lab)
    async with house.viewer(room_id) as watching:
        await watching.track()
        await page.get_by_label("source", exact=True).select_option("test-card")
        track, _ = await watching.track()
        assert len(await watching.counters(track, 20)) == 20
        await page.get_by_label("source", exact=True).select_option("page")
        track, _ = await watching.track()
        await good_pictures(track, size=(640, 360), watching=watching)
    assert await house.status(room_id) in ("live", "waitingReconnect")
    await page.get_by_role("button", name="End", exact=True).click()
    await page.get_by_role("button", name="End now").click()
    await ended(page)


async def test_a_reloaded_page_offers_to_resume(lab: Lab) -> None:
    room_id = await go_live(lab, "studio-reload.ipynb")
    await lab.save()
    house = House(lab)
    await lab.page.reload()
    await lab.page.wait_for_function("window.jupyterapp && window.jupyterapp.started")
    await lab.open("studio-reload.ipynb")
    await lab.page.get_by_role("button", name="Resume").click()
    await expect(lab.page.get_by_text("the page that sent the picture is gone")).to_be_hidden()
    async with house.viewer(room_id) as watching:
        track, _ = await watching.track()
        await good_pictures(track)
    assert await house.until(room_id, "live") == "live"
    await lab.page.get_by_role("button", name="End", exact=True).click()
    await lab.page.get_by_role("button", name="End now").click()
    await ended(lab.page)


@pytest.mark.parametrize("how", ["outputs cleared", "kernel restarted", "kernel killed", "cell run again", "closed"])
async def test_no_way_off_leaves_a_room_live(lab: Lab, how: str) -> None:
    room_id = await go_live(lab, f"studio-{how.replace(' ', '-')}.ipynb")
    house, page = House(lab), lab.page
    began = asyncio.get_running_loop().time()
    if how == "outputs cleared":
        await page.evaluate("window.spnbPanel.content.activeCell.outputArea.model.clear()")
    elif how == "kernel restarted":
        await page.evaluate("window.spnbPanel.sessionContext.session.kernel.restart()")
    elif how == "kernel killed":
        await page.evaluate(
            "window.spnbPanel.sessionContext.session.kernel"
            ".requestExecute({code: 'import os; os.kill(os.getpid(), 9)'}) && null"
        )
    elif how == "cell run again":
        await page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    else:
        await lab.run_code("studio.close()")
    if how == "kernel killed":
        await page.locator(".jp-Dialog").get_by_role("button", name="Ok").click(timeout=60_000)
    await house.until(room_id, "ended", "recorded", seconds=GRACE + 25)
    if how in ("cell run again", "closed"):
        assert asyncio.get_running_loop().time() - began < GRACE, "it was left to the grace time"


async def test_a_cut_connection_is_restored_and_told(lab: Lab) -> None:
    cut: list[WebSocketRoute] = []

    def hold(route: WebSocketRoute) -> None:
        route.connect_to_server()
        cut.append(route)

    await lab.page.route_web_socket("**/rtc**", hold)
    room_id = await go_live(lab, "studio-cut.ipynb")
    page, house = lab.page, House(lab)
    assert cut
    await cut[-1].close(code=4000)
    await expect(page.get_by_text("Reconnected.")).to_be_visible()
    await expect(page.get_by_text("Reconnected.")).to_be_hidden()
    async with house.viewer(room_id) as watching:
        track, _ = await watching.track()
        await good_pictures(track)
        # Then the media itself: every packet is lost for a while.
        network = await page.context.new_cdp_session(page)
        free = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        await network.send("Network.enable")
        await network.send("Network.emulateNetworkConditions", {**free, "packetLoss": 100})
        await asyncio.sleep(5)
        await network.send("Network.emulateNetworkConditions", {**free, "packetLoss": 0})
        await network.detach()
        await good_pictures(track, watching=watching)
    assert await house.until(room_id, "live") == "live"
    await page.get_by_role("button", name="End", exact=True).click()
    await page.get_by_role("button", name="End now").click()
    await ended(page)
    assert await page.evaluate("window.spnbTracks.every((track) => track.readyState === 'ended')"), "the camera is off"


async def test_what_was_left_live_is_offered(lab: Lab) -> None:
    await lab.write_and_run(
        "studio-left.ipynb",
        CONNECT + f"left = sp.rooms.create('Left behind')\nshow = left.go_live({CARD})\nleft.until('live')\n"
        "from spnb.broadcast.running import on_air_here\non_air_here.clear()\nstudio = spnb.Studio(sp)\nstudio",
    )
    await expect(lab.page.get_by_text("You have a room still live: Left behind")).to_be_visible()
    await lab.page.locator(".spnb-banner").get_by_role("button", name="End").click()
    await expect(lab.page.get_by_text("over for good")).to_be_visible()
    await lab.page.locator(".spnb-banner").get_by_role("button", name="End now").click()
    await expect(lab.page.get_by_text("You have a room still live")).to_be_hidden()
    room_id = (await lab.run_code("print(left.room_id)")).strip()
    await House(lab).until(room_id, "ended", "recorded")


async def test_secrets_stay_in_memory(lab: Lab) -> None:
    await go_live(lab, "studio-secrets.ipynb")
    told = json.loads(
        await lab.run_code(
            "import json\nprint(json.dumps([os.environ['TEST_KEY'], sp.access_token(),"
            " json.dumps(studio.get_state(), default=repr)]))"
        )
    )
    await lab.save()
    saved = (lab.folder / "studio-secrets.ipynb").read_text()
    *secrets, state = told
    for secret in secrets:
        assert secret not in saved
        assert secret not in state
    assert "eyJ" not in saved + state
    # What a notebook exports is what it saved: nothing need be on air meanwhile.
    await lab.run_code("studio.room.stop()")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--stdout", str(lab.folder / "studio-secrets.ipynb")]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    exported = done.stdout
    told = exported + (lab.home / "lab.log").read_text(errors="replace")
    traceback = await lab.run_code("studio.room.go_live(spnb.MediaFile('none.mp4'))\nsp.rooms.get('no such room')")
    assert "ERROR" in traceback
    for secret in secrets:
        assert secret not in told + traceback
    assert not [line for line in lab.said() if "eyJ" in line]
