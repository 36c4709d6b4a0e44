"""A real JupyterLab and a real Chromium, shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import ViewportSize, expect

from spnb.bench.lab import BASE, HUB, LEAN, browser_options, calm_camera, fine_camera, open_lab, start_page
from spnb.bench.lab import Lab as PlainLab
from tests.conftest import RunningSandbox, start_sandbox

__all__ = ["BASE", "CAMERA", "CARD", "CONNECT", "GRACE", "HUB", "ROOT", "Lab", "browser_options"]

# A machine that does many things at once may take a while; what is waited for is an event all the same.
expect.set_options(timeout=60_000)

ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "test-output" / "screenshots"
SIZE: ViewportSize = {"width": 1280, "height": 1400}
NATIVES = """() => {
    const parts = (of, name) => Object.entries(Object.getOwnPropertyDescriptors(of ?? {}))
        .map(([part, {value, get}]) => [`${name}.${part}`, value ?? get]);
    const all = () => new Map(Object.getOwnPropertyNames(window)
        .filter((name) => typeof window[name] === 'function')
        .flatMap((name) => [[name, window[name]], ...parts(window[name], name),
            ...parts(window[name].prototype, `${name}.prototype`)]));
    const before = all();
    window.spnbChanged = () => {
        const now = all();
        // LiveKit's client puts methods of its own in place of some.
        const ours = /RTCPeerConnection\\.prototype\\.(add|remove|getLocal)/;
        return [...before.keys()].filter((name) => !ours.test(name) && !Object.is(now.get(name), before.get(name)));
    };
}"""
"""Remembers what a page has of its browser: `spnbChanged` tells what tests have put something of theirs in place of."""
CAMERA = [640, 360]
"""The size of what the page's camera shows; 1280×720 in a test that uses `in_hd`."""
CARD = "spnb.TestCard(640, 360, 15)"
"""What is on air where only what happens counts: light to encode and to show."""
GRACE = 20
"""Seconds a room of the tests' own sandbox waits for its publisher: a page is reloaded in less."""
CONNECT = (
    "import os, spnb\n"
    "sp = spnb.connect('host-' + os.urandom(4).hex(), url=os.environ['TEST_URL'], api_key=os.environ['TEST_KEY'])\n"
)


@dataclass
class Lab(PlainLab):
    """The lab, and a sandbox with a short grace time; `CONNECT` in a cell connects to it."""

    sandbox: RunningSandbox

    def said(self) -> list[str]:
        """What the page wrote into its console. Where a WebSocket is refused Chromium itself writes down its address,
        into which LiveKit's client puts the token: of that no page can know."""
        return [line for line in self.console if not line.startswith("error: WebSocket connection to ")]


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    """JupyterLab with a fresh home, and a page on it."""
    base = tmp_path_factory.mktemp("lab")
    brisk = start_sandbox(tmp_path_factory.mktemp("brisk"), "--no-rate-limit", "--grace", str(GRACE))
    try:
        known = {"TEST_URL": brisk.url, "TEST_KEY": brisk.api_key}
        async with open_lab(base, environment=known, shots=SHOTS, camera=calm_camera, page_config=LEAN) as plain:
            plain.page.set_default_timeout(60_000)
            await plain.page.evaluate(NATIVES)
            yield Lab(**{field.name: getattr(plain, field.name) for field in fields(plain)}, sandbox=brisk)
    finally:
        brisk.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def page_as_it_was(lab: Lab) -> None:
    """All tests share a page, which costs as much to open as a short test; where those of the module before have
    changed what it has of its browser, it is opened anew."""
    page = lab.page
    if page.viewport_size != SIZE:
        await page.set_viewport_size(SIZE)
    if await page.evaluate("window.spnbChanged?.().length ?? 1"):
        await start_page(page, f"{lab.url}{BASE}lab?token={lab.token}&reset")
        await page.evaluate(NATIVES)


@pytest_asyncio.fixture(autouse=True)
async def nothing_left_open(lab: Lab) -> AsyncIterator[None]:
    """A test that fails half-way leaves no notebook to the next one, and none leaves a camera on."""
    yield
    await lab.close()
    await lab.page.wait_for_function("window.spnbTracks.every((track) => track.readyState === 'ended')", timeout=60_000)
    await lab.page.evaluate("window.spnbTracks = []")


@pytest.fixture
def in_hd(lab: Lab) -> Iterator[None]:
    """The page's camera shows 1280×720."""
    fine_camera(lab.home)
    yield
    calm_camera(lab.home)


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def own_console(lab: Lab) -> None:
    """What a test finds in the page's console came of itself, or of nothing that is over."""
    lab.console.clear()
