"""What a host feels: how soon the camera is there, what it costs, how soon and how directly viewers see it.

Measured in a real JupyterLab with a real Chromium whose camera plays a restless film at 720p30. Playwright and Chromium
are needed, as the tests' set-up installs them (`python -m tests`).
"""

from __future__ import annotations

import asyncio
import http.server
import statistics
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psutil

from spnb._loop import run
from spnb.bench.figures import Figure, at_least, at_most
from spnb.bench.lab import Lab, browser_options, open_lab
from spnb.bench.media import first_frame, viewer_token
from spnb.bench.sandboxed import OwnSandbox, own_sandbox

__all__ = [
    "end_stream",
    "pressed_to_frame",
    "preview",
    "rooms_list",
    "shown_to_decoded",
    "studio",
    "take_video",
    "watch",
]

CONNECT = (
    "import os, spnb\n"
    "sp = spnb.connect('host-' + os.urandom(4).hex(), url=os.environ['TEST_URL'], api_key=os.environ['TEST_KEY'])\n"
)
SECONDS = 10.0
SHOWN = """() => new Promise((resolve) => {
    const began = performance.now();
    [...document.querySelectorAll('.spnb button')].find((button) => button.textContent === 'Camera on').click();
    const look = () => {
        const video = document.querySelector('.spnb-preview video');
        if (video?.videoWidth && video.currentTime > 0)
            resolve([performance.timeOrigin + began, performance.now() - began]);
        else requestAnimationFrame(look);
    };
    look();
})"""
BARE = """<!doctype html><script type=module>
import { Room, Track } from "./hub.js";
window.go = async (url, token) => {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true,
        video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } } });
    return async () => {
        const began = performance.timeOrigin + performance.now();
        const room = (window.room = new Room({ singlePeerConnection: false }));
        await room.connect(url, token);
        const [video] = stream.getVideoTracks();
        const [audio] = stream.getAudioTracks();
        await Promise.all([
            room.localParticipant.publishTrack(video, { source: Track.Source.Camera, videoCodec: "vp8", simulcast: true,
                videoEncoding: { maxBitrate: 2_764_800, maxFramerate: 30 } }),
            room.localParticipant.publishTrack(audio, { source: Track.Source.Microphone }),
        ]);
        return began;
    };
};
window.prepare = async (url, token) => { window.start = await window.go(url, token); };
window.ready = true;
</script>"""
COUNTED = """() => {
    // Reads the counter of the local picture: what the camera sees, when.
    window.spnbSeen = [];
    const video = document.querySelector('.spnb-preview video');
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [280, 1];
    const pen = canvas.getContext('2d', { willReadFrequently: true });
    const look = () => {
        const now = performance.timeOrigin + performance.now();
        pen.drawImage(video, 0, video.videoHeight * 0.96, video.videoWidth, 1, 0, 0, 280, 1);
        const { data } = pen.getImageData(0, 0, 280, 1);
        let number = 0;
        // The picture's colours shine through: only brightness counts.
        const bright = (at) => 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2] > 126;
        for (let bit = 2; bit < 22; bit += 1) number = number * 2 + (bright((bit * 10 + 5) * 4) ? 1 : 0);
        window.spnbSeen.push([number, now]);
        video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
}"""


@asynccontextmanager
async def lab_on(sandbox: OwnSandbox) -> AsyncIterator[Lab]:
    """A lab whose kernels know the sandbox."""
    with tempfile.TemporaryDirectory(prefix="spnb-bench-lab-", ignore_cleanup_errors=True) as folder:
        known = {"TEST_URL": str(sandbox.info["url"]), "TEST_KEY": str(sandbox.info["apiKey"])}
        async with open_lab(Path(folder), environment=known) as lab:
            yield lab


async def kernel_of(lab: Lab) -> psutil.Process:
    """The process of the open notebook's kernel."""
    return psutil.Process(int(await lab.run_code("import os; print(os.getpid())")))


