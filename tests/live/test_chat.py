"""The live chat between a host and guests: what is said, changed and moderated reaches everybody, once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pandas as pd
import pytest
import pytest_asyncio

import spnb
from spnb._loop import on_loop
from spnb.errors import Forbidden, InvalidInput, NotFound, RateLimited
from spnb.live import AsyncChat, ChatChange
from tests.conftest import RunningSandbox
from tests.live.conftest import Wire, until


class Followed:
    """A list kept by a chat's changes, and all that was told on the way."""

    def __init__(self, chat: AsyncChat, **options: Any) -> None:
        self.told: list[ChatChange] = []
        self.shown: dict[str, Any] = {}
        self._task = asyncio.create_task(self._follow(chat, options))

    async def _follow(self, chat: AsyncChat, options: dict[str, Any]) -> None:
        async for change in chat.changes(**options):
            self.told.append(change)
            if change.message is None:
                continue
            if change.kind == "added":
                assert change.message.message_id not in self.shown
            if change.kind == "deleted":
                del self.shown[change.message.message_id]
            else:
                self.shown[change.message.message_id] = change.message

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.shown.values()]

    @property
    def kinds(self) -> list[str]:
        return [change.kind for change in self.told]

    @property
    def over(self) -> bool:
        return self._task.done()

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest_asyncio.fixture
async def guest(sandbox: RunningSandbox) -> AsyncIterator[Any]:
    client = await spnb.connect_async(
        "chat-guest", url=sandbox.url, api_key=sandbox.api_key, display_name="Gwen <b>Guest</b>"
    )
    yield client
    await client.aclose()


async def theirs_of(guest: Any, room: Any) -> AsyncChat:
    chat: AsyncChat = (await guest.rooms.get(room.room_id)).chat
    return chat


async def test_everything_done_to_messages_reaches_who_follows(sp: Any, guest: Any) -> None:
    room = await sp.rooms.create("lively")
    chat, theirs = room.chat, await theirs_of(guest, room)
    assert chat is room.chat
    assert chat.host == "live-host"
    following = Followed(chat)
    await until(lambda: sp.realtime.is_subscribed(f"{chat.channel.path}/#"))
    question = await theirs.send("question?", mentions=["live-host"])
    await until(lambda: following.texts == ["question?"])
    heard = following.shown[question.message_id]
    assert (heard.name, heard.mentions, heard.creator_public_id) == (
        "Gwen <b>Guest</b>",
        ["live-host"],
        "chat-guest",
    )
    answer = await chat.send("answer!", reply_to=heard)
    assert answer.parent_id == question.message_id
    assert [message.text async for message in chat.history(reply_to=question)] == ["answer!"]
    await theirs.edit(question, "question, better?")
    await until(lambda: following.texts == ["question, better?", "answer!"])
    await chat.react(question, "like")
    await theirs.react(question, "like")
    await until(lambda: following.shown[question.message_id].reactions == {"like": 2})
    assert following.shown[question.message_id].my_reactions == ["like"]
    await chat.unreact(question, "like")
    await until(lambda: following.shown[question.message_id].reactions == {"like": 1})
    assert following.shown[question.message_id].my_reactions == []
    await chat.flag(question, reason="spam")
    await until(lambda: following.shown[question.message_id].flag_count == 1)
    await chat.unflag(question)
    await until(lambda: following.shown[question.message_id].flag_count == 0)
    with pytest.raises(Forbidden):
        await chat.edit(question, "not mine")
    await chat.delete(question)
    await until(lambda: following.texts == ["answer!"])
    with pytest.raises(NotFound):
        await theirs.edit(question, "too late")
    assert [message.text async for message in theirs.history()] == ["answer!"]
    assert [message.text for message in await theirs.recent(5)] == ["answer!"]
    with pytest.raises(InvalidInput, match="50"):
        await chat.send("everybody", mentions=[f"u{number}" for number in range(51)])
    # Nothing was told twice.
    assert following.kinds.count("added") == 2
    assert following.kinds.count("deleted") == 1
    await following.end()


