"""The kernel's side of a chat pane, for `Chat` and any widget that has one."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import traitlets

from spnb._lasting import kept_up
from spnb._loop import in_loop
from spnb.errors import InvalidInput, ServiceError, SpnbError, Unreachable
from spnb.live import AsyncChat, AsyncLiveRoom
from spnb.models import Message, Room
from spnb.widgets.base import Widget
from spnb.widgets.chat_rows import SHOWN, ChatRows

__all__ = ["ChatPart"]

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.1
"""Least time between two messages to the page."""
BYTES_PER_SECOND = 800_000
"""What the page is sent at most; after a large message the next one waits longer."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0


class ChatPart(Widget):
    """A widget with the live chat of a room. Messages go to the page as messages, in batches; no trait holds them."""

    chat_state: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    """`room`, `there` (it has a chat), `open` (and it is read), `unreadable` (reading failed), `closed`, `canOpen`,
    `me`, `moderator`, `slow` (seconds of a turn, 0 without), `muted`, `announcement`, `onScreen`; empty without a
    room."""
    _chat_room: AsyncLiveRoom | None = None
    _unobserve_chat: Callable[[], None] | None = None
    _chat: AsyncChat | None = None
    _rows: ChatRows | None = None
    _following: asyncio.Task[None] | None = None
    _flushing: asyncio.TimerHandle | None = None
    _next_flush = 0.0
    chat_bytes = 0
    """Bytes of messages sent to the page so far."""
    chat_messages = 0
    """How many messages that were."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._at_end(self._leave_chat)

    def _use_chat(self, room: AsyncLiveRoom, user_id: str) -> None:
        """Show this room's chat in place of another's, as soon as there is one."""
        self._leave_chat()
        self._chat_room = room
        there = bool(room.record.live_channel_id)
        self.chat_state = {
            "room": room.room_id,
            "there": there,
            "open": False,
            "me": user_id,
            "canOpen": not there and room.record.created_by == user_id,
        }
        self._unobserve_chat = room.observe(self._room_changed)
        in_loop(lambda: self._room_changed(room.record))

    def _leave_chat(self) -> None:
        """Show no room's chat any more."""
        unobserve, self._unobserve_chat = self._unobserve_chat, None
        if unobserve is not None:
            unobserve()
        self._chat_room = None
        self.chat_state = {}
        in_loop(self._stop_following)

    def _room_changed(self, record: Room) -> None:
        room = self._chat_room
        if room is not None and record.room_id == room.room_id and record.live_channel_id:
            if not self.chat_state.get("there"):
                self._show_state(there=True, canOpen=False)
            self._follow_chat()

    def _show_state(self, **changes: Any) -> None:
        self.chat_state = {**self.chat_state, **changes}

    def _follow_chat(self) -> None:
        if self._following is None and self._chat_room is not None:
            self._chat = self._chat_room.chat
            self._rows = ChatRows(self._chat.user_id, self._chat.host)
            self._following = asyncio.create_task(
                kept_up(
                    partial(self._keep_following, self._chat, self._rows),
                    "a chat on a page",
                    told=lambda _error: self._show_state(unreadable=True),
                ),
                name="spnb-chat-widget",
            )

    def _stop_following(self) -> None:
        following, self._following = self._following, None
        flushing, self._flushing = self._flushing, None
        self._chat = self._rows = None
        for running in (following, flushing):
            if running is not None:
                running.cancel()

    async def _keep_following(self, chat: AsyncChat, rows: ChatRows) -> None:
        wait = FIRST_WAIT
        while True:
            try:
                await chat.refresh()
                rows.moderators = frozenset(await chat.moderators())
                self._show_channel(chat)
                shown = chat.announcement, chat.on_screen
                rows.clear()
                first = True
                async for batch in chat.batches(last=SHOWN):
                    wait = FIRST_WAIT
                    if self.chat_state.get("unreadable", False) != (chat.read_error is not None):
                        self._show_state(unreadable=chat.read_error is not None)
                    told = chat.announcement, chat.on_screen
                    if told != shown or any(change.kind == "channel" for change in batch):
                        shown = told
                        self._show_channel(chat)
                    if rows.take(batch) or first:
                        if first:
                            rows.news()
                            self._send_rows(rows.all())
                        else:
                            self._flush_soon()
                    first = False
                self._show_state(open=False, closed=True)
                return
            except (ServiceError, Unreachable) as error:
                log.info("the chat could not be read: %s", type(error).__name__)
                self._show_state(unreadable=True)
                await asyncio.sleep(wait)
                wait = min(LONGEST_WAIT, wait * 2)

    def _show_channel(self, chat: AsyncChat) -> None:
        channel, pinned = chat.channel, chat.announcement
        moderator = self._rows is not None and chat.user_id in self._rows.moderators
        placard = chat.on_screen
        slow = (channel.rate_limit_window or 0) / 1000 if channel.is_rate_limited else 0
        self._show_state(
            open=True,
            unreadable=False,
            moderator=moderator,
            slow=slow,
            muted=channel.is_muted,
            announcement=None if pinned is None else {"text": pinned.text, "user": pinned.user_id or ""},
            onScreen=None
            if placard is None
            else {"text": placard.text, "name": placard.name, "message": placard.message_id or ""},
        )

    def _flush_soon(self) -> None:
        """Tell the page now, or as soon as it may be told again."""
        if self._flushing is None:
            loop = asyncio.get_running_loop()
            self._flushing = loop.call_later(max(0.0, self._next_flush - loop.time()), self._flush)

    def _flush(self) -> None:
        self._flushing = None
        if self._rows is not None:
            self._send_rows(self._rows.news())

    def _send_rows(self, content: dict[str, Any]) -> None:
        size = len(json.dumps(content))
        self.chat_bytes += size
        self.chat_messages += 1
        self._next_flush = asyncio.get_running_loop().time() + max(FLUSH_SECONDS, size / BYTES_PER_SECOND)
        self.send(content)

    # -- what the page asks for

    async def do_chat_hello(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A page has been opened: it gets what is shown."""
        if self._rows is not None:
            self.send({**self._rows.all(), "client": content.get("client")})

    async def do_chat_open(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """The host opens the chat."""
        room = self._chat_room
        if room is not None:
            await self._answer(content, room.open_chat)
            self._room_changed(room.record)

    async def do_chat_send(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """Somebody wrote."""
        chat, rows = self._talking()
        text, parent = str(content.get("text") or ""), content.get("replyTo")
        await self._answer(
            content,
            lambda: chat.send(text, reply_to=str(parent) if parent else None, mentions=rows.mentioned(text)),
        )

    async def do_chat_edit(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """Somebody changed their message."""
        chat, _ = self._talking()
        await self._answer(content, lambda: chat.edit(self._named(content), str(content.get("text") or "")))

    async def do_chat_delete(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A message is deleted, by its author or a moderator."""
        chat, _ = self._talking()
        await self._answer(content, lambda: chat.delete(self._named(content)))

    async def do_chat_flag(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A message is reported."""
        chat, _ = self._talking()
        await self._answer(content, lambda: chat.flag(self._named(content)))

    async def do_chat_react(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A reaction is given or taken back."""
        chat, _ = self._talking()
        change = chat.react if content.get("on") else chat.unreact
        await self._answer(content, lambda: change(self._named(content), str(content.get("name") or "")))

    async def do_chat_pin(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A message is pinned, or what is pinned is taken down."""
        chat, _ = self._talking()
        if content.get("message"):
            await self._answer(content, lambda: chat.pin(self._named(content)))
        else:
            await self._answer(content, chat.unpin)
        self._show_channel(chat)

    async def do_chat_screen(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A message is put on screen, or what is there is taken off."""
        chat, _ = self._talking()
        if content.get("message"):
            await self._answer(content, lambda: self._show(chat, self._named(content)))
        else:
            await self._answer(content, chat.hide)
        self._show_channel(chat)

    async def _show(self, chat: AsyncChat, message: Message | str) -> None:
        if isinstance(message, str):
            raise InvalidInput("this message is too far back by now: put a newer one on screen")
        await chat.show(message)

    async def do_chat_slow(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """Slow mode is set."""
        chat, _ = self._talking()
        await self._answer(content, lambda: chat.slow_mode(float(content.get("seconds") or 0)))
        self._show_channel(chat)

    async def do_chat_mute(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A user is muted for a while, or everybody is, or may write again."""
        chat, _ = self._talking()
        users = [str(content["user"])] if content.get("user") else []
        seconds = content.get("seconds")
        await self._answer(content, lambda: chat.mute(*users, seconds=None if seconds is None else float(seconds)))

    async def do_chat_ban(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A user is banned."""
        chat, _ = self._talking()
        await self._answer(content, lambda: chat.ban(str(content.get("user") or "")))

    def _talking(self) -> tuple[AsyncChat, ChatRows]:
        if self._chat is None or self._rows is None:
            raise InvalidInput("the room has no live chat yet")
        return self._chat, self._rows

    def _named(self, content: dict[str, Any]) -> Message | str:
        message_id = str(content.get("message") or "")
        known = self._rows.message(message_id) if self._rows is not None else None
        return known or message_id

    async def _answer(self, content: dict[str, Any], work: Callable[[], Awaitable[Any]]) -> None:
        """Do it, and tell the page that asked how it went."""
        error = ""
        try:
            await work()
        except SpnbError as caught:
            error = str(caught)
        self.send({"type": "chatAnswer", "client": content.get("client"), "ask": content.get("ask"), "error": error})
