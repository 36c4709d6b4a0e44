"""Who stops waiting for a track leaves nothing behind of which LiveKit's SDK complains."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest

from spnb.broadcast.options import Format, Intent
from spnb.broadcast.publisher import Publisher, PublisherEvents
from spnb.sandbox.ingest.flv import Coded
from spnb.sandbox.ingest.transcoder import Transcoder
from tests.broadcast.booth import Listener
from tests.broadcast.films import planes
from tests.live.conftest import until
from tests.media.conftest import LiveKit

pytestmark = pytest.mark.media


def heard_nothing(*_what: Any) -> None:
    return


async def asked() -> None:
    """Until what was begun has asked the SDK, and before that can have answered."""
    for _ in range(5):
        await asyncio.sleep(0)


def published(listener: Listener) -> bool:
    return any(who.track_publications for who in listener.room.remote_participants.values())


async def test_a_track_that_nobody_waits_for_is_no_error(
    livekit: LiveKit, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    room = f"called-off-{secrets.token_hex(4)}"
    await listener.connect(livekit, room)
    publisher = Publisher(Intent(), PublisherEvents(*[heard_nothing] * 5))
    await publisher.connect(livekit.url, livekit.token(room, "host"))
    publishing = asyncio.create_task(publisher.publish(Format(320, 180, 15, sound=True)))
    await asked()
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)
    await until(lambda: published(listener))
    await publisher.leave()
    assert not [record for record in caplog.records if "user callback" in record.getMessage()]


async def test_an_encoder_that_leaves_at_once_is_no_error(
    livekit: LiveKit, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    import av

    room = f"left-{secrets.token_hex(4)}"
    await listener.connect(livekit, room)
    transcoder = Transcoder(livekit.url, livekit.token(room, "host"))
    await transcoder.start()
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.framerate = 320, 180, "yuv420p", 25
    encoder.options = {"tune": "zerolatency"}
    for number in range(3):
        frame = planes(number)
        frame.pts = number
        for packet in encoder.encode(frame):
            transcoder.take(Coded("video", "h264", bytes(packet), False, number == 0, number * 40))
    async with asyncio.timeout(60):
        while not transcoder._works:
            await asyncio.sleep(0)
    await asked()
    await transcoder.aclose()
    assert not [record for record in caplog.records if "user callback" in record.getMessage()]
