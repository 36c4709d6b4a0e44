"""A page's own frames go on air as they are, where the page cannot connect; muted, none of them passes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spnb._loop import run
from spnb.broadcast import Reconnected, go_live
from spnb.broadcast.frames import Frame, PageFrames
from spnb.broadcast.page import PageSource
from tests.broadcast.booth import SILENT, Booth, Listener, NumberedEncoder
from tests.live.conftest import until
from tests.media.conftest import LiveKit

pytestmark = pytest.mark.media

WIDTH, HEIGHT, FPS = 320, 180, 15


class FarPage:
    """What is at the page's end: it cannot connect by itself, and encodes numbered pictures when it is told to."""

    def __init__(self, codec: str, *, connects: bool = False) -> None:
        self.codec, self.connects = codec, connects
        self.asked: list[str] = []
        self.frames = PageFrames(lambda _picture: None)
        self.numbers = 0
        self.sending: Any = None
        self.by_port = False

    async def ask(self, command: str, *, timeout: float, **content: Any) -> dict[str, Any]:
        self.asked.append(command)
        if command == "connect":
            return {"ok": self.connects, "port": self.by_port, "reason": "no media connection"}
        if command == "encode" and self.sending is None:
            assert (content["width"], content["height"]) == (WIDTH, HEIGHT)
            self.sending = asyncio.create_task(self._send())
        return {"ok": True, "codec": self.codec}

    def tell(self, command: str, **content: Any) -> None:
        self.asked.append(command)

    async def _send(self) -> None:
        encoder = NumberedEncoder(self.codec, WIDTH, HEIGHT, FPS)
        while True:
            for data, key in encoder.picture(self.numbers, key=self.frames.want_key):
                at = time.monotonic_ns() // 1000
                self.frames.take(Frame(data, self.codec, key, WIDTH, HEIGHT, at))
            self.numbers += 1
            await asyncio.sleep(1 / FPS)

    def stop(self) -> None:
        if self.sending is not None:
            self.sending.get_loop().call_soon_threadsafe(self.sending.cancel)
            self.sending = None


@pytest.mark.parametrize("codec", ["h264", "vp8"])
async def test_a_page_that_cannot_connect_is_on_air_by_its_frames(
    livekit: LiveKit, listener: Listener, codec: str
) -> None:
    booth, page, fell = Booth(livekit, f"frames-{codec}"), FarPage(codec), []
    source = PageSource(page, WIDTH, HEIGHT, FPS, frames=page.frames, fell=fell.append)
    events: list[Any] = []
    show = await go_live(booth, source, on_event=events.append)
    try:
        assert page.asked[:2] == ["connect", "encode"]
        assert fell == ["the page could not go live: no media connection"]
        await listener.connect(livekit, booth.room_id)
        await listener.sees(40)
        # Nothing was encoded here: what is seen are the page's pictures, in its size.
        assert {picture[2:] for picture in listener.pictures} == {(WIDTH, HEIGHT)}

        await show.mute("video")
        await until(lambda: listener.publications["video"].muted)
        came, muted_at = page.numbers, time.monotonic()
        await until(lambda: page.numbers >= came + 2 * FPS)
        # A picture on its way is let in; then none, while the page goes on sending.
        assert not listener.seen_since(muted_at + 0.5)
        await show.unmute("video")
        await listener.sees(40)

        # Sound comes beside the frames, and through the same gate.
        tone = (np.sin(np.arange(4800) * 440 * 2 * np.pi / 48_000) * 8000).astype(np.int16).tobytes()
        for _ in range(10):
            source.sound(tone)
        await until(lambda: max(listener.heard_since(muted_at), default=0) > SILENT)

        # The page goes, and another comes: the room waits, and goes on.
        page.stop()
        await _told(source)
        await until(lambda: any(isinstance(event, Reconnected) for event in events), 60)
        await listener.sees(40)
    finally:
        await show.stop()
        page.stop()


async def test_a_page_whose_connection_fails_on_air_goes_on_by_its_frames(livekit: LiveKit, listener: Listener) -> None:
    booth, page = Booth(livekit, "fallen"), FarPage("h264", connects=True)
    fell: list[str] = []
    ported: list[bool] = []
    source = PageSource(
        page, WIDTH, HEIGHT, FPS, frames=page.frames, fell=fell.append, by_port=lambda: ported.append(True)
    )
    events: list[Any] = []
    show = await go_live(booth, source, on_event=events.append)
    try:
        assert (page.asked[0], "encode" in page.asked, fell) == ("connect", False, [])
        silent = {"event": "disconnected", "reason": "the media server has gone silent"}
        # The page knows another way of its own first: frames by the port that its calls go by.
        page.by_port = True
        await _told(source, lambda: source.heard({**silent, "next": True}))
        await until(lambda: sum(isinstance(event, Reconnected) for event in events) == 1, 60)
        assert (fell, ported, page.asked.count("connect")) == ([], [True], 2)
        await _told(source, lambda: source.heard(silent))
        await until(lambda: sum(isinstance(event, Reconnected) for event in events) == 2, 60)
        assert fell == [silent["reason"]]
        assert source.by_frames
        assert page.asked.count("connect") == 2, "what has failed is not tried again"
        await listener.connect(livekit, booth.room_id)
        await listener.sees(40)
    finally:
        await show.stop()
        page.stop()


async def _told(source: PageSource, what: Callable[[], None] | None = None) -> None:
    async def tell() -> None:
        (what or source.page_closed)()

    await asyncio.to_thread(run, tell())
