"""Where a page reaches the Jupyter server's port and nothing else: it goes on air with its camera, and it watches."""

from __future__ import annotations

import asyncio
import re
import time

import httpx
import pytest
from livekit import rtc
from playwright.async_api import Page, expect

from spnb.bench.lab import Lab
from tests.broadcast.booth import Listener
from tests.lab.test_story import PLAYING
from tests.live.conftest import until

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.slow, pytest.mark.timeout(400)]

SIZES = ([1280, 720], [640, 360])
"""Where the line does not bear both layers, the small one is what there is."""
ENCODED = "through the notebook's own connection, encoded by this page"
ROADS = """async () => {
    const roads = await Promise.all([...window[Symbol.for('spnb.roads')].values()].map((found) => found.road));
    return roads.filter(Boolean).map((road) => road.via);  // one that is looked for just now, in vain, is none
}"""

BY_PORT = "Sent from this page through the notebook's port"
KEYS = "(rows) => rows.map((row) => row.dataset.rung)"
WORKING = "(rows) => rows.map((row) => row.dataset.works)"


async def ticket(lab: Lab) -> tuple[str, str]:
    """Address and token of a viewer of the notebook's room, who is beside the sandbox."""
    url, key, room = (await lab.run_code("b = spnb.sandbox.ensure(); print(b.url, b.api_key, room.room_id)")).split()
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        wish = {"room": room, "identity": "viewer", "hidden": True}
        told = await http.post(f"{url}/sandbox/livekit-token", headers={"X-API-Key": key}, json=wish)
    return str(told.json()["url"]), str(told.json()["token"])


async def put(page: Page, source: str) -> None:
    """Run a cell that is new."""
    await page.evaluate("window.jupyterapp.commands.execute('notebook:insert-cell-below')")
    await page.evaluate("(source) => window.spnbPanel.content.activeCell.model.sharedModel.setSource(source)", source)
    await page.evaluate("window.jupyterapp.commands.execute('notebook:run-cell')")


