"""Live objects against the real sandbox, with the real-time connection cut and mended under them."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
from typing import Any

import pytest

import spnb
from spnb import _lasting
from spnb._loop import background_loop, run, spawn
from spnb.errors import InvalidInput, RoomOver
from spnb.live import AsyncLiveRoom, AsyncLiveRooms, LiveRoom, reading
from spnb.models import Room
from tests.conftest import RunningSandbox
from tests.live.conftest import Wire, client_through, until, wired
from tests.media.conftest import LiveKit, publisher


async def on_air(room: Any) -> Any:
    """A bare publisher in the room, with its own broadcaster data."""
    data = await room.broadcaster_data()

    class Given(LiveKit):
        def token(self, room: str, identity: str, **_: object) -> str:
            return str(data.co_host_token)

    return publisher(Given(str(data.co_host_url), "", "", embedded=True), room.room_id)


async def connected(sp: Any) -> None:
    await until(lambda: sp.realtime.state == "connected")


async def test_observers_hear_changes_until_they_leave(sp: Any) -> None:
    room = await sp.rooms.create("one")
    titles: list[str] = []
    later: list[str] = []

    async def slow(record: Room) -> None:
        await asyncio.sleep(0)
        later.append(record.title)

    def broken(_record: Room) -> None:
        raise RuntimeError("an observer's own fault")

    ends = [room.observe(broken), room.observe(lambda record: titles.append(record.title)), room.observe(slow)]
    await connected(sp)
    await sp.rooms.update(room.room_id, title="two")
    await until(lambda: titles == ["two"] and later == ["two"])
    for end in ends:
        end()
        end()
    await sp.rooms.update(room.room_id, title="three")
    await until(lambda: not sp.realtime.is_subscribed(f"sandbox/room/{room.room_id}"))
    assert titles == ["two"]
    assert (await room.refresh()).title == "three"
    assert "three" in repr(room)
    assert "three" in room._repr_html_()


async def test_changes_are_heard_after_a_cut_connection(sp: Any, wire: Wire) -> None:
    room = await sp.rooms.create("before")
    titles: list[str] = []
    end = room.observe(lambda record: titles.append(record.title))
    await connected(sp)
    await wire.cut()
    await until(lambda: sp.realtime.state == "away")
    await sp.rooms.update(room.room_id, title="while away")
    await until(lambda: titles == ["while away"])  # by polling
    wire.mend()
    sp.realtime.reconnect_now()
    await connected(sp)
    await sp.rooms.update(room.room_id, title="after")
    await until(lambda: titles[-1] == "after")
    end()


async def test_polling_only_happens_while_real_time_is_away(sp: Any, wire: Wire) -> None:
    room = await sp.rooms.create("quiet")
    end = room.observe(lambda _record: None)
    await connected(sp)
    rare, often = _lasting.SETTLED_READ * 0.8, 10.0
    await until(lambda: room._reader.pause >= rare)
    await wire.cut()
    await until(lambda: room._reader.pause < often)
    wire.mend()
    sp.realtime.reconnect_now()
    await until(lambda: room._reader.pause >= rare)
    end()
    await until(lambda: room._reader is None)


async def test_an_event_that_is_lost_is_made_up_for_by_a_rare_read(
    sp: Any, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_lasting, "SETTLED_READ", 0.3)
    room = await sp.rooms.create("before")
    post = await room.post(text="with a lamp")
    titles: list[str] = []
    tagged: list[int] = []
    ends = [
        room.observe(lambda record: titles.append(record.title)),
        room.products.observe(lambda tags: tagged.append(len(tags.tagged))),
    ]
    await until(lambda: sp.realtime.is_subscribed(f"sandbox/room/{room.record.id}"))
    lamp = await anext(aiter(sp.products.query()))
    with spnb.sandbox.faults(url=sandbox.url, api_key=sandbox.api_key) as faults:
        lost = faults.add("drop", match="*")
        await sp.rooms.update(room.room_id, title="no event told")
        await sp.products.tag(post.children[0], [lamp.product_id])
        await until(lambda: titles[-1:] == ["no event told"] and tagged[-1:] == [1])
        assert sp.realtime.state == "connected"
        assert next(fault for fault in faults.active() if fault.fault_id == lost.fault_id).hits >= 1
    for end in ends:
        end()


@pytest.mark.parametrize("first", [0.5, 1.0, 3.0])
def test_pauses_grow_without_events_and_are_rare_with_them(first: float) -> None:
    pauses = _lasting.Pauses(first)
    blind = [pauses.next(followed=False) for _ in range(12)]
    assert all(
        0.8 * min(60, first * 2**step) <= pause <= 1.2 * min(60, first * 2**step) for step, pause in enumerate(blind)
    )
    assert 48 <= pauses.next(followed=True) <= 72
    assert pauses.next(followed=False) <= 1.2 * first
    pauses.next(followed=False)
    pauses.anew()
    assert pauses.next(followed=False) <= 1.2 * first


async def test_a_reader_reads_once_more_for_news_that_comes_while_it_reads() -> None:
    async def script() -> tuple[list[int], float | None]:
        reads: list[int] = []
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def read() -> bool:
            reads.append(len(reads))
            begun.set()
            await go_on.wait()
            return False

        reader = reading.Reader(read, lambda: True, over=lambda: True, name="spnb-test")
        reader.start()
        reader.start()
        await begun.wait()
        for _ in range(3):
            reader.soon()
        go_on.set()
        while len(reads) < 2:
            await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(0)
        reader.close()
        reader.close()
        return reads, reader.pause

    # Three pieces of news in a read lead to one more; where all is over, none is planned.
    assert await asyncio.wrap_future(spawn(script())) == ([0, 1], None)


async def test_a_reader_of_what_is_over_leaves_nothing_that_waits(caplog: pytest.LogCaptureFixture) -> None:
    """A task that only news could wake was held by nobody: "Task was destroyed but it is pending!", said asyncio."""

    async def script() -> list[int]:
        reads: list[int] = []

        async def read() -> bool:
            reads.append(len(reads))
            return False

        reader = reading.Reader(read, lambda: True, over=lambda: True, name="spnb-test")
        reader.start()
        for wanted in (1, 2):
            while len(reads) < wanted or reader.pause is not None or not reader._task.done():
                await asyncio.sleep(0)
            reader.pause = 0.0
            if wanted == 1:
                reader.soon()  # news is read all the same
        del reader, read
        gc.collect()
        return reads

    assert await asyncio.wait_for(asyncio.wrap_future(spawn(script())), 60) == [0, 1]
    assert not [each for each in caplog.records if each.name == "asyncio"]


@pytest.mark.media
async def test_waiting_and_watching_follow_the_life(sp: Any) -> None:
    room = await sp.rooms.create("followed")
    statuses: list[str] = []

    async def watch() -> None:
        async for record in room.watch():
            statuses.append(record.status)

    watching = asyncio.create_task(watch())
    with pytest.raises(TimeoutError, match=r"still idle after 0\.2 s"):
        await room.until("live", timeout=0.2)
    async with await on_air(room):
        assert (await room.until("live", timeout=10)).status == "live"
    await room.until("waiting_reconnect", timeout=60)
    await room.stop()
    await asyncio.wait_for(watching, 60)
    assert statuses == ["idle", "live", "waitingReconnect", "ended", "recorded"]
    with pytest.raises(RoomOver, match="will not be live") as over:
        await room.until("live", timeout=60)
    assert over.value.status == "recorded"
    stays = room.timeline().changes
    assert [stay.status for stay in stays] == statuses
    assert all(later.since >= earlier.since for earlier, later in itertools.pairwise(stays))


async def test_impossible_wishes_are_refused(sp: Any) -> None:
    room = await sp.rooms.create("wishes", chat=False)
    for statuses in ((), ("sideways",)):
        with pytest.raises(InvalidInput):
            await room.until(*statuses)
    with pytest.raises(InvalidInput, match="open_chat"):
        _ = room.chat
    with pytest.raises(InvalidInput, match="not int"):
        await room.go_live(7)
    with pytest.raises(AttributeError):
        _ = room.nothing


@pytest.mark.media
async def test_live_rooms_come_and_go_by_themselves(quiet_sandbox: RunningSandbox) -> None:
    async with wired(quiet_sandbox) as wire, client_through(quiet_sandbox, wire) as sp:
        rooms = AsyncLiveRooms(sp)
        seen: list[set[str]] = []
        end = rooms.observe(lambda records: seen.append({record.title for record in records}))
        await connected(sp)
        first = await sp.rooms.create("comes")
        async with await on_air(first):
            await until(lambda: seen[-1] == {"comes"})
            assert [record.room_id for record in rooms.rooms] == [first.room_id]
            assert len(rooms) == 1
            await wire.cut()
            second = await sp.rooms.create("unseen at first")
            async with await on_air(second):
                await until(lambda: seen[-1] == {"comes", "unseen at first"})
                wire.mend()
                sp.realtime.reconnect_now()
                await connected(sp)
            await second.stop()
            await until(lambda: seen[-1] == {"comes"})
        await first.stop()
        await until(lambda: seen[-1] == set())
        assert "AsyncLiveRooms(live, waitingReconnect: 0)" in repr(rooms)
        assert "0 found" in rooms._repr_html_()
        end()
        assert [record async for record in _first(rooms.watch())] == [[]]
        twin = rooms.sync
        assert (twin.refresh(), list(twin), len(twin), twin.statuses) == ([], [], 0, ("live", "waitingReconnect"))
        assert twin.df.empty
        assert next(iter(twin.watch())) == []


async def _first(source: Any) -> Any:
    async for item in source:
        yield item
        return


async def test_chat_misses_and_doubles_nothing(sp: Any, wire: Wire, sandbox: RunningSandbox) -> None:
    guest = await spnb.connect_async("chat-guest", url=sandbox.url, api_key=sandbox.api_key)
    room = await sp.rooms.create("chatty")
    chat = await room.open_chat()
    again = await room.open_chat()
    assert again.channel.channel_id == chat.channel.channel_id == room.chat.channel.channel_id
    theirs = (await guest.rooms.get(room.room_id)).chat
    await theirs.send("before anybody watches")
    texts: list[str] = []

    async def follow() -> None:
        async for message in chat.watch():
            texts.append(message.text)

    following = asyncio.create_task(follow())
    await until(lambda: len(texts) == 1)
    await connected(sp)
    sent = await asyncio.gather(*(theirs.send(f"m{number}") for number in range(20)))
    await until(lambda: len(texts) == 21)
    await wire.cut()
    await theirs.send("while away", reply_to=sent[0].message_id)
    wire.mend()
    sp.realtime.reconnect_now()
    await until(lambda: texts[-1] == "while away")
    assert texts[0] == "before anybody watches"
    assert sorted(texts[1:21]) == sorted(f"m{number}" for number in range(20))
    assert len(texts) == 22
    following.cancel()
    assert chat.channel.channel_id in repr(chat)
    await guest.aclose()


def test_the_blocking_room_speaks_the_same_words(sandbox: RunningSandbox) -> None:
    with spnb.connect("blocking", url=sandbox.url, api_key=sandbox.api_key) as sp:
        room = sp.rooms.create("blocking")
        assert isinstance(room, LiveRoom)
        assert isinstance(room.asynchronous, AsyncLiveRoom)
        told = threading.Event()
        end = room.observe(lambda record: told.set() if record.title == "told" else None)
        assert room.update(title="told").title == "told"
        assert told.wait(60)
        end()
        assert next(iter(room.watch())).status == room.status == "idle"
        assert room.post(text="p", title="t").data["text"] == "p"
        chat = room.open_chat(name="Chat")
        assert chat.send("a").text == "a"
        assert chat.send("b", reply_to=next(iter(chat.history())).message_id).parent_id
        assert [message.text for _, message in zip(range(2), chat.watch(), strict=False)] == ["a", "b"]
        assert room.chat.channel.channel_id == chat.channel.channel_id
        assert room.broadcaster_data().co_host_token
        assert room.viewers() == 0
        assert room.timeline()[0].status == "idle"
        assert "blocking" not in repr(room)
        assert "told" in repr(room)
        assert "told" in room._repr_html_()
        assert "Chat(" in repr(chat)
        with pytest.raises(spnb.errors.BadRequest):
            room.stop()
        room.delete()
        with pytest.raises(AttributeError):
            _ = room._nothing


async def test_watch_works_with_both_kinds_of_for(sandbox: RunningSandbox) -> None:
    client = await spnb.connect_async("both", url=sandbox.url, api_key=sandbox.api_key)
    room = (await client.rooms.create("both")).sync
    async for record in room.watch():
        assert record.status == "idle"
        break
    for record in room.watch():
        assert record.status == "idle"
        break
    await client.aclose()


async def test_a_refused_login_is_told_and_polled_instead(sandbox: RunningSandbox, monkeypatch: Any) -> None:
    monkeypatch.setattr("spnb.realtime.FIRST_WAIT", 0.05)
    client = await spnb.connect_async("refused", url=sandbox.url, api_key=sandbox.api_key)

    async def wrong() -> Any:
        from spnb.realtime import MqttLogin

        return MqttLogin("nobody", "wrong", "mqttjs_x")

    client.realtime._login = wrong
    room = await client.rooms.create("polled")
    titles: list[str] = []
    end = room.observe(lambda record: titles.append(record.title))
    await until(lambda: client.realtime.state == "refused")
    await client.rooms.update(room.room_id, title="by polling")
    await until(lambda: titles == ["by polling"])
    end()
    await client.aclose()
    assert client.realtime.state == "closed"


async def test_refused_topics_are_known(sp: Any) -> None:
    told: list[bool] = []
    end = sp.realtime.subscribe("sandbox/user/somebody-else", lambda _event: None, settled=told.append)
    await until(lambda: sp.realtime.is_refused("sandbox/user/somebody-else"))
    assert not sp.realtime.is_subscribed("sandbox/user/somebody-else")
    assert told == [False]
    end()


async def test_what_happens_before_the_broker_takes_a_subscription_is_not_missed(sp: Any, wire: Wire) -> None:
    first, second = await sp.rooms.create("first"), await sp.rooms.create("second")
    end_first = first.observe(lambda _room: None)
    await connected(sp)
    await until(lambda: sp.realtime.is_subscribed(f"sandbox/room/{first.record.id}"))
    await wire.hold()
    reads: list[Room] = []
    end_second = second.observe(reads.append)
    await sp.rooms.update(second.room_id, title="changed in between")
    before = await second.refresh()  # known here, and told by no event that could be heard
    assert before.title == "changed in between"
    await sp.rooms.update(second.room_id, title="and once more")
    await wire.release()
    await until(lambda: second.title == "and once more")
    end_second()
    end_first()


async def test_nothing_is_left_behind(sandbox: RunningSandbox) -> None:
    async def tasks() -> set[str]:
        return {task.get_name() for task in asyncio.all_tasks(background_loop()) if task.get_name().startswith("spnb")}

    before = await tasks()
    threads = threading.active_count()
    client = await spnb.connect_async("tidy", url=sandbox.url, api_key=sandbox.api_key)
    room = await client.rooms.create("tidy")
    end = room.observe(lambda _record: None)
    other = AsyncLiveRooms(client).observe(lambda _rooms: None)
    await connected(client)
    end()
    other()
    await client.aclose()
    async with asyncio.timeout(60):
        while await tasks() - before:
            await asyncio.sleep(0.02)
    assert threading.active_count() <= threads + 1


def test_closing_while_the_broker_answers_ends(sandbox: RunningSandbox) -> None:
    """The cancellation falls into the same turn of the loop as the answer, which Python 3.11 then prefers."""

    async def close_at_the_answer() -> None:
        client = await spnb.connect_async("brief", url=sandbox.url, api_key=sandbox.api_key)
        client.realtime.subscribe("a/room/1", lambda event: None)
        await connected(client)
        library: Any = client.realtime._client
        client.realtime.subscribe("a/room/2", lambda event: None)
        while not library._pending_subscribes:
            await asyncio.sleep(0)
        while library._pending_subscribes:
            await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await client.aclose()

    run(close_at_the_answer())


async def test_a_follower_is_told_when_events_begin_to_come_in(sp: Any, wire: Wire) -> None:
    told: list[str] = []

    def heard(_event: Any) -> None:
        return None

    end = sp.realtime.subscribe("sandbox", heard, settled=lambda granted: told.append("first"))
    await until(lambda: told == ["first"])
    other = sp.realtime.subscribe("sandbox", lambda _event: None, settled=lambda granted: told.append("second"))
    await until(lambda: told == ["first", "second"])
    other()
    await wire.cut()
    await until(lambda: sp.realtime.state == "away")
    wire.mend()
    sp.realtime.reconnect_now()
    await until(lambda: told == ["first", "second", "first"], 40)
    end()
