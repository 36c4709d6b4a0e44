"""The service's records as frozen pydantic models.

A record is plain data: what one JSON object of the service said at one moment. Unknown fields are kept (`model_extra`),
unknown enum values stay strings, absent optional fields are None, so a newer service never breaks an older spnb.
Attribute names are snake_case; the wire's camelCase names are aliases (`Room.model_validate(json)`).
Field meanings: social.plus data-model pages and TypeScript SDK 7.20.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field

from spnb.errors import ConfigError
from spnb.gaps import RecordingGap, missing
from spnb.record import Record, Time
from spnb.statuses import FINAL_STATUSES, STATUS_LABELS, RoomStatus, asked_statuses, normal_status

__all__ = [
    "FINAL_STATUSES",
    "STATUS_LABELS",
    "BroadcasterData",
    "Channel",
    "ChannelMember",
    "Comment",
    "Community",
    "File",
    "IngestAddress",
    "Invitation",
    "LiveReaction",
    "Message",
    "Moderation",
    "ModerationLabel",
    "Participant",
    "PlaybackInfo",
    "Post",
    "Product",
    "Reactor",
    "Record",
    "Recording",
    "Resolution",
    "Room",
    "RoomStatus",
    "RoomType",
    "Sort",
    "User",
    "Viewer",
    "WatchSession",
    "asked_statuses",
    "normal_status",
    "normal_type",
]

RoomType = Literal["directStreaming", "coHosts"]
Sort = Literal["lastCreated", "firstCreated"]
"""Newest or oldest first."""


def normal_type(value: Any) -> Any:
    """The current spelling of a room type (`co_hosts` → `coHosts`); unknown ones unchanged."""
    known = {"co_hosts": "coHosts", "direct_streaming": "directStreaming"}
    return known.get(value, value) if isinstance(value, str) else value


class User(Record, frozen=True):
    """A user of the network. `user_id` is the public id, `id` the internal one (24 hex)."""

    id: str = Field(default="", alias="_id")
    user_id: str = ""
    display_name: str | None = None
    path: str | None = None
    roles: list[str] = Field(default_factory=list)
    metadata: dict[str, Any] | None = None
    avatar_file_id: str | None = None
    created_at: Time | None = None
    updated_at: Time | None = None

    @property
    def network_id(self) -> str | None:
        """The part of `path` before `/user/`: the root of all MQTT topics."""
        return self.path.split("/user/")[0] if self.path else None


class File(Record, frozen=True):
    """An uploaded file or image."""

    file_id: str
    file_url: str | None = None
    type: str | None = None
    attributes: dict[str, Any] | None = None
    created_at: Time | None = None


class Participant(Record, frozen=True):
    """A broadcaster of a room (never a viewer): its host or a co-host."""

    type: str
    user_id: str
    user_internal_id: str | None = None
    can_manage_product_tags: bool = False


class Resolution(Record, frozen=True):
    """Size of a stream in pixels."""

    width: int | None = None
    height: int | None = None
    aspect_ratio: str | None = None


class PlaybackInfo(Record, frozen=True):
    """Addresses of one recorded file; both answer with a redirect to a signed address."""

    url: str = Field(repr=False)
    thumbnail_url: str | None = Field(default=None, repr=False)


class ModerationLabel(Record, frozen=True):
    """One finding of the automatic moderation."""

    category: str = Field(validation_alias=AliasChoices("category", "categoryId"))
    threshold: float | None = None
    detected_at: Time | None = None


class Moderation(Record, frozen=True):
    """Findings of the automatic moderation of a room."""

    flag_labels: list[ModerationLabel] = Field(default_factory=list)
    terminate_labels: list[ModerationLabel] = Field(default_factory=list)
    updated_at: Time | None = None


class Room(Record, frozen=True):
    """A broadcast room as the service described it at one moment."""

    room_id: str
    id: str = Field(default="", alias="_id")
    type: Annotated[str, BeforeValidator(normal_type)] = "directStreaming"
    status: Annotated[str, BeforeValidator(normal_status)] = "idle"
    title: str = ""
    description: str | None = None
    thumbnail_file_id: str | None = None
    metadata: dict[str, Any] | None = None
    target_type: str | None = None
    target_id: str | None = None
    target_visibility: str | None = None
    reference_type: str | None = None
    reference_id: str | None = None
    live_chat_enabled: bool = Field(
        default=True,
        validation_alias=AliasChoices("liveChatEnabled", "liveChannelEnabled", "channelEnabled", "live_chat_enabled"),
    )
    live_channel_id: str | None = None
    participants: list[Participant] = Field(default_factory=list)
    live_playback_url: str | None = Field(default=None, repr=False)
    live_thumbnail_url: str | None = Field(default=None, repr=False)
    live_resolution: Resolution | None = None
    recorded_playback_infos: list[PlaybackInfo] = Field(default_factory=list)
    recorded_resolution: Resolution | None = None
    duration_seconds: float | None = None
    recording_gaps: list[RecordingGap] = Field(default_factory=list)
    recording_problem: str | None = None
    """Why the recording is not finished yet, where that failed; it is tried again. The sandbox tells it."""
    moderation: Moderation | None = None
    parent_room_id: str | None = None
    child_room_ids: list[str] = Field(default_factory=list)
    created_by: str | None = None
    creator_internal_id: str | None = None
    created_at: Time | None = None
    updated_at: Time | None = None
    live_at: Time | None = None
    ended_at: Time | None = None
    recorded_at: Time | None = None
    is_deleted: bool = False
    path: str | None = None

    @property
    def is_live(self) -> bool:
        """On air, or waiting for its publisher to come back."""
        return self.status in ("live", "waitingReconnect")

    @property
    def is_over(self) -> bool:
        """Ended for good: it never goes live again."""
        return self.status in ("ended", *FINAL_STATUSES)

    @property
    def label(self) -> str:
        """The status in the Console's words."""
        return STATUS_LABELS.get(self.status, self.status)

    @property
    def steps(self) -> dict[str, str | None]:
        """How far the way to its live chat has come: room, post and channel by id, None where one is not there yet."""
        return {"room": self.room_id, "post": self.reference_id, "channel": self.live_channel_id}

    def _summary(self) -> Sequence[tuple[str, object]]:
        rows: list[tuple[str, object | None]] = [
            ("title", self.title),
            ("status", self.label),
            ("room id", self.room_id),
            ("type", self.type),
            ("creator", self.created_by),
            ("created", self.created_at),
            ("live", self.live_at),
            ("ended", self.ended_at),
            ("duration", None if self.duration_seconds is None else f"{self.duration_seconds:g} s"),
            ("recordings", len(self.recorded_playback_infos) or None),
            ("missing in the recording", missing(self.recording_gaps)),
            ("recording", self.recording_problem),
        ]
        return [(name, value) for name, value in rows if value is not None]