async def busy_percent(process: psutil.Process, seconds: float) -> float:
    """Processor time of a process over some seconds, in percent of one core."""
    before = process.cpu_times()
    await asyncio.sleep(seconds)
    after = process.cpu_times()
    return (after.user + after.system - before.user - before.system) / seconds * 100


async def opened(lab: Lab, name: str, cell: str) -> None:
    """A notebook with one cell, run."""
    lab.write(name, cell)
    await lab.open(name)
    await lab.run_all()


def preview() -> Iterator[Figure]:
    """The camera: how soon it is seen, how many pictures reach Python, and what that costs."""
    with own_sandbox() as sandbox:
        yield from run(_preview(sandbox))


async def _preview(sandbox: OwnSandbox) -> list[Figure]:
    cell = (
        "import time, spnb\npreview = spnb.CameraPreview()\npreview._monitor\n"
        "seen = []\nfrom spnb.broadcast.sources import monitor\ntake = monitor.Monitor.take\n"
        "def first(self, picture):\n    if not self.here.is_set():\n        seen.append(time.time())\n"
        "    take(self, picture)\nmonitor.Monitor.take = first\npreview"
    )
    screen: list[float] = []
    python: list[float] = []
    async with lab_on(sandbox) as lab:
        for turn in range(5):
            await opened(lab, f"preview-{turn}.ipynb", cell)
            await lab.run_code("import aiortc, av")
            pressed, shown = await lab.page.evaluate(SHOWN)
            arrived = 0.0
            async with asyncio.timeout(15):
                while not arrived:
                    arrived = float(await lab.run_code("print(seen[0] if seen else 0)"))
            screen.append(shown / 1000)
            python.append(arrived - pressed / 1000)
            if turn < 4:
                await lab.close()
        await lab.page.wait_for_function("document.querySelector('.spnb-numbers').textContent.includes('1280')")
        process = await kernel_of(lab)
        before, began = int(await lab.run_code("print(preview.count)")), time.monotonic()
        busy = await busy_percent(process, SECONDS)
        kept = (int(await lab.run_code("print(preview.count)")) - before) / (time.monotonic() - began)
        await lab.close()
        figures = [
            at_most("click → first preview picture on screen", statistics.median(screen), 0.4, "s", "median of 5"),
            at_most("click → first preview picture in the kernel", statistics.median(python), 0.6, "s", "median of 5"),
            at_least("preview 720p30: pictures that reach Python", kept, 29.5, "fps"),
            at_most("preview 720p30: kernel", busy, 12, "% of a core"),
        ]
        figures += await _without_udp(lab)
    return figures


async def _without_udp(lab: Lab) -> list[Figure]:
    from dataclasses import replace

    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        options = browser_options(lab.home)
        options["args"].append("--webrtc-ip-handling-policy=disable_non_proxied_udp")
        browser = await playwright.chromium.launch(**options)
        page = await browser.new_page()
        await page.goto(f"{lab.page.url.split('?')[0].split('/tree')[0]}?token={lab.token}&reset")
        await page.wait_for_function("window.jupyterapp && window.jupyterapp.started")
        other = replace(lab, page=page)
        await opened(other, "no-udp.ipynb", "import spnb\npreview = spnb.CameraPreview()\npreview")
        await page.evaluate(SHOWN)
        await page.get_by_text("sent through the notebook").wait_for()
        process = await kernel_of(other)
        before, began = int(await other.run_code("print(preview.count)")), time.monotonic()
        busy = await busy_percent(process, SECONDS)
        kept = (int(await other.run_code("print(preview.count)")) - before) / (time.monotonic() - began)
        await other.close()
        await browser.close()
    return [
        at_least("preview without UDP, 1280×720: pictures that reach Python", kept, 25, "fps"),
        at_most("preview without UDP, decoded for Python: kernel", busy, 25, "% of a core"),
    ]


