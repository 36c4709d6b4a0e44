"""Global hooks and timelines: what happens to any room is told once, whoever noticed, and kept."""

from __future__ import annotations

import asyncio
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import spnb
from spnb._loop import on_loop
from spnb.errors import InvalidInput
from spnb.live import LiveRoom, hooks
from spnb.live.hooks import _passed
from spnb.models import Message, Room
from spnb.realtime import Event
from tests.conftest import RunningSandbox
from tests.live.conftest import Wire, until
from tests.live.test_live import connected, on_air


@pytest.fixture(autouse=True)
def nothing_hooked_after() -> Iterator[None]:
    yield
    for hook in list(hooks._registry._hooks):
        spnb.off(hook)


def following(client: Any) -> bool:
    """Whether the hooks hear of this connection's rooms by now."""
    return bool(client.realtime.is_subscribed(f"{client.network_id}/room/+"))


@pytest.mark.media
async def test_every_state_of_anybodys_room_is_told_once(sp: Any, sandbox: RunningSandbox) -> None:
    told: list[tuple[str, str]] = []
    rooms: list[Any] = []
    later: list[Any] = []

    @spnb.on("room.*")
    def everything(room: LiveRoom) -> None:
        told.append((room.room_id, room.status))
        rooms.append(room)

    async def live(room: Any) -> None:
        later.append(await room.refresh())

    end = spnb.on("room.live", live)
    guest = await spnb.connect_async("hook-guest", url=sandbox.url, api_key=sandbox.api_key)
    await sp.rooms.create("makes the connection known")
    assert following(guest)
    await until(lambda: following(sp))
    host = await spnb.connect_async("hook-host", url=sandbox.url, api_key=sandbox.api_key)
    room = await host.rooms.create("Hooked")
    stop = room.observe(lambda _record: None)
    async with await on_air(room):
        await until(lambda: (room.room_id, "live") in told and later)
    await room.until("waitingReconnect", timeout=60)
    await room.stop()
    await until(lambda: (room.room_id, "recorded") in told)
    mine = [status for room_id, status in told if room_id == room.room_id]
    assert mine == ["live", "waitingReconnect", "ended", "recorded"]
    assert isinstance(rooms[0], LiveRoom)
    assert [one.room_id for one in later if one.room_id == room.room_id] == [room.room_id]
    stop()
    end()
    spnb.off(everything)
    await until(lambda: not following(sp))
    for client in (guest, host):
        await client.aclose()


