"""`go_live` in a room for direct streaming: what it pushes is seen, heard and recorded, and comes back when cut."""

from __future__ import annotations

from typing import Any

import pytest

from spnb.broadcast import Reconnected
from spnb.broadcast.sources import TestCard
from spnb.errors import ConfigError
from tests.ingest.conftest import Studio
from tests.live.conftest import until

pytestmark = pytest.mark.media


async def test_a_source_is_pushed_to_a_room_for_direct_streaming(studio: Studio) -> None:
    room = await studio.sp.rooms.create("Pushed", type="directStreaming")
    events: list[Any] = []
    show = await room.go_live(TestCard(640, 360, 25), on_event=events.append)
    await room.until("live", timeout=60)
    viewer = await studio.viewer(room)
    await viewer.sees()
    await viewer.hears()
    assert {picture[2:] for picture in viewer.pictures if picture[1] is not None} == {(640, 360)}
    await show.mute()
    await until(lambda: len(viewer.loudness) > 100 and max(loud for _, loud in viewer.loudness[-50:]) < 20)
    await show.unmute()
    await viewer.hears()
    await show.switch_source(TestCard(320, 240, 15, tone=False))  # another shape: fitted in, on black
    await viewer.sees()
    await until(lambda: show.stats is not None and show.stats.fps > 5)
    await studio.ask("DELETE", room)  # the key is revoked: the connection breaks, and is made with a new one
    await until(lambda: any(isinstance(event, Reconnected) for event in events), 60)
    await viewer.sees()
    await show.stop()
    await room.until("recorded", timeout=60)
    assert (await room.recording()).urls
    assert "live/" not in repr(show) + " ".join(map(repr, events))
    await viewer.leave()


async def test_an_address_that_does_not_answer_is_told_without_its_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from spnb.broadcast import go_live
    from spnb.errors import BroadcastError
    from spnb.models import BroadcasterData
    from tests.broadcast.booth import Booth
    from tests.media.conftest import LiveKit

    booth = Booth(LiveKit("ws://127.0.0.1:9", "key", "s" * 32, embedded=False), "away")

    async def data() -> BroadcasterData:
        return BroadcasterData(direct_stream_url="rtmp://127.0.0.1:9/live/secretkey")

    monkeypatch.setattr(booth, "broadcaster_data", data)
    with pytest.raises(BroadcastError, match="RTMP address refused") as refused:
        await go_live(booth, TestCard(320, 180))
    assert "secretkey" not in str(refused.value)

    async def nothing() -> BroadcasterData:
        return BroadcasterData()

    monkeypatch.setattr(booth, "broadcaster_data", nothing)
    with pytest.raises(ConfigError, match="neither"):
        await go_live(booth, TestCard(320, 180))
