"""What a host and a viewer notice of the road between their page and the sandbox: straight, through the Jupyter
server's port, or in the notebook's own messages."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from spnb._loop import run
from spnb.bench.figures import Figure, at_least, at_most
from spnb.bench.lab import BASE, Lab, open_lab
from spnb.bench.media import publishing
from spnb.bench.sandboxed import OwnSandbox
from spnb.bench.studio import (
    busy_percent,
    end_stream,
    kernel_of,
    opened,
    pressed_to_frame,
    shown_to_decoded,
    take_video,
    watch,
)

__all__ = ["roads"]

SECONDS = 10.0
CONNECT = "import spnb\nsp = spnb.connect()\n"
ROADS = {"straight": "direct", "through the Jupyter port": "jupyter", "by messages": ""}
"""Each road, and what pages call it; the last is what is left where there is none."""
FOUND = """async () => {
    const roads = await Promise.all([...window[Symbol.for('spnb.roads')].values()].map((found) => found.road));
    return roads.filter(Boolean).map((road) => road.via)[0] ?? '';
}"""
SHOWN = """() => {
    const video = document.querySelector('.spnb-player:not(.spnb-preview) video');
    return Boolean(video?.videoWidth) && video.currentTime > 0 && !video.paused;
}"""
"""Whether a picture moves in the page's player."""
UNTIL_SHOWN = f"""() => new Promise((resolve) => {{
    const shown = {SHOWN};
    const look = () => (shown() ? resolve(Date.now()) : requestAnimationFrame(look));
    look();
}})"""
"""Resolves when one does, with the page's time, in milliseconds since 1970."""
FIRST = f"""async () => {{
    const {{content}} = window.spnbPanel;
    content.activeCellIndex = content.widgets.length - 1;
    const began = performance.now();
    void window.jupyterapp.commands.execute('notebook:run-cell');
    await ({UNTIL_SHOWN})();
    return (performance.now() - began) / 1000;
}}"""


@asynccontextmanager
async def _lab(road: str) -> AsyncIterator[Lab]:
    """A lab whose page has this road and no better one."""
    straight = road == "straight"
    flags = [] if straight else ["--webrtc-ip-handling-policy=disable_non_proxied_udp"]
    with tempfile.TemporaryDirectory(prefix="spnb-bench-roads-", ignore_cleanup_errors=True) as folder:
        async with open_lab(Path(folder), browser_flags=flags) as lab:
            port = urlsplit(lab.url).port

            def walled(url: str) -> bool:
                parts = urlsplit(url)
                if parts.scheme not in ("http", "https", "ws", "wss"):
                    return False
                named = parts.path.startswith((f"{BASE}spnb", f"{BASE}proxy"))
                return parts.port != port or (named and road == "by messages")

            if not straight:
                await lab.page.route(walled, lambda route: route.abort())
                await lab.page.route_web_socket(walled, lambda socket: socket.close())
            yield lab


def roads() -> Iterator[Figure]:
    """Going live with the page's camera at 720p30, and watching, by each road."""
    for road in ROADS:
        yield from run(_by(road))


async def _by(road: str) -> list[Figure]:
    async with _lab(road) as lab:
        await opened(lab, "sandbox.ipynb", CONNECT)
        url, key = (await lab.run_code("found = spnb.sandbox.ensure(); print(found.url, found.api_key)")).split()
        process = psutil.Process(int(await lab.run_code("print(spnb.sandbox.ensure().pid)")))
        sandbox = OwnSandbox(process, {"url": url, "apiKey": key}, 0.0)
        seconds, delay, by = await _watched(lab, sandbox)
        if await lab.page.evaluate(FOUND) != ROADS[road]:
            raise AssertionError(f"the page went another way than {road}: {await lab.page.evaluate(FOUND)!r}")
        await lab.close()
        figures = [
            at_most(f"{road}: Player run → first picture", seconds, 3.0, "s", by),
            at_most(f"{road}: behind what is on air", delay, 2.0, "s", by),
        ]
        return figures + await _on_air(lab, sandbox, road)


