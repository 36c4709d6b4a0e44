"""The blocking twins of `spnb.client.rooms`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from spnb._faces import Face, Watch, blocking
from spnb._loop import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any, Literal

    from spnb.client.records import LivePost, Records
    from spnb.client.rooms import AsyncRooms
    from spnb.models import BroadcasterData, Channel, PlaybackInfo, Post, Recording, Room, RoomType, Sort
    from spnb.sync.live.collection import LiveRooms


__all__ = ["Rooms"]

R = TypeVar("R")


class Rooms(Face, Generic[R]):
    """Broadcast rooms.

    The blocking twin of `AsyncRooms`.

    Every room handed out goes through the client's `room_factory`: with `spnb.connect()` that makes live rooms.
    """

    _twin: AsyncRooms[Any]

    def create(
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
        found: R = blocking(
            run(
                self._twin.create(
                    title,
                    description=description,
                    thumbnail=thumbnail,
                    metadata=metadata,
                    chat=chat,
                    community_id=community_id,
                    key=key,
                    type=type,
                    parent_room_id=parent_room_id,
                )
            )
        )
        return found

    def open_chat(self, room_id: str, *, community_id: str | None = None, name: str | None = None) -> Channel:
        """Your room's live channel; the post and the channel are made where they are missing.

        social.plus: `room.getLiveChat`.

        Args:
            community_id: the community a missing post goes to; your own feed without it.
            name: of a new channel; the room's title without it.

        Raises:
            ChatNotOpened: a step failed; says which, and how to go on.
        """
        return run(self._twin.open_chat(room_id, community_id=community_id, name=name))

    def publish(
        self, room_id: str, *, community_id: str | None = None, text: str | None = None, title: str | None = None
    ) -> Post:
        """Your room's livestream post. Where there is one it is that, changed to this text and title; else a new one.

        social.plus: `PostRepository.createRoomPost`.

        Args:
            community_id: the community it stands in; without it, where it stands already, or your own feed.
            text: at most 50 000 characters.
            title: at most 150 characters.
        """
        return run(self._twin.publish(room_id, community_id=community_id, text=text, title=title))

    def get(self, room_id: str) -> R:
        """One room.

        social.plus: `RoomRepository.getRoom`.

        Raises:
            NotFound: there is none with this id, or it was deleted.
        """
        found: R = blocking(run(self._twin.get(room_id)))
        return found

    def record(self, room_id: str) -> Room:
        """One room as the plain record of this moment."""
        return run(self._twin.record(room_id))

    def query(
        self,
        *,
        statuses: str | Sequence[str] | None = None,
        type: RoomType | None = None,
        sort: Sort = "lastCreated",
        deleted: bool | None = False,
        page_size: int = 20,
    ) -> Watch[R]:
        """Rooms, page after page.

        social.plus: `RoomRepository.getRooms`.

        Args:
            statuses: only these, one or several; all without.
            type: `coHosts` or `directStreaming`.
            sort: newest or oldest first.
            deleted: False leaves deleted rooms out, True asks for only them, None for both.
            page_size: rooms per request, 1 to 100.
        """
        return Watch(
            self._twin.query(statuses=statuses, type=type, sort=sort, deleted=deleted, page_size=page_size), faces=True
        )

    def follow(
        self,
        statuses: str | Sequence[str] | None = ("live", "waitingReconnect"),
        *,
        type: RoomType | None = None,
        sort: Sort = "lastCreated",
        deleted: bool | None = False,
    ) -> LiveRooms:
        """A live collection: `observe()` or `watch()` it, and it stays true.

        social.plus: `RoomRepository.getRooms`, `RoomRepository.onRoomCreated`, `RoomRepository.onRoomDeleted`.

        Args:
            statuses: only these, one or several; None for all. The rest as for `query()`.
        """
        found: LiveRooms = blocking(self._twin.follow(statuses, type=type, sort=sort, deleted=deleted))
        return found

    def live(self) -> Records[R]:
        """All rooms on air now, those waiting for their publisher included, newest first."""
        found: Records[R] = blocking(run(self._twin.live()))
        return found

    def records(
        self,
        *,
        statuses: str | Sequence[str] | None,
        type: str | None = None,
        sort: Sort = "lastCreated",
        deleted: bool | None = False,
        most: int = 100,
    ) -> list[Room]:
        """Up to `most` plain records of rooms in these states; the rest as for `query()`."""
        return run(self._twin.records(statuses=statuses, type=type, sort=sort, deleted=deleted, most=most))

    def lives(
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
        return run(self._twin.lives(target_types, target_ids, limit))

    def update(
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
        found: R = blocking(
            run(
                self._twin.update(
                    room_id, title=title, description=description, thumbnail=thumbnail, metadata=metadata, chat=chat
                )
            )
        )
        return found

    def delete(self, room_id: str) -> None:
        """Delete your room. social.plus: `RoomRepository.deleteRoom`."""
        run(self._twin.delete(room_id))

    def stop(self, room_id: str) -> R:
        """End your broadcast for good. Disconnect from LiveKit first: `Broadcast` keeps that order.

        social.plus: `RoomRepository.stopRoom`.

        Raises:
            BadRequest: the room has never been live.
            Forbidden: it is somebody else's room.
        """
        found: R = blocking(run(self._twin.stop(room_id)))
        return found

    def broadcaster_data(self, room_id: str) -> BroadcasterData:
        """What a broadcaster needs to publish: LiveKit address and token, or an ingest address. Secret.

        social.plus: `RoomRepository.getBroadcasterData`.

        Raises:
            Forbidden: you are neither host nor a co-host who accepted.
            BadRequest: the room is over.
        """
        return run(self._twin.broadcaster_data(room_id))

    def recording(self, room_id: str) -> Recording:
        """Addresses of the recorded files, in order. Signed: treat them as secrets.

        social.plus: `RoomRepository.getRecordedUrl`.

        Raises:
            BadRequest: the room is not recorded yet.
        """
        return run(self._twin.recording(room_id))

    def thumbnail_address(self, info: PlaybackInfo) -> str | None:
        """The signed address of a recorded file's thumbnail; None where there is none. Secret."""
        return run(self._twin.thumbnail_address(info))

    def thumbnail(self, room: Room) -> bytes | None:
        """The picture of a room: its recording's, what is live now, or the host's own; None where there is none yet."""
        return run(self._twin.thumbnail(room))

    def leave(self, room_id: str) -> None:
        """Leave the stage as a co-host. social.plus: `RoomRepository.leaveRoom`."""
        run(self._twin.leave(room_id))

    def remove_participant(self, room_id: str, user_id: str) -> None:
        """Take a co-host off the stage; host only. social.plus: `RoomRepository.removeParticipant`."""
        run(self._twin.remove_participant(room_id, user_id))

    def set_participant(self, room_id: str, user_id: str, *, can_manage_product_tags: bool) -> R:
        """Grant or take a co-host's right to manage products; host only.

        social.plus: `RoomRepository.updateCohostPermission`.
        """
        found: R = blocking(
            run(self._twin.set_participant(room_id, user_id, can_manage_product_tags=can_manage_product_tags))
        )
        return found

    def ban_viewers(self, room_id: str, user_ids: Sequence[str]) -> None:
        """Ban 1 to 100 users from watching."""
        run(self._twin.ban_viewers(room_id, user_ids))

    def unban_viewers(self, room_id: str, user_ids: Sequence[str]) -> None:
        """Let banned users watch again."""
        run(self._twin.unban_viewers(room_id, user_ids))

    def banned_viewers(self, room_id: str) -> list[str]:
        """Public ids of the users banned from watching."""
        return run(self._twin.banned_viewers(room_id))

    @property
    def asynchronous(self) -> AsyncRooms[Any]:
        """The async twin: the same object, to be awaited."""
        return self._twin
