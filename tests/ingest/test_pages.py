"""Pages go live in a room by sending frames over a WebSocket: as they are, and through the sandbox's own gate."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit import rtc
from websockets.asyncio.client import ClientConnection, connect

from spnb.sandbox.ingest.pages import KEY, LEAD, SMALL
from spnb.sandbox.media import rtp
from spnb.sandbox.media.assembler import Assembler
from spnb.sandbox.media.frames import EncodedFrame
from spnb.sandbox.media.layer import Layer
from spnb.sandbox.media.packets import MOST_PAYLOAD, payloads
from tests.broadcast.booth import Listener, NumberedEncoder
from tests.ingest.conftest import Studio
from tests.live.conftest import until

FPS = 15
SIZES = [(640, 360), (320, 180)]
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
    """What a page does; what there is of each layer comes by its number, 1 the small one."""

    def __init__(self, socket: ClientConnection, codec: str, sizes: list[tuple[int, int]]) -> None:
        self.socket, self.codec, self.sizes = socket, codec, sizes
        self.heard: list[dict[str, Any]] = []
        self.acknowledged, self.sent = [0, 0], [0, 0]
        self.wants_key = {0, 1}
        self.rests: set[int] = set()
        """Layers of which nothing is sent for now."""
        self.picture = 0
        self.reading = asyncio.create_task(self._read())
        self.sending: asyncio.Task[None] | None = None

    async def say(self, **told: Any) -> None:
        await self.socket.send(json.dumps(told))

    async def _read(self) -> None:
        async for text in self.socket:
            told = json.loads(text)
            small = int(told.get("small", False))
            if "ack" in told:
                self.acknowledged[small] = told["ack"]
            else:
                self.heard.append(told)
            if told.get("key") not in (None, False):
                self.wants_key.add(small)

    async def told(self, name: str) -> Any:
        await until(lambda: any(name in told for told in self.heard), 60)
        return next(told[name] for told in self.heard if name in told)

    def wants(self) -> list[bool]:
        """What was said of the large layer."""
        return [told["large"] for told in self.heard if told.get("wants") == self.picture]

    async def publish(self) -> None:
        width, height = self.sizes[0]
        picture: dict[str, Any] = {"kind": "video", "codec": self.codec, "source": "camera"}
        if self.sizes[1:]:
            picture["smaller"] = dict(zip(("width", "height"), self.sizes[1], strict=True))
        await self.say(say="publish", ask=1, kind="audio", codec="opus", source="microphone")
        await self.say(say="publish", ask=2, width=width, height=height, **picture)
        await until(lambda: sum("published" in told for told in self.heard) == 2, 60)
        sound, self.picture = (told["published"] for told in self.heard if "published" in told)
        self.sending = asyncio.create_task(self._send(sound))

    async def _send(self, sound: int) -> None:
        encoders = [NumberedEncoder(self.codec, width, height, FPS) for width, height in self.sizes]
        for number in itertools.count():
            at = time.monotonic() * 1e6
            for small, encoder in enumerate(encoders):
                if small in self.rests:
                    continue
                for data, key in encoder.picture(number, key=small in self.wants_key):
                    if key:
                        self.wants_key.discard(small)
                    self.sent[small] += 1
                    flags = KEY * key | SMALL * small
                    await self.socket.send(LEAD.pack(self.picture, flags, self.sent[small], at) + data)
            for piece in range(3):
                await self.socket.send(LEAD.pack(sound, KEY, 0, at + piece * 20_000) + SOUND)
            await asyncio.sleep(1 / FPS)

    async def muted(self, viewer: Listener) -> None:
        """Muted, its frames are taken and acknowledged, and go no further; then they do again."""
        await self.say(say="mute", track=self.picture, muted=True)
        await until(lambda: viewer.publications["video"].muted)
        muted, sent = time.monotonic(), list(self.sent)
        layers = range(len(self.sizes))
        await until(lambda: all(self.acknowledged[small] >= sent[small] + 2 * FPS for small in layers), 60)
        assert not viewer.seen_since(muted + 0.5)
        await self.say(say="mute", track=self.picture, muted=False)
        await viewer.sees()


@asynccontextmanager
async def a_page(
    studio: Studio, token: str, codec: str = "h264", sizes: list[tuple[int, int]] = SIZES[1:]
) -> AsyncIterator[Page]:
    address = f"ws{studio.box.url[4:]}/sandbox/publish"
    async with connect(address, proxy=None) as socket:
        page = Page(socket, codec, sizes)
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
        assert viewer.pictures[-1][2:] == SIZES[1]
        await until(lambda: bool(viewer.loudness), 60)
        await page.muted(viewer)
        await viewer.leave()
        # The service puts it out: it is told.
        await room.stop()
        assert await page.told("leave")
    await room.until("recorded", timeout=60)
    assert (await room.recording()).urls


@pytest.mark.media
async def test_of_two_layers_each_viewer_has_the_one_it_chooses(studio: Studio) -> None:
    # No room of the service's: what records it would have use for both at all times.
    room = "two-layers"
    large, small = SIZES

    def sees(viewer: Listener, size: tuple[int, int]) -> bool:
        return bool(viewer.pictures) and viewer.pictures[-1][2:] == size

    publishes = await studio.ticket(room=room, identity="page", canPublish=True)
    async with a_page(studio, publishes["token"], "vp8", SIZES) as page:
        await page.told("joined")
        await page.publish()
        near, far = Listener(), Listener()
        for viewer in (near, far):
            watches = await studio.ticket(room=room, identity=f"viewer {id(viewer)}", hidden=True)
            await viewer.join(watches["url"], watches["token"])
        await until(lambda: sees(near, large) and sees(far, large), 60)
        # A small tile, or a slow line: it gets the small one, from a key frame of that one's on.
        far.publications["video"].set_video_quality(rtc.VideoQuality.VIDEO_QUALITY_LOW)
        await until(lambda: sees(far, small), 60)
        wish = {"key": page.picture, "small": True}
        assert wish in page.heard
        await page.muted(far)
        await until(lambda: sees(far, small) and sees(near, large), 60)
        # On a full way the large one rests: who had it goes over as soon as that is said, and back once it is there.
        asked, known = page.heard.count(wish), len(page.wants())
        await page.say(say="rests", track=page.picture)
        await until(lambda: page.heard.count(wish) > asked, 60)
        page.rests = {0}
        await until(lambda: sees(near, small), 60)
        page.rests, page.wants_key = set(), {0}
        await until(lambda: sees(near, large), 60)
        # Nobody has use for it: the page is told, and again when somebody has.
        near.publications["video"].set_video_quality(rtc.VideoQuality.VIDEO_QUALITY_LOW)
        await until(lambda: page.wants()[known:] == [False], 60)
        page.rests = {0}
        await until(lambda: sees(near, small), 60)
        near.publications["video"].set_video_quality(rtc.VideoQuality.VIDEO_QUALITY_HIGH)
        await until(lambda: page.wants()[known:] == [False, True], 60)
        page.rests, page.wants_key = set(), {0}
        await until(lambda: sees(near, large) and sees(far, small), 60)
        await near.leave()
        await far.leave()


async def refused(studio: Studio, token: str, *say: dict[str, Any]) -> int:
    async with a_page(studio, token) as page:
        for told in say:
            await page.say(**told)
        await asyncio.wait([page.reading], timeout=60)
        assert page.heard[-1] == {"over": page.socket.close_reason, "code": page.socket.close_code}
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
        {"say": "publish", "kind": "video", "codec": "vp8", "source": "camera", "smaller": [320, 180]},
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
        await page.say(say="publish", ask=1, kind="video", codec="h264", source="camera", width=320, height=180)
        number = await page.told("published")
        for track in ("x", None, {}, [], 1e9, -1, True):
            await page.say(say="mute", track=track, muted=True)
            await page.say(say="rests", track=track)
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