class Post(Record, frozen=True):
    """A post of the feed; a room post carries `data["roomId"]`."""

    post_id: str
    parent_post_id: str | None = None
    posted_user_id: str | None = None
    target_type: str | None = None
    target_id: str | None = None
    feed_id: str | None = None
    data_type: str | None = None
    structure_type: str | None = None
    data: dict[str, Any] = Field(default_factory=dict)
    children: list[str] = Field(default_factory=list)
    reactions: dict[str, int] = Field(default_factory=dict)
    reactions_count: int = 0
    my_reactions: list[str] = Field(default_factory=list)
    comments_count: int = 0
    tags: list[str] = Field(default_factory=list)
    metadata: dict[str, Any] | None = None
    product_tags: list[Any] = Field(default_factory=list)
    pinned_product_id: str | None = None
    impression: int = 0
    """How often it was seen; `reach` is by how many."""
    reach: int = 0
    path: str | None = None
    is_deleted: bool = False
    created_at: Time | None = None
    updated_at: Time | None = None


class Product(Record, frozen=True):
    """A product of the network's catalogue."""

    product_id: str
    product_name: str = ""
    product_url: str | None = None
    status: str = "active"
    price: float | None = None
    currency: str | None = None
    thumbnail_url: str | None = None
    thumbnail_mode: str | None = None
    is_deleted: bool = False

    @property
    def price_text(self) -> str:
        """The price with its currency, e.g. `14.50 EUR`; empty without one."""
        return "" if self.price is None else f"{self.price:.2f} {self.currency or ''}".strip()