async def test_late_joiners_see_the_history_or_its_end(sp: Any, guest: Any) -> None:
    room = await sp.rooms.create("with a past")
    chat, theirs = room.chat, await theirs_of(guest, room)
    sent = [await chat.send(f"m{number}") for number in range(6)]
    await chat.delete(sent[3])
    everything, newest, fresh = Followed(theirs), Followed(theirs, last=2), Followed(theirs, last=0)
    await until(lambda: everything.texts == ["m0", "m1", "m2", "m4", "m5"] and newest.texts == ["m4", "m5"])
    assert fresh.texts == []
    await chat.send("now")
    await until(lambda: everything.texts[-1] == newest.texts[-1] == "now" and fresh.texts == ["now"])
    assert [message.text async for message in chat.history(page_size=2)] == everything.texts
    for followed in (everything, newest, fresh):
        await followed.end()
    # An empty chat, from any beginning.
    empty = (await sp.rooms.create("without a past")).chat
    beginnings = [Followed(empty, last=last) for last in (None, 0, 5)]
    await until(lambda: sp.realtime.is_subscribed(f"{empty.channel.path}/#"))
    await empty.send("the first")
    await until(lambda: all(followed.texts == ["the first"] for followed in beginnings))
    for followed in beginnings:
        await followed.end()


async def test_what_happened_while_real_time_was_away_is_made_up_for(sp: Any, guest: Any, wire: Wire) -> None:
    room = await sp.rooms.create("cut off")
    chat, theirs = room.chat, await theirs_of(guest, room)
    sent = [await theirs.send(f"m{number}") for number in range(4)]
    following = Followed(chat)
    await until(lambda: len(following.texts) == 4 and sp.realtime.is_subscribed(f"{chat.channel.path}/#"))
    await wire.cut()
    await theirs.edit(sent[0], "edited meanwhile")
    await theirs.delete(sent[1])
    await theirs.react(sent[2], "fire")
    deleted = await theirs.send("sent and deleted meanwhile")
    await theirs.delete(deleted)
    await theirs.send("sent meanwhile")
    wire.mend()
    sp.realtime.reconnect_now()
    await until(lambda: following.texts == ["edited meanwhile", "m2", "m3", "sent meanwhile"])
    assert following.shown[sent[2].message_id].reactions == {"fire": 1}
    await following.end()


async def test_without_events_the_chat_is_polled(sp: Any, guest: Any, wire: Wire) -> None:
    await wire.cut()
    room = await sp.rooms.create("polled chat")
    following = Followed(room.chat)
    await (await theirs_of(guest, room)).send("found by reading")
    await until(lambda: following.texts == ["found by reading"])
    await following.end()


async def test_many_at_once_come_in_order(sp: Any, guest: Any) -> None:
    room = await sp.rooms.create("crowded")
    theirs = await theirs_of(guest, room)
    following = Followed(room.chat)
    await asyncio.gather(*(theirs.send(f"m{number}") for number in range(200)))
    await until(lambda: len(following.texts) == 200)
    segments = [message.segment for message in following.shown.values()]
    assert segments == list(range(1, 201))
    await following.end()


async def test_a_chat_becomes_a_table(sp: Any, guest: Any) -> None:
    room = await sp.rooms.create("tabled")
    assert (await room.chat.df).empty
    theirs = await theirs_of(guest, room)
    first = await theirs.send("ünï <b>code</b>")
    await room.chat.send("two", reply_to=first)
    await room.chat.react(first, "like")
    table = await room.chat.df
    assert list(table.text) == ["ünï <b>code</b>", "two"]
    assert list(table.name) == ["Gwen <b>Guest</b>", "live-host"]
    assert list(table.segment) == [1, 2]
    assert list(table.parent_id.isna()) == [True, False]
    assert list(table.reactions) == [1, 0]
    assert list(table.replies) == [1, 0]
    for column in ("created_at", "edited_at"):
        assert table[column].dtype == pd.DatetimeTZDtype("ms", "UTC")
    assert table.created_at[0] == first.created_at
    many = await sp.messages.to_df(room.chat.channel.feed_id, page_size=1)
    pd.testing.assert_frame_equal(many, table)


