"""The life of a room, moved by real media: live, away, back, ended, recorded; kills on both sides."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import av
import httpx
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

import spnb
from spnb.live import AsyncLiveRoom
from spnb.sandbox.store import TRANSITIONS, Store, may_follow
from tests.conftest import RunningSandbox, start_sandbox
from tests.media.conftest import LiveKit, publisher
from tests.recorder.test_recorder import numbers_in

pytestmark = pytest.mark.media

AsyncClient = spnb.AsyncClient[AsyncLiveRoom]


@pytest_asyncio.fixture
async def sp(sandbox: RunningSandbox) -> AsyncIterator[AsyncClient]:
    client = await spnb.connect_async("host", url=sandbox.url, api_key=sandbox.api_key)
    yield client
    await client.aclose()


class Host:
    """Publishes into a room with its real broadcaster data, through the official SDK."""

    def __init__(self, room: AsyncLiveRoom) -> None:
        self.room = room

    async def on_air(self, **options: object):  # type: ignore[no-untyped-def]
        data = await self.room.broadcaster_data()

        class Given(LiveKit):
            def token(self, room: str, identity: str, **_: object) -> str:
                return str(data.co_host_token)

        return publisher(Given(str(data.co_host_url), "", "", embedded=True), self.room.room_id, **options)


async def test_the_whole_life_with_a_publisher_that_comes_back(sp: AsyncClient, sandbox: RunningSandbox) -> None:
    room = await sp.rooms.create("A life")
    seen: list[str] = []
    stop = room.observe(lambda record: seen.append(record.status))
    async with await Host(room).on_air(sound=True):
        record = await room.until("live", timeout=60)
        assert record.live_at is not None
        # Who reads the room now, and never again, plays it: the answer waits for the stream.
        async with httpx.AsyncClient(trust_env=False, timeout=60) as viewer:
            playlist = await viewer.get(str(record.live_playback_url))
        assert playlist.text.startswith("#EXTM3U")
        async with asyncio.timeout(60):
            while (await room.refresh()).live_thumbnail_url is None:
                await asyncio.sleep(0.1)
        picture = await sp.rooms.thumbnail(room.record)
        assert picture is not None
        assert picture.startswith(b"\xff\xd8")
        assert room.room_id in [live.room_id for live in await sp.rooms.live()]
    await room.until("waitingReconnect", timeout=60)
    assert room.room_id in [live.room_id for live in await sp.rooms.live()]
    async with await Host(room).on_air():
        await room.until("live", timeout=60)
        await asyncio.sleep(1.5)
    ended = await room.stop()
    assert ended.status in ("ended", "recorded")
    recording = await room.recording(timeout=60)
    assert room.record.duration_seconds is not None
    assert len(recording.urls) == 1
    assert recording.expires_at is not None
    assert [status for status, _ in _runs(seen)] == [
        "live",
        "waitingReconnect",
        "live",
        "waitingReconnect",
        "ended",
        "recorded",
    ]
    (path,) = await recording.download(sandbox.data_dir, name="downloaded", progress=False)
    times = room.record
    assert times.ended_at is not None
    assert times.live_at is not None
    live_time = (times.ended_at - times.live_at).total_seconds()
    with av.open(str(path)) as made:
        assert abs((made.duration or 0) / 1e6 - live_time) <= 0.5
        assert made.streams.audio
    assert room.room_id not in [live.room_id for live in await sp.rooms.live()]
    again = await room.stop()
    assert again.status == "recorded", "stopping twice is stopping once"
    with pytest.raises(spnb.errors.BadRequest, match="create a new one"):
        await room.broadcaster_data()
    for info in times.recorded_playback_infos:
        headers = {"Authorization": f"Bearer {await sp.access_token()}"}
        for url in (info.url, str(info.thumbnail_url)):
            redirect = httpx.get(url, headers=headers, trust_env=False, timeout=60)
            assert redirect.status_code == 302
            assert httpx.get(redirect.headers["location"], trust_env=False, timeout=60).status_code == 200
    stop()


def _runs(statuses: list[str]) -> list[tuple[str, int]]:
    import itertools

    return [(status, len(list(group))) for status, group in itertools.groupby(statuses)]


def host_of(sp: AsyncClient, room_id: str) -> subprocess.Popen[str]:
    """A host in a process of its own, which can be killed."""
    program = (
        "import spnb, sys, threading\n"
        "sp = spnb.connect('host', url=sys.argv[1], api_key=sys.argv[2])\n"
        "show = sp.rooms.get(sys.argv[3]).go_live(spnb.TestCard(320, 180, 10))\n"
        "print('on', flush=True)\n"
        "threading.Event().wait()\n"
    )
    endpoints = sp._endpoints
    command = [sys.executable, "-c", program, endpoints.rest, sp._credentials.api_key, room_id]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def test_a_killed_publisher_leaves_no_ghost(sp: AsyncClient) -> None:
    room = await sp.rooms.create("Ghost")
    process = host_of(sp, room.room_id)
    await room.until("live", timeout=60)
    async with asyncio.timeout(60):
        while (await room.refresh()).live_thumbnail_url is None:
            await asyncio.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    await room.until("waitingReconnect", timeout=60)
    await room.until("ended", "recorded", timeout=60)
    assert room.room_id not in [live.room_id for live in await sp.rooms.live()]
    assert (await room.recording(timeout=60)).urls


async def test_a_killed_sandbox_loses_no_recording_and_leaves_nothing_live(tmp_path: Path) -> None:
    """Its host is killed with it: one that was not comes back to the sandbox that comes back, and the room goes on."""
    first = start_sandbox(tmp_path, "--grace", "1")
    sp = await spnb.connect_async("host", url=first.url, api_key=first.api_key)
    room = await sp.rooms.create("Cut short")
    process = host_of(sp, room.room_id)
    await room.until("live", timeout=60)
    async with asyncio.timeout(60):
        while len(list((tmp_path / "recordings" / room.room_id).glob("part-1/segment-*.m4s"))) < 3:
            await asyncio.sleep(0.1)
    first.stop(kill=True)
    process.kill()
    process.wait()
    second = start_sandbox(tmp_path, "--grace", "1")
    after = await spnb.connect_async("host", url=second.url, api_key=second.api_key)
    again = await after.rooms.get(room.room_id)
    await again.until("recorded", timeout=60)
    recording = await again.recording()
    (gap,) = (gap for gap in recording.gaps if gap.reason == "the sandbox was away")  # beside what the cut damaged
    assert gap.ended_at is not None
    (path,) = await recording.download(tmp_path, name="kept", progress=False)
    assert numbers_in(path)[-1][0] >= 3  # of a first segment, which is short, and two of two seconds
    assert not await after.rooms.live()
    for client in (sp, after):
        await client.aclose()
    second.stop()


async def test_a_removed_co_host_is_put_off_the_air(sp: AsyncClient, sandbox: RunningSandbox) -> None:
    guest = await spnb.connect_async("guest-host", url=sandbox.url, api_key=sandbox.api_key)
    room = await sp.rooms.create("Two on stage")
    invitation = await sp.invitations.create(room.room_id, "guest-host")
    await guest.invitations.accept(invitation.invitation_id)
    theirs = await guest.rooms.get(room.room_id)
    async with await Host(room).on_air():
        await room.until("live", timeout=60)
        data = await theirs.broadcaster_data()
        from livekit import rtc

        co_host = rtc.Room()
        gone = asyncio.Event()
        co_host.on("disconnected", lambda *_: gone.set())
        await co_host.connect(str(data.co_host_url), str(data.co_host_token))
        await sp.rooms.remove_participant(room.room_id, "guest-host")
        await asyncio.wait_for(gone.wait(), 60)
        with pytest.raises(spnb.errors.Forbidden):
            await theirs.broadcaster_data()
    await room.stop()
    await guest.aclose()


async def test_deleting_a_live_room_ends_it(sp: AsyncClient) -> None:
    room = await sp.rooms.create("Deleted on air")
    async with await Host(room).on_air():
        await room.until("live", timeout=60)
        await room.delete()
    assert room.room_id not in [live.room_id for live in await sp.rooms.live()]
    with pytest.raises(spnb.errors.NotFound):
        await sp.rooms.get(room.room_id)


async def test_a_banned_viewer_gets_no_playback(sp: AsyncClient, sandbox: RunningSandbox) -> None:
    viewer = await spnb.connect_async("troll", url=sandbox.url, api_key=sandbox.api_key)
    room = await sp.rooms.create("Members only")
    async with await Host(room).on_air():
        async with asyncio.timeout(60):
            while (await viewer.rooms.record(room.room_id)).live_playback_url is None:
                await asyncio.sleep(0.1)
        await sp.rooms.ban_viewers(room.room_id, ["troll"])
        assert (await viewer.rooms.record(room.room_id)).live_playback_url is None
        assert await sp.rooms.banned_viewers(room.room_id) == ["troll"]
        await sp.rooms.unban_viewers(room.room_id, ["troll"])
        assert (await viewer.rooms.record(room.room_id)).live_playback_url is not None
    await room.stop()
    await viewer.aclose()


@given(st.lists(st.sampled_from(sorted(TRANSITIONS)), max_size=12))
def test_no_order_of_moves_takes_a_status_back(moves: list[str]) -> None:
    import tempfile

    rank = {"idle": 0, "live": 1, "waitingReconnect": 1, "ended": 2, "recorded": 3, "error": 4, "terminated": 5}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "x.sqlite")
        store.rooms.insert({"roomId": "r", "_id": "r", "status": "idle"})
        before = "idle"
        for move in moves:
            changed = store.transition("r", move)
            assert (changed is not None) == may_follow(before, move)
            now = store.rooms.get("r")
            assert now is not None
            assert rank[now["status"]] >= rank[before]
            before = now["status"]
        assert store.transition("unknown", "live") is None
        store.close()


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_livekit_deployment_takes_the_embedded_servers_place(tmp_path: Path) -> None:
    """The media server alone, with its webhooks pointed at the sandbox, stands in for a deployment elsewhere."""
    import json
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    secret = "d" * 40
    hook = f"http://127.0.0.1:{port}/sandbox/livekit/webhook"
    server = subprocess.Popen(
        [sys.executable, "-m", "spnb.sandbox.media", "--api-key", "deployed", "--webhook", hook],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "LIVEKIT_API_SECRET": secret},
    )
    assert server.stdout is not None
    url = json.loads(server.stdout.readline())["url"]
    environment = {"LIVEKIT_URL": url, "LIVEKIT_API_KEY": "deployed", "LIVEKIT_API_SECRET": secret}
    running = start_sandbox(tmp_path, "--port", str(port), "--grace", "2", env=environment)
    sp = await spnb.connect_async("host", url=running.url, api_key=running.api_key)
    try:
        assert running.info["livekit"] == url
        room = await sp.rooms.create("Through a deployment")
        assert (await room.broadcaster_data()).co_host_url == url
        show = await room.go_live(spnb.TestCard(640, 360))
        await room.until("live", timeout=60)
        await show.wait_ended(5)
        await show.stop()
        recording = await room.recording(timeout=60)
        (path,) = await recording.download(tmp_path, name="deployed", progress=False)
        numbers = [number for _, number in numbers_in(path) if number is not None]
        assert len(numbers) >= 60
        assert numbers == sorted(numbers)
        for body, status in ((b"{}", 401), (b"x" * (1 << 20) + b"x", 413)):
            assert httpx.post(hook, content=body, trust_env=False, timeout=60).status_code == status
    finally:
        await sp.aclose()
        running.stop()
        server.terminate()
        server.wait(60)
