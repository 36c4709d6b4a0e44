"""Two hosts of one room: invitations, the stage, and every way off it, through the real service and media."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

import spnb
from spnb._loop import background_loop, spawn
from spnb.broadcast import Ended, Reconnected
from spnb.broadcast.sources import TestCard
from spnb.errors import BadRequest, Forbidden, InvalidInput, NotFound
from spnb.live import AsyncLiveInvitations, LiveInvitations, StageLayout
from spnb.sandbox.recorder.layout import Arrangement
from tests.broadcast.booth import SILENT, Line, Listener
from tests.broadcast.test_broadcast import Audience
from tests.conftest import RunningSandbox
from tests.live.conftest import until
from tests.recorder.test_composition import WIDE, scenes_in

pytestmark = pytest.mark.media

CARD = (320, 180)


@pytest_asyncio.fixture
async def host(sandbox: RunningSandbox) -> AsyncIterator[Any]:
    client = await spnb.connect_async("stage-host", url=sandbox.url, api_key=sandbox.api_key, display_name="Hana Host")
    yield client
    await client.aclose()


@pytest_asyncio.fixture
async def guest(sandbox: RunningSandbox) -> AsyncIterator[Any]:
    client = await spnb.connect_async("stage-guest", url=sandbox.url, api_key=sandbox.api_key, display_name="Gus Guest")
    yield client
    await client.aclose()


def on_stage(room: Any) -> dict[str, bool | None]:
    return {person.user_id: person.on_stage for person in room.stage.people}


async def both_on_air(host: Any, guest: Any, title: str) -> tuple[Any, Any, Any, Any]:
    """A live room with an accepted co-host on its stage: host's room and show, guest's room and show."""
    room = await host.rooms.create(title)
    show = await room.go_live(TestCard(*CARD))
    await room.until("live", timeout=60)
    invitation = await room.invite(guest.user_id)
    theirs = await (await guest.rooms.get(room.room_id)).invitation()
    assert theirs.invitation_id == invitation.invitation_id
    room_there = await theirs.accept()
    assert theirs.status == "approved"
    return room, show, room_there, await room_there.join_stage(TestCard(*CARD))


async def test_an_invitation_is_seen_answered_and_taken_back(host: Any, guest: Any) -> None:
    inbox = AsyncLiveInvitations(guest)
    told: list[list[str]] = []
    end = inbox.observe(lambda invitations: told.append([one.status for one in invitations]))
    await until(lambda: guest.realtime.is_subscribed(f"sandbox/user/{guest.user.id}"))
    room = await host.rooms.create("An invitation")
    sent = AsyncLiveInvitations(host, room_id=room.room_id)
    read: list[object] = []
    end_sent = sent.observe(read.append)
    await until(lambda: told and read)  # before that they say that they were not read
    first = await room.invite("stage-guest")
    assert (await room.invite("stage-guest")).invitation_id == first.invitation_id, "one that waits is not doubled"
    await until(lambda: len(inbox.pending) == 1 and len(sent.pending) == 1)
    watch = inbox.watch()
    arrived = await anext(watch)
    await watch.aclose()
    assert (arrived.room_id, arrived.host_id, arrived.user_id) == (room.room_id, "stage-host", "stage-guest")
    await arrived.reject()
    await until(lambda: not sent.pending and [one.status for one in sent.invitations] == ["rejected"])
    with pytest.raises(BadRequest, match="rejected already"):
        await first.accept()
    second = await room.invite("stage-guest")
    await until(lambda: len(inbox.pending) == 1)
    with pytest.raises(Forbidden):
        await inbox.pending[0].cancel()
    await second.cancel()
    assert second.status == "cancelled"
    await until(lambda: not inbox.pending)
    assert [one.status for one in await room.invitations()] == ["cancelled", "rejected"]
    assert told[-1] == ["cancelled", "rejected"]
    assert "0 pending of 2" in repr(sent)
    end()
    end_sent()
    with pytest.raises(InvalidInput, match="by id"):
        await room.invite(" ")
    with pytest.raises(NotFound):
        await room.invite("nobody of this network")


async def test_nobody_comes_onto_the_stage_out_of_turn(host: Any, guest: Any) -> None:
    room = await host.rooms.create("In turn")
    there = await guest.rooms.get(room.room_id)
    with pytest.raises(Forbidden, match="co-hosts who accepted"):
        await there.join_stage()
    with pytest.raises(Forbidden, match="Only the host may invite"):
        await there.invite("stage-host")
    await room.invite("stage-guest")
    await (await there.invitation()).accept()
    with pytest.raises(BadRequest, match="not live yet"):
        await there.join_stage()
    with pytest.raises(InvalidInput, match="go_live"):
        await room.join_stage()
    with pytest.raises(BadRequest, match="host cannot leave"):
        await room.leave_stage()
    await room.let_manage_products("stage-guest")
    assert [person.can_manage_product_tags for person in (await room.refresh()).participants] == [True, True]
    await there.leave_stage()
    with pytest.raises(NotFound):
        await there.leave_stage()


async def live_size(room: Any, size: tuple[int, int]) -> None:
    """Until live playback has this size: what is shown changes where a segment ends."""
    async with asyncio.timeout(60):
        while (shown := (await room.refresh()).live_resolution) is None or (shown.width, shown.height) != size:
            await asyncio.sleep(0.1)


async def test_two_are_on_stage_and_a_co_hosts_leaving_ends_nothing(
    host: Any, guest: Any, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    room, show, there, joined = await both_on_air(host, guest, "Two on stage")
    stages: list[dict[str, bool | None]] = []
    ends = [
        room.stage.observe(lambda people: stages.append({person.user_id: person.on_stage for person in people})),
        there.stage.observe(lambda _people: None),
    ]
    both = {"stage-host": True, "stage-guest": True}
    await until(lambda: on_stage(room) == both and on_stage(there) == both)
    assert show is not joined
    assert show.others == {"stage-guest"}
    await until(lambda: [person.name for person in room.stage.people] == ["Hana Host", "Gus Guest"])
    assert [person.role for person in there.stage.people] == ["host", "coHost"]
    shown = room.stage._repr_html_()
    assert all(text in shown for text in ("Hana Host", "co-host", "on stage"))
    seats = room.stage.watch()
    assert [person.on_stage for person in await anext(seats)] == [True, True]
    viewer = await Audience(sandbox).viewer(room.room_id)
    seen = {}
    while len(seen) < 2:
        track, who = await viewer.track()
        seen[who] = await viewer.counters(track, 20)
    assert seen.keys() == {"stage-host", "stage-guest"}
    assert all(len(numbers) == 20 for numbers in seen.values())
    # Viewers of HLS see both from where the next segment begins, and one alone again when a later one does.
    await live_size(room, WIDE)
    await viewer.counters(track, 60)
    # The host chooses another layout: who is on stage hears it, viewers and the recording see it.
    with pytest.raises(Forbidden):
        await there.stage.arrange("spotlight")
    with pytest.raises(InvalidInput, match="side-by-side"):
        await room.stage.arrange("sideways")
    assert (await room.stage.arrange("spotlight", focus="stage-guest")).shape == "spotlight"
    await until(lambda: there.stage.layout == StageLayout("spotlight", "stage-guest"))
    await viewer.counters(track, 60)

    # Off the air and on again: still a co-host, and the room has not noticed.
    await joined.stop()
    while [person.on_stage for person in await asyncio.wait_for(anext(seats), 60)] != [True, False]:
        pass
    await seats.aclose()
    assert on_stage(room) == {"stage-host": True, "stage-guest": False}
    assert (await room.refresh()).status == "live"
    joined = await there.join_stage(TestCard(*CARD))
    await until(lambda: on_stage(room) == both)
    await there.leave_stage()
    await until(lambda: on_stage(room) == {"stage-host": True})
    assert not joined.on_air
    assert (await room.refresh()).status == "live"
    with pytest.raises(Forbidden):
        await there.join_stage()
    await viewer.room.disconnect()
    await live_size(room, CARD)
    await show.stop()
    await room.until("ended", "recorded", timeout=60)
    await until(lambda: stages[-1] == {"stage-host": False})
    for end in ends:
        end()

    # The recording is one file: the host alone, both side by side, the host alone again.
    recording = await room.recording(timeout=60)
    assert len(recording.urls) == 1
    (path,) = await recording.download(tmp_path, name="both", progress=False)
    scenes = scenes_in(path, 2)
    sizes = [size for size, _ in itertools.groupby(size for _, size, _ in scenes)]
    assert (sizes[0], sizes[-1]) == (CARD, CARD)
    assert WIDE in sizes
    together = [numbers for _, size, numbers in scenes if size == WIDE and None not in numbers]
    assert len({left for left, _ in together}) > 20
    assert len({right for _, right in together}) > 20
    assert max(later - earlier for (earlier, *_), (later, *_) in itertools.pairwise(scenes)) < 0.5
    spots = Arrangement("spotlight", "stage-guest").places(["stage-host", "stage-guest"], [False, False], *WIDE)
    lit = [numbers for _, size, numbers in scenes_in(path, 2, spots) if size == WIDE and None not in numbers]
    assert len({left for left, _ in lit}) > 20
    assert len({right for _, right in lit}) > 20


async def test_a_removed_co_host_is_told_and_stays_out(host: Any, guest: Any) -> None:
    room, show, there, joined = await both_on_air(host, guest, "Removed")
    with pytest.raises(Forbidden):
        await there.remove("stage-host")
    credentials = await there.broadcaster_data()
    events = joined.events()
    await room.remove("stage-guest")
    async with asyncio.timeout(60):
        async for event in events:
            if isinstance(event, Ended):
                assert event.reason == "the host took you off the stage"
    assert (await room.refresh()).status == "live"
    with pytest.raises(Forbidden):
        await there.join_stage(TestCard(*CARD))

    # A token that outlives the removal opens no way back.
    from tests.media.conftest import LiveKit, publisher

    class Kept(LiveKit):
        def token(self, room: str, identity: str, **_: object) -> str:
            return str(credentials.co_host_token)

    from livekit.rtc import ConnectError

    with pytest.raises(ConnectError, match="taken off the stage"):
        async with publisher(Kept(str(credentials.co_host_url), "", "", embedded=True), room.room_id):
            pass
    await until(lambda: not show.others)
    await show.stop()


@pytest.fixture(params=["sandbox", "real_sandbox"])
def running(request: pytest.FixtureRequest) -> RunningSandbox:
    """A sandbox with the embedded media server, and one with an unmodified livekit-server."""
    made: RunningSandbox = request.getfixturevalue(request.param)
    return made


async def test_a_muted_co_host_stays_muted_and_on_stage_whatever_breaks(running: RunningSandbox) -> None:
    """The co-host's SDK publishes everything anew after a cut, and then it gives up and spnb joins anew."""
    host, guest = [
        await spnb.connect_async(name, url=running.url, api_key=running.api_key)
        for name in ("stage-host", "stage-guest")
    ]
    room = await host.rooms.create("Muted on stage")
    show = await room.go_live(TestCard(*CARD, tone=False))
    await room.until("live", timeout=60)
    await room.invite(guest.user_id)
    there = await (await (await guest.rooms.get(room.room_id)).invitation()).accept()
    straight = await there.broadcaster_data()
    line = Line(int(urlsplit(str(straight.co_host_url)).port or 0))
    await line.start()

    async def through_the_line() -> Any:
        return straight.model_copy(update={"co_host_url": f"ws://127.0.0.1:{line.port}"})

    there.broadcaster_data = through_the_line
    back: list[Any] = []
    joined = await there.join_stage(
        TestCard(*CARD), on_event=lambda event: back.append(event) if isinstance(event, Reconnected) else None
    )
    end = room.stage.observe(lambda _people: None)
    both = {"stage-host": True, "stage-guest": True}
    await until(lambda: on_stage(room) == both)
    listener = Listener()
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        asked = {"room": room.room_id, "identity": "listener"}
        address, key = f"{running.url}/sandbox/livekit-token", {"X-API-Key": running.api_key}
        told = (await client.post(address, headers=key, json=asked)).json()
    await listener.join(told["url"], told["token"])
    await listener.hears()
    await joined.mute()
    await until(lambda: listener.publications["audio"].muted)
    await until(lambda: max(listener.heard_since(time.monotonic() - 0.5), default=0) < SILENT)
    muted_at = time.monotonic()
    line.resumes = False
    await line.cut()
    line.mend()
    await until(lambda: len(back) == 1)
    assert line.refused, "everything was published anew"
    background_loop().call_soon_threadsafe(joined._disconnected, "state mismatch")
    await until(lambda: len(back) == 2)
    await until(lambda: on_stage(room) == both)
    await until(lambda: listener.publications["audio"].muted)
    await until(lambda: listener.heard_since(back[-1].at))
    assert max(await listener.quiet()) < SILENT
    assert max(listener.heard_since(muted_at)) < SILENT
    assert joined.is_muted()
    assert (await room.refresh()).status == "live"
    await joined.unmute()
    await listener.hears()
    await listener.leave()
    end()
    await joined.stop()
    await show.stop()
    await line.stop()
    await guest.aclose()
    await host.aclose()