class Community(Record, frozen=True):
    """A community: where posts live."""

    community_id: str
    display_name: str = ""
    description: str | None = None
    is_public: bool = True
    is_joined: bool = False
    members_count: int = 0
    posts_count: int = 0
    channel_id: str | None = None
    metadata: dict[str, Any] | None = None
    path: str | None = None
    is_deleted: bool = False
    created_at: Time | None = None


class Channel(Record, frozen=True):
    """A chat channel; a live channel's default message feed has the channel's own id."""

    channel_id: str
    id: str = Field(default="", alias="_id")
    type: str = "live"
    display_name: str | None = None
    member_count: int = 0
    message_count: int = 0
    is_muted: bool = False
    mute_timeout: Time | None = None
    is_rate_limited: bool = False
    rate_limit: int | None = None
    rate_limit_window: int | None = None
    default_sub_channel_id: str | None = None
    attached_to: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    tags: list[str] = Field(default_factory=list)
    path: str | None = None
    is_deleted: bool = False
    created_at: Time | None = None

    @property
    def feed_id(self) -> str:
        """The message feed to read and write."""
        return self.default_sub_channel_id or self.channel_id


class ChannelMember(Record, frozen=True):
    """A user's standing in a channel."""

    user_id: str
    channel_id: str | None = None
    membership: str = "none"
    roles: list[str] = Field(default_factory=list)
    mute_timeout: Time | None = None


class Comment(Record, frozen=True):
    """A comment on a post, or a reply to one."""

    comment_id: str
    reference_id: str | None = None
    """The post it is on."""
    parent_id: Annotated[str | None, BeforeValidator(lambda value: value or None)] = None
    """The comment it replies to."""
    user_id: str | None = None
    data: dict[str, Any] = Field(default_factory=dict)
    metadata: dict[str, Any] | None = None
    children_number: int = 0
    """How many replies it has."""
    reactions: dict[str, int] = Field(default_factory=dict)
    flag_count: int = 0
    is_deleted: bool = False
    created_at: Time | None = None
    updated_at: Time | None = None
    edited_at: Time | None = None

    @property
    def text(self) -> str:
        """What it says. User content: show it as text, never as markup."""
        return str(self.data.get("text") or "")


class Message(Record, frozen=True):
    """A chat message. `segment` counts from 1 within its feed and is the sort key."""

    message_id: str
    channel_id: str | None = None
    channel_public_id: str | None = None
    message_feed_id: str | None = None
    creator_id: str | None = None
    creator_public_id: str | None = None
    creator: User | None = None
    """Who sent it, where the answer or event told."""
    data_type: str = "text"
    data: dict[str, Any] = Field(default_factory=dict)
    segment: int = 0
    reference_id: str | None = None
    parent_id: str | None = None
    child_count: int = 0
    reactions: dict[str, int] = Field(default_factory=dict)
    reaction_count: int = 0
    my_reactions: list[str] = Field(default_factory=list)
    flag_count: int = 0
    mentioned_users: list[Any] = Field(default_factory=list)
    metadata: dict[str, Any] | None = None
    tags: list[str] = Field(default_factory=list)
    path: str | None = None
    is_deleted: bool = False
    created_at: Time | None = None
    updated_at: Time | None = None
    edited_at: Time | None = None

    @property
    def text(self) -> str:
        """The text of a text message, else empty. It is user content: show it as text, never as markup."""
        return str(self.data.get("text", ""))

    @property
    def name(self) -> str:
        """Who sent it, as others see them. User content: show it as text."""
        return (self.creator.display_name if self.creator else None) or self.creator_public_id or ""

    @property
    def mentions(self) -> list[str]:
        """Public ids of the users it mentions."""
        groups = [group for group in self.mentioned_users if isinstance(group, dict)]
        return [str(user_id) for group in groups for user_id in group.get("userIds") or []]

    def _summary(self) -> Sequence[tuple[str, object]]:
        rows = (("text", self.text), ("by", self.creator_public_id), ("sent", self.created_at), ("id", self.message_id))
        return [(name, value) for name, value in rows if value]

    def __repr__(self) -> str:
        return f"Message({self.creator_public_id}: {self.text!r}, {self.message_id})"