async def test_a_host_goes_live_with_the_camera_of_a_page_that_has_one_port(far_lab_in_hd: Lab) -> None:
    lab = far_lab_in_hd
    await lab.write_and_run(
        "host.ipynb",
        "import spnb\nsp = spnb.connect()\nroom = sp.rooms.create('Through one port')\n"
        "studio = spnb.Studio(sp, room, countdown=0)\nstudio",
        "player = spnb.Player(room)\nplayer",
    )
    page = lab.page
    studio = page.locator(".spnb-studio")
    await studio.get_by_role("button", name="Camera on").click()
    # No media connection reaches the kernel: the page encodes, and Python has its pictures all the same.
    await expect(studio.locator(".spnb-numbers")).to_contain_text("sent through the notebook", timeout=90_000)
    told = await lab.run_code("print(next(iter(studio.frames(timeout=60))).shape)")
    assert told.strip() in ("(720, 1280, 3)", "(360, 640, 3)")

    await studio.get_by_role("button", name="Go live").click()
    await expect(studio.locator(".spnb-head .spnb-badge").first).to_have_text("LIVE", timeout=90_000)
    await expect(studio).to_contain_text(BY_PORT)
    await expect(studio.locator(".spnb-health")).to_contain_text(re.compile("1280×720|640×360"), timeout=60_000)
    await lab.shot("one-port-on-air")

    # Its viewers come the same way: the sandbox by its name, asked for what only it can answer.
    video = page.locator(".spnb-player:not(.spnb-preview) video").last
    await expect(video).to_be_visible(timeout=90_000)
    assert await video.evaluate(PLAYING, timeout=90_000) in SIZES
    async with asyncio.timeout(60):
        while await page.evaluate(ROADS) != ["jupyter"]:
            await asyncio.sleep(0.1)

    # Which ways there are, the page says itself, and Python hears it.
    await lab.run_code("doctor = spnb.Doctor(sp)")
    await put(page, "doctor")
    doctor = page.locator(".spnb-doctor")
    again = doctor.get_by_role("button", name="Check again")
    rungs = doctor.locator("tr[data-rung]")
    # By its port the sandbox takes no page of another name than this machine's.
    wanted = {"jupyter": "true", "port": "false", "direct": "false", "messages": "true", "media": "false"}
    verdict = doctor.locator(".spnb-verdict")
    found: dict[str, str] = {}
    for _ in range(3):  # a machine that is too busy to answer in time has no such way, or a slow one, and says so
        await expect(again).to_be_enabled(timeout=90_000)
        found = dict(zip(await rungs.evaluate_all(KEYS), await rungs.evaluate_all(WORKING), strict=True))
        if found == wanted and ENCODED in await verdict.inner_text():
            break
        await again.click()
    assert found == wanted, await doctor.inner_text()
    await expect(verdict).to_contain_text("Streams reach this page through the Jupyter server.")
    await expect(verdict).to_contain_text(ENCODED)
    told = await lab.run_code(
        "assert doctor.wait()\n"
        "print([r['key'] for r in doctor.rungs if r['works'] and r['delay'] > 0 and r['down'] > 1000])"
    )
    assert told.strip() == "['jupyter', 'messages']"
    await lab.shot("one-port-doctor")

    # Its frames go to the sandbox, of two layers for who chooses; what is muted does not.
    viewer = Listener()
    await viewer.join(*await ticket(lab))
    await until(lambda: bool(viewer.pictures), 60)
    viewer.publications["video"].set_video_quality(rtc.VideoQuality.VIDEO_QUALITY_LOW)
    await until(lambda: viewer.pictures[-1][2:] == (640, 360), 60)
    await studio.get_by_role("button", name=re.compile("Hide camera")).click()
    await until(lambda: viewer.publications["video"].muted)
    hidden = time.monotonic()
    await studio.get_by_role("button", name=re.compile("Show camera")).click()
    await until(lambda: not viewer.publications["video"].muted)
    shown = time.monotonic()
    await until(lambda: viewer.pictures[-1][0] > shown, 60)
    assert not [at for at, *_ in viewer.pictures if hidden + 0.5 < at < shown]

    # It is cut off on air: the notebook's own connection goes on with it, and there what is muted is held back as well.
    await lab.run_code("spnb.sandbox.faults().cut('transports', room.room_id)")
    await expect(studio).to_contain_text("Sent through the notebook's own connection")
    await until(lambda: viewer.pictures[-1][0] > shown + 1, 60)
    await viewer.leave()
    await expect(studio.locator(".spnb-head .spnb-badge").first).to_have_text("LIVE")
    before = int(await lab.run_code("print(studio._frames.count)"))
    await studio.get_by_role("button", name=re.compile("Hide camera")).click()
    await expect(studio.get_by_role("button", name=re.compile("Show camera"))).to_be_visible()
    told = await lab.run_code(
        "import time\nfrom spnb._loop import run\nsender = studio._page_source._sender\n"
        "passed = sender.passed; came = studio._frames.count\n"
        "until = time.monotonic() + 60\n"
        "while studio._frames.count < came + 30 and time.monotonic() < until: time.sleep(0.05)\n"
        "print(studio._frames.count - came >= 30, sender.passed - passed)"
    )
    assert told.split() == ["True", "0"], told
    assert before > 0
    await studio.get_by_role("button", name=re.compile("Show camera")).click()

    # By messages alone, where the Jupyter server leads no further.
    await page.route(re.compile(r"/(spnb|proxy)/"), lambda route: route.abort())
    await page.evaluate("window[Symbol.for('spnb.roads')].clear()")
    await lab.run_code("second = spnb.Player(room)")
    await put(page, "second")
    carried = page.locator(".spnb-player:not(.spnb-preview) video").last
    await expect(carried).to_be_visible(timeout=90_000)
    assert await carried.evaluate(PLAYING, timeout=90_000) in SIZES
    assert await page.evaluate(ROADS) == []
    await page.unroute_all()

    await studio.get_by_role("button", name="End", exact=True).click()
    await studio.get_by_role("button", name="End now").click()
    await expect(studio.get_by_role("button", name="New stream")).to_be_visible(timeout=90_000)
    assert (await lab.run_code("print(room.until('recorded', timeout=60).status)")).strip() == "recorded"
    await lab.close()
