"""A browser with clients of the vendor's SDK; all tests of this folder share them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from spnb.bench.lab import chromium
from tests.conftest import RunningSandbox
from tests.vendor.calls import table
from tests.vendor.clients import CALLED, TOLD, SdkClient
from tests.vendor.site import served
from tests.vendor.types import Types

TABLE = table()


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    with served() as address:
        yield address


@pytest.fixture(scope="session")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of a small camera, each frame of another grey. Chromium's own fake one draws as much as it is asked
    for: the app asks for 720 × 1280 at 30 frames a second, and encodes that three times over."""
    width, height, fps = 320, 180, 10
    path = tmp_path_factory.mktemp("camera") / "small.y4m"
    colours = bytes([128]) * (width * height // 2)
    frames = (b"FRAME\n" + bytes([40 + 20 * number]) * (width * height) + colours for number in range(fps))
    path.write_bytes(f"YUV4MPEG2 W{width} H{height} F{fps}:1 Ip A1:1 C420\n".encode() + b"".join(frames))
    return path


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser(site: str, camera: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium(),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-video-capture={camera}",
                "--use-fake-ui-for-media-stream",
                "--autoplay-policy=no-user-gesture-required",
                "--disable-background-networking",
                "--disable-sync",
                "--no-first-run",
            ],
        )
        yield browser
        await browser.close()


async def _client(browser: Browser, site: str, sandbox: RunningSandbox, name: str) -> SdkClient:
    client = await SdkClient.open(browser, site, sandbox, f"{name}-{os.urandom(3).hex()}")
    await client.start()
    return client


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def host(browser: Browser, site: str, sandbox: RunningSandbox) -> SdkClient:
    return await _client(browser, site, sandbox, "host")


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def viewer(browser: Browser, site: str, sandbox: RunningSandbox) -> SdkClient:
    return await _client(browser, site, sandbox, "viewer")


@pytest.fixture(scope="session")
def types() -> Iterator[Types]:
    with Types() as types:
        yield types


@pytest.fixture(autouse=True)
def calls_what_the_table_says(request: pytest.FixtureRequest, types: Types) -> Iterator[None]:
    """A test calls the functions of the SDK that `calls.tsv` names it for, and all that is answered is of its types."""
    CALLED.clear()
    TOLD.clear()
    failed = request.session.testsfailed
    yield
    here = f"{request.node.path.stem}::{request.node.originalname}"
    if request.session.testsfailed == failed:
        missing = {name for name, (_, test) in TABLE.items() if test == here} - CALLED
        assert not missing, f"calls.tsv says that {here} calls {sorted(missing)}"
        assert not (faults := types.faults(TOLD)), "\n".join(faults)
    if notes := os.environ.get("SPNB_VENDOR_CALLED"):
        with Path(notes).open("a") as file:
            file.writelines(f"{name}\t{here}\n" for name in sorted(CALLED))