class Reactor(Record, frozen=True):
    """Who reacted to a post or message, and how."""

    reaction_id: str
    reaction_name: str
    user_id: str | None = None
    created_at: Time | None = None


class LiveReaction(Record, frozen=True):
    """One floating reaction."""

    reaction_name: str
    user_id: str | None = None
    reference_id: str | None = None
    reference_public_id: str | None = None
    reference_type: str | None = None
    room_id: str | None = None
    occurred_at: Time | None = None


class Invitation(Record, frozen=True):
    """An invitation to co-host."""

    invitation_id: str = Field(validation_alias=AliasChoices("invitationId", "_id", "invitation_id"))
    type: str = "livestreamCohostInvite"
    target_id: str | None = None
    target_type: str | None = None
    status: str = "pending"
    invited_user_public_id: str | None = None
    inviter_user_public_id: str | None = None
    created_at: Time | None = None
    responded_at: Time | None = None


class IngestAddress(Record, frozen=True):
    """Where an encoder publishes into a room over RTMP, in the two parts that OBS asks for."""

    server: str
    stream_key: str = Field(repr=False)
    """Secret: whoever has it goes live in the room."""

    def _summary(self) -> Sequence[tuple[str, object]]:
        return [("server", self.server), ("stream key", "hidden")]


class BroadcasterData(Record, frozen=True):
    """What a broadcaster needs to publish. Secret: never shown, logged or stored."""

    co_host_url: str | None = Field(default=None, repr=False)
    co_host_token: str | None = Field(default=None, repr=False)
    direct_stream_url: str | None = Field(default=None, repr=False)

    @property
    def ingest(self) -> IngestAddress:
        """Where an encoder publishes; a `ConfigError` where the room takes none."""
        server, _, key = (self.direct_stream_url or "").rpartition("/")
        if not server:
            raise ConfigError("this room takes no encoder: create one with type='directStreaming'")
        return IngestAddress(server=server, stream_key=key)

    def _summary(self) -> Sequence[tuple[str, object]]:
        kind = "LiveKit (co-hosts)" if self.co_host_token else "direct stream"
        return [("for", kind), ("secrets", "hidden")]


class Recording(Record, frozen=True):
    """The recorded files of a room, in order. The URLs are signed and expire: treat them as secrets."""

    urls: list[str] = Field(repr=False)
    expires_at: Time | None = None

    @classmethod
    def from_answer(cls, answer: Any) -> Recording:
        """Read any of the three documented shapes: an array, `{recordedUrls}`, or `{url, expiresAt}`."""
        if isinstance(answer, list):
            return cls(urls=[str(url) for url in answer])
        urls = answer.get("recordedUrls") or ([answer["url"]] if answer.get("url") else [])
        return cls(urls=urls, expires_at=answer.get("expiresAt"))

    def _summary(self) -> Sequence[tuple[str, object]]:
        return [("files", len(self.urls)), ("expires", self.expires_at or "not said")]


class Viewer(Record, frozen=True):
    """A user whose presence heartbeat was heard recently."""

    user_id: str
    joined_at: Time | None = None


class WatchSession(Record, frozen=True):
    """How long one viewer watched: `watch_seconds` is cumulative, without pauses and buffering."""

    session_id: str
    room_id: str
    watch_seconds: float
    start_time: Time
    end_time: Time | None = None
