"""The blocking twins of `spnb.client.chat`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Face, Watch
from spnb._loop import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any, Literal

    import pandas as pd

    from spnb.client.chat import AsyncChannels, AsyncMessages, ChannelKind
    from spnb.models import Channel, ChannelMember, Message


__all__ = ["Channels", "Messages"]


class Channels(Face):
    """Chat channels.

    The blocking twin of `AsyncChannels`.
    """

    _twin: AsyncChannels

    def create_live(self, room_id: str, post_id: str, *, display_name: str | None = None) -> Channel:
        """Open the live chat of your room. The room's flag alone opens none; the order is room, post, channel.

        social.plus: `ChannelRepository.createChannel`.

        Args:
            room_id: the room it belongs to; its `live_channel_id` names the channel afterwards.
            post_id: the post that carries the room.
            display_name: at most 100 characters.

        Raises:
            Conflict: the room has its channel already.
        """
        return run(self._twin.create_live(room_id, post_id, display_name=display_name))

    def create(self, display_name: str, *, kind: ChannelKind = "live") -> Channel:
        """Open a channel that belongs to no room; who opens it moderates it.

        social.plus: `ChannelRepository.createChannel`.

        Args:
            display_name: at most 100 characters.
            kind: in a `live` one everybody who knows its id may write.
        """
        return run(self._twin.create(display_name, kind=kind))

    def delete(self, channel_id: str) -> None:
        """Close a channel for good; moderators only. social.plus: `ChannelRepository.deleteChannel`."""
        run(self._twin.delete(channel_id))

    def get(self, channel_id: str) -> Channel:
        """One channel. social.plus: `ChannelRepository.getChannel`."""
        return run(self._twin.get(channel_id))

    def join(self, channel_id: str) -> Channel:
        """Become a member. social.plus: `ChannelRepository.joinChannel`."""
        return run(self._twin.join(channel_id))

    def leave(self, channel_id: str) -> None:
        """Stop being a member. social.plus: `ChannelRepository.leaveChannel`."""
        run(self._twin.leave(channel_id))

    def update(
        self,
        channel_id: str,
        *,
        display_name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        rate_limit: int | None = None,
        rate_limit_window: int | None = None,
    ) -> Channel:
        """Change name, metadata or slow mode (`rate_limit` messages in `rate_limit_window` ms); moderators only.

        social.plus: `ChannelRepository.updateChannel`.
        """
        return run(
            self._twin.update(
                channel_id,
                display_name=display_name,
                metadata=metadata,
                rate_limit=rate_limit,
                rate_limit_window=rate_limit_window,
            )
        )

    def ban(self, channel_id: str, user_ids: Sequence[str]) -> None:
        """Ban users from the chat; moderators only. social.plus: `ChannelRepository.Moderation.banMembers`."""
        run(self._twin.ban(channel_id, user_ids))

    def unban(self, channel_id: str, user_ids: Sequence[str]) -> None:
        """Let banned users back in; moderators only. social.plus: `ChannelRepository.Moderation.unbanMembers`."""
        run(self._twin.unban(channel_id, user_ids))

    def members(
        self,
        channel_id: str,
        *,
        roles: Sequence[str] | None = None,
        filter: Literal["all", "muted", "banned", "member&banned"] = "all",
    ) -> list[ChannelMember]:
        """Who belongs to the channel, oldest member first.

        social.plus: `ChannelRepository.Membership.getMembers`.

        Args:
            roles: only who has one of these; `channel-moderator` moderates.
            filter: only the muted or the banned.
        """
        return run(self._twin.members(channel_id, roles=roles, filter=filter))

    def add_members(self, channel_id: str, user_ids: Sequence[str]) -> None:
        """Make users members of the channel. social.plus: `ChannelRepository.Membership.addMembers`."""
        run(self._twin.add_members(channel_id, user_ids))

    def remove_members(self, channel_id: str, user_ids: Sequence[str]) -> None:
        """Take users out of the channel; they may come back.

        social.plus: `ChannelRepository.Membership.removeMembers`.
        """
        run(self._twin.remove_members(channel_id, user_ids))

    def add_role(self, channel_id: str, role: str, user_ids: Sequence[str]) -> None:
        """Give members of the channel a role; moderators only. social.plus: `ChannelRepository.Moderation.addRole`.

        Args:
            role: `channel-moderator` moderates.
            user_ids: public ids of members, 1 to 100.

        Raises:
            Forbidden: you do not moderate there.
            BadRequest: one of them is no member.
        """
        run(self._twin.add_role(channel_id, role, user_ids))

    def remove_role(self, channel_id: str, role: str, user_ids: Sequence[str]) -> None:
        """Take a role from members of the channel; moderators only.

        social.plus: `ChannelRepository.Moderation.removeRole`.
        """
        run(self._twin.remove_role(channel_id, role, user_ids))

    def mute(self, channel_id: str, *, seconds: float | None = None, user_ids: Sequence[str] | None = None) -> None:
        """Mute the channel, or only some users; moderators only.

        social.plus: `ChannelRepository.Moderation.muteMembers`, `ChannelRepository.Moderation.unmuteMembers`.

        Args:
            seconds: how long; None for ever, 0 ends it.
            user_ids: whom, 1 to 100; everybody without.
        """
        run(self._twin.mute(channel_id, seconds=seconds, user_ids=user_ids))

    @property
    def asynchronous(self) -> AsyncChannels:
        """The async twin: the same object, to be awaited."""
        return self._twin


class Messages(Face):
    """Messages of channels.

    The blocking twin of `AsyncMessages`.
    """

    _twin: AsyncMessages

    def send(
        self,
        feed_id: str,
        text: str,
        *,
        parent_id: str | None = None,
        mentions: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
    ) -> Message:
        """Send a text message. Sent again after a lost answer it is still one message: its reference id tells.

        social.plus: `MessageRepository.createMessage`.

        In slow mode it waits for its turn, where that comes within 45 s.

        Args:
            feed_id: the channel's message feed (`Channel.feed_id`).
            text: 1 to 20 000 characters.
            parent_id: the message this one replies to.
            mentions: public ids of at most 50 users.

        Raises:
            InvalidInput: the text is empty or too long, or nobody has one of these ids.
            Forbidden: muted or banned.
            RateLimited: slow mode, and the turn comes later; `retry_after` tells when.
        """
        return run(self._twin.send(feed_id, text, parent_id=parent_id, mentions=mentions, metadata=metadata, tags=tags))

    def send_image(
        self, feed_id: str, image: str | Path | bytes, *, caption: str = "", parent_id: str | None = None
    ) -> Message:
        """Send a picture. social.plus: `MessageRepository.createMessage` of type image.

        Args:
            feed_id: the channel's message feed.
            image: a file's path or its bytes, which are uploaded; or the id of an image that was uploaded.
            caption: what stands below it.
            parent_id: the message this one replies to.

        Raises:
            InvalidInput: it is no image, or too large.
        """
        return run(self._twin.send_image(feed_id, image, caption=caption, parent_id=parent_id))

    def send_custom(self, feed_id: str, data: Mapping[str, Any], *, parent_id: str | None = None) -> Message:
        """Send a message of a kind of your own, which apps of yours understand.

        social.plus: `MessageRepository.createMessage` of type custom.

        Args:
            feed_id: the channel's message feed.
            data: anything that is JSON; the service takes about 10 KB.
            parent_id: the message this one replies to.
        """
        return run(self._twin.send_custom(feed_id, data, parent_id=parent_id))

    def query(
        self,
        feed_id: str,
        *,
        page_size: int = 50,
        oldest_first: bool = False,
        parent_id: str | None = None,
        deleted: bool = False,
    ) -> Watch[Message]:
        """Messages of a feed, page after page. Deleted ones are not among them.

        social.plus: `MessageRepository.getMessages`.

        Args:
            feed_id: the channel's message feed.
            page_size: messages per request, 1 to 100.
            oldest_first: from the beginning instead of from the end.
            parent_id: only replies to this message.
            deleted: the deleted ones instead, without their words.
        """
        return Watch(
            self._twin.query(
                feed_id, page_size=page_size, oldest_first=oldest_first, parent_id=parent_id, deleted=deleted
            )
        )

    def pages(
        self,
        feed_id: str,
        *,
        page_size: int = 100,
        oldest_first: bool = False,
        parent_id: str | None = None,
        deleted: bool = False,
    ) -> Watch[list[Message]]:
        """The same, a page at a time: one step of the iteration is one request.

        Args:
            feed_id: the channel's message feed.
            page_size: messages per request, 1 to 100.
            oldest_first: from the beginning instead of from the end.
            parent_id: only replies to this message.
            deleted: the deleted ones instead, without their words.
        """
        return Watch(
            self._twin.pages(
                feed_id, page_size=page_size, oldest_first=oldest_first, parent_id=parent_id, deleted=deleted
            )
        )

    def to_df(self, feed_id: str, *, page_size: int = 100) -> pd.DataFrame:
        """All messages of a feed as a table, oldest first; see `spnb.client.message_table` for the columns.

        Pages become columns as they come: beyond the table itself no memory is used.

        Args:
            feed_id: the channel's message feed.
            page_size: messages per request, 1 to 100.
        """
        return run(self._twin.to_df(feed_id, page_size=page_size))

    def get(self, message_id: str) -> Message:
        """One message. social.plus: `MessageRepository.getMessage`."""
        return run(self._twin.get(message_id))

    def get_many(self, message_ids: Sequence[str]) -> list[Message]:
        """Messages by id, deleted ones too; unknown ones are left out."""
        return run(self._twin.get_many(message_ids))

    def edit(self, message_id: str, text: str, *, mentions: Sequence[str] | None = None) -> Message:
        """Change the text of your message.

        social.plus: `MessageRepository.editMessage`.

        Args:
            text: 1 to 20 000 characters.
            mentions: public ids of users; without, those it had stay.
        """
        return run(self._twin.edit(message_id, text, mentions=mentions))

    def delete(self, message_id: str) -> None:
        """Delete your message, or as a moderator anybody's. social.plus: `MessageRepository.softDeleteMessage`."""
        run(self._twin.delete(message_id))

    def flag(self, message_id: str, *, reason: str | None = None) -> None:
        """Report a message. social.plus: `MessageRepository.flagMessage`."""
        run(self._twin.flag(message_id, reason=reason))

    def unflag(self, message_id: str) -> None:
        """Take your report back. social.plus: `MessageRepository.unflagMessage`."""
        run(self._twin.unflag(message_id))

    @property
    def asynchronous(self) -> AsyncMessages:
        """The async twin: the same object, to be awaited."""
        return self._twin
