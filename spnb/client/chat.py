"""Chat: live channels and their messages."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from spnb._loop import Flattened, aiterate, on_loop
from spnb.client.audience import AsyncUsers
from spnb.client.files import AsyncFiles, image_id
from spnb.client.resource import Resource, checked_text, create_once, part
from spnb.client.session import Session
from spnb.errors import InvalidInput, NotFound
from spnb.models import Channel, ChannelMember, Message, Room, User

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AsyncChannels", "AsyncMessages", "messages_of"]

Json = dict[str, Any]

ChannelKind = Literal["standard", "private", "broadcast", "community", "live"]

TEXT_LIMIT = 20_000
MOST_MENTIONS = 50
IDS_AT_ONCE = 10
"""How many messages may be asked for by id in one request."""


class AsyncChannels(Resource):
    """Chat channels."""

    @on_loop
    async def create_live(self, room_id: str, post_id: str, *, display_name: str | None = None) -> Channel:
        """Open the live chat of your room. The room's flag alone opens none; the order is room, post, channel.

        social.plus: `ChannelRepository.createChannel`.

        Args:
            room_id: the room it belongs to; its `live_channel_id` names the channel afterwards.
            post_id: the post that carries the room.
            display_name: at most 100 characters.

        Raises:
            Conflict: the room has its channel already.
        """
        checked_text("display_name", display_name, 100)
        body: Json = {"type": "live", "roomId": room_id, "postId": post_id}
        if display_name is not None:
            body["displayName"] = display_name

        async def create() -> Channel:
            return _first(await self._post("/api/v3/channels", "open the chat", body))

        async def find() -> Channel | None:
            rooms = (await self._get(f"/api/v1/rooms/{part(room_id)}", "read the room"))["rooms"]
            channel_id = Room.model_validate(rooms[0]).live_channel_id
            return await self.get(channel_id) if channel_id else None

        return await create_once(create, find)

    @on_loop
    async def create(self, display_name: str, *, kind: ChannelKind = "live") -> Channel:
        """Open a channel that belongs to no room; who opens it moderates it.

        social.plus: `ChannelRepository.createChannel`.

        Args:
            display_name: at most 100 characters.
            kind: in a `live` one everybody who knows its id may write.
        """
        checked_text("display_name", display_name, 100)
        channel_id = secrets.token_hex(12)
        body: Json = {"channelId": channel_id, "type": kind, "displayName": display_name}

        async def create() -> Channel:
            return _first(await self._post("/api/v3/channels", "open the channel", body))

        async def find() -> Channel | None:
            # The id is ours, so one that a lost answer told of is found again.
            try:
                return await self.get(channel_id)
            except NotFound:
                return None

        return await create_once(create, find)

    @on_loop
    async def delete(self, channel_id: str) -> None:
        """Close a channel for good; moderators only. social.plus: `ChannelRepository.deleteChannel`."""
        await self._gone(f"/api/v3/channels/{part(channel_id)}", "close the channel")

    @on_loop
    async def get(self, channel_id: str) -> Channel:
        """One channel. social.plus: `ChannelRepository.getChannel`."""
        return _first(await self._get(f"/api/v3/channels/{part(channel_id)}", "read the channel"))

    @on_loop
    async def join(self, channel_id: str) -> Channel:
        """Become a member. social.plus: `ChannelRepository.joinChannel`."""
        return _first(
            await self._post(f"/api/v3/channels/{part(channel_id)}/join", "join the chat", {}, repeatable=True)
        )

    @on_loop
    async def leave(self, channel_id: str) -> None:
        """Stop being a member. social.plus: `ChannelRepository.leaveChannel`."""
        await self._gone(f"/api/v3/channels/{part(channel_id)}/leave", "leave the chat")

    @on_loop
    async def update(
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
        given = {
            "displayName": display_name,
            "metadata": dict(metadata) if metadata is not None else None,
            "rateLimit": rate_limit,
            "rateLimitWindow": rate_limit_window,
        }
        body = {name: value for name, value in given.items() if value is not None}
        return _first(await self._put(f"/api/v3/channels/{part(channel_id)}", "change the channel", body))

    @on_loop
    async def ban(self, channel_id: str, user_ids: Sequence[str]) -> None:
        """Ban users from the chat; moderators only. social.plus: `ChannelRepository.Moderation.banMembers`."""
        await self._put(
            f"/api/v3/channels/{part(channel_id)}/users/ban", "ban from the chat", {"userIds": _named(user_ids)}
        )

    @on_loop
    async def unban(self, channel_id: str, user_ids: Sequence[str]) -> None:
        """Let banned users back in; moderators only. social.plus: `ChannelRepository.Moderation.unbanMembers`."""
        body = {"userIds": _named(user_ids)}
        await self._put(f"/api/v3/channels/{part(channel_id)}/users/unban", "unban in the chat", body)

    @on_loop
    async def members(
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
        pages = self._pages(
            f"/api/v3/channels/{part(channel_id)}/users",
            "list the chat's members",
            page_size=100,
            roles=list(roles) if roles else None,
            filter=filter,
        )
        return [member async for page in pages for member in ChannelMember.many(page.get("channelUsers"))]

    @on_loop
    async def add_members(self, channel_id: str, user_ids: Sequence[str]) -> None:
        """Make users members of the channel. social.plus: `ChannelRepository.Membership.addMembers`."""
        path = f"/api/v3/channels/{part(channel_id)}/users"
        await self._post(path, "add members to the chat", {"userIds": _named(user_ids)}, repeatable=True)

    @on_loop
    async def remove_members(self, channel_id: str, user_ids: Sequence[str]) -> None:
        """Take users out of the channel; they may come back.

        social.plus: `ChannelRepository.Membership.removeMembers`.
        """
        path = f"/api/v3/channels/{part(channel_id)}/users"
        await self._gone(path, "remove members from the chat", {"userIds": _named(user_ids)}, answered=True)

    @on_loop
    async def add_role(self, channel_id: str, role: str, user_ids: Sequence[str]) -> None:
        """Give members of the channel a role; moderators only. social.plus: `ChannelRepository.Moderation.addRole`.

        Args:
            role: `channel-moderator` moderates.
            user_ids: public ids of members, 1 to 100.

        Raises:
            Forbidden: you do not moderate there.
            BadRequest: one of them is no member.
        """
        body = {"role": role, "userIds": _named(user_ids)}
        await self._post(f"/api/v3/channels/{part(channel_id)}/users/roles", "give the role", body, repeatable=True)

    @on_loop
    async def remove_role(self, channel_id: str, role: str, user_ids: Sequence[str]) -> None:
        """Take a role from members of the channel; moderators only.

        social.plus: `ChannelRepository.Moderation.removeRole`.
        """
        body = {"role": role, "userIds": _named(user_ids)}
        await self._gone(f"/api/v3/channels/{part(channel_id)}/users/roles", "take the role away", body)

    @on_loop
    async def mute(
        self, channel_id: str, *, seconds: float | None = None, user_ids: Sequence[str] | None = None
    ) -> None:
        """Mute the channel, or only some users; moderators only.

        social.plus: `ChannelRepository.Moderation.muteMembers`, `ChannelRepository.Moderation.unmuteMembers`.

        Args:
            seconds: how long; None for ever, 0 ends it.
            user_ids: whom, 1 to 100; everybody without.
        """
        # The wire's unit is milliseconds, -1 for ever.
        body: Json = {"mutePeriod": -1 if seconds is None else int(seconds * 1000)}
        path = f"/api/v2/channel/{part(channel_id)}/mute"
        if user_ids is not None:
            body["userIds"] = _named(user_ids)
            path = f"/api/v2/channel/{part(channel_id)}/users/mute"
        await self._put(path, "mute in the chat", body)


class AsyncMessages(Resource):
    """Messages of channels."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._mentionable: set[str] = set()
        """Public ids of users that were found to exist."""

    @on_loop
    async def send(
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
        checked_text("text", text, TEXT_LIMIT, required=True)
        content = {"dataType": "text", "data": {"text": text}}
        return await self._sent(feed_id, content, parent_id, mentions, metadata, tags)

    @on_loop
    async def send_image(
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
        checked_text("caption", caption, TEXT_LIMIT)
        file_id = await image_id(AsyncFiles(self._session), image)
        content = {"dataType": "image", "fileId": file_id, "data": {"caption": caption} if caption else {}}
        return await self._sent(feed_id, content, parent_id)

    @on_loop
    async def send_custom(self, feed_id: str, data: Mapping[str, Any], *, parent_id: str | None = None) -> Message:
        """Send a message of a kind of your own, which apps of yours understand.

        social.plus: `MessageRepository.createMessage` of type custom.

        Args:
            feed_id: the channel's message feed.
            data: anything that is JSON; the service takes about 10 KB.
            parent_id: the message this one replies to.
        """
        return await self._sent(feed_id, {"dataType": "custom", "data": dict(data)}, parent_id)

    async def _sent(
        self,
        feed_id: str,
        content: Json,
        parent_id: str | None,
        mentions: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
    ) -> Message:
        body: Json = {"messageFeedId": feed_id, "referenceId": secrets.token_hex(12), **content}
        if parent_id is not None:
            body["parentId"] = parent_id
        if mentions:
            body["mentionedUsers"] = await self._mentioned(mentions)
        if metadata:
            body["metadata"] = dict(metadata)
        if tags:
            body["tags"] = list(tags)
        return _message(await self._post("/api/v5/messages", "send the message", body, repeatable=True))

    async def _mentioned(self, user_ids: Sequence[str]) -> list[Json]:
        """The wire's form. A mention of nobody would be lost without a word, so who is not known yet is looked up."""
        if isinstance(user_ids, str) or len(user_ids) > MOST_MENTIONS:
            raise InvalidInput(f"name at most {MOST_MENTIONS} user ids, as a list")
        if unknown := [user_id for user_id in user_ids if user_id not in self._mentionable]:
            self._mentionable |= {user.user_id for user in await AsyncUsers(self._session).get_many(unknown)}
        for user_id in unknown:
            if user_id not in self._mentionable:
                raise InvalidInput(f"mentions: nobody has the id {user_id!r}")
        return [{"type": "user", "userIds": list(user_ids)}] if user_ids else []

    def query(
        self,
        feed_id: str,
        *,
        page_size: int = 50,
        oldest_first: bool = False,
        parent_id: str | None = None,
        deleted: bool = False,
    ) -> AsyncIterator[Message]:
        """Messages of a feed, page after page. Deleted ones are not among them.

        social.plus: `MessageRepository.getMessages`.

        Args:
            feed_id: the channel's message feed.
            page_size: messages per request, 1 to 100.
            oldest_first: from the beginning instead of from the end.
            parent_id: only replies to this message.
            deleted: the deleted ones instead, without their words.
        """
        return Flattened(self._read_pages(feed_id, page_size, oldest_first, parent_id, deleted))

    def pages(
        self,
        feed_id: str,
        *,
        page_size: int = 100,
        oldest_first: bool = False,
        parent_id: str | None = None,
        deleted: bool = False,
    ) -> AsyncIterator[list[Message]]:
        """The same, a page at a time: one step of the iteration is one request.

        Args:
            feed_id: the channel's message feed.
            page_size: messages per request, 1 to 100.
            oldest_first: from the beginning instead of from the end.
            parent_id: only replies to this message.
            deleted: the deleted ones instead, without their words.
        """
        return self._read_pages(feed_id, page_size, oldest_first, parent_id, deleted)

    @on_loop
    async def to_df(self, feed_id: str, *, page_size: int = 100) -> pd.DataFrame:
        """All messages of a feed as a table, oldest first; see `spnb.client.message_table` for the columns.

        Pages become columns as they come: beyond the table itself no memory is used.

        Args:
            feed_id: the channel's message feed.
            page_size: messages per request, 1 to 100.
        """
        from spnb.client.message_table import MessageTable

        table = MessageTable()
        async for page in self._wire_pages(feed_id, page_size, True, None, False):
            table.add(page)
        return table.frame()

    def _read_pages(
        self, feed_id: str, page_size: int, oldest_first: bool, parent_id: str | None, deleted: bool
    ) -> AsyncIterator[list[Message]]:
        pages = self._wire_pages(feed_id, page_size, oldest_first, parent_id, deleted)
        return aiterate(messages_of(page) async for page in pages)

    def _wire_pages(
        self, feed_id: str, page_size: int, oldest_first: bool, parent_id: str | None, deleted: bool
    ) -> AsyncIterator[Json]:
        return self._pages(
            "/api/v5/messages",
            "read messages",
            page_size=page_size,
            messageFeedId=feed_id,
            parentId=parent_id,
            isDeleted=deleted,
            options={"sortBy": "segmentAsc" if oldest_first else "segmentDesc"},
        )

    @on_loop
    async def get(self, message_id: str) -> Message:
        """One message. social.plus: `MessageRepository.getMessage`."""
        return _message(await self._get(f"/api/v5/messages/{part(message_id)}", "read the message"))

    @on_loop
    async def get_many(self, message_ids: Sequence[str]) -> list[Message]:
        """Messages by id, deleted ones too; unknown ones are left out."""
        found: list[Message] = []
        for start in range(0, len(message_ids), IDS_AT_ONCE):
            wanted = list(message_ids[start : start + IDS_AT_ONCE])
            found += messages_of(await self._get("/api/v5/messages/list", "read messages", messageIds=wanted))
        return found

    @on_loop
    async def edit(self, message_id: str, text: str, *, mentions: Sequence[str] | None = None) -> Message:
        """Change the text of your message.

        social.plus: `MessageRepository.editMessage`.

        Args:
            text: 1 to 20 000 characters.
            mentions: public ids of users; without, those it had stay.
        """
        checked_text("text", text, TEXT_LIMIT, required=True)
        body: Json = {"data": {"text": text}}
        if mentions is not None:
            body["mentionedUsers"] = await self._mentioned(mentions)
        return _message(await self._put(f"/api/v5/messages/{part(message_id)}", "edit the message", body))

    @on_loop
    async def delete(self, message_id: str) -> None:
        """Delete your message, or as a moderator anybody's. social.plus: `MessageRepository.softDeleteMessage`."""
        await self._gone(f"/api/v5/messages/{part(message_id)}", "delete the message")

    @on_loop
    async def flag(self, message_id: str, *, reason: str | None = None) -> None:
        """Report a message. social.plus: `MessageRepository.flagMessage`."""
        body = {"reason": reason} if reason else {}
        await self._post(f"/api/v5/messages/{part(message_id)}/flags", "report the message", body, repeatable=True)

    @on_loop
    async def unflag(self, message_id: str) -> None:
        """Take your report back. social.plus: `MessageRepository.unflagMessage`."""
        await self._gone(f"/api/v5/messages/{part(message_id)}/flags", "take the report back")


def _first(answer: Json) -> Channel:
    if not answer.get("channels"):
        raise InvalidInput("the service's answer holds no channel")
    return Channel.model_validate(answer["channels"][0])


def _message(answer: Json) -> Message:
    return messages_of(answer)[0]


def _named(user_ids: Sequence[str]) -> list[str]:
    if isinstance(user_ids, str) or not 1 <= len(user_ids) <= 100:
        raise InvalidInput("name 1 to 100 user ids, as a list")
    return list(user_ids)


def messages_of(answer: Json) -> list[Message]:
    """The messages of an answer or event, each with its sender."""
    users = {user.id: user for user in User.many(_objects(answer.get("users")))}
    bodies = _objects(answer.get("messages"))
    return Message.many([{**body, "creator": users.get(_text(body.get("creatorId")))} for body in bodies])


def _objects(value: Any) -> list[Json]:
    return [body for body in value if isinstance(body, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