def studio() -> Iterator[Figure]:
    """Going live from the Studio by both paths, against a bare page with livekit-client on the same server."""
    with own_sandbox() as sandbox:
        yield from run(_studio(sandbox))


async def _studio(sandbox: OwnSandbox) -> list[Figure]:
    ours: list[float] = []
    bare: list[float] = []
    figures: list[Figure] = []
    with _bare_site() as site:
        async with lab_on(sandbox) as lab:
            figures.append(at_most("Studio visible after run, cold page", await _visible(lab), 1.5, "s", "median of 3"))
            for turn in range(3):
                bare.append(await _bare_page(lab, sandbox, site))
                ours.append(await pressed_to_frame(lab, sandbox, f"live-{turn}.ipynb"))
                if turn < 2:
                    await end_stream(lab)
            figures.append(
                at_most("Go live pressed → frame at a subscriber", statistics.median(ours), 0.8, "s", "browser path")
            )
            ratio = statistics.median(ours) / statistics.median(bare)
            note = f"bare page {statistics.median(bare):.2f} s"
            figures.append(at_most("… against a bare livekit-client page", ratio, 1.2, "×", note))
            process = await kernel_of(lab)
            await asyncio.sleep(3)
            figures.append(at_most("on air by browser: kernel", await busy_percent(process, SECONDS), 2, "% of a core"))
            figures.append(
                at_most(
                    "page's picture → decoded at a subscriber",
                    await shown_to_decoded(lab, sandbox),
                    150,
                    "ms",
                    "median",
                )
            )
            await end_stream(lab)
            figures += await _by_kernel(lab, sandbox)
    return figures


async def _visible(lab: Lab) -> float:
    taken = []
    for turn in range(3):
        lab.write(f"visible-{turn}.ipynb", CONNECT, "import spnb.widgets, spnb.broadcast\nspnb.Studio(sp)")
        await lab.open(f"visible-{turn}.ipynb")
        await lab.run_code("pass")
        taken.append(
            await lab.page.evaluate(
                """async () => {
                    const {content} = window.spnbPanel;
                    content.activeCellIndex = 0;
                    await window.jupyterapp.commands.execute('notebook:run-cell');
                    content.activeCellIndex = 1;
                    const began = performance.now();
                    void window.jupyterapp.commands.execute('notebook:run-cell');
                    await new Promise((resolve) => {
                        const look = () => document.querySelector('.spnb-studio')?.getBoundingClientRect().height > 0
                            ? resolve() : requestAnimationFrame(look);
                        look();
                    });
                    return (performance.now() - began) / 1000;
                }"""
            )
        )
        await lab.close()
    return float(statistics.median(taken))


async def watch(sandbox: OwnSandbox, room_id: str) -> Any:
    """A subscriber of a room, by the official SDK."""
    from livekit import rtc

    room = rtc.Room()
    await room.connect(*viewer_token(sandbox, room_id, "viewer"))
    return room


async def _seen_at(room: Any) -> float:
    """Unix time of the first decoded picture."""
    at = await first_frame(room)
    return time.time() + (at - time.perf_counter())


async def pressed_to_frame(
    lab: Lab, sandbox: OwnSandbox, name: str, options: str = "", *, connect: str = CONNECT
) -> float:
    """Seconds from pressing "Go live" in a new notebook's Studio until a subscriber has a picture; it stays on air."""
    await opened(lab, name, f"{connect}studio = spnb.Studio(sp, countdown=0{options})\nstudio")
    page = lab.page
    await page.get_by_label("Title").fill("Bench")
    await page.get_by_role("button", name="Camera on").click()
    await page.get_by_role("button", name="Create room").click()
    await page.wait_for_function("document.querySelector('.spnb-numbers')?.textContent.includes('1280')")
    go = page.get_by_role("button", name="Go live")
    await go.wait_for()
    room_id = (await lab.run_code("print(studio.room.room_id)")).strip()
    watching = await watch(sandbox, room_id)
    seen = asyncio.create_task(_seen_at(watching))
    pressed = await go.evaluate(
        "(button) => { const now = performance.timeOrigin + performance.now(); button.click(); return now; }"
    )
    taken = float(await seen - pressed / 1000)
    await watching.disconnect()
    return taken