async def test_the_room_lives_on_while_one_of_two_is_there(host: Any, guest: Any) -> None:
    room, show, there, joined = await both_on_air(host, guest, "Lives on")
    end = there.stage.observe(lambda _people: None)
    both = {"stage-host": True, "stage-guest": True}
    await until(lambda: on_stage(there) == both and on_stage(room) == both)
    # The host's connection is cut without a word to the service.
    await asyncio.wrap_future(spawn(show._line.connection.leave()))
    await until(lambda: on_stage(there) == {"stage-host": False, "stage-guest": True})
    assert (await there.refresh()).status == "live"
    # The room ends under the co-host when its owner ends it.
    await room.stop()
    assert await joined.wait_ended(15)
    end()
    await show.stop()
    with pytest.raises(BadRequest):
        await there.join_stage()


CO_HOST = """
import sys, time
import spnb
from spnb.broadcast.sources import TestCard
sp = spnb.connect("stage-guest", url=sys.argv[1], api_key=sys.argv[2])
room = sp.rooms.get(sys.argv[3])
room.invitation().accept()
room.join_stage(TestCard(320, 180))
print("on stage", flush=True)
time.sleep(600)
"""


async def test_a_killed_co_host_goes_offline_for_the_host(host: Any, guest: Any, sandbox: RunningSandbox) -> None:
    room = await host.rooms.create("Killed")
    show = await room.go_live(TestCard(*CARD))
    await room.until("live", timeout=60)
    end = room.stage.observe(lambda _people: None)
    await room.invite("stage-guest")
    command = [sys.executable, "-c", CO_HOST, sandbox.url, sandbox.api_key, room.room_id]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert await asyncio.to_thread(process.stdout.readline) == "on stage\n"
    await until(lambda: on_stage(room) == {"stage-host": True, "stage-guest": True})
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    await until(lambda: on_stage(room) == {"stage-host": True, "stage-guest": False}, 40)
    assert (await room.refresh()).status == "live", "the room is the host's"
    assert show.on_air
    end()
    await show.stop()


