"""A room that is over is over for everybody, on either server; what a deployment fails to tell is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from livekit import rtc
from livekit.protocol import models, webhook

import spnb
from spnb.live import AsyncLiveRoom
from spnb.sandbox.livekit.own_server import LiveKitServer
from spnb.sandbox.livekit.presence import Presence
from spnb.sandbox.media.frames import MediaEvent
from tests.conftest import RunningSandbox, start_sandbox
from tests.media.conftest import LiveKit, feed, livekit_binary

pytestmark = pytest.mark.media

KEY, SECRET = "elsewhere", "e" * 40


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def deaf(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveKit]:
    """A deployment that sends no webhooks at all: every one of them is lost."""
    log_path = tmp_path_factory.mktemp("deaf") / "livekit.log"
    server = LiveKitServer(livekit_binary(), KEY, SECRET, webhook=None, log_path=log_path)
    await server.start()
    yield LiveKit(server.url, KEY, SECRET, embedded=False)
    await server.aclose()


def sandbox_before(livekit: LiveKit, folder: Path, *options: str) -> RunningSandbox:
    keys = {"LIVEKIT_API_KEY": livekit.key, "LIVEKIT_API_SECRET": livekit.secret}
    return start_sandbox(folder, "--livekit", livekit.url, *options, env=keys)


@pytest.fixture(params=["embedded", "deaf"])
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A sandbox with a short grace time, on the embedded server and before a deployment without webhooks."""
    if request.param == "embedded":
        made = start_sandbox(tmp_path, "--grace", "1")
    else:
        made = sandbox_before(request.getfixturevalue("deaf"), tmp_path, "--grace", "1")
    yield made
    made.stop()


async def joined(room: AsyncLiveRoom) -> tuple[rtc.Room, asyncio.Future[int]]:
    """Somebody with the room's broadcaster data, and the reason they will be put out for."""
    data = await room.broadcaster_data()
    guest = rtc.Room()
    reason: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    guest.on("disconnected", lambda why: reason.done() or reason.set_result(int(why)))
    await guest.connect(str(data.co_host_url), str(data.co_host_token), rtc.RoomOptions(auto_subscribe=False))
    return guest, reason


async def test_a_room_whose_grace_time_is_over_ends_for_everybody(running: RunningSandbox) -> None:
    sp = await spnb.connect_async("host", url=running.url, api_key=running.api_key)
    try:
        room = await sp.rooms.create("Nobody comes back")
        data = await room.broadcaster_data()
        host, reason = await joined(room)
        feeding = await feed(host, codec="H264", simulcast=False, sound=False)
        await room.until("live", timeout=40)
        feeding.cancel()
        await host.local_participant.unpublish_track(next(iter(host.local_participant.track_publications)))
        await room.until("ended", "recorded", timeout=40)
        async with asyncio.timeout(60):
            assert await reason == rtc.DisconnectReason.ROOM_DELETED
        # The token is good for hours; the room is not.
        if running.info["livekit"] == running.url.replace("http", "ws", 1):
            with pytest.raises(rtc.ConnectError):
                await rtc.Room().connect(str(data.co_host_url), str(data.co_host_token))
        assert (await room.refresh()).status in ("ended", "recorded")
    finally:
        await sp.aclose()


async def test_a_sandbox_that_was_away_does_not_end_the_stream_of_a_host_who_was_not(
    deaf: LiveKit, tmp_path: Path
) -> None:
    first = sandbox_before(deaf, tmp_path, "--grace", "1")
    sp = await spnb.connect_async("host", url=first.url, api_key=first.api_key)
    room = await sp.rooms.create("Never left")
    host, reason = await joined(room)
    feeding = await feed(host, codec="H264", simulcast=False, sound=False)
    await room.until("live", timeout=40)
    await until_recorded(tmp_path / "recordings" / room.room_id, "part-1")
    first.stop(kill=True)
    await sp.aclose()
    second = sandbox_before(deaf, tmp_path, "--grace", "1")
    try:
        sp = await spnb.connect_async("host", url=second.url, api_key=second.api_key)
        again = await sp.rooms.get(room.room_id)
        assert again.status == "live"
        await until_recorded(tmp_path / "recordings" / room.room_id, "part-2")
        assert (await again.refresh()).status == "live"
        assert not reason.done()
        await again.stop()
        async with asyncio.timeout(60):
            assert await reason == rtc.DisconnectReason.ROOM_DELETED
        feeding.cancel()
        assert (await again.recording(timeout=60)).urls
        await sp.aclose()
    finally:
        second.stop()


async def until_recorded(folder: Path, part: str) -> None:
    """Wait for whole segments of one part of a recording on disk."""
    async with asyncio.timeout(60):
        while len(list((folder / part).glob("segment-*"))) < 3:
            await asyncio.sleep(0.1)


def person(identity: str, sid: str, *tracks: str) -> models.ParticipantInfo:
    return models.ParticipantInfo(
        sid=sid,
        identity=identity,
        tracks=[models.TrackInfo(sid=track, type=models.TrackType.VIDEO) for track in tracks],
    )


def hook(event: str, who: models.ParticipantInfo | None = None, track: str = "") -> webhook.WebhookEvent:
    return webhook.WebhookEvent(
        event=event,
        room=models.Room(name="r"),
        participant=who,
        track=models.TrackInfo(sid=track, type=models.TrackType.VIDEO) if track else None,
    )


def kinds(events: list[MediaEvent]) -> list[str]:
    return [event.kind for event in events]


def test_what_is_told_twice_late_or_never_leaves_the_same_picture() -> None:
    ann = person("ann", "PA_1")
    known = Presence("ghost-")
    assert kinds(known.told(hook("participant_joined", ann))) == ["participant_joined"]
    assert kinds(known.told(hook("track_published", ann, "TR_1"))) == ["track_published"]
    assert not known.told(hook("track_published", ann, "TR_1")), "the same again"
    assert not known.found("r", [person("ann", "PA_1", "TR_1")]), "asking finds nothing new"
    assert kinds(known.found("r", [person("ann", "PA_1", "TR_2")])) == ["track_unpublished", "track_published"]
    gone = ["track_unpublished", "participant_left"]
    assert kinds(known.found("r", [person("ann", "PA_2", "TR_3")])) == [*gone, "participant_joined", "track_published"]
    assert not known.told(hook("participant_left", ann)), "the leave of the connection before"
    assert kinds(known.told(hook("room_finished"))) == gone
    assert not known.found("r", [])
    joined_by_track = known.told(hook("track_published", person("ghost-1", "PA_3"), "TR_4"))
    assert kinds(joined_by_track) == ["participant_joined", "track_published"]
    assert all(event.hidden for event in joined_by_track)
    known.forget("r")
    assert not known.found("r", [])