async def test_a_hook_that_fails_is_logged_and_stops_nothing(sp: Any, caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []

    def broken(_room: Any) -> None:
        raise RuntimeError("a hook's own fault")

    async def broken_too(_room: Any) -> None:
        raise RuntimeError("another's")

    for hook in (broken, broken_too, lambda room: told.append(room.status)):
        spnb.on("room.ended", hook)
    spnb.on("room.*", lambda room: told.append(f"* {room.status}"))
    before = Room(room_id="made-up", status="live")
    spnb._loop.run(_told(sp, before, before.model_copy(update={"status": "ended"})))
    await until(lambda: told == ["ended", "* ended"])
    await until(lambda: caplog.text.count("a hook of room.ended failed") == 2)


async def _told(client: Any, before: Room | None, after: Room) -> None:
    hooks.room_changed(client, before, after)


async def test_hooks_may_block_and_chat_is_heard(sp: Any, sandbox: RunningSandbox) -> None:
    host = await spnb.connect_async("chat-hook-host", url=sandbox.url, api_key=sandbox.api_key)
    room = await host.rooms.create("Greeted")
    await room.open_chat()
    said: list[Message] = []
    answered = threading.Event()

    @spnb.on("room.live")
    def greet(live: LiveRoom) -> None:
        if live.room_id == room.room_id:
            live.chat.send("We are live!")
            answered.set()

    spnb.on("chat.message", said.append)
    assert following(host)
    async with await on_air(room):
        await until(answered.is_set)
        feed = hooks._registry._clients[host]
        assert feed is not None
        await room.chat.send("Hello")
        await until(lambda: any(message.text == "Hello" for message in said))
    assert len({message.message_id for message in said}) == len(said)
    await room.stop()
    await host.aclose()
    await until(lambda: feed.closed)


@pytest.mark.media
async def test_what_happened_while_real_time_was_away_is_told_afterwards(
    sp: Any, wire: Wire, sandbox: RunningSandbox
) -> None:
    other = await spnb.connect_async("unheard-host", url=sandbox.url, api_key=sandbox.api_key)
    await other.realtime.aclose()  # only the connection through the wire hears
    told: list[tuple[str, str]] = []
    spnb.on("room.*", lambda room: told.append((room.room_id, room.status)))
    await sp.rooms.create("makes the connection known")
    await until(lambda: following(sp))
    room = await other.rooms.create("Unheard")
    async with await on_air(room):
        await until(lambda: (room.room_id, "live") in told)
        await wire.cut()
        await until(lambda: sp.realtime.state == "away")
    await room.stop()
    await until(lambda: (room.room_id, "ended") in told)
    wire.mend()
    # Nobody observes it, and it had been off the air before real time was back.
    await until(lambda: (room.room_id, "recorded") in told, 60)
    assert [status for room_id, status in told if room_id == room.room_id][-2:] == ["ended", "recorded"]
    await other.aclose()


def test_a_message_right_after_is_heard_off_the_air_with_its_room(sandbox: RunningSandbox) -> None:
    with (
        spnb.connect("right-after", url=sandbox.url, api_key=sandbox.api_key) as sp,
        spnb.connect("right-after-says", url=sandbox.url, api_key=sandbox.api_key) as other,
    ):
        room = sp.rooms.create("Off the air")
        chat = other.rooms.get(room.room_id).chat
        other.channels.join(chat.channel.channel_id)
        for number in range(12):
            heard: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
            with_room: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()

            def alone(message: Message, heard: Any = heard) -> None:
                heard.put((message.text, message.creator_public_id or ""))

            def both(message: Message, room: LiveRoom, heard: Any = with_room) -> None:
                heard.put((message.text, room.room_id))

            end = spnb.on("chat.message", alone)
            chat.send(f"right after {number}")
            assert heard.get(timeout=60) == (f"right after {number}", "right-after-says")
            other_end = spnb.on("chat.*", lambda message, room, both=both: both(message, room))
            chat.send(f"and again {number}")
            assert with_room.get(timeout=60) == (f"and again {number}", room.room_id)
            end()
            spnb.off(other_end)


async def test_a_message_right_after_is_heard_by_coroutines(sandbox: RunningSandbox) -> None:
    sp = await spnb.connect_async("right-after-async", url=sandbox.url, api_key=sandbox.api_key)
    room = await sp.rooms.create("Also off the air")
    chat = await room.open_chat()
    loop = asyncio.get_running_loop()
    for number in range(12):
        heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

        async def told(message: Message, room: Any, heard: Any = heard) -> None:
            loop.call_soon_threadsafe(heard.put_nowait, (message.text, (await room.refresh()).room_id))

        end = spnb.on("chat.message", told)
        await chat.send(f"at once {number}")
        assert await asyncio.wait_for(heard.get(), 60) == (f"at once {number}", room.room_id)
        end()

    @on_loop
    async def on_spnbs_own_loop() -> Any:
        return await spnb.on("chat.message", told)

    end = await on_spnbs_own_loop()
    await chat.send("on the loop")
    assert (await asyncio.wait_for(heard.get(), 60))[0] == "on the loop"
    # A connection that is made later hears of it as well, right away.
    late = await spnb.connect_async("right-after-late", url=sandbox.url, api_key=sandbox.api_key)
    await sp.aclose()
    said = await late.rooms.create("Later")
    await (await said.open_chat()).send("late")
    assert await asyncio.wait_for(heard.get(), 60) == ("late", said.room_id)
    end()
    await late.aclose()


REFUSING = """
import sys
from pathlib import Path
from spnb.sandbox.realtime import broker
from spnb.sandbox.server.process import run_foreground
from spnb.sandbox.server.settings import SandboxSettings
may = broker.may_follow_topic
broker.may_follow_topic = lambda network, user, topic: may(network, user, topic) and not topic.endswith("/chat/#")
run_foreground(SandboxSettings(data_dir=Path(sys.argv[1])), as_json=True)
"""


@pytest.mark.media
async def test_a_broker_that_gives_no_chats_at_once_gives_those_on_air(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    command = [sys.executable, "-c", REFUSING, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        box = RunningSandbox(process, tmp_path, json.loads(process.stdout.readline()))
        sp = await spnb.connect_async("refused", url=box.url, api_key=box.api_key)
        said: list[str] = []
        end = spnb.on("chat.message", lambda message: said.append(message.text))
        assert "only those of rooms on air" in caplog.text
        room = await sp.rooms.create("On air")
        async with await on_air(room):
            topic = f"{sp.network_id}/chat/{room.live_channel_id}/#"
            await until(lambda: sp.realtime.is_subscribed(topic), 60)
            await room.chat.send("Hello")
            await until(lambda: said == ["Hello"], 60)
        end()
        await sp.aclose()
        box.stop()


def test_names_that_never_happen_are_refused(sandbox: RunningSandbox) -> None:
    with pytest.raises(InvalidInput, match=r"room\.live"):
        spnb.on("room.started", print)
    for name, odd in (
        ("room.live", lambda room, message: None),
        ("*", lambda message, room: None),
        ("chat.message", lambda: None),
        ("chat.message", lambda message, *, room: None),
        ("chat.message", 7),
    ):
        with pytest.raises(InvalidInput, match="a hook"):
            spnb.on(name, odd)  # type: ignore[arg-type]
    assert not hooks._registry._hooks
    spnb.off(print)
    assert _passed("live", "recorded") == ["ended", "recorded"]
    assert _passed("idle", "ended") == ["live", "ended"]
    assert _passed("live", "terminated") == ["terminated"]
    assert _passed(None, "live") == ["live"]
    assert _passed("live", "live") == _passed(None, "idle") == []


async def test_the_timeline_tells_sources_and_both_clocks(sp: Any) -> None:
    began = datetime.now(UTC)
    room = await sp.rooms.create("Remembered")
    end = room.observe(lambda _record: None)
    await connected(sp)
    await until(lambda: sp.realtime.is_subscribed(f"sandbox/room/{room.room_id}"))
    await room.update(title="<b>renamed</b>")
    await until(lambda: any(entry.source == "event" for entry in room.timeline()))
    hook = {"rooms": [{"roomId": room.room_id, "status": "live", "updatedAt": "2100-01-01T00:00:00.000Z"}]}
    for _ in range(3):  # delivered more than once, as webhooks are
        room.hear(Event("room.startBroadcasting", hook, "", sent_at=began))
    room.hear(Event("room.didUpdate", hook, "", sent_at=began))
    await until(lambda: ("room.didUpdate", "webhook") in {(entry.what, entry.source) for entry in room.timeline()})
    # A hint only: the reads that follow have the last word, and it is the service's.
    await until(lambda: room.status == "idle")
    timeline = room.timeline()
    assert [entry.what for entry in timeline].count("room.startBroadcasting") == 1
    kinds = {(entry.what, entry.source) for entry in timeline}
    assert {
        ("first seen", "read"),
        ("update()", "call"),
        ("room.didUpdate", "event"),
        ("room.startBroadcasting", "webhook"),
    } <= kinds
    assert [entry.status for entry in timeline.changes][:3] == ["idle", "live", "idle"]
    assert timeline.changes[1].told_at == began
    assert all(entry.seen_at >= began for entry in timeline)
    assert list(timeline.df.columns) == ["what", "source", "status", "changed", "since", "seen_at", "told_at"]
    assert str(timeline.df["seen_at"].dtype).endswith("UTC]")
    assert len(timeline.df) == len(timeline)
    shown = timeline._repr_html_()
    assert "webhook" in shown
    assert "new state" in shown
    end()
    await asyncio.sleep(0)
    assert room.sync.timeline() == timeline or len(room.sync.timeline()) > len(timeline)


async def test_a_long_life_keeps_its_changes(sp: Any) -> None:
    room = await sp.rooms.create("Long")
    for _ in range(2100):
        room._called("nothing")
    timeline = room.timeline()
    assert timeline[0].what == "first seen"
    assert len(timeline) == 2001
