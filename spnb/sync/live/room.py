"""The blocking twins of `spnb.live.room`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Face, Watch, blocking
from spnb._loop import run
from spnb.live.room_fields import RoomFields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Any

    from spnb.broadcast import AudioOptions, BroadcastEvent, ReconnectOptions, VideoOptions
    from spnb.broadcast.sources import Source
    from spnb.ice import IceServer
    from spnb.live.followed import Observer
    from spnb.live.room import AsyncLiveRoom
    from spnb.live.timeline import Timeline
    from spnb.models import BroadcasterData, IngestAddress, LiveReaction, Post, Room
    from spnb.realtime import Event
    from spnb.recordings import ProgressWish
    from spnb.sync.broadcast.broadcast import Broadcast
    from spnb.sync.client.audience import Presence
    from spnb.sync.client.client import Client
    from spnb.sync.live.audience import Audience
    from spnb.sync.live.chat import Chat
    from spnb.sync.live.invitation import LiveInvitation
    from spnb.sync.live.invite_link import InviteLink
    from spnb.sync.live.products import RoomProducts
    from spnb.sync.live.reactions import LiveReactions
    from spnb.sync.live.stage import Stage
    from spnb.sync.live.viewing import Viewing
    from spnb.sync.recordings.recording import Recording


__all__ = ["LiveRoom"]


class LiveRoom(Face, RoomFields):
    """A room that follows the service while anybody looks at it. Two of one connection are equal where they are of one
    room; its records, where they say the same.

    The blocking twin of `AsyncLiveRoom`.
    """

    _twin: AsyncLiveRoom

    @property
    def client(self) -> Client[Any]:
        """The connection it lives on."""
        found: Client[Any] = blocking(self._twin.client)
        return found

    @property
    def record(self) -> Room:
        """The newest that is known."""
        return self._twin.record

    @property
    def room_id(self) -> str:
        """The room's id."""
        return self._twin.room_id

    @property
    def user_id(self) -> str:
        """The public id of the user on whose connection it lives."""
        return self._twin.user_id

    def timeline(self) -> Timeline:
        """All that happened to the room since this object's first sight of it: events heard, readings that found news,
        own calls, webhooks; each with the time on this machine's clocks and on the service's.
        """
        return self._twin.timeline()

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Have `observer` called with the record at every change.

        social.plus: `RoomRepository.getRoom`, `RoomRepository.onRoomDidUpdate`, `RoomRepository.onRoomStopped`,
        `RoomRepository.onRoomDeleted`.

        It is called on spnb's background loop and must be quick; it may be a coroutine function.

        Returns:
            A function that ends it. Both may be called from any thread.
        """
        return self._twin.observe(observer)

    def watch(self) -> Watch[Room]:
        """The record now, then at each change of status; ends after a final one (recorded, terminated, error), and when
        the room is deleted (`is_deleted` of the last record).

        social.plus: `RoomRepository.onRoomUpdated`.
        """
        return Watch(self._twin.watch())

    def until(self, *statuses: str, timeout: float | None = None) -> Room:
        """Wait until the room is in one of these states.

        social.plus: `RoomRepository.onRoomStartBroadcasting`.

        Args:
            statuses: e.g. `"live"`, or `"ended", "recorded"`.
            timeout: seconds; for ever without.

        Returns:
            The record in that state.

        Raises:
            RoomOver: it can never be in any of them any more, or was deleted.
            TimeoutError: it was not in time.
            InvalidInput: a state is unknown.
        """
        return run(self._twin.until(*statuses, timeout=timeout))

    def refresh(self) -> Room:
        """Read the room again now.

        Raises:
            NotFound: it was deleted.
        """
        return run(self._twin.refresh())

    @property
    def read_error(self) -> str | None:
        """Why the room, which is observed, could not be read last: what is known may be old. None where it could."""
        return self._twin.read_error

    def hear(self, event: Event) -> None:
        """Take news that came another way than this object's own, a webhook. May be called from any thread."""
        self._twin.hear(event)

    def post(self, *, community_id: str | None = None, text: str | None = None, title: str | None = None) -> Post:
        """The room's livestream post, in a community or in your own feed. Where there is one already it is that one,
        changed to this text and title. social.plus: `PostRepository.createRoomPost`.
        """
        return run(self._twin.post(community_id=community_id, text=text, title=title))

    def open_chat(self, *, community_id: str | None = None, name: str | None = None) -> Chat:
        """The room's live chat; opened where it is not, with the post it needs before.

        social.plus: `room.getLiveChat`.

        Done again, or after a crash in between, it picks up what is there: nothing is doubled.

        Raises:
            ChatNotOpened: a step failed; says which, and how to go on.
        """
        found: Chat = blocking(run(self._twin.open_chat(community_id=community_id, name=name)))
        return found

    @property
    def chat(self) -> Chat:
        """The room's live chat, once it is open.

        Raises:
            InvalidInput: it is not; `open_chat()` opens it.
        """
        found: Chat = blocking(self._twin.chat)
        return found

    def go_live(
        self,
        source: Source | str | Path | None = None,
        *,
        video: VideoOptions | None = None,
        audio: AudioOptions | bool = True,
        reconnect: ReconnectOptions | None = None,
        auto_subscribe: bool = False,
        on_event: Callable[[BroadcastEvent], Any] | None = None,
    ) -> Broadcast:
        """Put the room on air with a source (a test card without), and hand out the running broadcast.

        Args:
            source: a source of `spnb.broadcast.sources`, the path of a media file, or the address of a live stream.
            video: how to send the picture: size, rates, codec, simulcast, what is kept when short of bandwidth.
            audio: how to send the sound: volume, stereo, bit rate; or only whether to send it.
            reconnect: how long and how often to try after the connection was lost.
            auto_subscribe: whether what others on stage send comes here too, told as `TrackSubscribed`; not to a page.
            on_event: called with each event, on the background loop.

        Raises:
            SourceError: the source cannot give media; nothing was published.
            BroadcastError: publishing could not start; the room is not left live.
        """
        found: Broadcast = blocking(
            run(
                self._twin.go_live(
                    source,
                    video=video,
                    audio=audio,
                    reconnect=reconnect,
                    auto_subscribe=auto_subscribe,
                    on_event=on_event,
                )
            )
        )
        return found

    def broadcaster_data(self) -> BroadcasterData:
        """What a broadcaster needs to publish. Secret. social.plus: `RoomRepository.getBroadcasterData`."""
        return run(self._twin.broadcaster_data())

    def ingest(self) -> IngestAddress:
        """Server and stream key for OBS or ffmpeg, in a room of type `directStreaming`; a fresh key each time."""
        return run(self._twin.ingest())

    def stop(self) -> Room:
        """End the room for good; what is on air from here leaves first. social.plus: `RoomRepository.stopRoom`."""
        return run(self._twin.stop())

    def update(
        self,
        *,
        title: str | None = None,
        description: str | None = None,
        thumbnail: str | Path | bytes | None = None,
        metadata: Mapping[str, Any] | None = None,
        chat: bool | None = None,
    ) -> Room:
        """Change fields; see `rooms.update`. social.plus: `RoomRepository.updateRoom`."""
        return run(
            self._twin.update(title=title, description=description, thumbnail=thumbnail, metadata=metadata, chat=chat)
        )

    def delete(self) -> None:
        """Delete the room. social.plus: `RoomRepository.deleteRoom`."""
        run(self._twin.delete())

    def recording(
        self, *, timeout: float | None = None, details: bool = True, progress: ProgressWish = None
    ) -> Recording:
        """Wait until the room is recorded, by its event, and hand out its files in order.

        social.plus: `RoomRepository.getRecordedUrl`.

        Args:
            timeout: seconds; for ever without.
            details: whether to ask the files' server for sizes, durations and thumbnails too.
            progress: a function that is told how the wait goes, or False for silence.

        Raises:
            RoomOver: the room was terminated or failed: there will be none.
            TimeoutError: it was not ready in time.
        """
        found: Recording = blocking(run(self._twin.recording(timeout=timeout, details=details, progress=progress)))
        return found

    def download(
        self,
        folder: str | Path,
        *,
        timeout: float | None = None,
        name: str | None = None,
        most_bytes: int | None = None,
        overwrite: bool = False,
        progress: ProgressWish = None,
    ) -> list[Path]:
        """Wait for the recording, at most `timeout` seconds, and fetch its files; see `Recording.download`."""
        return run(
            self._twin.download(
                folder, timeout=timeout, name=name, most_bytes=most_bytes, overwrite=overwrite, progress=progress
            )
        )

    def clip_last(self, seconds: float, path: str | Path, *, exact: bool = False, overwrite: bool = False) -> Path:
        """Write the last seconds of the stream into an MP4 file while it goes on.

        Args:
            seconds: how much; all there is where the stream is younger.
            path: the file to write.
            exact: False copies and begins at the keyframe at or before the wanted moment (up to a segment earlier).
                True encodes anew, from the very frame.
            overwrite: whether a file of this name may be replaced.

        Returns:
            The absolute path.

        Raises:
            InvalidInput: the room is not on air, no such length, the name is taken, or parts of different kinds
                without `exact`.
        """
        return run(self._twin.clip_last(seconds, path, exact=exact, overwrite=overwrite))

    def thumbnail(self) -> bytes | None:
        """The picture of the room: what is live now, or the host's own; None where there is none (yet)."""
        return run(self._twin.thumbnail())

    def post_text(self) -> str | None:
        """The text of the post that carries the room; None where there is no post. User content: show it as text."""
        return run(self._twin.post_text())

    def _repr_html_(self) -> str:
        return self._twin._repr_html_()

    @property
    def hosted(self) -> bool:
        """Whether the room is yours; else you are at most a co-host, and your leaving never ends it."""
        return self._twin.hosted

    @property
    def ice_servers(self) -> tuple[IceServer, ...]:
        """STUN and TURN servers of what is sent, where the user named some."""
        return self._twin.ice_servers

    @property
    def stage(self) -> Stage:
        """Who broadcasts, and who of them is on the stage now."""
        found: Stage = blocking(self._twin.stage)
        return found

    def invite(self, user_id: str) -> LiveInvitation:
        """Invite a user to co-host; a second invitation while one is pending is the same one.

        social.plus: `room.createInvitation`.

        Args:
            user_id: public id.

        Raises:
            Forbidden: the room is not yours.
            NotFound: there is no such user.
            BadRequest: the user is a broadcaster already, or the room is over or full.
        """
        found: LiveInvitation = blocking(run(self._twin.invite(user_id)))
        return found

    def invite_link(self, *, seconds: float = 3600.0) -> InviteLink:
        """Make a link that one guest becomes a co-host by, for whom no user id is needed: `address` is what to hand
        over, and `LiveInvitations(sp).accept_link(address)` what the guest does with it.

        The service knows no such links. This program answers it, by an invitation of the service, while it runs; the
        link's channel of its own is closed after the first guest, at its end, and with the room.

        social.plus: `ChannelRepository.createChannel`, `room.createInvitation`.

        Args:
            seconds: how long it may be used, at most 7 days.

        Raises:
            InvalidInput: the room is not yours, or `seconds` is out of bounds.
            RoomOver: it has ended.
        """
        found: InviteLink = blocking(run(self._twin.invite_link(seconds=seconds)))
        return found

    def invitations(self) -> list[LiveInvitation]:
        """All invitations to the room, newest first. social.plus: `InvitationRepository.getInvitations`."""
        found: list[LiveInvitation] = blocking(run(self._twin.invitations()))
        return found

    def invitation(self) -> LiveInvitation | None:
        """The newest invitation of you to the room; None where there is none. social.plus: `room.getInvitations`."""
        found: LiveInvitation | None = blocking(run(self._twin.invitation()))
        return found

    def join_stage(
        self,
        source: Source | str | Path | None = None,
        *,
        video: VideoOptions | None = None,
        audio: AudioOptions | bool = True,
        reconnect: ReconnectOptions | None = None,
        auto_subscribe: bool = False,
        on_event: Callable[[BroadcastEvent], Any] | None = None,
    ) -> Broadcast:
        """Come onto the stage as a co-host, once the room is live, and hand out the running `Broadcast`.

        Its end leaves the air only: the room goes on, and you may join again until you `leave_stage()`.

        Args:
            source: a source of `spnb.broadcast.sources`, the path of a media file, the address of a live stream; a test
                card without.
            video: how to send the picture: size, rates, codec, simulcast, what is kept when short of bandwidth.
            audio: how to send the sound: volume, stereo, bit rate; or only whether to send it.
            reconnect: how long and how often to try after the connection was lost.
            auto_subscribe: whether what others on stage send comes here too, told as `TrackSubscribed`; not to a page.
            on_event: called with each event, on the background loop.

        Raises:
            InvalidInput: the room is yours: `go_live()` is the host's way.
            Forbidden: you have not accepted an invitation, or were removed.
            BadRequest: the room is not live yet, or over.
        """
        found: Broadcast = blocking(
            run(
                self._twin.join_stage(
                    source,
                    video=video,
                    audio=audio,
                    reconnect=reconnect,
                    auto_subscribe=auto_subscribe,
                    on_event=on_event,
                )
            )
        )
        return found

    def leave_stage(self) -> None:
        """Stop being a co-host: leave the air, if you are on it from here, then the room's broadcasters.

        social.plus: `RoomRepository.leaveRoom`.

        Raises:
            BadRequest: the room is yours: `stop()` ends it.
            NotFound: you are no co-host.
        """
        run(self._twin.leave_stage())

    def remove(self, user_id: str) -> None:
        """Take a co-host off the stage and out of the room's broadcasters; host only.

        social.plus: `RoomRepository.removeParticipant`.

        Raises:
            Forbidden: the room is not yours.
            NotFound: the user is no co-host of it.
        """
        run(self._twin.remove(user_id))

    def let_manage_products(self, user_id: str, allowed: bool = True) -> None:
        """Grant or take a co-host's right to tag and pin products; host only.

        social.plus: `RoomRepository.updateCohostPermission`.

        Raises:
            Forbidden: the room is not yours.
            NotFound: the user is no co-host of it.
        """
        run(self._twin.let_manage_products(user_id, allowed))

    def viewers(self) -> int:
        """How many users watch now. social.plus: `RoomPresenceRepository.getRoomUserCount`."""
        return run(self._twin.viewers())

    @property
    def presence(self) -> Presence:
        """Heartbeats, viewers and watch sessions, on the connection the room lives on."""
        found: Presence = blocking(self._twin.presence)
        return found

    @property
    def reactions(self) -> LiveReactions:
        """Floating reactions counted by name, from the first look on; `send()` sends."""
        found: LiveReactions = blocking(self._twin.reactions)
        return found

    def react(self, name: str, times: int = 1) -> list[LiveReaction]:
        """Send a floating reaction: gathered for a second, kept while the network is away, flushed at the close.

        social.plus: `LiveReactionRepository.createReaction`.

        Args:
            name: e.g. `heart`; at most 100 characters.
            times: how often.

        Raises:
            InvalidInput: no post carries the room yet.
        """
        return run(self._twin.react(name, times))

    def live_reactions(self) -> Watch[LiveReaction]:
        """Every floating reaction from now on, one's own too. Ends only when it is left.

        social.plus: `LiveReactionRepository.getReactions`, `LiveReactionRepository.onLiveReactionCreated`.
        """
        return Watch(self._twin.live_reactions())

    @property
    def audience(self) -> Audience:
        """How many watch, and who; shared by all who look at this room on this connection.

        social.plus: `RoomPresenceRepository.getRoomOnlineUsers`.
        """
        found: Audience = blocking(self._twin.audience)
        return found

    def watch_session(self) -> Viewing:
        """A viewing of this room: presence and a watch session. `with` starts and ends it.

        social.plus: `room.analytics`, `RoomPresenceRepository.stopHeartbeat`.
        """
        found: Viewing = blocking(self._twin.watch_session())
        return found

    @property
    def products(self) -> RoomProducts:
        """What is sold in this room: tag, pin, follow."""
        found: RoomProducts = blocking(self._twin.products)
        return found

    @property
    def asynchronous(self) -> AsyncLiveRoom:
        """The async twin: the same object, to be awaited."""
        return self._twin
