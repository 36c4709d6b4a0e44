"""The fields of a room's record, as the room's own: each with its type, and what it is."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from spnb.gaps import RecordingGap
from spnb.models import Moderation, Participant, PlaybackInfo, Resolution, Room

__all__ = ["RoomFields"]


class RoomFields:
    """What is known of a room now, field by field; `record` is all of it at one moment."""

    if TYPE_CHECKING:

        @property
        def record(self) -> Room:
            """The newest that is known."""
            ...

    @property
    def type(self) -> str:
        """How it is broadcast: `coHosts` or `directStreaming`."""
        return self.record.type

    @property
    def status(self) -> str:
        """Its state: `idle`, `live`, `waitingReconnect`, `ended`, `recorded`, `terminated` or `error`."""
        return self.record.status

    @property
    def title(self) -> str:
        """Its title. User content: show it as text."""
        return self.record.title

    @property
    def description(self) -> str | None:
        """What its host says of it. User content: show it as text."""
        return self.record.description

    @property
    def thumbnail_file_id(self) -> str | None:
        """The host's own picture, by the id of its file."""
        return self.record.thumbnail_file_id

    @property
    def metadata(self) -> dict[str, Any] | None:
        """What its host has put there."""
        return self.record.metadata

    @property
    def target_type(self) -> str | None:
        """Where its post stands: `community` or `user`."""
        return self.record.target_type

    @property
    def target_id(self) -> str | None:
        """The community or user whose feed that is."""
        return self.record.target_id

    @property
    def target_visibility(self) -> str | None:
        """Who may see it there."""
        return self.record.target_visibility

    @property
    def reference_type(self) -> str | None:
        """What carries it: `post`, or `event`."""
        return self.record.reference_type

    @property
    def reference_id(self) -> str | None:
        """The post that carries it."""
        return self.record.reference_id

    @property
    def live_chat_enabled(self) -> bool:
        """Whether it may have a live chat; whether it has one tells `live_channel_id`."""
        return self.record.live_chat_enabled

    @property
    def live_channel_id(self) -> str | None:
        """The channel of its live chat; None before it is open."""
        return self.record.live_channel_id

    @property
    def participants(self) -> list[Participant]:
        """Its broadcasters: the host and the co-hosts, never a viewer."""
        return self.record.participants

    @property
    def live_playback_url(self) -> str | None:
        """Where it is watched while it is on air. Signed: not for logs."""
        return self.record.live_playback_url

    @property
    def live_thumbnail_url(self) -> str | None:
        """A picture of what is on air. Signed: not for logs."""
        return self.record.live_thumbnail_url

    @property
    def live_resolution(self) -> Resolution | None:
        """The size of what is on air, in pixels."""
        return self.record.live_resolution

    @property
    def recorded_playback_infos(self) -> list[PlaybackInfo]:
        """Its recorded files; `recording()` fetches them."""
        return self.record.recorded_playback_infos

    @property
    def recorded_resolution(self) -> Resolution | None:
        """The size of the recording, in pixels."""
        return self.record.recorded_resolution

    @property
    def duration_seconds(self) -> float | None:
        """How long it was on air, in seconds."""
        return self.record.duration_seconds

    @property
    def recording_gaps(self) -> list[RecordingGap]:
        """Where the recording has no media."""
        return self.record.recording_gaps

    @property
    def recording_problem(self) -> str | None:
        """Why the recording is not finished yet, where that failed; it is tried again."""
        return self.record.recording_problem

    @property
    def moderation(self) -> Moderation | None:
        """What the automatic moderation found."""
        return self.record.moderation

    @property
    def parent_room_id(self) -> str | None:
        """The room it is a child of."""
        return self.record.parent_room_id

    @property
    def child_room_ids(self) -> list[str]:
        """The rooms that are its children."""
        return self.record.child_room_ids

    @property
    def created_by(self) -> str | None:
        """Its host, by public id."""
        return self.record.created_by

    @property
    def created_at(self) -> datetime | None:
        """When it was made."""
        return self.record.created_at

    @property
    def updated_at(self) -> datetime | None:
        """When it was changed last."""
        return self.record.updated_at

    @property
    def live_at(self) -> datetime | None:
        """When it went on air."""
        return self.record.live_at

    @property
    def ended_at(self) -> datetime | None:
        """When it left the air for good."""
        return self.record.ended_at

    @property
    def recorded_at(self) -> datetime | None:
        """When its recording was ready."""
        return self.record.recorded_at

    @property
    def is_deleted(self) -> bool:
        """Whether it was deleted."""
        return self.record.is_deleted

    @property
    def id(self) -> str:
        """The service's internal id; calls take `room_id`."""
        return self.record.id

    @property
    def path(self) -> str | None:
        """Where it stands among the topics of real time."""
        return self.record.path

    @property
    def creator_internal_id(self) -> str | None:
        """Its host, by internal id."""
        return self.record.creator_internal_id

    @property
    def key(self) -> str | None:
        """The key of its creation, where it was made with one."""
        return self.record.key

    @property
    def unreadable(self) -> dict[str, Any]:
        """What the service said of it in a way that cannot be read, raw."""
        return self.record.unreadable

    @property
    def is_live(self) -> bool:
        """On air, or waiting for its publisher to come back."""
        return self.record.is_live

    @property
    def is_over(self) -> bool:
        """Ended for good: it never goes live again."""
        return self.record.is_over

    @property
    def steps(self) -> dict[str, str | None]:
        """How far the way to its live chat has come: room, post and channel by id, None where one is not there yet."""
        return self.record.steps

    @property
    def label(self) -> str:
        """The status in the Console's words."""
        return self.record.label
