"""Going live from Python: order on every way out, one per room, reconnection, what viewers get."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest
import pytest_asyncio

import spnb
from spnb.broadcast import (
    AsyncBroadcast,
    Broadcast,
    Connected,
    Disconnected,
    Ended,
    Reconnected,
    Reconnecting,
    SourceLost,
    SourceRestored,
    is_running,
    prepare,
)
from spnb.broadcast.sources import Generator, MediaFile, TestCard
from spnb.config import Credentials, Endpoints
from spnb.errors import BroadcastError, RoomOver, SourceError
from spnb.live import AsyncLiveRoom
from tests.conftest import RunningSandbox
from tests.live.conftest import Wire, until
from tests.media.conftest import LiveKit, Viewer

pytestmark = pytest.mark.media


@pytest_asyncio.fixture
async def sp(sandbox: RunningSandbox) -> AsyncIterator[Any]:
    client = await spnb.connect_async("broadcaster", url=sandbox.url, api_key=sandbox.api_key)
    yield client
    await client.aclose()


class Audience:
    """Subscribers by the sandbox's own tokens."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.sandbox = sandbox

    async def viewer(self, room_id: str) -> Viewer:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            told = await client.post(
                f"{self.sandbox.url}/sandbox/livekit-token",
                headers={"X-API-Key": self.sandbox.api_key},
                json={"room": room_id, "identity": "viewer"},
            )
        answer = told.json()

        class Given(LiveKit):
            def token(self, room: str, identity: str, **_: object) -> str:
                return str(answer["token"])

        seen = Viewer()
        await seen.connect(Given(answer["url"], "", "", embedded=True), room_id)
        return seen


@pytest.fixture
def audience(sandbox: RunningSandbox) -> Audience:
    return Audience(sandbox)


async def test_viewers_see_every_picture_and_hear_the_tone(sp: Any, audience: Audience) -> None:
    room = await sp.rooms.create("seen and heard")
    async with await room.go_live(TestCard(640, 360)) as show:
        seen = await audience.viewer(room.room_id)
        track, who = await seen.track()
        assert who == "broadcaster"
        numbers = await seen.counters(track, 60)
        assert numbers == sorted(set(numbers))
        sound, _ = await seen.track("audio")
        assert 430 <= await seen.loudest(sound) <= 1010
        await until(lambda: show.stats is not None)
        stats = show.stats
        assert stats is not None
        assert (stats.width, stats.height) == (640, 360)
        assert 0 < stats.fps <= 35
        assert stats.bitrate_kbps > 20
        assert stats.loss == 0
        await room.until("live", timeout=60)
        (row,) = [one for one in await sp.rooms.lives() if one.room.room_id == room.room_id]
        assert (row.room.title, row.post and row.post.post_id) == ("seen and heard", room.record.reference_id)
        assert "seen and heard" in (await sp.rooms.lives())._repr_html_()
        assert repr(show) == f"AsyncBroadcast({room.room_id}, on air, TestCard(640×360, 30 fps))"
        await seen.room.disconnect()
    assert not show.on_air
    assert (await room.refresh()).status in ("ended", "recorded")
    assert "over" in repr(show)


async def test_a_second_call_hands_out_the_running_one(sp: Any) -> None:
    room = await sp.rooms.create("only one")
    shows = await asyncio.gather(*(room.go_live(TestCard(320, 180)) for _ in range(3)))
    again = await (await sp.rooms.get(room.room_id)).go_live()
    assert {id(show) for show in (*shows, again)} == {id(shows[0])}
    await room.until("live", timeout=60)
    await asyncio.gather(*(show.stop() for show in shows))
    await shows[0].stop()
    with pytest.raises(spnb.errors.BadRequest, match="create a new one"):
        await room.go_live()


async def test_an_exception_ends_the_room_in_order(sp: Any) -> None:
    room = await sp.rooms.create("broken off")
    events: list[Any] = []

    async def fail() -> None:
        async with await room.go_live(TestCard(320, 180), on_event=events.append):
            await room.until("live", timeout=60)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert room.status in ("live", "waitingReconnect", "ended", "recorded")
    assert (await room.refresh()).is_over
    assert [type(event) for event in events] == [Connected, Ended]
    assert events[-1].reason == "stopped"


