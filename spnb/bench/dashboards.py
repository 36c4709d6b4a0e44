"""Dashboards in a notebook: what an hour of a live stream costs, and how soon a season is shown."""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spnb._loop import run
from spnb.bench.chat import flood
from spnb.bench.figures import Figure, at_most
from spnb.bench.sandboxed import OwnSandbox, own_sandbox
from spnb.bench.studio import CONNECT, busy_percent, kernel_of, lab_on, opened

__all__ = ["dashboard", "live_dashboard"]

HOUR = 3600
PACE = 60
"""Seconds of the stream per second."""
STEADY_SECONDS = 20.0
FLOOD_SECONDS = 30.0
FANS = 20
STREAMS = 300
VIEWS = 150_000
LONG_TASKS = """() => {
    window.spnbTasks = [];
    new PerformanceObserver((list) => window.spnbTasks.push(...list.getEntries().map((entry) => entry.duration)))
        .observe({type: 'longtask'});
}"""
SETTLED = """(shown) => {
    const board = document.querySelector('.spnb-overview');
    return board && board.dataset.shown && board.dataset.shown !== shown && !board.hasAttribute('aria-busy');
}"""


def live_dashboard() -> Iterator[Figure]:
    """A stream on air with a busy chat; the dashboard's seconds pass sixty times faster, then at their own pace."""
    with own_sandbox() as sandbox:
        yield from run(_live_dashboard(sandbox))


async def _live_dashboard(sandbox: OwnSandbox) -> list[Figure]:
    import spnb

    host = await spnb.connect_async("host", url=sandbox.info["url"], api_key=sandbox.info["apiKey"])
    room = await host.rooms.create("An hour")
    await room.post()
    broadcast = await room.go_live(spnb.TestCard(320, 180))
    fans = [
        await spnb.connect_async(f"fan-{number}", url=sandbox.info["url"], api_key=sandbox.info["apiKey"])
        for number in range(FANS)
    ]
    watching = [(await fan.rooms.get(room.room_id)).watch_session() for fan in fans]
    cell = f"{CONNECT}room = sp.rooms.get({room.room_id!r})\nboard = spnb.LiveDashboard(room)\nboard"
    async with lab_on(sandbox) as lab:
        received = [0]
        lab.page.on(
            "websocket",
            lambda socket: socket.on("framereceived", lambda frame: received.__setitem__(0, received[0] + len(frame))),
        )
        await opened(lab, "steady.ipynb", cell)
        await lab.page.locator("[data-bins]").wait_for()
        for viewing in watching:
            await viewing.start()
        steady = await busy_percent(await kernel_of(lab), STEADY_SECONDS)
        await lab.close()

        await opened(lab, "hour.ipynb", cell.replace("board =", f"spnb.LiveDashboard._pace = {PACE}\nboard ="))
        await lab.page.locator("[data-bins]").wait_for()
        await lab.page.evaluate(LONG_TASKS)
        process = await kernel_of(lab)
        times, bytes_before, began = process.cpu_times(), received[0], time.monotonic()
        flooding = asyncio.create_task(
            flood(str(sandbox.info["url"]), await host.access_token(), room.chat.channel.feed_id, FLOOD_SECONDS)
        )
        heaps: list[float] = []
        tasks: list[float] = []
        given = 0
        while (lasted := time.monotonic() - began) < HOUR / PACE:
            await room.react("heart", PACE)
            given += PACE
            if not heaps and lasted > HOUR / PACE / 6:
                heaps.append(await _heap(lab.page, tasks))
            await asyncio.sleep(1)
        await room.reactions.flush()
        await flooding
        spent = process.cpu_times()
        lasted = (time.monotonic() - began) * PACE
        busy = (spent.user + spent.system - times.user - times.system) / lasted * 100
        rate = (received[0] - bytes_before) / lasted / 1000
        heaps.append(await _heap(lab.page, tasks))
        told = json.loads(
            await lab.run_code(
                "import json, time\nends = time.monotonic() + 20\n"
                f"while board.reactions < {given} and time.monotonic() < ends: time.sleep(0.1)\n"
                "print(json.dumps([board.reactions, board.messages, board.peak, len(board.series.viewers)]))"
            )
        )
        await lab.close()
    for fan in fans:
        await fan.aclose()
    await broadcast.stop()
    await host.aclose()
    if told[0] != given or told[2] != FANS or told[3] > 900:
        raise RuntimeError(f"{given} reactions were given before {FANS} viewers, the dashboard has {told}")
    note = f"{lasted / 60:.0f} min of stream at {PACE}×, {told[1]} messages, {given} reactions, {FANS} viewers"
    return [
        at_most("live dashboard: kernel over an hour", busy, 3, "% of a core", note),
        at_most("live dashboard: kernel at 1 Hz", steady, 3, "% of a core", f"{STEADY_SECONDS:g} s at its own pace"),
        at_most("live dashboard: to the page", rate, 20, "kB/s", f"{note}; with envelopes"),
        at_most("live dashboard: longest task", max(tasks, default=0.0), 50, "ms", "0: none above 50 ms"),
        at_most("live dashboard: growth of the page", heaps[1] - heaps[0], 3, "MB", "heap from minute 10 to minute 60"),
    ]