async def test_moderators_put_messages_on_screen_and_take_them_off(sp: Any, guest: Any) -> None:
    room = await sp.rooms.create("on screen")
    chat, theirs = room.chat, await theirs_of(guest, room)
    following = Followed(theirs)
    await until(lambda: guest.realtime.is_subscribed(f"{theirs.channel.path}/#"))
    question = await theirs.send("<b>why</b> \u202eoops?")
    assert chat.on_screen is None
    with pytest.raises(Forbidden):
        await theirs.show("mine")
    with pytest.raises(InvalidInput, match="only a text"):
        await chat.show("  ")
    await chat.pin("pinned, too")
    shown = await chat.show(question)
    assert (shown.text, shown.name, shown.message_id) == (question.text, "Gwen <b>Guest</b>", question.message_id)
    await until(lambda: theirs.on_screen == shown)
    # One at a time: the next takes its place, and both keep their times.
    await chat.show("x" * 1000)
    await until(lambda: theirs.on_screen is not None and theirs.on_screen.text == "x" * 280 + "…")
    first, second = theirs.placards
    assert first.until is not None
    assert first.since <= first.until == second.since
    await chat.hide()
    await until(lambda: theirs.on_screen is None)
    await chat.hide()
    assert [placard.until is not None for placard in chat.placards] == [True, True]
    assert chat.announcement is not None  # what else stands there stays
    # What is deleted never was on screen.
    await chat.show(question)
    await until(lambda: theirs.on_screen is not None)
    await chat.delete(question)
    await until(lambda: [placard.message_id for placard in theirs.placards] == [None])
    for _ in range(3):
        await chat.show("again")
    assert len(chat.placards) == 4
    # What others wrote there is no placard, and does no harm.
    odd = [7, {"text": "no time"}, {"text": "x", "at": "yesterday"}, {"at": "2026-01-01T00:00:00Z", "text": ""}]
    await sp.channels.update(chat.channel.channel_id, metadata={"onScreen": odd})
    await chat.refresh()
    assert chat.placards == []
    await chat.show("still works")
    assert [placard.text for placard in chat.placards] == ["still works"]
    await following.end()


async def test_moderators_pin_slow_down_mute_and_ban(sp: Any, guest: Any) -> None:
    room = await sp.rooms.create("moderated")
    chat, theirs = room.chat, await theirs_of(guest, room)
    following = Followed(theirs)
    await until(lambda: guest.realtime.is_subscribed(f"{theirs.channel.path}/#"))
    assert await chat.moderators() == ["live-host"]
    said = await theirs.send("pin me")
    for forbidden in (
        theirs.pin("mine"),
        theirs.slow_mode(5),
        theirs.mute("live-host"),
        theirs.ban("live-host"),
        theirs.mute(),
    ):
        with pytest.raises(Forbidden):
            await forbidden
    assert chat.announcement is None
    pinned = await chat.pin(said)
    assert (pinned.text, pinned.message_id, pinned.user_id) == ("pin me", said.message_id, "chat-guest")
    await until(lambda: theirs.announcement == pinned)
    await until(lambda: "channel" in following.kinds)
    await chat.pin("In five minutes!")
    await until(lambda: theirs.announcement is not None and theirs.announcement.text == "In five minutes!")
    await chat.unpin()
    await until(lambda: theirs.announcement is None)
    await chat.unpin()

    await chat.slow_mode(300)
    await until(lambda: theirs.channel.is_rate_limited)
    await theirs.send("the one of this turn")
    with pytest.raises(RateLimited) as caught:
        await theirs.send("too soon")
    assert 200 < (caught.value.retry_after or 0) <= 300
    assert "Slow mode: 1 message in 300 s" in str(caught.value)
    await chat.send("moderators are free")
    await chat.send("of it")
    await chat.slow_mode(None)
    await until(lambda: not theirs.channel.is_rate_limited)
    await theirs.send("freely again")

    await chat.mute("chat-guest")
    with pytest.raises(Forbidden, match="muted"):
        await theirs.send("x")
    with pytest.raises(Forbidden, match="muted"):
        await theirs.edit(said, "through the back door")
    assert [member.user_id for member in await chat.muted()] == ["chat-guest"]
    await chat.unmute("chat-guest")
    assert await chat.muted() == []
    await chat.mute(seconds=600)
    await until(lambda: theirs.channel.is_muted)
    with pytest.raises(Forbidden, match="muted"):
        await theirs.send("x")
    await chat.send("moderators speak")
    await chat.unmute()
    await until(lambda: not theirs.channel.is_muted)

    await chat.ban("chat-guest")
    with pytest.raises(Forbidden, match="banned"):
        await theirs.send("x")
    # Muting does not let a banned user back in.
    await chat.mute("chat-guest", seconds=1)
    with pytest.raises(Forbidden, match="banned"):
        await theirs.send("x")
    assert [member.user_id for member in await chat.banned()] == ["chat-guest"]
    await chat.unban("chat-guest")
    await chat.unmute("chat-guest")
    await theirs.send("back")
    with pytest.raises(NotFound):
        await chat.mute("nobody at all")
    await following.end()


