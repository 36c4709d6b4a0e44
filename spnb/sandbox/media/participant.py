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
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from livekit.protocol import models
from livekit.protocol import rtc as signal

from spnb.sandbox.media import rtp, sdp
from spnb.sandbox.media.announcement import announced, wanted_codec
from spnb.sandbox.media.downlink import Downlink
from spnb.sandbox.media.forward import Forward
from spnb.sandbox.media.sdp import Description, Outgoing, Section
from spnb.sandbox.media.tokens import Identity
from spnb.sandbox.media.track import PublishedTrack
from spnb.sandbox.media.transport import MediaTransport

if TYPE_CHECKING:
    from spnb.sandbox.media.room import MediaRoom

__all__ = ["Participant", "new_sid"]

log = logging.getLogger(__name__)

RELIABLE, LOSSY = "_reliable", "_lossy"
FEEDBACK_SSRC = 1
REMB_BITS_PER_SECOND = 8_000_000
"""The bandwidth we grant publishers: this is one machine, so there is nothing to estimate."""
ANSWER_SECONDS = 10.0


def new_sid(prefix: str) -> str:
    """A LiveKit-style id: `PA_…`, `TR_…`, `RM_…`."""
    return f"{prefix}_{secrets.token_hex(6)}"


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
        self.auto_subscribe = auto_subscribe and who.grants.can_subscribe
        self.wanted: set[str] = set()  # asked for before their first packet
        self.joined_at = time.time()
        self.last_heard = time.monotonic()
        self.active = False
        self.gone = False
        self.metadata = who.metadata
        self.name = who.name
        self.attributes = dict(who.attributes)
        self.version = 0
        self.tracks: dict[str, PublishedTrack] = {}
        self._announced: dict[str, tuple[str, models.TrackInfo]] = {}
        self._by_mid: dict[str, PublishedTrack] = {}
        self._by_ssrc: dict[int, PublishedTrack] = {}
        self._extensions: dict[str, int] = {}
        self._publisher: MediaTransport | None = None
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

    # -- what others are told

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
            permission=models.ParticipantPermission(
                can_subscribe=grants.can_subscribe,
                can_publish=grants.can_publish,
                can_publish_data=grants.can_publish_data,
                hidden=grants.hidden,
                recorder=grants.recorder,
            ),
        )

    # -- publishing

    def add_track(self, request: signal.AddTrackRequest) -> None:
        """The client is about to publish: give the track its id."""
        if not self.who.grants.can_publish:
            message = "this token does not allow publishing"
            refusal = signal.RequestResponse(reason=signal.RequestResponse.Reason.NOT_ALLOWED, message=message)
            refusal.add_track.CopyFrom(request)
            self.send(signal.SignalResponse(request_response=refusal))
            return
        info = announced(request, new_sid("TR"))
        self._announced[request.cid] = (wanted_codec(request), info)
        published = signal.TrackPublishedResponse(cid=request.cid, track=info)
        self.send(signal.SignalResponse(track_published=published))

    async def publisher_offer(self, description: signal.SessionDescription) -> None:
        """Answer the client's offer on the publisher connection.

        Raises:
            MalformedDescription: the offer cannot be read.
        """
        offered = sdp.parse(description.sdp)
        if self._publisher is None:
            self._publisher = MediaTransport(
                self.room.certificate,
                on_rtp=self._rtp_from_publisher,
                on_rtcp=self._rtcp_from_publisher,
                on_data=self._data_from_client,
                on_state=self._publisher_state,
            )
        local = await self._publisher.local()
        if self.gone:
            return
        self._take_sections(offered.sections)
        answer = signal.SessionDescription(type="answer", sdp=sdp.answer(offered, local), id=description.id)
        self.send(signal.SignalResponse(answer=answer))
        self._publisher.start(offered.remote, controlling=False)
        for line in self._early_candidates:
            await self._publisher.add_candidate(line)
        self._early_candidates.clear()

    def _take_sections(self, sections: list[Section]) -> None:
        for section in sections:
            if section.kind not in ("audio", "video"):
                continue
            known = self._by_mid.get(section.mid)
            found = self._match(section) if known is None and section.sends else None
            told = known.info if known is not None else found[1] if found is not None else models.TrackInfo()
            section.stereo, section.dtx = told.stereo, not told.disable_dtx
            section.wanted = known.wanted if known is not None else found[0] if found is not None else ""
            codecs = sdp.chosen(section)
            self._extensions |= section.extensions
            if not section.sends or not codecs:
                if known is not None:
                    self.unpublish(known)
                continue
            if known is not None:
                for ssrc in section.ssrcs:
                    self._by_ssrc[ssrc] = known
                continue
            if found is None:
                continue
            info = found[1]
            info.mid = section.mid
            track = PublishedTrack(
                info,
                section,
                codecs[0],
                identity=self.identity,
                send_rtcp=self._rtcp_to_publisher,
                request_from_any_thread=self.room.call_soon,
            )
            self.tracks[info.sid] = track
            self._by_mid[section.mid] = track
            for ssrc in section.ssrcs:
                self._by_ssrc[ssrc] = track

    def _match(self, section: Section) -> tuple[str, models.TrackInfo] | None:
        """Codec and description of the announced track a section carries: by client id, else the first of its kind."""
        kind = models.TrackType.AUDIO if section.kind == "audio" else models.TrackType.VIDEO
        for cid in (section.track_id, section.stream_id):
            if cid in self._announced and self._announced[cid][1].type == kind:
                return self._announced.pop(cid)
        for cid, (_, info) in list(self._announced.items()):
            if info.type == kind:
                return self._announced.pop(cid)
        return None

    def unpublish(self, track: PublishedTrack) -> None:
        """Take a track away from everybody."""
        self.tracks.pop(track.info.sid, None)
        self._by_mid = {mid: other for mid, other in self._by_mid.items() if other is not track}
        self._by_ssrc = {ssrc: other for ssrc, other in self._by_ssrc.items() if other is not track}
        track.end()
        self.room.track_ended(self, track)

    def _rtp_from_publisher(self, packet: bytes) -> None:
        header = rtp.read_header(packet)
        if header is None:
            return
        track = self._by_ssrc.get(header.ssrc)
        rid = ""
        if track is None or len(track.layers) != 1:
            mid = header.extensions.get(self._extensions.get(sdp.MID, -1), b"").decode("latin-1")
            rid = header.extensions.get(self._extensions.get(sdp.RID, -1), b"").decode("latin-1")
            if track is None:
                if header.extensions.get(self._extensions.get(sdp.REPAIRED_RID, -1)):
                    return  # a retransmission stream, which was not negotiated
                track = self._by_mid.get(mid)
                if track is None:
                    return
                self._by_ssrc[header.ssrc] = track
        if header.payload_type != track.codec.payload_type and not self._other_codec(track, header.payload_type):
            return
        layer = track.layers.get(header.ssrc) or track.layer(header.ssrc, rid)
        track.receive(layer, packet, header, FEEDBACK_SSRC)
        if not track.flowing:
            track.flowing = True
            self.last_heard = time.monotonic()
            self.room.track_flows(self, track)

    def _other_codec(self, track: PublishedTrack, payload_type: int) -> bool:
        """A sender may take another codec of our answer than the first: believe its first packet."""
        if track.flowing:
            return False
        found = next((codec for codec in track.section_codecs if codec.payload_type == payload_type), None)
        if found is not None:
            track.use(found)
        return found is not None

    def _rtcp_from_publisher(self, packet: bytes) -> None:
        for report in rtp.read_feedback(packet).reports:
            track = self._by_ssrc.get(report.ssrc)
            if track is not None:
                track.sender_report(report)

    def _rtcp_to_publisher(self, packet: bytes) -> None:
        if self._publisher is not None:
            # A receiver's compound packet begins with a report; an empty one keeps strict parsers content.
            self._publisher.send_rtcp(b"\x80\xc9\x00\x01" + FEEDBACK_SSRC.to_bytes(4, "big") + packet)

    def _publisher_state(self, state: str) -> None:
        if state == "closed":
            self.room.media_lost(self)

    # -- subscribing

    async def start_subscriber(self) -> None:
        """Offer the subscriber connection with its data channels."""
        self._subscriber = MediaTransport(
            self.room.certificate,
            on_rtp=lambda _packet: None,
            on_rtcp=self._rtcp_from_subscriber,
            on_data=self._data_from_client,
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
                    answer = await answered
            except TimeoutError:
                log.info("%s did not answer an offer within %g s", self.identity, ANSWER_SECONDS)
                self.room.media_lost(self)
                return
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
        publisher = target == signal.SignalTarget.PUBLISHER
        transport: MediaTransport | None = self._publisher if publisher else self._subscriber
        if transport is None:
            self._early_candidates.append(candidate)
        else:
            await transport.add_candidate(candidate)

    def _data_from_client(self, label: str, message: bytes) -> None:
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

    def report(self) -> None:
        """Once a second: tell the publisher what arrives, and catch up on what was put off."""
        self._line.tick()
        for track in self.tracks.values():
            track.tick()
            if self._publisher is not None:
                for packet in track.feedback(FEEDBACK_SSRC, REMB_BITS_PER_SECOND):
                    self._publisher.send_rtcp(packet)

    async def drop_transports(self) -> None:
        """Lose both connections without a word: a fault on demand."""
        for transport in (self._publisher, self._subscriber):
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
        for transport in (self._publisher, self._subscriber):
            if transport is not None:
                await transport.aclose()
