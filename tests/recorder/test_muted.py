"""What a muted host says is in no recording either, whatever happens to the connection meanwhile."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import httpx
import numpy as np
import pytest
import pytest_asyncio

import spnb
from spnb.broadcast import Reconnected, Reconnecting
from spnb.broadcast.sources import TestCard
from tests.broadcast.booth import SILENT, Line, Listener
from tests.conftest import RunningSandbox
from tests.live.conftest import until
from tests.recorder.test_recorder import numbers_in

pytestmark = pytest.mark.media

MARGIN = 0.25
"""Seconds by which a picture that was seen and the sound of its moment may be apart in a recording."""


@pytest.fixture(params=["sandbox", "real_sandbox"])
def running(request: pytest.FixtureRequest) -> RunningSandbox:
    """A sandbox with the embedded server, whose recorder taps it, and one with a real server, whose recorder joins."""
    made: RunningSandbox = request.getfixturevalue(request.param)
    return made


@pytest_asyncio.fixture
async def sp(running: RunningSandbox) -> AsyncIterator[Any]:
    client = await spnb.connect_async("muted-host", url=running.url, api_key=running.api_key)
    yield client
    await client.aclose()


async def listening(running: RunningSandbox, room_id: str) -> Listener:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        told = await client.post(
            f"{running.url}/sandbox/livekit-token",
            headers={"X-API-Key": running.api_key},
            json={"room": room_id, "identity": "listener", "hidden": True},
        )
    listener = Listener()
    await listener.join(told.json()["url"], told.json()["token"])
    return listener


def loudness(path: Path) -> list[tuple[float, float]]:
    """Seconds and root mean square, in steps of 16 bits, of each piece of a file's sound."""
    with av.open(str(path)) as container:
        return [
            (float(frame.time or 0), float(np.sqrt((frame.to_ndarray().astype(float) ** 2).mean())) * 32768)
            for frame in container.decode(audio=0)
        ]


async def test_a_recording_is_silent_while_its_host_is_muted(running: RunningSandbox, sp: Any, tmp_path: Path) -> None:
    room = await sp.rooms.create("Muted in the recording")
    straight = await room.broadcaster_data()
    line = Line(int(urlsplit(str(straight.co_host_url)).port or 0))
    await line.start()
    through = straight.model_copy(update={"co_host_url": f"ws://127.0.0.1:{line.port}"})

    async def broadcaster_data() -> Any:
        return through

    room.broadcaster_data = broadcaster_data
    events: list[Any] = []
    show = await room.go_live(TestCard(320, 180, 15), on_event=events.append)
    await room.until("live", timeout=60)
    listener = await listening(running, room.room_id)
    await listener.sees()
    await listener.hears()
    room.observe(lambda _record: None)
    await until(lambda: room.record.live_playback_url, 60)  # the recorder is at work

    await show.mute()
    await until(lambda: max(listener.heard_since(time.monotonic() - 0.5), default=0) < SILENT)
    await listener.sees()
    muted = listener.seen_since(0)[-1]
    line.resumes = False  # so that everything is published anew
    await line.cut()
    await until(lambda: any(isinstance(event, Reconnecting) for event in events))
    line.mend()
    await until(lambda: any(isinstance(event, Reconnected) for event in events), 40)
    again = time.monotonic()
    await until(lambda: len(listener.seen_since(again)) >= 45, 40)
    assert max(listener.heard_since(again)) < SILENT
    heard_again = listener.seen_since(0)[-1]
    await show.unmute()
    await listener.hears()
    await listener.sees()
    await show.stop()
    await listener.leave()
    await line.stop()

    recording = await room.recording(timeout=60)
    (path,) = await recording.download(tmp_path, name="muted", progress=False)
    shown = [(at, number) for at, number in numbers_in(path) if number is not None]
    began = next(at for at, number in shown if number >= muted)
    ended = next(at for at, number in shown if number >= heard_again)
    sound = loudness(path)
    silent = [loud for at, loud in sound if began + MARGIN < at < ended - MARGIN]
    assert len(silent) > 60, "more than a second of it"
    assert max(silent) < SILENT
    for stretch in ((0.0, began), (ended, float("inf"))):
        assert max(loud for at, loud in sound if stretch[0] <= at <= stretch[1]) > SILENT
    assert all(later[0] - earlier[0] < 0.05 for earlier, later in itertools.pairwise(sound)), "silence is sound too"
