"""`spnb doctor`: what works on this machine, each line with what to do where something does not."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from spnb.errors import SpnbError

if TYPE_CHECKING:
    from spnb.client import Client
    from spnb.live import LiveRoom

__all__ = ["Examination", "Finding", "examinations", "examine"]

State = Literal["ok", "note", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    subject: str
    state: State
    text: str


Examination = Callable[[], Iterator[Finding]]


def versions() -> Iterator[Finding]:
    """Python, spnb and the packages it stands on."""
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    names = ("spnb", "jupyterlab", "ipywidgets", "anywidget", "livekit", "aiortc", "av", "httpx", "pandas", "plotly")
    missing = []
    found = []
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    yield Finding("packages", "ok", ", ".join(found))
    if missing:
        yield Finding("packages", "fail", f"missing: {', '.join(missing)}; install spnb again")


def codecs() -> Iterator[Finding]:
    """Whether the media library can encode and decode what broadcasts and recordings need."""
    import av

    needed: tuple[tuple[str, Literal["r", "w"]], ...] = (
        ("libx264", "w"),
        ("h264", "r"),
        ("libvpx", "w"),
        ("libopus", "w"),
        ("aac", "w"),
    )
    for name, mode in needed:
        try:
            av.Codec(name, mode)
        except av.codec.codec.UnknownCodecError:
            yield Finding("codecs", "fail", f"{name} is missing in PyAV: install PyAV's own wheel of `av`")
            return
    yield Finding("codecs", "ok", "H.264, VP8, Opus and AAC")


def udp() -> Iterator[Finding]:
    """Whether UDP datagrams pass on loopback: WebRTC media needs them."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(1)
        sender.sendto(b"spnb", receiver.getsockname())
        try:
            receiver.recvfrom(16)
        except TimeoutError:
            yield Finding("udp", "fail", "no UDP on loopback: live media cannot flow here; check the firewall")
            return
    yield Finding("udp", "ok", "datagrams pass on loopback")


def camera() -> Iterator[Finding]:
    """Whether this machine, the kernel's, has a camera. The browser's own camera is another matter."""
    system = platform.system()
    if system == "Linux":
        devices = sorted(str(path) for path in Path("/dev").glob("video*"))
        if devices:
            yield Finding("camera", "ok", ", ".join(devices))
        else:
            yield Finding("camera", "note", "none on this machine: use a test card, a file, or the browser's camera")
    else:
        yield Finding("camera", "note", f"asked for at the first use of spnb.Camera() on {system}")


def screen() -> Iterator[Finding]:
    """Whether the screen can be captured."""
    try:
        import mss
    except ImportError:
        yield Finding("screen", "note", "screen capture is off: pip install 'spnb[screen]'")
        return
    try:
        with mss.MSS() as grabber:
            size = grabber.monitors[0]
    except Exception as error:  # noqa: BLE001 - the library raises whatever its platform layer raises
        yield Finding("screen", "note", f"no screen to capture: {type(error).__name__}")
        return
    yield Finding("screen", "ok", f"{size['width']}×{size['height']}")


def service() -> Iterator[Finding]:
    """Whether the service answers, takes the login, and speaks in real time, and how quickly."""
    import spnb

    began = time.perf_counter()
    with spnb.connect() as client:
        yield Finding("service", "ok", f"{client!r}: logged in after {time.perf_counter() - began:.2f} s")
        yield from _room_round_trip(client)


def _room_round_trip(client: Client[LiveRoom]) -> Iterator[Finding]:
    room = client.rooms.create("spnb doctor", chat=False)
    try:
        began = time.perf_counter()
        client.rooms.get(room.room_id)
        yield Finding("rest", "ok", f"a room read in {(time.perf_counter() - began) * 1000:.0f} ms")
        data = room.broadcaster_data()
        if data.co_host_url is None:
            yield Finding("livekit", "fail", "the service gave no LiveKit address for a co-host room")
            return
        yield _livekit(str(data.co_host_url), str(data.co_host_token))
    finally:
        room.delete()


def _livekit(url: str, token: str) -> Finding:
    import asyncio

    from livekit import rtc

    from spnb._loop import run
    from spnb._proxies import through, without_proxy

    async def join() -> float:
        began = time.perf_counter()
        room = rtc.Room()
        async with asyncio.timeout(10):
            with without_proxy(url):
                await room.connect(url, token, rtc.RoomOptions(auto_subscribe=False))
        taken = time.perf_counter() - began
        await room.disconnect()
        return taken

    host = url.split("?")[0] + through(url)
    try:
        return Finding("livekit", "ok", f"{host}: joined and left, {run(join()):.2f} s")
    except (rtc.ConnectError, TimeoutError) as error:
        return Finding("livekit", "fail", f"{host}: {type(error).__name__}; is the address reachable from here?")


examinations: tuple[Examination, ...] = (versions, codecs, udp, camera, screen, service)


def examine(wanted: Sequence[Examination] = examinations, *, as_json: bool) -> int:
    """Run examinations and print the report.

    Returns:
        0 when nothing failed, else 1.
    """
    findings: list[Finding] = []
    for examination in wanted:
        try:
            findings.extend(examination())
        except SpnbError as error:
            findings.append(Finding(examination.__name__, "fail", str(error)))
    if as_json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings]) + "\n")
    else:
        marks = {"ok": Text("✓ works", "green"), "note": Text("· note", "yellow"), "fail": Text("✗ fails", "bold red")}
        table = Table(show_header=False, box=None)
        for finding in findings:
            table.add_row(marks[finding.state], finding.subject, Text(finding.text))
        Console().print(table)
    return 1 if any(finding.state == "fail" for finding in findings) else 0