async def _bare_page(lab: Lab, sandbox: OwnSandbox, site: str) -> float:
    """What somebody would write by hand: a page with livekit-client, the camera open, the token at hand."""
    import spnb

    client = await spnb.connect_async("bare", url=sandbox.info["url"], api_key=sandbox.info["apiKey"])
    room = await client.rooms.create("Bare")
    data = await room.broadcaster_data()
    browser = lab.page.context.browser
    assert browser is not None  # noqa: S101 - it was started by this benchmark
    page = await browser.new_page()
    await page.goto(site)
    await page.wait_for_function("window.ready")
    await page.evaluate("([url, token]) => window.prepare(url, token)", [data.co_host_url, data.co_host_token])
    watching = await watch(sandbox, room.room_id)
    seen = asyncio.create_task(_seen_at(watching))
    began = await page.evaluate("window.start()")
    taken = float(await seen - began / 1000)
    await watching.disconnect()
    await page.evaluate("window.room.disconnect()")
    await page.close()
    await room.stop()
    await client.aclose()
    return taken


@contextmanager
def _bare_site() -> Iterator[str]:
    """The bare page, served from loopback."""
    from spnb.widgets.base import STATIC

    files = {"/": (b"text/html", BARE.encode()), "/hub.js": (b"text/javascript", (STATIC / "hub.js").read_bytes())}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, body = files.get(self.path, (b"text/plain", b""))
            self.send_response(200)
            self.send_header("content-type", kind.decode())
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


async def end_stream(lab: Lab) -> None:
    """End the Studio's stream, and close its notebook."""
    await lab.page.get_by_role("button", name="End", exact=True).click()
    await lab.page.get_by_role("button", name="End now").click()
    await lab.page.get_by_text("REPLAY", exact=True).wait_for(timeout=40_000)
    await lab.close()


async def shown_to_decoded(lab: Lab, sandbox: OwnSandbox) -> float:
    """From the page's own picture being presented to the same one decoded at a subscriber, known by its counter.

    The page's moment is its `requestVideoFrameCallback`'s; what camera, screen and the subscriber's display add is not
    in it.
    """
    from livekit import rtc

    from spnb.broadcast.sources import read_counter

    room_id = (await lab.run_code("print(studio.room.room_id)")).strip()
    watching = await watch(sandbox, room_id)
    found: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    watching.on("track_subscribed", lambda track, *_: take_video(track, found))
    await lab.page.evaluate(COUNTED)
    seen: list[tuple[int, float]] = []
    stream = rtc.VideoStream(await found, format=rtc.VideoBufferType.I420)
    end = time.monotonic() + SECONDS
    import numpy as np

    async for event in stream:
        frame, now = event.frame, time.time()
        luma = np.frombuffer(frame.data, np.uint8, frame.width * frame.height).reshape(frame.height, frame.width)
        number = read_counter(luma)
        if number is not None:
            seen.append((number, now))
        if time.monotonic() > end:
            break
    await stream.aclose()
    await watching.disconnect()
    shown = await lab.page.evaluate("window.spnbSeen")
    delays = []
    for number, arrived in seen[30:]:
        # The film begins again after a few seconds: the last showing before the arrival is meant.
        times = [at / 1000 for local, at in shown if local == number and at / 1000 <= arrived]
        if times:
            delays.append((arrived - times[-1]) * 1000)
    return statistics.median(delays) if delays else float("inf")


def take_video(track: Any, found: asyncio.Future[Any]) -> None:
    """Keep the first track of pictures."""
    from livekit import rtc

    if track.kind == rtc.TrackKind.KIND_VIDEO and not found.done():
        found.set_result(track)