async def _heap(page: Any, tasks: list[float]) -> float:
    """What the page's JavaScript holds after a collection, in MB. The collection is a long task of its own: those so
    far are taken down before."""
    tasks += await page.evaluate("window.spnbTasks")
    session = await page.context.new_cdp_session(page)
    await session.send("HeapProfiler.collectGarbage")
    used = await session.send("Runtime.getHeapUsage")
    await session.detach()
    await page.evaluate("new Promise((done) => setTimeout(() => { window.spnbTasks = []; done(); }, 100))")
    return float(used["usedSize"]) / 2**20


def dashboard() -> Iterator[Figure]:
    """A season of three hundred streams: how soon it is shown, sorted, and a stream's page is drawn."""
    with own_sandbox() as sandbox:
        yield from run(_dashboard(sandbox))


async def _dashboard(sandbox: OwnSandbox) -> list[Figure]:
    from spnb.analytics import load
    from spnb.sandbox import backfill
    from spnb.sandbox.control.launch import SandboxInfo

    info = SandboxInfo.read(sandbox.info)
    await asyncio.to_thread(backfill, streams=STREAMS, views=VIEWS, messages=VIEWS, sandbox=info)
    dataset = await asyncio.to_thread(load, info)
    with tempfile.TemporaryDirectory(prefix="spnb-bench-season-") as folder:
        await asyncio.to_thread(dataset.save, Path(folder) / "season")
        load_it = f"import spnb\ndataset = spnb.analytics.load({str(Path(folder) / 'season')!r})"
        async with lab_on(sandbox) as lab:
            page = lab.page
            lab.write("season.ipynb", "spnb.Dashboard(dataset)")
            await lab.open("season.ipynb")
            await lab.run_code(load_it)
            shown = await _timed(page, lab.run_all(), "")
            sorts = [
                await _timed(page, page.locator(f"[data-sort={name}]").click(), await _shown(page))
                for name in ("views", "peak_viewers", "messages", "reactions", "views")
            ]
            longest = await page.locator(".spnb-streams tbody tr").first.get_attribute("data-room")
            began = time.perf_counter()
            await page.locator(".spnb-open").first.click()
            await page.locator(f".spnb-page[data-drawn='{longest}']").wait_for()
            drawn = time.perf_counter() - began
            await lab.close()
    note = f"{STREAMS} streams, {VIEWS} views, {VIEWS} messages"
    return [
        at_most("dashboard: cell run → season shown", shown, 4, "s", f"{note}; reckoned from its Parquet"),
        at_most("dashboard: a click sorts", statistics.median(sorts) * 1000, 300, "ms", f"median of {len(sorts)}"),
        at_most("dashboard: a click → stream's page drawn", drawn, 3, "s", "the most watched; plotly travels with it"),
    ]


async def _shown(page: Any) -> str:
    return str(await page.locator(".spnb-overview").get_attribute("data-shown"))


async def _timed(page: Any, work: Any, before: str) -> float:
    """Seconds from doing something to its table on the page."""
    began = time.perf_counter()
    await work
    await page.wait_for_function(SETTLED, arg=before)
    return time.perf_counter() - began