async def test_the_source_is_switched_without_leaving_the_air(sp: Any, audience: Audience) -> None:
    room = await sp.rooms.create("switched")
    show = await room.go_live(TestCard(320, 180))
    seen = await audience.viewer(room.room_id)
    track, _ = await seen.track()
    before = await seen.counters(track, 20)
    later = TestCard(320, 180)
    later.picture = lambda number, at=None: TestCard.picture(later, number + 50_000, at)  # type: ignore[method-assign]
    await show.switch_source(later)
    async with asyncio.timeout(60):
        while (after := await seen.counters(track, 5))[-1] < 50_000:
            continue
    assert before[-1] < 1000
    assert after[-1] >= 50_000
    with pytest.raises(SourceError):
        await show.switch_source(MediaFile("none.mp4"))
    assert show.on_air
    await show.stop()
    with pytest.raises(BroadcastError, match="over"):
        await show.switch_source(TestCard())


async def test_muting_is_heard_by_viewers(sp: Any, audience: Audience) -> None:
    room = await sp.rooms.create("muted")
    show = await room.go_live(TestCard(320, 180))
    seen = await audience.viewer(room.room_id)
    await seen.track()
    await show.mute()
    assert show.is_muted()
    await until(lambda: "track_muted" in seen.events)
    await show.unmute()
    await until(lambda: "track_unmuted" in seen.events)
    await show.mute("video")
    assert show.is_muted("video")
    await show.unmute("video")
    await show.stop()


async def test_a_source_that_fails_on_air_keeps_the_last_picture(sp: Any) -> None:
    room = await sp.rooms.create("fails later")
    broken = asyncio.Event()
    loop = asyncio.get_running_loop()

    def draw(number: int, _second: float) -> Any:
        if number > 10:
            loop.call_soon_threadsafe(broken.set)
            raise RuntimeError("out of ideas")
        return np.zeros((180, 320, 3), np.uint8)

    events: list[Any] = []
    show = await room.go_live(Generator(draw, 320, 180), on_event=events.append)
    await asyncio.wait_for(broken.wait(), 60)
    await until(lambda: any(isinstance(event, SourceLost) for event in events))
    assert "out of ideas" in next(event.reason for event in events if isinstance(event, SourceLost))
    assert show.on_air
    await show.switch_source(TestCard(320, 180))
    assert any(isinstance(event, SourceRestored) for event in events)
    await show.stop()


async def test_a_file_that_ends_ends_the_broadcast(sp: Any, tmp_path: Any) -> None:
    import av

    from tests.recorder.test_recorder import encoded_pictures

    path = tmp_path / "short.h264"
    path.write_bytes(b"".join(data for data, _ in encoded_pictures(4.0)))
    film = tmp_path / "short.mp4"
    with av.open(str(path)) as raw, av.open(str(film), "w") as made:
        stream = made.add_stream_from_template(raw.streams.video[0])
        for number, packet in enumerate(raw.demux(raw.streams.video[0])):
            if packet.size:
                packet.pts = packet.dts = int(number / 30 / stream.time_base) if stream.time_base else number
                packet.stream = stream
                made.mux(packet)
    room = await sp.rooms.create("a short film")
    show = await room.go_live(MediaFile(film))
    events = [event async for event in show.events()]
    assert isinstance(events[-1], Ended)
    assert events[-1].reason == "the source has come to its end"
    assert await show.wait_ended(5)
    await room.until("recorded", timeout=60)


@pytest.mark.parametrize("source", [MediaFile("none.mp4"), spnb.Camera("/dev/video99")])
async def test_a_source_that_cannot_start_publishes_nothing(sp: Any, source: Any) -> None:
    room = await sp.rooms.create("never live")
    with pytest.raises(SourceError):
        await room.go_live(source)
    assert (await room.refresh()).status == "idle"
    async with await room.go_live(TestCard(320, 180)):
        await room.until("live", timeout=60)


async def test_a_room_stopped_elsewhere_takes_the_broadcast_off_the_air(sp: Any, sandbox: RunningSandbox) -> None:
    room = await sp.rooms.create("stopped elsewhere")
    events: list[Any] = []
    show = await room.go_live(TestCard(320, 180), on_event=events.append)
    await room.until("live", timeout=60)
    other = await spnb.connect_async("broadcaster", url=sandbox.url, api_key=sandbox.api_key)
    await other.rooms.stop(room.room_id)
    assert await show.wait_ended(10)
    ended = next(event for event in events if isinstance(event, Ended))
    assert ended.reason == "the room was stopped elsewhere", "whoever hears it first, the service says why"
    await other.aclose()
    with pytest.raises(RoomOver):
        await room.until("live", timeout=60)


