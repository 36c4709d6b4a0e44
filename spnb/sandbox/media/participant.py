"""One participant: what it publishes, what it is sent, and its two negotiations.

LiveKit clients keep one peer connection, which they offer and we answer, or two: then we offer the second one, which
is the primary, and they answer. One negotiation at a time is under way per connection.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from livekit.protocol import models
from livekit.protocol import rtc as signal

from spnb.sandbox.media.announcement import new_sid
from spnb.sandbox.media.subscriber import LOSSY, RELIABLE, Answering, Offering, Subscriber
from spnb.sandbox.media.tokens import Identity
from spnb.sandbox.media.track import PublishedTrack
from spnb.sandbox.media.transport import MediaTransport
from spnb.sandbox.media.uplink import Uplink

if TYPE_CHECKING:
    from spnb.sandbox.media.room import MediaRoom

__all__ = ["Participant", "new_sid"]

log = logging.getLogger(__name__)

CONSENT_SECONDS = 30.0
GOOD_LOSS, POOR_LOSS = 0.03, 0.1
"""Shares of lost packets from which a line is good only, and poor."""


class Participant:
    """A participant of a media room.

    Args:
        room: the room it is in.
        who: its verified token.
        send: sends a signalling message to it.
        auto_subscribe: whether it gets every track without asking.
        single: whether one peer connection carries both directions.
    """

    def __init__(
        self,
        room: MediaRoom,
        who: Identity,
        *,
        send: Callable[[signal.SignalResponse], None],
        auto_subscribe: bool,
        single: bool = False,
    ) -> None:
        self.room = room
        self.who = who
        self.identity = who.identity
        self.sid = new_sid("PA")
        self.send = send
        self.attached = asyncio.Event()
        """Set while it has a signalling socket."""
        self.detached_at = 0.0
        self.auto_subscribe = auto_subscribe and who.grants.can_subscribe
        self.wanted: set[str] = set()  # asked for before their first packet
        self.joined_at = time.time()
        self._since = time.monotonic()
        self.last_heard = time.monotonic()
        self.active = False
        self.gone = False
        self.metadata = who.metadata
        self.name = who.name
        self.attributes = dict(who.attributes)
        self.permitted: signal.SubscriptionPermission | None = None
        """Whom it lets subscribe to which of its tracks; everybody to all, without a word."""
        self.level = 0.0
        """How loud it speaks, 0 to 1."""
        self.version = 0
        self.uplink = Uplink(self)
        self.single = single
        """Whether one peer connection carries both directions."""
        self.subscriber: Subscriber = Answering(self) if single else Offering(self)

    @property
    def tracks(self) -> dict[str, PublishedTrack]:
        """What it publishes, by id."""
        return self.uplink.tracks

    # -- its signalling socket, which may drop and come back while media flow on

    def attach(self, send: Callable[[signal.SignalResponse], None]) -> None:
        """Talk to it over this socket from now on."""
        self.send = send
        self.attached.set()
        self.subscriber.attached()

    def detach(self) -> None:
        """Its socket is gone. What it would be told meanwhile, it is told when it comes back."""
        self.send = lambda _message: None
        self.attached.clear()
        self.detached_at = time.monotonic()

    def silent_for(self, now: float) -> float:
        """Seconds since anything came from it by either of its media connections; since it joined, before that."""
        heard = [transport.heard_at for transport in self._transports()]
        return now - max(heard, default=self._since)

    def lacks_consent(self, now: float) -> bool:
        """Whether one of its connections has been silent for so long that it must be thought lost (RFC 7675)."""
        connected = (transport for transport in self._transports() if transport.connected)
        return any(now - transport.heard_at > CONSENT_SECONDS for transport in connected)

    # -- what it may and what others are told

    def permits(self, other: Participant, track_sid: str) -> bool:
        """Whether it lets `other` subscribe to one of its tracks."""
        if self.permitted is None or self.permitted.all_participants:
            return True
        return any(
            (allowed.participant_identity or other.identity) == other.identity
            and (allowed.participant_sid or other.sid) == other.sid
            and (allowed.participant_identity or allowed.participant_sid)
            and (allowed.all_tracks or track_sid in allowed.track_sids)
            for allowed in self.permitted.track_permissions
        )

    def describe(self, name: str, metadata: str, attributes: Mapping[str, str]) -> None:
        """Take over what is not empty; an attribute that is empty is deleted."""
        self.name = name or self.name
        self.metadata = metadata or self.metadata
        merged = {**self.attributes, **attributes}
        self.attributes = {key: value for key, value in merged.items() if value or key not in attributes}
        self.room.changed(self, itself=True)

    def permit(self, permission: models.ParticipantPermission) -> None:
        """An administrator changes what it may: what it may not any more ends at once."""
        self.who = replace(self.who, grants=self.who.grants.permitting(permission))
        for track in list(self.tracks.values()):
            if not self.who.grants.may_publish(track.info.source):
                self.uplink.unpublish(track)
        if not self.who.grants.can_subscribe:
            self.subscriber.unsubscribe_all()
        self.room.changed(self, itself=True)

    def to_info(self, state: models.ParticipantInfo.State | None = None) -> models.ParticipantInfo:
        """LiveKit's description of this participant."""
        grants = self.who.grants
        self.version += 1
        return models.ParticipantInfo(
            sid=self.sid,
            identity=self.identity,
            name=self.name,
            metadata=self.metadata,
            attributes=self.attributes,
            state=(models.ParticipantInfo.State.ACTIVE if self.active else models.ParticipantInfo.State.JOINED)
            if state is None
            else state,
            tracks=[track.info for track in self.tracks.values()],
            joined_at=int(self.joined_at),
            joined_at_ms=int(self.joined_at * 1000),
            version=self.version,
            is_publisher=bool(self.tracks),
            permission=grants.to_permission(),
        )

    # -- subscribing

    def subscribe(self, track: PublishedTrack) -> None:
        """Forward a track to this participant."""
        if self.who.grants.can_subscribe:
            self.subscriber.subscribe(track)

    def unsubscribe(self, track_sid: str) -> None:
        """Stop forwarding a track to this participant."""
        self.subscriber.unsubscribe(track_sid)

    def follows(self, track_sid: str) -> bool:
        """Whether a track is forwarded to it."""
        return self.subscriber.follows(track_sid)

    def now_active(self) -> None:
        """The connection that counts is up."""
        if not self.active:
            self.active = True
            self.room.changed(self)

    # -- both

    async def trickle(self, target: int, candidate: str) -> None:
        """A remote candidate for one of the connections."""
        if target == signal.SignalTarget.PUBLISHER or self.single:
            await self.uplink.trickle(candidate)
        else:
            await self.subscriber.trickle(candidate)

    def data_from_client(self, label: str, message: bytes) -> None:
        """A data-channel message of it, by either connection."""
        if not self.who.grants.can_publish_data:
            return
        try:
            packet = models.DataPacket.FromString(message)
        except Exception:  # noqa: BLE001 - protobuf's C and Python back ends raise different types
            log.debug("%s sent a malformed data packet", self.identity)
            return
        self.room.relay_data(self, packet, RELIABLE if label == RELIABLE else LOSSY)

    def send_data(self, label: Literal["_reliable", "_lossy"] | str, message: bytes) -> None:
        """Send a data packet to this participant."""
        self.subscriber.send_data(label, message)

    def quality(self) -> models.ConnectionQuality:
        """How well it is connected, from what has been lost of its media lately."""
        lost = max((layer.lost_share for track in self.tracks.values() for layer in track.layers.values()), default=0.0)
        quality = models.ConnectionQuality
        return quality.EXCELLENT if lost < GOOD_LOSS else quality.GOOD if lost < POOR_LOSS else quality.POOR

    def report(self) -> None:
        """Once a second: tell the publisher what arrives, and catch up on what was put off."""
        self.subscriber.tick()
        self.uplink.report()

    async def drop_transports(self) -> None:
        """Lose its connections without a word: a fault on demand."""
        for transport in self._transports():
            await transport.drop()

    def _transports(self) -> list[MediaTransport]:
        both = (self.uplink.transport, self.subscriber.transport)
        return list(dict.fromkeys(transport for transport in both if transport is not None))

    async def aclose(self) -> None:
        """Close its connections."""
        self.gone = True
        await self.subscriber.aclose()
        for transport in self._transports():
            await transport.aclose()