async def _by_kernel(lab: Lab, sandbox: OwnSandbox) -> list[Figure]:
    from livekit import rtc

    await pressed_to_frame(lab, sandbox, "kernel.ipynb", ", path='kernel'")
    room_id = (await lab.run_code("print(studio.room.room_id)")).strip()
    watching = await watch(sandbox, room_id)
    found: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    watching.on("track_subscribed", lambda track, *_: take_video(track, found))
    stream = rtc.VideoStream(await found, format=rtc.VideoBufferType.I420)
    process = await kernel_of(lab)
    count = 0

    async def counting() -> None:
        nonlocal count
        async for _ in stream:
            count += 1

    task = asyncio.create_task(counting())
    await asyncio.sleep(3)
    before, began = count, time.monotonic()
    busy = await busy_percent(process, SECONDS)
    fps = (count - before) / (time.monotonic() - began)
    task.cancel()
    await stream.aclose()
    await watching.disconnect()
    await end_stream(lab)
    return [
        at_least("kernel path, webcam 720p30: at the subscriber", fps, 29, "fps"),
        at_most("kernel path, webcam 720p30: kernel in all", busy, 60, "% of a core"),
    ]


def rooms_list() -> Iterator[Figure]:
    """A thousand rooms on a page: from the change at the service to the row."""
    with own_sandbox() as sandbox:
        yield from run(_rooms_list(sandbox))


async def _rooms_list(sandbox: OwnSandbox) -> list[Figure]:
    cell = (
        CONNECT + "import asyncio, time\nfrom spnb._loop import run\n"
        "async def make(client, count):\n    gate = asyncio.Semaphore(16)\n    async def one(number):\n"
        "        async with gate:\n            return await client.rooms.create(f'Room {number:04}', chat=False)\n"
        "    return await asyncio.gather(*(one(number) for number in range(count)))\n"
        "rooms = run(make(sp.asynchronous, 1000))\ntable = spnb.RoomTable(sp)\ntable"
    )
    taken, long_tasks = [], []
    async with lab_on(sandbox) as lab:
        await opened(lab, "rooms.ipynb", cell)
        await lab.page.get_by_text("Rooms · 1000").wait_for()
        await asyncio.sleep(2)
        for turn in range(10):
            told = await lab.page.evaluate(
                """async (turn) => {
                    const long = [];
                    const watcher = new PerformanceObserver((list) =>
                        long.push(...list.getEntries().map((entry) => entry.duration)));
                    watcher.observe({type: 'longtask'});
                    const kernel = window.spnbPanel.sessionContext.session.kernel;
                    const title = `Changed ${turn}`;
                    const seen = new Promise((resolve) => {
                        const look = () => [...document.querySelectorAll('.spnb-table .spnb-title')]
                            .some((cell) => cell.textContent === title)
                            ? resolve(performance.timeOrigin + performance.now()) : requestAnimationFrame(look);
                        look();
                    });
                    const code = `run(sp.asynchronous.rooms.update(rooms[-1].room_id, title='${title}'));`
                        + "print(time.time())";
                    const future = kernel.requestExecute({code, store_history: false});
                    let changed = 0;
                    future.onIOPub = (message) => {
                        if (message.header.msg_type === 'stream') changed = Number(message.content.text) * 1000;
                    };
                    await future.done;
                    const at = await seen;
                    watcher.disconnect();
                    return [at - changed, Math.max(0, ...long)];
                }""",
                turn,
            )
            taken.append(told[0])
            long_tasks.append(told[1])
        await lab.close()
    return [
        at_most("1000 rooms: event → row changed", statistics.median(taken), 150, "ms", "median of 10"),
        at_most("1000 rooms: longest task of the page", statistics.median(long_tasks), 50, "ms", "median of 10"),
    ]
