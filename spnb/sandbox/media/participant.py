"""One participant: what it publishes, what it is sent, and its two negotiations.

LiveKit clients keep two peer connections: on the publisher one they offer and we answer; on the subscriber one (the
primary) we offer and they answer, data channels first. One negotiation at a time is under way per connection.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from livekit.protocol import models
from livekit.protocol import rtc as signal

from spnb.sandbox.media import rtp, sdp
from spnb.sandbox.media.announcement import new_sid
from spnb.sandbox.media.downlink import Downlink
from spnb.sandbox.media.forward import Forward
from spnb.sandbox.media.sdp import Description, Outgoing
from spnb.sandbox.media.tokens import Identity
from spnb.sandbox.media.track import PublishedTrack
from spnb.sandbox.media.transport import MediaTransport
from spnb.sandbox.media.uplink import Uplink

if TYPE_CHECKING:
    from spnb.sandbox.media.room import MediaRoom

__all__ = ["Participant", "new_sid"]

log = logging.getLogger(__name__)

RELIABLE, LOSSY = "_reliable", "_lossy"
ANSWER_SECONDS = 10.0
GOOD_LOSS, POOR_LOSS = 0.03, 0.1
"""Shares of lost packets from which a line is good only, and poor."""


class Participant:
    """A participant of a media room.

    Args:
        room: the room it is in.
        who: its verified token.
        send: sends a signalling message to it.
        auto_subscribe: whether it gets every track without asking.
    """

    def __init__(
        self, room: MediaRoom, who: Identity, *, send: Callable[[signal.SignalResponse], None], auto_subscribe: bool
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
        self._subscriber: MediaTransport | None = None
        self._early_candidates: list[str] = []
        self._forwards: dict[str, Forward] = {}
        self._sources: dict[int, Forward] = {}
        self._line = Downlink(self._sources)
        self._ready: set[Forward] = set()
        self._outgoing: list[Outgoing] = []
        self._mids = itertools.count(1)
        self._ssrcs = itertools.count(secrets.randbelow(2**30) + 1000)
        self._negotiation: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._answered: asyncio.Future[Description] | None = None
        self._offer_version = 0

    @property
    def tracks(self) -> dict[str, PublishedTrack]:
        """What it publishes, by id."""
        return self.uplink.tracks

    # -- its signalling socket, which may drop and come back while media flow on

    def attach(self, send: Callable[[signal.SignalResponse], None]) -> None:
        """Talk to it over this socket from now on; an offer that got no answer is made again."""
        self.send = send
        self.attached.set()
        if self._answered is not None and not self._answered.done():
            self._answered.cancel()

    def detach(self) -> None:
        """Its socket is gone. What it would be told meanwhile, it is told when it comes back."""
        self.send = lambda _message: None
        self.attached.clear()
        self.detached_at = time.monotonic()

    def silent_for(self, now: float) -> float:
        """Seconds since anything came from it by either of its media connections; since it joined, before that."""
        heard = [transport.heard_at for transport in (self.uplink.transport, self._subscriber) if transport is not None]
        return now - max(heard, default=self._since)

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
            for track_sid in list(self._forwards):
                self.unsubscribe(track_sid)
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

    async def start_subscriber(self) -> None:
        """Offer the subscriber connection with its data channels."""
        self._subscriber = MediaTransport(
            self.room.certificate,
            on_rtp=lambda _packet: None,
            on_rtcp=self._rtcp_from_subscriber,
            on_data=self.data_from_client,
            on_state=self._subscriber_state,
        )
        self._subscriber.open_channel(RELIABLE, reliable=True)
        self._subscriber.open_channel(LOSSY, reliable=False)
        self._wanted.set()
        self._negotiation = asyncio.create_task(self._negotiate(), name=f"negotiate {self.identity}")

    def subscribe(self, track: PublishedTrack) -> None:
        """Forward a track to this participant."""
        if track.info.sid in self._forwards or not self.who.grants.can_subscribe or self._subscriber is None:
            return
        # An empty section of the same kind and codec serves again; sections only ever grow in number.
        payload_type = sdp.PAYLOAD_TYPES[track.codec.name]
        slot = next(
            (
                index
                for index, section in enumerate(self._outgoing)
                if not section.active and (section.kind, section.codec) == (track.kind, track.codec.name)
            ),
            None,
        )
        mid = str(next(self._mids)) if slot is None else self._outgoing[slot].mid
        section = Outgoing(
            mid=mid,
            kind=track.kind,
            codec=track.codec.name,
            payload_type=payload_type,
            stream_id=f"{self.room.sid_of(track)}|{track.info.sid}",
            track_id=track.info.sid,
            ssrc=next(self._ssrcs),
            stereo=track.info.stereo,
            rtx_payload_type=sdp.RTX_PAYLOAD_TYPES.get(track.codec.name, 0),
            rtx_ssrc=next(self._ssrcs) if track.codec.name in sdp.RTX_PAYLOAD_TYPES else 0,
        )
        if slot is None:
            self._outgoing.append(section)
        else:
            self._outgoing[slot] = section
        forward = Forward(
            track,
            mid=mid,
            payload_type=payload_type,
            ssrc=section.ssrc,
            rtx_payload_type=section.rtx_payload_type,
            rtx_ssrc=section.rtx_ssrc,
            stamp_id=sdp.STAMP_ID if track.kind == "video" else 0,
            number_id=sdp.NUMBER_ID if track.kind == "video" else 0,
            send_rtp=self._subscriber.send_rtp,
            send_rtcp=self._subscriber.send_rtcp,
        )
        self._line.admit(forward)
        self._forwards[track.info.sid] = self._sources[section.ssrc] = forward
        track.forwards.add(forward)
        self._wanted.set()

    def unsubscribe(self, track_sid: str) -> None:
        """Stop forwarding a track to this participant."""
        forward = self._forwards.pop(track_sid, None)
        if forward is None:
            return
        del self._sources[forward.ssrc]
        forward.end()
        forward.track.forwards.discard(forward)
        for index, section in enumerate(self._outgoing):
            if section.mid == forward.mid:
                self._outgoing[index] = Outgoing(
                    mid=section.mid,
                    kind=section.kind,
                    codec=section.codec,
                    payload_type=section.payload_type,
                    rtx_payload_type=section.rtx_payload_type,
                    active=False,
                )
        self._wanted.set()

    def track_settings(self, settings: signal.UpdateTrackSettings) -> None:
        """The client wants tracks paused or in another quality."""
        for track_sid in settings.track_sids:
            forward = self._forwards.get(track_sid)
            if forward is not None:
                # Protobuf cannot tell an unset quality from LOW. Clients that have a size send it instead.
                sized = settings.width > 0 and settings.height > 0
                most = forward.track.rank_for(settings.width, settings.height) if sized else settings.quality + 1
                forward.want(paused=settings.disabled, most=most)

    async def _negotiate(self) -> None:
        assert self._subscriber is not None  # noqa: S101 - started together
        local = await self._subscriber.local()
        while not self.gone:
            await self._wanted.wait()
            await self.attached.wait()
            self._wanted.clear()
            self._offer_version += 1
            answered: asyncio.Future[Description] = asyncio.get_running_loop().create_future()
            self._answered = answered
            covered = set(self._forwards.values())
            text = sdp.offer(self._outgoing, local, version=self._offer_version)
            described = signal.SessionDescription(type="offer", sdp=text, id=self._offer_version)
            self.send(signal.SignalResponse(offer=described))
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await asyncio.wait([answered])
            except TimeoutError:
                if not self.attached.is_set():
                    self._wanted.set()
                    continue
                log.info("%s did not answer an offer within %g s", self.identity, ANSWER_SECONDS)
                self.room.media_lost(self)
                return
            if answered.cancelled():  # asked for again, over another socket
                self._wanted.set()
                continue
            answer = answered.result()
            self._subscriber.start(answer.remote, controlling=True)
            by_mid = {section.mid: section for section in answer.sections}
            for forward in self._forwards.values():
                if (section := by_mid.get(forward.mid)) is not None:
                    forward.agree(section)
            for line in self._early_candidates:
                await self._subscriber.add_candidate(line)
            self._ready |= covered
            self._start_ready()

    def _start_ready(self) -> None:
        """Begin the forwards that are negotiated, once packets can be sent: a key frame sent before would be lost."""
        if self._subscriber is not None and self._subscriber.connected:
            for forward in self._ready:
                if not forward.over:
                    forward.start()
            self._ready.clear()

    def subscriber_answer(self, description: signal.SessionDescription) -> None:
        """The client's answer to our offer.

        Raises:
            MalformedDescription: it cannot be read.
        """
        if self._answered is None or self._answered.done():
            return
        if description.id and description.id != self._offer_version:
            return
        self._answered.set_result(sdp.parse(description.sdp))

    def _rtcp_from_subscriber(self, packet: bytes) -> None:
        self._line.hear(rtp.read_feedback(packet))

    def _subscriber_state(self, state: str) -> None:
        if state == "connected":
            self.active = True
            self.room.changed(self)
            self._start_ready()
        else:
            self.room.media_lost(self)

    # -- both

    async def trickle(self, target: int, candidate: str) -> None:
        """A remote candidate for one of the connections."""
        if target == signal.SignalTarget.PUBLISHER:
            await self.uplink.trickle(candidate)
        elif self._subscriber is None:
            self._early_candidates.append(candidate)
        else:
            await self._subscriber.add_candidate(candidate)

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
        if self._subscriber is not None:
            self._subscriber.send_data(label, message)

    def quality(self) -> models.ConnectionQuality:
        """How well it is connected, from what has been lost of its media lately."""
        lost = max((layer.lost_share for track in self.tracks.values() for layer in track.layers.values()), default=0.0)
        quality = models.ConnectionQuality
        return quality.EXCELLENT if lost < GOOD_LOSS else quality.GOOD if lost < POOR_LOSS else quality.POOR

    def follows(self, track_sid: str) -> bool:
        """Whether a track is forwarded to it."""
        return track_sid in self._forwards

    def report(self) -> None:
        """Once a second: tell the publisher what arrives, and catch up on what was put off."""
        self._line.tick()
        self.uplink.report()

    async def drop_transports(self) -> None:
        """Lose both connections without a word: a fault on demand."""
        for transport in (self.uplink.transport, self._subscriber):
            if transport is not None:
                await transport.drop()

    async def aclose(self) -> None:
        """Close both connections."""
        self.gone = True
        self._line.close()
        for forward in list(self._forwards.values()):
            self.unsubscribe(forward.track.info.sid)
        if self._negotiation is not None:
            self._negotiation.cancel()
            await asyncio.gather(self._negotiation, return_exceptions=True)
        for transport in (self.uplink.transport, self._subscriber):
            if transport is not None:
                await transport.aclose()
