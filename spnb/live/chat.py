"""The live chat of a room: send, answer, edit, react, moderate, read back, follow."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Coroutine, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spnb._arguments import checked_class
from spnb._loop import Flattened, aiterate, on_loop
from spnb._twins import Blocking
from spnb.errors import Forbidden, InvalidInput, ServiceError, Unreachable
from spnb.live.chat_follower import ChatFollower
from spnb.live.message_log import ChatChange
from spnb.live.on_screen import Placard, closed, placards_of, shown_over, without_message
from spnb.models import Channel, ChannelMember, Message

if TYPE_CHECKING:
    import pandas as pd

    from spnb.client import AsyncClient

__all__ = ["MODERATOR", "Announcement", "AsyncChat", "announcement_of"]

log = logging.getLogger(__name__)

MODERATOR = "channel-moderator"
PINNED = "announcement"
"""Where in a channel's metadata a pinned announcement stands: a convention, since the service has no field for it."""
PINNED_TEXT_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is pinned above a chat. User content: show it as text."""

    text: str
    message_id: str | None = None
    user_id: str | None = None


@checked_class
class AsyncChat:
    """Messages of one channel. `async for message in chat` gives all there are and then each new one.

    Args:
        client: whose user speaks.
        channel: the channel.
        host: public id of the room's host.
    """

    def __init__(self, client: AsyncClient[Any], channel: Channel, *, host: str | None = None) -> None:
        self._client = client
        self._channel = channel
        self.host = host
        """Public id of the room's host."""
        self.read_error: str | None = None
        """Why the chat, which is followed, could not be read last: messages may be missing for now. None where it
        could."""
        self._deleted: set[str] = set()
        self._looked_at: set[str] = set()
        """Of the messages that are pinned or were put on screen: which are deleted, and which were asked for."""

    @property
    def channel(self) -> Channel:
        """The channel as it is best known."""
        return self._channel

    @property
    def user_id(self) -> str:
        """The public id of the user who speaks here."""
        return self._client.user_id

    @on_loop
    async def refresh(self) -> Channel:
        """Read the channel again now."""
        await self._read_channel()
        self._looked_at.clear()
        await self._look_at_shown()
        return self._channel

    async def _read_channel(self) -> dict[str, Any]:
        self._channel = await self._client.channels.get(self._channel.channel_id)
        return dict(self._channel.metadata or {})

    def _shown(self) -> set[str]:
        """Ids of the messages that the channel's metadata pins or puts on screen."""
        pinned = announcement_of(self._channel)
        found = {pinned.message_id if pinned else None, *(one.message_id for one in placards_of(self._channel))}
        return {message_id for message_id in found if message_id}

    async def _look_at_shown(self) -> None:
        """Learn which of them are deleted: whoever wrote one may delete it, and may not write that there."""
        shown = self._shown()
        asked = sorted(shown - self._looked_at - self._deleted)
        if asked:
            messages = await self._client.messages.get_many(asked)
            self._deleted |= set(asked) - {message.message_id for message in messages if not message.is_deleted}
        self._looked_at = shown

    # -- messages

    @on_loop
    async def send(self, text: str, *, reply_to: Message | str | None = None, mentions: Sequence[str] = ()) -> Message:
        """Send a text. In slow mode it waits for its turn, where that comes within 45 s.

        social.plus: `MessageRepository.createMessage`.

        Args:
            text: 1 to 20 000 characters.
            reply_to: the message it answers, or its id.
            mentions: public ids of users, at most 50; they must exist.

        Raises:
            Forbidden: you are muted or banned, or the chat is muted.
            RateLimited: slow mode, and your turn comes later.
        """
        parent = self._own(reply_to) if reply_to is not None else None
        return await self._client.messages.send(
            self._channel.feed_id, text, parent_id=parent, mentions=mentions or None
        )

    @on_loop
    async def send_image(
        self, image: str | Path | bytes, *, caption: str = "", reply_to: Message | str | None = None
    ) -> Message:
        """Send a picture: a file's path, its bytes, or the id of one that was uploaded.

        social.plus: `MessageRepository.createMessage`.
        """
        parent = self._own(reply_to) if reply_to is not None else None
        return await self._client.messages.send_image(self._channel.feed_id, image, caption=caption, parent_id=parent)

    @on_loop
    async def send_custom(self, data: Mapping[str, Any], *, reply_to: Message | str | None = None) -> Message:
        """Send a message of a kind of your own, of about 10 KB at most, which apps of yours understand.

        social.plus: `MessageRepository.createMessage`.
        """
        parent = self._own(reply_to) if reply_to is not None else None
        return await self._client.messages.send_custom(self._channel.feed_id, data, parent_id=parent)

    @on_loop
    async def edit(self, message: Message | str, text: str) -> Message:
        """Change the text of your message.

        social.plus: `MessageRepository.editMessage`, `MessageRepository.updateMessage`.
        """
        return await self._client.messages.edit(self._own(message), text)

    @on_loop
    async def delete(self, message: Message | str) -> None:
        """Delete your message, or as a moderator anybody's: from the screen, the replay and above the chat too.

        social.plus: `MessageRepository.softDeleteMessage`, `MessageRepository.deleteMessage`.
        """
        message_id = self._own(message)
        await self._client.messages.delete(message_id)
        if message_id in self._shown():
            self._deleted.add(message_id)
            # Who does not moderate may not write there: whoever shows it looks whether the message is still there.
            with suppress(Forbidden):
                metadata = without_message(await self._read_channel(), message_id)
                pinned = announcement_of(self._channel)
                if pinned is not None and pinned.message_id == message_id:
                    del metadata[PINNED]
                await self._update(metadata=metadata)

    @on_loop
    async def flag(self, message: Message | str, *, reason: str | None = None) -> None:
        """Report a message to the moderators. social.plus: `MessageRepository.flagMessage`."""
        await self._client.messages.flag(self._own(message), reason=reason)

    @on_loop
    async def unflag(self, message: Message | str) -> None:
        """Take your report back. social.plus: `MessageRepository.unflagMessage`."""
        await self._client.messages.unflag(self._own(message))

    @on_loop
    async def react(self, message: Message | str, name: str) -> None:
        """React to a message, e.g. with `"like"`; the same reaction of a user counts once.

        social.plus: `ReactionRepository.addReaction`.
        """
        await self._client.reactions.add(self._own(message), "message", name)

    @on_loop
    async def unreact(self, message: Message | str, name: str) -> None:
        """Take your reaction back. social.plus: `ReactionRepository.removeReaction`."""
        await self._client.reactions.remove(self._own(message), "message", name)

    # -- reading

    def history(self, *, page_size: int = 100, reply_to: Message | str | None = None) -> AsyncIterator[Message]:
        """All messages from the first on, page after page.

        Args:
            page_size: messages per request, 1 to 100.
            reply_to: only answers to this message.
        """
        return Flattened(self.pages(page_size=page_size, reply_to=reply_to))

    def pages(self, *, page_size: int = 100, reply_to: Message | str | None = None) -> AsyncIterator[list[Message]]:
        """The same, a page at a time: one step of the iteration is one request."""
        parent = self._own(reply_to) if reply_to is not None else None
        return self._client.messages.pages(
            self._channel.feed_id, page_size=page_size, oldest_first=True, parent_id=parent
        )

    @on_loop
    async def recent(self, most: int = 100) -> list[Message]:
        """The newest messages, oldest of them first."""
        found: list[Message] = []
        async for message in self._client.messages.query(self._channel.feed_id, page_size=min(100, most)):
            found.append(message)
            if len(found) >= most:
                break
        return found[::-1]

    @property
    def df(self) -> Coroutine[Any, Any, pd.DataFrame]:
        """All messages as a table, oldest first: `await chat.df`. Times are UTC with milliseconds.

        Pages become columns as they come, so memory holds the table and one page.
        """
        return self._client.messages.to_df(self._channel.feed_id)

    # -- following

    def __aiter__(self) -> AsyncIterator[Message]:
        return self.watch()

    def watch(self, *, last: int | None = None) -> AsyncIterator[Message]:
        """All messages so far and then each new one, in their order, none twice. Ends when the channel is closed.

        social.plus: `MessageRepository.getMessages`, `MessageRepository.onMessageCreatedMqtt`,
        `MessageRepository.onMessageCreatedLocal`, `MessageRepository.onMessageFetched`.

        Args:
            last: begin with this many of the newest instead of with the first; 0 gives new ones only.
        """
        _check_last(last)
        return Flattened(aiterate(self._added(last)))

    def changes(self, *, last: int | None = None) -> AsyncIterator[ChatChange]:
        """All that happens: messages added, changed (edited, reacted to, flagged) and deleted, and the channel changed.

        Begins with the messages so far, as added. Who keeps a list by it has what the service has, however events are
        lost, doubled or reordered.

        social.plus: `MessageRepository.onMessageUpdated`, `MessageRepository.onMessageDeleted`,
        `MessageRepository.onMessageReactionAdded`, `MessageRepository.onMessageReactionRemoved`,
        `ChannelRepository.onChannelUpdated`, `ChannelRepository.onChannelSetMuted`,
        `ChannelRepository.onChannelDeleted`.

        Args:
            last: begin with this many of the newest messages instead of with the first.
        """
        return Flattened(self.batches(last=last))

    def batches(self, *, last: int | None = None) -> AsyncIterator[list[ChatChange]]:
        """The same, with all that is known at a time in one list: cheaper where much happens."""
        _check_last(last)
        return aiterate(self._follow(last))

    async def _added(self, last: int | None) -> AsyncIterator[list[Message]]:
        async with aclosing(self._follow(last)) as batches:
            async for batch in batches:
                yield [change.message for change in batch if change.kind == "added" and change.message is not None]

    async def _follow(self, last: int | None) -> Any:
        follower = ChatFollower(self._client, self._channel, also=self._shown)
        async with aclosing(follower.batches(last)) as batches:
            async for batch in batches:
                self.read_error = follower.read_error
                for change in batch:
                    if change.channel is not None:
                        self._channel = change.channel
                self._deleted |= follower.deleted & self._shown()
                follower.deleted.clear()
                try:
                    await self._look_at_shown()
                except (ServiceError, Unreachable) as error:  # asked again with what comes next
                    log.info("what is on screen could not be looked at: %s", type(error).__name__)
                yield batch

    # -- moderating

    @property
    def announcement(self) -> Announcement | None:
        """What is pinned above the chat, unless it was deleted, as far as known here: `refresh()` reads it, following
        keeps it up to date."""
        found = announcement_of(self._channel)
        return None if found is None or found.message_id in self._deleted else found

    @on_loop
    async def pin(self, announcement: Message | str) -> Announcement:
        """Pin an announcement above the chat, in place of an earlier one; moderators only.

        Args:
            announcement: a message, or a text of its own; of a long one the first 1000 characters.
        """
        if isinstance(announcement, Message):
            pinned: dict[str, Any] = {
                "text": announcement.text[:PINNED_TEXT_LIMIT],
                "messageId": self._standing(announcement),
                "userId": announcement.creator_public_id,
            }
        else:
            pinned = {"text": announcement[:PINNED_TEXT_LIMIT], "userId": self._client.user_id}
        metadata = await self._read_channel()
        await self._update(metadata={**metadata, PINNED: pinned})
        found = self.announcement
        assert found is not None  # noqa: S101 - just written
        return found

    @on_loop
    async def unpin(self) -> None:
        """Take the announcement down; moderators only."""
        metadata = await self._read_channel()
        if metadata.pop(PINNED, None) is not None:
            await self._update(metadata=metadata)

    # -- on screen

    @property
    def on_screen(self) -> Placard | None:
        """What stands over the picture now, as far as known here."""
        return next((placard for placard in reversed(self.placards) if placard.until is None), None)

    @property
    def placards(self) -> list[Placard]:
        """What stood over the picture, oldest first, the newest 50, without deleted messages: `refresh()` reads it,
        following keeps it fresh."""
        return [placard for placard in placards_of(self._channel) if placard.message_id not in self._deleted]

    @on_loop
    async def show(self, message: Message | str) -> Placard:
        """Put a message over the picture of all who watch with spnb, in place of an earlier one; moderators only. In
        the replay it stands where it stood. Recorded files themselves are left as they are.

        Args:
            message: a text message, or a text of your own; of a long one the first 280 characters.

        Raises:
            InvalidInput: there is no text in it, or it was deleted.
        """
        text = message.text if isinstance(message, Message) else message
        if not text.strip():
            raise InvalidInput("only a text can be put on screen")
        about = {"name": message.name, "message_id": self._standing(message)} if isinstance(message, Message) else {}
        metadata = await self._read_channel()
        await self._update(metadata=shown_over(metadata, self._client.clock.now(), text, **about))
        found = self.on_screen
        assert found is not None  # noqa: S101 - just written
        return found

    @on_loop
    async def hide(self) -> None:
        """Take off what stands over the picture; moderators only."""
        metadata = await self._read_channel()
        if self.on_screen is not None:
            await self._update(metadata=closed(metadata, self._client.clock.now()))

    @on_loop
    async def slow_mode(self, seconds: float | None, *, messages: int = 1) -> None:
        """Let everybody but moderators send only so often; moderators only.

        social.plus: `ChannelRepository.updateChannel`.

        Args:
            seconds: the length of a turn; None or 0 ends slow mode.
            messages: how many in one turn.
        """
        most, window = (messages, int(seconds * 1000)) if seconds else (0, 0)
        await self._update(rate_limit=most, rate_limit_window=window)

    def _own(self, message: Message | str) -> str:
        """The id of a message of this chat.

        Raises:
            InvalidInput: it is another chat's: what is done to it would be done there.
        """
        if isinstance(message, str):
            return message
        if message.channel_public_id not in (None, self._channel.channel_id):
            raise InvalidInput(f"{message!r} is of another chat, {message.channel_public_id}, not of this one")
        return message.message_id

    def _standing(self, message: Message) -> str:
        """The id of a message of this chat that is not known to be deleted."""
        if message.message_id in self._deleted:
            raise InvalidInput(f"{message!r} was deleted")
        return self._own(message)

    async def _update(self, **changes: Any) -> None:
        self._channel = await self._client.channels.update(self._channel.channel_id, **changes)

    @on_loop
    async def mute(self, *user_ids: str, seconds: float | None = None) -> None:
        """Mute these users, or everybody but moderators where none is named; moderators only.

        social.plus: `ChannelRepository.muteChannel`.

        Args:
            user_ids: public ids, at most 100.
            seconds: how long; for ever without.
        """
        await self._client.channels.mute(self._channel.channel_id, seconds=seconds, user_ids=user_ids or None)

    @on_loop
    async def unmute(self, *user_ids: str) -> None:
        """Let these users, or everybody where none is named, write again; moderators only.

        social.plus: `ChannelRepository.unmuteChannel`.
        """
        await self._client.channels.mute(self._channel.channel_id, seconds=0, user_ids=user_ids or None)

    @on_loop
    async def ban(self, *user_ids: str) -> None:
        """Ban users from the chat; moderators only. social.plus: `ChannelRepository.Moderation.banMembers`."""
        await self._client.channels.ban(self._channel.channel_id, user_ids)

    @on_loop
    async def unban(self, *user_ids: str) -> None:
        """Let banned users back in; moderators only. social.plus: `ChannelRepository.Moderation.unbanMembers`."""
        await self._client.channels.unban(self._channel.channel_id, user_ids)

    @on_loop
    async def add_moderator(self, *user_ids: str) -> None:
        """Have users moderate here too; they become members first. Moderators only, the room's host is one.

        Args:
            user_ids: public ids.

        Raises:
            Forbidden: you do not moderate here; says who may.
        """
        channels = self._client.channels
        await self._moderating(channels.add_members(self._channel.channel_id, user_ids))
        await self._moderating(channels.add_role(self._channel.channel_id, MODERATOR, user_ids))

    @on_loop
    async def remove_moderator(self, *user_ids: str) -> None:
        """Have users moderate here no longer; moderators only."""
        removing = self._client.channels.remove_role(self._channel.channel_id, MODERATOR, user_ids)
        await self._moderating(removing)

    async def _moderating(self, change: Awaitable[None]) -> None:
        try:
            await change
        except Forbidden as error:
            may = ", ".join(await self.moderators()) or "nobody"
            raise Forbidden(f"{error}: here may {may}", status=error.status, code=error.code) from error

    @on_loop
    async def members(self) -> list[ChannelMember]:
        """Who belongs to the chat, oldest member first."""
        return await self._client.channels.members(self._channel.channel_id)

    @on_loop
    async def moderators(self) -> list[str]:
        """Public ids of those who moderate here."""
        found = await self._client.channels.members(self._channel.channel_id, roles=[MODERATOR])
        return [member.user_id for member in found]

    @on_loop
    async def muted(self) -> list[ChannelMember]:
        """Who is muted now."""
        return await self._client.channels.members(self._channel.channel_id, filter="muted")

    @on_loop
    async def banned(self) -> list[ChannelMember]:
        """Who is banned."""
        return await self._client.channels.members(self._channel.channel_id, filter="banned")

    sync = Blocking()
    """The blocking twin."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._channel.channel_id})"


def announcement_of(channel: Channel) -> Announcement | None:
    """The announcement a channel's metadata holds."""
    pinned = (channel.metadata or {}).get(PINNED)
    if isinstance(pinned, str):
        pinned = {"text": pinned}
    if not isinstance(pinned, dict) or not pinned.get("text"):
        return None
    message_id, user_id = pinned.get("messageId"), pinned.get("userId")
    return Announcement(str(pinned["text"]), str(message_id) if message_id else None, str(user_id) if user_id else None)


def _check_last(last: int | None) -> None:
    if last is not None and last < 0:
        raise InvalidInput(f"last is how many of the newest messages come first, 0 or more, not {last}")
