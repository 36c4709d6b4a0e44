"""Rooms: create, read, list, change, stop; credentials and recordings; who may broadcast and watch."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from spnb._loop import Flattened, aiterate, on_loop
from spnb.client.answers import read_object
from spnb.client.chat import AsyncChannels
from spnb.client.files import AsyncFiles, image_id
from spnb.client.opening import Opening
from spnb.client.records import LivePost, Records
from spnb.client.resource import KEY, Resource, checked_text, create_once, fresh_key, part, settled, with_key
from spnb.client.session import Session
from spnb.client.social import AsyncCommunities, AsyncPosts
from spnb.errors import InvalidInput
from spnb.models import (
    BroadcasterData,
    Channel,
    PlaybackInfo,
    Post,
    Recording,
    Room,
    RoomType,
    Sort,
    User,
    asked_statuses,
)
from spnb.record import ReadRecords

if TYPE_CHECKING:
    from spnb.live.collection import AsyncLiveRooms

__all__ = ["AsyncRooms"]

R = TypeVar("R")
Json = dict[str, Any]

TITLE_LIMIT, DESCRIPTION_LIMIT = 1000, 5000
KEY_LIMIT = 100
LOST_CREATION = dt.timedelta(minutes=10)
"""How much older than the newest room one can be whose creation was not answered."""


class AsyncRooms(Resource, Generic[R]):
    """Broadcast rooms.

    Every room handed out goes through the client's `room_factory`: with `spnb.connect()` that makes live rooms.
    """

    def __init__(
        self, session: Session, files: AsyncFiles, posts: AsyncPosts, channels: AsyncChannels, client: Any
    ) -> None:
        super().__init__(session)
        self._files = files
        self._opening = Opening(posts, channels, AsyncCommunities(session), self.record)
        self._client = client
        self._hand_out: Callable[[Room], R] = client.hand_out

    @on_loop
    async def create(
        self,
        title: str,
        *,
        description: str | None = None,
        thumbnail: str | Path | bytes | None = None,
        metadata: Mapping[str, Any] | None = None,
        chat: bool = True,
        community_id: str | None = None,
        key: str | None = None,
        type: RoomType = "coHosts",
        parent_room_id: str | None = None,
    ) -> R:
        """Create a room, publish its post and open its live chat. The room is idle until media arrives.

        social.plus: `RoomRepository.createRoom`.

        A live chat needs three things in this order: the room, the post that carries it, the live channel. Each step
        shows in the room's `steps`; after a failure the way is taken up where it broke off, and nothing is made twice.
        A request whose answer is lost is not repeated blindly: the room is looked for by its key in its metadata first.

        Args:
            title: 1 to 1000 characters (the Console shows 150). It is the post's text, until `room.post(text=…)`
                changes that.
            description: at most 5000 characters.
            thumbnail: id of an uploaded image, or an image to upload (path or bytes, at most 2 MB).
            metadata: anything of yours, kept with the room.
            chat: False makes the room alone, without post and chat.
            community_id: the community the post goes to, of which you are a member; your own feed without it.
            key: a name of your own for this creation, at most 100 characters: the same key gives the same room. It is
                looked for among all rooms of the network, a hundred per request, newest first.
            type: `coHosts` goes live through LiveKit; `directStreaming`, the service's own default, over RTMP.
            parent_room_id: the main room, for an additional feed.

        Raises:
            InvalidInput: a limit is broken, or you are no member of the community; no room was made.
            NotFound: there is no such community; no room was made.
            ChatNotOpened: the room was made, but its post or channel was not; says how to go on.
        """
        checked_text("title", title, TITLE_LIMIT, required=True)
        checked_text("description", description, DESCRIPTION_LIMIT)
        checked_text("key", key, KEY_LIMIT, required=key is not None)
        if community_id and not chat:
            raise InvalidInput("community_id goes with chat=True; without chat, publish with room.post(community_id=…)")
        body: Json = {
            "title": title,
            "type": type,
            "liveChatEnabled": chat,
            "metadata": with_key(metadata, key or fresh_key()),
        }
        if description is not None:
            body["description"] = description
        if parent_room_id is not None:
            body["parentRoomId"] = checked_text("parent_room_id", parent_room_id, 50)
        room = await self._found(key) if key else None
        if room is None:
            if community_id is not None:
                await self._opening.check(community_id)
            if thumbnail is not None:
                body["thumbnailFileId"] = await image_id(self._files, thumbnail)
            room = await self._made(body)
        if chat:
            room, _ = await self._opening.open(room.room_id, community_id, None)
        return self._hand_out(room)

    async def _made(self, body: Json) -> Room:
        async def create() -> Room:
            return _first(await self._post("/api/v1/rooms", "create the room", body))

        async def find() -> Room | None:
            return await self._found(body["metadata"][KEY], within=LOST_CREATION)

        return await create_once(create, find)

    async def _found(self, key: str, *, within: dt.timedelta | None = None) -> Room | None:
        """The user's own room with this key.

        Args:
            within: how much older than the newest room of all it may be; any age without it.
        """
        mine = self._session.credentials.user_id
        newest: dt.datetime | None = None
        async for room in self._rooms(statuses=None, type=None, sort="lastCreated", deleted=False, page_size=100):
            if room.key == key and room.created_by in (mine, None):
                return room
            newest = newest or room.created_at
            if within is not None and newest and room.created_at and newest - room.created_at > within:
                break
        return None

    @on_loop
    async def open_chat(self, room_id: str, *, community_id: str | None = None, name: str | None = None) -> Channel:
        """Your room's live channel; the post and the channel are made where they are missing.

        social.plus: `room.getLiveChat`.

        Args:
            community_id: the community a missing post goes to; your own feed without it.
            name: of a new channel; the room's title without it.

        Raises:
            ChatNotOpened: a step failed; says which, and how to go on.
        """
        return (await self._opening.open(room_id, community_id, name))[1]

    @on_loop
    async def publish(
        self, room_id: str, *, community_id: str | None = None, text: str | None = None, title: str | None = None
    ) -> Post:
        """Your room's livestream post. Where there is one it is that, changed to this text and title; else a new one.

        social.plus: `PostRepository.createRoomPost`.

        Args:
            community_id: the community it stands in; without it, where it stands already, or your own feed.
            text: at most 50 000 characters.
            title: at most 150 characters.
        """
        return await self._opening.publish(room_id, community_id, text, title)

    @on_loop
    async def get(self, room_id: str) -> R:
        """One room.

        social.plus: `RoomRepository.getRoom`.

        Raises:
            NotFound: there is none with this id, or it was deleted.
        """
        return self._hand_out(await self.record(room_id))

    @on_loop
    async def record(self, room_id: str) -> Room:
        """One room as the plain record of this moment."""
        return _first(await self._get(f"/api/v1/rooms/{part(room_id)}", "read the room"))

    def query(
        self,
        *,
        statuses: str | Sequence[str] | None = None,
        type: RoomType | None = None,
        sort: Sort = "lastCreated",
        deleted: bool | None = False,
        page_size: int = 20,
    ) -> AsyncIterator[R]:
        """Rooms, page after page.

        social.plus: `RoomRepository.getRooms`.

        Args:
            statuses: only these, one or several; all without.
            type: `coHosts` or `directStreaming`.
            sort: newest or oldest first.
            deleted: False leaves deleted rooms out, True asks for only them, None for both.
            page_size: rooms per request, 1 to 100.
        """
        pages = self._room_pages(statuses, type, sort, deleted, page_size)
        return Flattened(aiterate([self._hand_out(room) for room in page] async for page in pages))

    async def _rooms(
        self, *, statuses: str | Sequence[str] | None, type: str | None, sort: str, deleted: bool | None, page_size: int
    ) -> AsyncIterator[Room]:
        async for page in self._room_pages(statuses, type, sort, deleted, page_size):
            for room in page:
                yield room

    def _room_pages(
        self, statuses: str | Sequence[str] | None, type: str | None, sort: str, deleted: bool | None, page_size: int
    ) -> AsyncIterator[ReadRecords[Room]]:
        wanted = None if statuses is None else asked_statuses(statuses)
        pages = self._pages(
            "/api/v1/rooms",
            "list rooms",
            page_size=page_size,
            statuses=wanted,
            type=type,
            sortBy=sort,
            isDeleted=deleted,
        )
        return (Room.many(page.get("rooms")) async for page in pages)

    def follow(
        self,
        statuses: str | Sequence[str] | None = ("live", "waitingReconnect"),
        *,
        type: RoomType | None = None,
        sort: Sort = "lastCreated",
        deleted: bool | None = False,
    ) -> AsyncLiveRooms:
        """A live collection: `observe()` or `watch()` it, and it stays true.

        social.plus: `RoomRepository.getRooms`, `RoomRepository.onRoomCreated`, `RoomRepository.onRoomDeleted`.

        Args:
            statuses: only these, one or several; None for all. The rest as for `query()`.
        """
        from spnb.live.collection import AsyncLiveRooms

        return AsyncLiveRooms(self._client, statuses, type=type, sort=sort, deleted=deleted)

    @on_loop
    async def live(self) -> Records[R]:
        """All rooms on air now, those waiting for their publisher included, newest first."""
        found: Records[R] = Records()
        async for page in self._room_pages(["live", "waitingReconnect"], None, "lastCreated", False, 100):
            found += map(self._hand_out, page)
            found.skipped += page.skipped
        return found

    @on_loop
    async def records(
        self,
        *,
        statuses: str | Sequence[str] | None,
        type: str | None = None,
        sort: Sort = "lastCreated",
        deleted: bool | None = False,
        most: int = 100,
    ) -> list[Room]:
        """Up to `most` plain records of rooms in these states; the rest as for `query()`."""
        found: list[Room] = []
        size = min(most, 100)
        async for room in self._rooms(statuses=statuses, type=type, sort=sort, deleted=deleted, page_size=size):
            found.append(room)
            if len(found) >= most:
                break
        return found

    @on_loop
    async def lives(
        self,
        target_types: Sequence[Literal["all", "community", "user"]] = ("all",),
        target_ids: Sequence[str] | None = None,
        limit: int = 100,
    ) -> Records[LivePost]:
        """What is live now with the posts that carry it; rooms without a post are not among them.

        social.plus: `PostRepository.getLiveRoomPosts`.

        Args:
            target_types: where the posts stand.
            target_ids: only posts of these communities or users.
            limit: 1 to 100.
        """
        answer = await self._get(
            "/api/v1/rooms/lives",
            "list what is live",
            targetTypes=list(target_types),
            targetIds=list(target_ids) if target_ids else None,
            options={"limit": limit, "sortBy": "lastCreated"},
        )
        posts = {post.post_id: post for post in Post.many(answer.get("posts"))}
        users = {user.user_id: user for user in User.many(answer.get("users"))}
        rooms = Room.many(answer.get("rooms"))
        found = Records.of(
            LivePost(room, posts.get(room.reference_id or ""), users.get(room.created_by or "")) for room in rooms
        )
        found.skipped = rooms.skipped
        return found

    @on_loop
    async def update(
        self,
        room_id: str,
        *,
        title: str | None = None,
        description: str | None = None,
        thumbnail: str | Path | bytes | None = None,
        metadata: Mapping[str, Any] | None = None,
        chat: bool | None = None,
    ) -> R:
        """Change fields of your room; what is not named stays.

        social.plus: `RoomRepository.updateRoom`.

        Raises:
            InvalidInput: a limit is broken.
            Forbidden: it is somebody else's room.
        """
        body: Json = {}
        if title is not None:
            body["title"] = checked_text("title", title, TITLE_LIMIT, required=True)
        if description is not None:
            body["description"] = checked_text("description", description, DESCRIPTION_LIMIT)
        if thumbnail is not None:
            body["thumbnailFileId"] = await image_id(self._files, thumbnail)
        if metadata is not None:
            # The creation's key goes on living in it: by the same key the same room is found.
            key = (await self.record(room_id)).key
            body["metadata"] = dict(metadata) if key is None else with_key(metadata, key)
        if chat is not None:
            body["liveChatEnabled"] = chat
        if not body:
            raise InvalidInput("nothing to change was named")
        return self._hand_out(_first(await self._put(f"/api/v1/rooms/{part(room_id)}", "change the room", body)))

    @on_loop
    async def delete(self, room_id: str) -> None:
        """Delete your room. social.plus: `RoomRepository.deleteRoom`."""
        await self._gone(f"/api/v1/rooms/{part(room_id)}", "delete the room")

    @on_loop
    async def stop(self, room_id: str) -> R:
        """End your broadcast for good. Disconnect from LiveKit first: `Broadcast` keeps that order.

        social.plus: `RoomRepository.stopRoom`.

        Raises:
            BadRequest: the room has never been live.
            Forbidden: it is somebody else's room.
        """
        # Stopping twice answers like once, so it may be sent again.
        path = f"/api/v1/rooms/{part(room_id)}/stop"
        return self._hand_out(_first(await self._post(path, "stop the room", {}, repeatable=True)))

    @on_loop
    async def broadcaster_data(self, room_id: str) -> BroadcasterData:
        """What a broadcaster needs to publish: LiveKit address and token, or an ingest address. Secret.

        social.plus: `RoomRepository.getBroadcasterData`.

        Raises:
            Forbidden: you are neither host nor a co-host who accepted.
            BadRequest: the room is over.
        """
        path = f"/api/v1/rooms/{part(room_id)}/token"
        return BroadcasterData.model_validate(await self._get(path, "get broadcaster data"))

    @on_loop
    async def recording(self, room_id: str) -> Recording:
        """Addresses of the recorded files, in order. Signed: treat them as secrets.

        social.plus: `RoomRepository.getRecordedUrl`.

        Raises:
            BadRequest: the room is not recorded yet.
        """
        path = f"/api/v1/rooms/{part(room_id)}/recorded"
        answer = await self._session.request("GET", path, doing="get the recording")
        return Recording.from_answer(read_object(answer, "get the recording"))

    @on_loop
    async def thumbnail_address(self, info: PlaybackInfo) -> str | None:
        """The signed address of a recorded file's thumbnail; None where there is none. Secret."""
        if info.thumbnail_url is None:
            return None
        return await self._session.signed(info.thumbnail_url, doing="get the thumbnail")

    @on_loop
    async def thumbnail(self, room: Room) -> bytes | None:
        """The picture of a room: its recording's, what is live now, or the host's own; None where there is none yet."""
        for info in room.recorded_playback_infos if room.status == "recorded" else ():
            recorded = await self.thumbnail_address(info)
            if recorded is not None:
                return await self._session.fetch(recorded)
        address = room.live_thumbnail_url
        if address is None and room.thumbnail_file_id:
            address = (await self._files.get(room.thumbnail_file_id)).file_url
        return await self._session.fetch(address) if address else None

    @on_loop
    async def leave(self, room_id: str) -> None:
        """Leave the stage as a co-host. social.plus: `RoomRepository.leaveRoom`."""
        me = self._session.credentials.user_id

        async def is_so() -> Json | None:
            return None if me in [person.user_id for person in (await self.record(room_id)).participants] else {}

        await settled(self._post(f"/api/v1/rooms/{part(room_id)}/leave", "leave the room", {}, repeatable=True), is_so)

    @on_loop
    async def remove_participant(self, room_id: str, user_id: str) -> None:
        """Take a co-host off the stage; host only. social.plus: `RoomRepository.removeParticipant`."""
        await self._gone(f"/api/v1/rooms/{part(room_id)}/participants/{part(user_id)}", "remove the participant")

    @on_loop
    async def set_participant(self, room_id: str, user_id: str, *, can_manage_product_tags: bool) -> R:
        """Grant or take a co-host's right to manage products; host only.

        social.plus: `RoomRepository.updateCohostPermission`.
        """
        body = {"canManageProductTags": can_manage_product_tags}
        path = f"/api/v1/rooms/{part(room_id)}/participants/{part(user_id)}"
        return self._hand_out(_first(await self._put(path, "change the participant", body)))

    @on_loop
    async def ban_viewers(self, room_id: str, user_ids: Sequence[str]) -> None:
        """Ban 1 to 100 users from watching."""
        body = {"userIds": _ids(user_ids)}
        await self._post(f"/api/v1/rooms/{part(room_id)}/viewer-bans", "ban viewers", body, repeatable=True)

    @on_loop
    async def unban_viewers(self, room_id: str, user_ids: Sequence[str]) -> None:
        """Let banned users watch again."""
        body = {"userIds": _ids(user_ids)}

        async def is_so() -> Json | None:
            return None if set(user_ids) & set(await self.banned_viewers(room_id)) else {}

        await settled(self._delete(f"/api/v1/rooms/{part(room_id)}/viewer-bans", "unban viewers", json=body), is_so)

    @on_loop
    async def banned_viewers(self, room_id: str) -> list[str]:
        """Public ids of the users banned from watching."""
        found: list[str] = []
        token: str | None = None
        while True:
            # This list alone takes its paging flat, without brackets.
            answer = await self._get(
                f"/api/v1/rooms/{part(room_id)}/viewer-bans",
                "list banned viewers",
                limit=None if token else 100,
                token=token,
            )
            found += [ban["userPublicId"] for ban in answer.get("roomBannedUsers", [])]
            token = (answer.get("paging") or {}).get("next")
            if not token:
                return found


def _first(answer: Json) -> Room:
    return Room.model_validate(answer["rooms"][0])


def _ids(user_ids: Sequence[str]) -> list[str]:
    if isinstance(user_ids, str) or not 1 <= len(user_ids) <= 100:
        raise InvalidInput("name 1 to 100 user ids, as a list")
    return list(user_ids)
