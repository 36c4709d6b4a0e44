"""Pages go live in a room by sending frames over a WebSocket: as they are, and through the sandbox's own gate."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect

from spnb.sandbox.ingest.pages import KEY, LEAD
from spnb.sandbox.media import rtp
from spnb.sandbox.media.assembler import Assembler
from spnb.sandbox.media.frames import EncodedFrame
from spnb.sandbox.media.layer import Layer
from spnb.sandbox.media.packets import MOST_PAYLOAD, payloads
from tests.broadcast.booth import NumberedEncoder
from tests.ingest.conftest import Studio
from tests.live.conftest import until

WIDTH, HEIGHT, FPS = 320, 180, 15
SOUND = b"\xfc\xff\xfe"
"""A packet of Opus: 20 ms of silence."""


@given(st.lists(st.binary(min_size=1, max_size=3 * MOST_PAYLOAD), min_size=1, max_size=5), st.booleans())
def test_frames_come_out_of_their_packets_as_they_were(parts: list[bytes], long: bool) -> None:
    # Units of H.264 hold no start codes, and end with no zero.
    units = [b"\x65" + part.replace(b"\0", b"\1") for part in parts]
    whole = b"".join((b"\0\0\0\1" if long else b"\0\0\1") + unit for unit in [b"\x67\x42", b"\x68\xce", *units])
    for codec, frame, expected in (
        ("h264", whole, whole.replace(b"\0\0\0\1", b"\0\0\1").replace(b"\0\0\1", b"\0\0\0\1")),
        ("vp8", b"\0" + parts[0], b"\0" + parts[0]),
        ("opus", parts[0], parts[0]),
    ):
        out: list[EncodedFrame] = []
        assembler = Assembler(codec, deliver=out.append, need_keyframe=lambda: None)
        made = payloads(codec, frame)
        for number, payload in enumerate(made):
            assert codec == "opus" or len(payload) <= MOST_PAYLOAD + 1
            last = number == len(made) - 1
            packet = rtp.packet(
                payload, payload_type=96, marker=last, sequence=number, timestamp=9, ssrc=7, extended=False
            )
            header = rtp.read_header(packet)
            assert header is not None
            assembler.add(LAYER, packet, header)
        assert [(one.data, one.keyframe) for one in out] == [(expected, True)]


LAYER = Layer(7, "", 90_000, wants_resend=True)


class Page:
    """What a page does."""

    def __init__(self, socket: ClientConnection, codec: str) -> None:
        self.socket, self.codec = socket, codec
        self.heard: list[dict[str, Any]] = []
        self.acknowledged = self.sent = 0
        self.wants_key = True
        self.reading = asyncio.create_task(self._read())
        self.sending: asyncio.Task[None] | None = None

    async def say(self, **told: Any) -> None:
        await self.socket.send(json.dumps(told))

    async def _read(self) -> None:
        async for text in self.socket:
            told = json.loads(text)
            if "ack" in told:
                self.acknowledged = told["ack"]
            else:
                self.heard.append(told)
            self.wants_key |= told.get("key") not in (None, False)

    async def told(self, name: str) -> Any:
        await until(lambda: any(name in told for told in self.heard), 60)
        return next(told[name] for told in self.heard if name in told)

    async def publish(self) -> None:
        await self.say(say="publish", ask=1, kind="audio", codec="opus", source="microphone")
        await self.say(
            say="publish", ask=2, kind="video", codec=self.codec, source="camera", width=WIDTH, height=HEIGHT
        )
        await until(lambda: sum("published" in told for told in self.heard) == 2, 60)
        sound, picture = (told["published"] for told in self.heard if "published" in told)
        self.sending = asyncio.create_task(self._send(sound, picture))

    async def _send(self, sound: int, picture: int) -> None:
        encoder = NumberedEncoder(self.codec, WIDTH, HEIGHT, FPS)
        while True:
            at = time.monotonic() * 1e6
            for data, key in encoder.picture(self.sent, key=self.wants_key):
                if key:
                    self.wants_key = False
                self.sent += 1
                await self.socket.send(LEAD.pack(picture, KEY * key, self.sent, at) + data)
            for number in range(3):
                await self.socket.send(LEAD.pack(sound, KEY, 0, at + number * 20_000) + SOUND)
            await asyncio.sleep(1 / FPS)


@asynccontextmanager
async def a_page(studio: Studio, token: str, codec: str = "h264") -> AsyncIterator[Page]:
    address = f"ws{studio.box.url[4:]}/sandbox/publish"
    async with connect(address, proxy=None) as socket:
        page = Page(socket, codec)
        await page.say(token=token)
        try:
            yield page
        finally:
            for task in filter(None, (page.sending, page.reading)):
                task.cancel()
            await asyncio.gather(*filter(None, (page.sending, page.reading)), return_exceptions=True)


@pytest.mark.media
@pytest.mark.parametrize("codec", ["h264", "vp8"])
async def test_a_page_is_on_air_by_its_frames(studio: Studio, codec: str) -> None:
    room = await studio.sp.rooms.create("By frames")
    data = await room.broadcaster_data()
    async with a_page(studio, str(data.co_host_token), codec) as page:
        assert str(await page.told("joined")).startswith("PA_")
        await page.publish()
        await room.until("live", timeout=60)
        viewer = await studio.viewer(room)
        await viewer.sees()
        assert viewer.pictures[-1][2:] == (WIDTH, HEIGHT)
        await until(lambda: bool(viewer.loudness), 60)
        # Muted, its frames are taken and acknowledged, and go no further.
        [picture] = [told["published"] for told in page.heard if told.get("ask") == 2]
        await page.say(say="mute", track=picture, muted=True)
        await until(lambda: viewer.publications["video"].muted)
        muted, sent = time.monotonic(), page.sent
        await until(lambda: page.acknowledged >= sent + 2 * FPS, 60)
        assert not viewer.seen_since(muted + 0.5)
        await page.say(say="mute", track=picture, muted=False)
        await viewer.sees()
        await viewer.leave()
        # The service puts it out: it is told.
        await room.stop()
        assert await page.told("leave")
    await room.until("recorded", timeout=60)
    assert (await room.recording()).urls


async def refused(studio: Studio, token: str, *say: dict[str, Any]) -> int:
    async with a_page(studio, token) as page:
        for told in say:
            await page.say(**told)
        await asyncio.wait([page.reading], timeout=60)
        return int(page.socket.close_code or 0)


async def test_who_may_not_publish_is_turned_away(studio: Studio) -> None:
    room = await studio.sp.rooms.create("Closed")
    token = str((await room.broadcaster_data()).co_host_token)
    assert await refused(studio, "eyJ.nonsense") == 4401
    assert await refused(studio, "") == 4401
    viewer = (await studio.pass_of(room))["token"]
    assert await refused(studio, viewer) == 4401
    for nonsense in (
        {"say": "dance"},
        {"say": "publish", "kind": "video", "codec": "av1", "source": "camera"},
        {"say": "publish", "kind": "video", "codec": "vp8", "source": "camera", "width": -1},
        {"say": "publish", "kind": "audio", "codec": "opus", "source": "nowhere"},
    ):
        assert await refused(studio, token, nonsense) == 4400
    async with a_page(studio, token) as page:
        await page.told("joined")
        await page.socket.send(b"\1")
        await asyncio.wait([page.reading], timeout=60)
        assert page.socket.close_code == 4400


async def test_odd_words_and_frames_end_nothing(studio: Studio) -> None:
    room = await studio.sp.rooms.create("Odd")
    async with a_page(studio, str((await room.broadcaster_data()).co_host_token)) as page:
        await page.say(say="publish", ask=1, kind="video", codec="h264", source="camera", width=WIDTH, height=HEIGHT)
        number = await page.told("published")
        for track in ("x", None, {}, [], 1e9, -1, True):
            await page.say(say="mute", track=track, muted=True)
            await page.say(say="unpublish", track=track if track is not True else 99)
        for at in (float("nan"), float("inf"), -1.0, 0.0, 9e17, 1.0):
            for track in (number, 0, 255):
                await page.socket.send(LEAD.pack(track, KEY, 1, at) + b"\0\0\1\x65x")
        await page.say(say="ping")
        assert await page.told("pong")
        await page.socket.send("[" * 100_000)  # a word of this depth is none that Python can read
        await asyncio.wait([page.reading], timeout=60)
        assert page.socket.close_code == 4400


@given(st.sampled_from(["h264", "vp8"]), st.binary(max_size=5000))
def test_any_picture_becomes_packets_that_fit(codec: str, frame: bytes) -> None:
    assert all(0 < len(payload) <= MOST_PAYLOAD + 2 for payload in payloads(codec, frame))
