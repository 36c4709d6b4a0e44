"""The way to a room's live chat, in the one order that works: room, its post, its channel.

The service opens no channel by itself, whatever the room's flag says, and a channel wants the post to be there
(live-chat guide; room data model). Each step leaves its mark on the room's record (`Room.steps`), so after a crash or a
lost answer the way is taken up where it broke off, and nothing is doubled.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Awaitable, Callable

from spnb.client.chat import AsyncChannels
from spnb.client.social import AsyncCommunities, AsyncPosts
from spnb.errors import ChatNotOpened, Conflict, InvalidInput, NotFound, ServiceError, Unreachable
from spnb.models import Channel, Post, Room

__all__ = ["Opening"]

log = logging.getLogger(__name__)

NAME_LIMIT = 100


class Opening:
    """Takes rooms the rest of the way.

    Args:
        posts, channels, communities: of the same session.
        read: reads a room's record.
    """

    def __init__(
        self,
        posts: AsyncPosts,
        channels: AsyncChannels,
        communities: AsyncCommunities,
        read: Callable[[str], Awaitable[Room]],
    ) -> None:
        self._communities = communities
        self._posts = posts
        self._channels = channels
        self._read = read
        # Two calls at once for one room go one after the other: the second finds what the first has made.
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    async def check(self, community_id: str) -> None:
        """See that a post may stand in a community, before anything is made for it.

        Raises:
            NotFound: there is no such community.
            InvalidInput: this user is no member of it.
        """
        community = await self._communities.get(community_id)
        if not community.is_joined:
            raise InvalidInput(
                f"you are no member of {community.display_name!r}, so no post of yours can stand there:"
                f" communities.join({community_id!r}) first"
            )

    async def publish(self, room_id: str, community_id: str | None, text: str | None, title: str | None) -> Post:
        """The room's post: the one there is, with its text changed where another is given, or else a new one."""
        lock = self._lock(room_id)
        async with lock:
            return await self._published(await self._read(room_id), community_id, text, title)

    async def open(self, room_id: str, community_id: str | None, name: str | None) -> tuple[Room, Channel]:
        """The room's live channel; what is missing on the way is made.

        Raises:
            ChatNotOpened: a step failed.
        """
        lock = self._lock(room_id)
        async with lock:
            room = await self._read(room_id)
            step = "post"
            try:
                if room.live_channel_id:
                    return room, await self._channels.get(room.live_channel_id)
                post_id = room.reference_id
                if not post_id:
                    # The parent, which the room names too: it is what the vendor's apps open.
                    post_id = (await self._published(room, community_id, room.title, None)).post_id
                step = "channel"
                channel = await self._opened(room_id, post_id, (name or room.title)[:NAME_LIMIT])
                return await self._read(room_id), channel
            except (ServiceError, Unreachable) as error:
                key = room.key
                raise ChatNotOpened(
                    f"room {room_id} is there, but its chat is not open yet: the step `{step}` failed ({error})."
                    f" Go on from there with `open_chat()` on the room, or `create(…, key={key!r})` again:"
                    " nothing is doubled",
                    step=step,
                    room_id=room_id,
                    key=key,
                ) from error

    def _lock(self, room_id: str) -> asyncio.Lock:
        lock = self._locks.get(room_id)
        if lock is None:
            lock = self._locks[room_id] = asyncio.Lock()
        return lock

    async def _published(self, room: Room, community_id: str | None, text: str | None, title: str | None) -> Post:
        post = await self._standing(room) if room.reference_id and community_id in (None, room.target_id) else None
        if post is None:
            post = await self._posts.create_room_post(room.room_id, community_id=community_id, text=text, title=title)
            log.info("room %s: post %s is made", room.room_id, post.post_id)
            return post
        fresh_text = text if text not in (None, post.data.get("text")) else None
        fresh_title = title if title not in (None, post.data.get("title")) else None
        if fresh_text is None and fresh_title is None:
            return post
        return await self._posts.update(post.post_id, text=fresh_text, title=fresh_title)

    async def _standing(self, room: Room) -> Post | None:
        """The parent post of the room; None where it was deleted."""
        try:
            post = await self._posts.get(room.reference_id or "")
            return await self._posts.get(post.parent_post_id) if post.parent_post_id else post
        except NotFound:
            return None

    async def _opened(self, room_id: str, post_id: str, name: str) -> Channel:
        try:
            channel = await self._channels.create_live(room_id, post_id, display_name=name)
        except Conflict:
            # Somebody else, another notebook of the same host, was quicker.
            room = await self._read(room_id)
            if not room.live_channel_id:
                raise
            return await self._channels.get(room.live_channel_id)
        log.info("room %s: channel %s is made", room_id, channel.channel_id)
        return channel