async def _watched(lab: Lab, sandbox: OwnSandbox) -> tuple[float, float, str]:
    """Seconds until a Player shows the first picture, how far behind it says to be, and by what."""
    import spnb

    client = await spnb.connect_async("bench", url=sandbox.info["url"], api_key=sandbox.info["apiKey"])
    try:
        room = await client.rooms.create("Roads")
        data = await room.broadcaster_data()
        async with publishing(str(data.co_host_url), str(data.co_host_token), width=1280, height=720, bits=2_000_000):
            await room.until("live", timeout=20)
            await opened(lab, "player.ipynb", f"{CONNECT}room = sp.rooms.get({room.room_id!r})")
            await lab.page.evaluate(
                """() => {
                    const {content} = window.spnbPanel;
                    content.activeCellIndex = content.widgets.length - 1;
                    return window.jupyterapp.commands.execute('notebook:insert-cell-below');
                }"""
            )
            await lab.page.evaluate(
                "window.spnbPanel.content.activeCell.model.sharedModel.setSource('spnb.Player(room)')"
            )
            first = float(await lab.page.evaluate(FIRST))
            button = lab.page.get_by_role("button", name="Delay")
            await button.click()
            told = re.compile(r"Delay ([\d.]+) s by (.*)")
            await lab.page.locator("button", has_text=told).wait_for()
            await asyncio.sleep(SECONDS)  # it catches up
            found = told.search(await button.inner_text())
        await room.stop()
    finally:
        await client.aclose()
    return (first, float(found[1]), found[2]) if found else (first, float("inf"), "not told")


async def _on_air(lab: Lab, sandbox: OwnSandbox, road: str) -> list[Figure]:
    from livekit import rtc

    taken = [await pressed_to_frame(lab, sandbox, "warm.ipynb", connect=CONNECT)]
    await end_stream(lab)
    taken.append(await pressed_to_frame(lab, sandbox, "live.ipynb", connect=CONNECT))
    room_id = (await lab.run_code("print(studio.room.room_id)")).strip()
    watching = await watch(sandbox, room_id)
    found: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    watching.on("track_subscribed", lambda track, *_: take_video(track, found))
    track = await found
    stream = rtc.VideoStream(track)
    taking = asyncio.create_task(_take(stream))
    process = await kernel_of(lab)
    await asyncio.sleep(3)
    before, octets = await _counted(track)
    busy = await busy_percent(process, SECONDS)
    after, more = await _counted(track)
    taking.cancel()
    await stream.aclose()
    await watching.disconnect()
    delay = await shown_to_decoded(lab, sandbox)
    await end_stream(lab)
    rate = (more - octets) * 8 / SECONDS / 1e6
    return [
        at_most(
            f"{road}: Go live pressed → frame at a subscriber", taken[1], 1.5, "s", f"the first time {taken[0]:.2f} s"
        ),
        at_least(f"{road}: pictures at a subscriber", (after - before) / SECONDS, 29, "fps", "720p30"),
        at_most(f"{road}: sent", rate, 3.0 if road == "straight" else 2.5, "Mb/s", "the layer that a subscriber takes"),
        at_most(f"{road}: kernel", busy, 10, "% of a core"),
        at_most(f"{road}: page's picture → decoded at a subscriber", delay / 1000, 0.5, "s", "median"),
    ]


async def _take(stream: Any) -> None:
    async for _ in stream:
        pass


async def _counted(track: Any) -> tuple[int, int]:
    """Pictures decoded and bytes received so far."""
    for report in await track.get_stats():
        if report.WhichOneof("stats") == "inbound_rtp":
            inbound = report.inbound_rtp.inbound
            return inbound.frames_decoded, inbound.bytes_received
    return 0, 0