async def test_dead_credentials_are_fetched_again_once(sp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    room = await sp.rooms.create("prepared too early")
    await prepare(room)
    from spnb.broadcast import credentials

    stale = credentials._prepared[room.broadcast_key]
    credentials._prepared[room.broadcast_key] = stale.model_copy(update={"co_host_token": f"{stale.co_host_token}x"})
    async with await room.go_live(TestCard(320, 180)):
        await room.until("live", timeout=60)
    refused = await sp.rooms.create("refused for good")
    data = await refused.broadcaster_data()

    async def wrong(_self: Any) -> Any:
        return data.model_copy(update={"co_host_token": "nonsense"})

    monkeypatch.setattr(AsyncLiveRoom, "broadcaster_data", wrong)
    with pytest.raises(BroadcastError) as caught:
        await refused.go_live()
    assert "nonsense" not in str(caught.value)
    assert not is_running(refused.room_id)


async def test_a_cut_connection_is_restored(sandbox: RunningSandbox, wire: Wire) -> None:
    """The signalling socket runs through a proxy that drops it: the SDK comes back and media goes on."""
    client: Any = spnb.AsyncClient(
        Endpoints.of_url(sandbox.url), Credentials(sandbox.api_key, "cut-off"), room_factory=AsyncLiveRoom
    )
    await client.login()
    room = await client.rooms.create("cut off")
    straight = room.broadcaster_data

    async def through_the_wire() -> Any:
        data = await straight()
        return data.model_copy(update={"co_host_url": f"ws://127.0.0.1:{wire.port}"})

    room.broadcaster_data = through_the_wire
    events: list[Any] = []
    show = await spnb.broadcast.go_live(room, TestCard(320, 180), on_event=events.append)
    await room.until("live", timeout=60)
    await wire.cut()
    await until(lambda: any(isinstance(event, Reconnecting) for event in events))
    wire.mend()
    await until(lambda: any(isinstance(event, Reconnected) for event in events))
    await room.until("live", timeout=60)
    assert show.on_air
    await show.stop()
    await client.aclose()


async def test_a_connection_the_sdk_gives_up_is_joined_anew(sp: Any) -> None:
    room = await sp.rooms.create("given up")
    events: list[Any] = []
    show = await room.go_live(TestCard(320, 180), on_event=events.append)
    await room.until("live", timeout=60)
    spnb._loop.background_loop().call_soon_threadsafe(show._disconnected, "state mismatch")
    await until(lambda: any(isinstance(event, Reconnected) for event in events))
    assert any(isinstance(event, Disconnected) for event in events)
    await room.until("live", timeout=60)
    await show.stop()


@pytest.mark.parametrize("how", [signal.SIGINT, None])
async def test_no_way_out_of_a_program_leaves_the_room_live(sp: Any, sandbox: RunningSandbox, how: Any) -> None:
    """Interrupted inside `with`, and simply ending without it."""
    room = await sp.rooms.create("left")
    live = "room.until('live', timeout=60)\n"
    inside = f"with room.go_live():\n    {live}    print('on', flush=True)\n    threading.Event().wait()\n"
    outside = f"show = room.go_live()\n{live}print('on', flush=True)\n"
    program = (
        "import spnb, sys, threading\nsp = spnb.connect('broadcaster', url=sys.argv[1], api_key=sys.argv[2])\n"
        "room = sp.rooms.get(sys.argv[3])\n" + (inside if how else outside)
    )
    command = [sys.executable, "-c", program, sandbox.url, sandbox.api_key, room.room_id]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "on\n"
    if how:
        os.kill(process.pid, how)
    process.wait(60)
    assert (await room.refresh()).is_over


def test_the_blocking_broadcast_speaks_the_same_words(sandbox: RunningSandbox) -> None:
    with spnb.connect("blocking-broadcaster", url=sandbox.url, api_key=sandbox.api_key) as sp:
        room = sp.rooms.create("blocking")
        with room.go_live(TestCard(320, 180)) as show:
            assert isinstance(show, Broadcast)
            assert isinstance(show.asynchronous, AsyncBroadcast)
            room.until("live", timeout=60)
            assert show.on_air
            assert show.room_id == room.room_id
            assert isinstance(show.source, TestCard)
            show.mute()
            assert show.is_muted()
            show.unmute()
            show.switch_source(TestCard(320, 180, tone=False))
            heard: list[Any] = []
            forget = show.observe(heard.append)
            assert not show.wait_ended(2.5)
            assert show.history
            assert show.stats == show.history[-1]
            assert repr(show).startswith("Broadcast(")
        forget()
        assert isinstance(heard[-1], Ended)
        assert show.wait_ended(1)
        assert room.recording(timeout=60).urls
        assert list(show.events()) == []
