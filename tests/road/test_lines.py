"""The lines by which pages come to a notebook: each watches, goes on air with its camera, and says by which road."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Locator, Page, expect

from spnb.bench.lab import Lab, another_page, free_port
from tests.lab.test_story import PLAYING
from tests.road.conftest import CLOSED, SECURE, Wall
from tests.road.lines import Line, reverse_proxy, tunnel
from tests.road.test_one_port import BY_PORT, ROADS
from tests.road.test_one_port import put as put_below

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.slow, pytest.mark.timeout(400)]

THROUGH = "Streams reach this page through the Jupyter server."
STRAIGHT = "Streams reach this page straight."
ROUNDS = (("as it is", 0.0, None), ("200 ms", 0.1, None), ("1 Mb a second", 0.0, 1000))
"""How late each way, in seconds, and kilobits per second."""
CARD = (
    "import spnb\nsp = spnb.connect()\ncard = sp.rooms.create('A card')\n"
    "show = card.go_live(spnb.TestCard(320, 180, 10))\nshow"
)
BY_MESSAGES = "Sent through the notebook's own connection, as this page encodes it"


def port_of(lab: Lab) -> int:
    """Of the Jupyter server itself."""
    [told] = (lab.home / "runtime").glob("jpserver-*.json")
    return int(json.loads(told.read_text())["port"])


@asynccontextmanager
async def page_at(lab: Lab, origin: str, notebook: str) -> AsyncIterator[Lab]:
    """A page of the lab by another address, with a notebook of its own that is connected."""
    async with another_page(replace(lab, url=origin)) as page:
        await page.write_and_run(notebook, CARD)
        yield page
        await page.run_code("show.stop()")


async def put(page: Page, source: str) -> None:
    """Run a cell that is new, below all others, whichever was clicked last."""
    await page.evaluate("window.spnbPanel.content.activeCellIndex = window.spnbPanel.content.widgets.length - 1")
    await put_below(page, source)


async def says(lab: Lab) -> str:
    """What the page finds of its ways."""
    await lab.run_code("doctor = spnb.Doctor(sp)")
    await put(lab.page, "doctor")
    doctor = lab.page.locator(".spnb-doctor").last
    await expect(doctor.get_by_role("button", name="Check again")).to_be_enabled(timeout=90_000)
    return await doctor.locator(".spnb-verdict").inner_text()


async def watches(lab: Lab, via: str | None = None) -> None:
    """The page shows what is on air.

    Args:
        via: the road by which it is to come.
    """
    await lab.run_code("player = spnb.Player(card)")
    await put(lab.page, "player")
    video = lab.page.locator(".spnb-player:not(.spnb-preview) video").last
    await expect(video).to_be_visible(timeout=90_000)
    await video.scroll_into_view_if_needed()  # what is out of sight may stand still
    assert await video.evaluate(PLAYING, timeout=90_000) == [320, 180]
    if via is not None:  # a busy server may answer late: then it is looked for anew
        async with asyncio.timeout(120):
            while await lab.page.evaluate(ROADS) != [via]:
                await asyncio.sleep(0.1)
    await lab.run_code("player.close()")


async def on_air(lab: Lab, title: str) -> Locator:
    """The page goes on air with its camera; its Studio."""
    await lab.run_code(f"room = sp.rooms.create({title!r})\nstudio = spnb.Studio(sp, room, countdown=0)")
    await put(lab.page, "studio")
    studio = lab.page.locator(".spnb-studio").last
    await studio.get_by_role("button", name="Camera on").click()
    await studio.get_by_role("button", name="Go live").click()
    await expect(studio.locator(".spnb-head .spnb-badge").first).to_have_text("LIVE", timeout=90_000)
    await expect(studio.locator(".spnb-health")).to_contain_text(re.compile("640×360|320×180"), timeout=90_000)
    return studio


async def end(lab: Lab, studio: Locator) -> None:
    """End the stream; nothing of it goes over the line any more."""
    await studio.get_by_role("button", name="End", exact=True).click()
    await studio.get_by_role("button", name="End now").click()
    await expect(studio.get_by_role("button", name="New stream")).to_be_visible(timeout=90_000)
    await lab.run_code("studio.close()")


@pytest.fixture(scope="module")
def line(far_lab: Lab, wall: Wall, certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """The line to a reverse proxy before the lab."""
    with reverse_proxy(wall, port_of(far_lab), certificate, tmp_path_factory.mktemp("proxy")) as made:
        yield made


async def test_a_reverse_proxy_with_tls_whatever_the_line_to_it_is_like(far_lab: Lab, line: Line) -> None:
    async with page_at(far_lab, f"https://{SECURE}:{line.port}", "secure.ipynb") as lab:
        assert THROUGH in await says(lab)
        for name, seconds, kilobits in ROUNDS:
            with line.shaped(seconds, kilobits):
                await watches(lab, "jupyter")
                studio = await on_air(lab, name)
                await expect(studio).to_contain_text(BY_PORT)
                await lab.shot(f"line-{name}")
                await end(lab, studio)


async def test_a_reverse_proxy_that_lets_no_web_socket_through_but_the_kernels(far_lab: Lab, line: Line) -> None:
    async with page_at(far_lab, f"https://{CLOSED}:{line.port}", "closed.ipynb") as lab:
        assert THROUGH in await says(lab)
        await watches(lab)
        studio = await on_air(lab, "No WebSocket")
        await expect(studio).to_contain_text(BY_MESSAGES)
        await lab.shot("line-closed")
        await end(lab, studio)


async def test_an_ssh_tunnel_to_localhost(far_lab: Lab, wall: Wall, tmp_path: Path) -> None:
    port = free_port()
    with tunnel(wall.namespace, tmp_path) as ssh:
        ssh.open(port, port_of(far_lab))
        async with page_at(far_lab, f"http://localhost:{port}", "tunnel.ipynb") as lab:
            assert THROUGH in await says(lab)
            await watches(lab, "jupyter")
            studio = await on_air(lab, "Tunnel")
            await expect(studio).to_contain_text(BY_PORT)
            await lab.shot("line-tunnel")
            await end(lab, studio)

            # The sandbox's own port too: it answers the page straight, and its media do not come.
            sandbox = urlsplit((await lab.run_code("print(spnb.sandbox.ensure().url)")).strip()).port
            assert sandbox is not None
            ssh.open(sandbox, sandbox)
            await lab.page.evaluate("window[Symbol.for('spnb.roads')].clear()")
            assert STRAIGHT in await says(lab)
            await watches(lab, "direct")
            studio = await on_air(lab, "Tunnel of two")
            await expect(studio).to_contain_text(BY_PORT)
            await end(lab, studio)