def test_the_blocking_twins_say_the_same(sandbox: RunningSandbox) -> None:
    with (
        spnb.connect("twin-host", url=sandbox.url, api_key=sandbox.api_key) as sp,
        spnb.connect("twin-guest", url=sandbox.url, api_key=sandbox.api_key) as guest,
    ):
        room = sp.rooms.create("Twins")
        assert room.hosted
        invitation = room.invite("twin-guest")
        assert (
            repr(invitation) == f"LiveInvitation(twin-guest into {room.room_id}, pending, {invitation.invitation_id})"
        )
        assert "pending" in invitation._repr_html_()
        inbox = LiveInvitations(guest)
        assert [one.invitation_id for one in inbox.refresh()] == [invitation.invitation_id]
        assert len(inbox) == len(inbox.pending) == len(inbox.invitations) == 1
        arrived = next(iter(inbox.watch()))
        assert (arrived.room_id, arrived.host_id, arrived.status) == (room.room_id, "twin-host", "pending")
        there = arrived.accept()
        assert not there.hosted
        assert guest.rooms.get(room.room_id).invitation().status == "approved"
        assert [one.status for one in room.invitations()] == ["approved"]
        with room.go_live(TestCard(*CARD)):
            room.until("live", timeout=60)
            with there.join_stage(TestCard(*CARD)) as joined:
                assert joined.on_air
            people = room.refresh() and room.stage.people
            assert [person.user_id for person in people] == ["twin-host", "twin-guest"]
            assert "twin-host (on stage)" in repr(room.stage)
            room.let_manage_products("twin-guest")
            room.remove("twin-guest")
            again = room.invite("twin-guest")
            again.cancel()
            second = room.invite("twin-guest")
            guest.rooms.get(room.room_id).invitation().reject()
            with pytest.raises(BadRequest):
                second.cancel()
            with pytest.raises(spnb.SpnbError):
                there.leave_stage()
        room.stage.observe(lambda _people: None)()
        inbox.observe(lambda _invitations: None)()
        assert isinstance(repr(inbox), str)