async def test_a_closed_channel_ends_the_following(sp: Any, sandbox: RunningSandbox) -> None:
    room = await sp.rooms.create("closed")
    following = Followed(room.chat)
    await until(lambda: sp.realtime.is_subscribed(f"{room.chat.channel.path}/#"))
    path = f"/api/v3/channels/{room.chat.channel.channel_id}"
    await on_loop(sp._session.request)("DELETE", path, doing="close the chat")
    await until(lambda: following.over)


def test_the_blocking_chat_speaks_the_same_words(sandbox: RunningSandbox) -> None:
    with (
        spnb.connect("chat-blocking", url=sandbox.url, api_key=sandbox.api_key) as sp,
        spnb.connect("chat-blocking-guest", url=sandbox.url, api_key=sandbox.api_key) as other,
    ):
        room = sp.rooms.create("blocking chat")
        chat = room.chat
        theirs = other.rooms.get(room.room_id).chat
        said = theirs.send("one")
        chat.send("two", reply_to=said, mentions=["chat-blocking-guest"])
        assert [message.text for _, message in zip(range(2), chat, strict=False)] == ["one", "two"]
        theirs.edit(said, "uno")
        chat.react(said, "like")
        chat.unreact(said, "like")
        chat.flag(said)
        chat.unflag(said)
        assert [message.text for message in chat.history(page_size=1)] == ["uno", "two"]
        assert [message.text for message in chat.recent(1)] == ["two"]
        assert list(chat.df.text) == ["uno", "two"]
        assert next(chat.changes(last=1)).kind == "added"
        assert chat.pin(said).text == "one"
        assert chat.refresh().metadata
        assert chat.announcement is not None
        chat.unpin()
        chat.slow_mode(10)
        chat.slow_mode(0)
        chat.mute("chat-blocking-guest")
        assert [member.user_id for member in chat.muted()] == ["chat-blocking-guest"]
        chat.unmute("chat-blocking-guest")
        chat.ban("chat-blocking-guest")
        assert [member.user_id for member in chat.banned()] == ["chat-blocking-guest"]
        chat.unban("chat-blocking-guest")
        assert chat.moderators() == [chat.host] == [chat.user_id]
        chat.delete(said)
        texts: list[str] = []
        begun, done = threading.Event(), threading.Event()

        def follow() -> None:
            for message in chat.watch(last=1):
                texts.append(message.text)
                begun.set()
                if message.text == "three":
                    break
            done.set()

        threading.Thread(target=follow, daemon=True).start()
        assert begun.wait(60)
        theirs.send("three")
        assert done.wait(60)
        assert texts == ["two", "three"]
        assert repr(chat).startswith("Chat(")


async def test_the_blocking_chat_iterates_in_a_running_loop(sandbox: RunningSandbox) -> None:
    client = await spnb.connect_async("chat-both", url=sandbox.url, api_key=sandbox.api_key)
    chat = (await client.rooms.create("both kinds")).sync.chat
    chat.send("seen")
    async for message in chat:
        assert message.text == "seen"
        break
    for message in chat:
        assert message.text == "seen"
        break
    await client.aclose()
