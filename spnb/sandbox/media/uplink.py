"""A participant's publisher connection: what it announces, negotiates and sends. The client offers, we answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from livekit.protocol import models
from livekit.protocol import rtc as signal

from spnb.sandbox.media import rtp, sdp
from spnb.sandbox.media.announcement import announced, new_sid, wanted_codec
from spnb.sandbox.media.layer import Layer
from spnb.sandbox.media.sdp import Codec, CodecName, Section
from spnb.sandbox.media.subscriber import Answering
from spnb.sandbox.media.track import PublishedTrack
from spnb.sandbox.media.transport import MediaTransport

if TYPE_CHECKING:
    from spnb.sandbox.media.participant import Participant

__all__ = ["Uplink"]

FEEDBACK_SSRC = 1
REMB_BITS_PER_SECOND = 8_000_000
"""The bandwidth we grant publishers: this is one machine, so there is nothing to estimate."""


class Uplink:
    """What one participant publishes.

    Args:
        owner: the participant.
    """

    def __init__(self, owner: Participant) -> None:
        self._owner = owner
        self.tracks: dict[str, PublishedTrack] = {}
        self._announced: dict[str, tuple[str, models.TrackInfo]] = {}
        self._by_mid: dict[str, PublishedTrack] = {}
        self._by_ssrc: dict[int, PublishedTrack] = {}
        self._extensions: dict[str, int] = {}
        self._transport: MediaTransport | None = None
        self._early_candidates: list[str] = []

    @property
    def transport(self) -> MediaTransport | None:
        """The connection, once the client has offered one."""
        return self._transport

    def announce(self, request: signal.AddTrackRequest) -> None:
        """The client is about to publish: give the track its id."""
        if not self._owner.who.grants.may_publish(request.source):
            message = "this token does not allow publishing"
            refusal = signal.RequestResponse(reason=signal.RequestResponse.Reason.NOT_ALLOWED, message=message)
            refusal.add_track.CopyFrom(request)
            self._owner.send(signal.SignalResponse(request_response=refusal))
            return
        info = announced(request, new_sid("TR"))
        self._announced[request.cid] = (wanted_codec(request), info)
        published = signal.TrackPublishedResponse(cid=request.cid, track=info)
        self._owner.send(signal.SignalResponse(track_published=published))

    async def offer(self, description: signal.SessionDescription) -> None:
        """Answer the client's offer on the publisher connection.

        Raises:
            MalformedDescription: the offer cannot be read.
        """
        offered = sdp.parse(description.sdp)
        if self._transport is None:
            self._transport = MediaTransport(
                self._owner.room.certificate,
                burst=self._owner.room.burst,
                checks=False,
                on_rtp=self._rtp,
                on_rtcp=self._rtcp,
                on_data=self._owner.data_from_client,
                on_state=self._state,
            )
        local = await self._transport.local()
        if self._owner.gone:
            return
        self._take_sections(offered.sections)
        subscriber = self._owner.subscriber
        outgoing = subscriber.place(offered.sections, self._transport) if isinstance(subscriber, Answering) else {}
        answer = signal.SessionDescription(
            type="answer",
            sdp=sdp.answer(offered, local, outgoing),
            id=description.id,
            mid_to_track_id={mid: section.track_id for mid, section in outgoing.items()},
        )
        self._owner.send(signal.SignalResponse(answer=answer))
        self._transport.start(offered.remote, controlling=False)
        for line in self._early_candidates:
            await self._transport.add_candidate(line)
        self._early_candidates.clear()
        if isinstance(subscriber, Answering):
            subscriber.answered()

    def _take_sections(self, sections: list[Section]) -> None:
        for section in sections:
            if section.kind not in ("audio", "video"):
                continue
            known = self._by_mid.get(section.mid)
            found = self._match(section) if known is None and section.sends else None
            told = known.info if known is not None else found[1] if found is not None else models.TrackInfo()
            section.stereo, section.dtx = told.stereo, not told.disable_dtx
            section.redundant = not told.disable_red and told.encryption == models.Encryption.Type.NONE
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
            self._begin(found[1], section, codecs[0], self._feedback)

    def _begin(
        self, info: models.TrackInfo, section: Section, codec: Codec, send_rtcp: Callable[[bytes], None]
    ) -> PublishedTrack:
        info.mid = section.mid
        track = PublishedTrack(
            info,
            section,
            codec,
            identity=self._owner.identity,
            send_rtcp=send_rtcp,
            request_from_any_thread=self._owner.room.call_soon,
        )
        self.tracks[info.sid] = track
        self._by_mid[section.mid] = track
        for ssrc in section.ssrcs:
            self._by_ssrc[ssrc] = track
        return track

    def begin(
        self, request: signal.AddTrackRequest, codec: CodecName, send_rtcp: Callable[[bytes], None]
    ) -> PublishedTrack | None:
        """A track whose packets are made on this side, and come by `take`; None where the token does not allow it.

        Args:
            request: what its publisher says of it.
            codec: what it is encoded with.
            send_rtcp: is given what its publisher should hear.
        """
        if not self._owner.who.grants.may_publish(request.source):
            return None
        kind = "audio" if request.type == models.TrackType.AUDIO else "video"
        made = Codec(codec, sdp.PAYLOAD_TYPES[codec], sdp.RTPMAPS[codec], sdp.FORMATS[codec])
        section = Section(kind=kind, mid=request.cid, codecs=[made])
        return self._begin(announced(request, new_sid("TR")), section, made, send_rtcp)

    def take(self, track: PublishedTrack, ssrc: int, packet: bytes, rid: str = "") -> None:
        """A packet of such a track, of the layer of that simulcast stream id."""
        header = rtp.read_header(packet)
        if header is not None:
            self._receive(track, track.layers.get(ssrc) or track.layer(ssrc, rid), packet, header)

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
        self._owner.room.track_ended(self._owner, track)

    def _rtp(self, packet: bytes) -> None:
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
        redundant = header.payload_type == track.red_payload_type != 0
        if (
            header.payload_type != track.codec.payload_type
            and not redundant
            and not self._other_codec(track, header.payload_type)
        ):
            return
        if track.kind == "audio" and (loudness := header.extensions.get(self._extensions.get(sdp.AUDIO_LEVEL, -1))):
            track.loudness.packet(loudness)
        layer = track.layers.get(header.ssrc) or track.layer(header.ssrc, rid)
        self._receive(track, layer, packet, header, redundant=redundant)

    def _receive(
        self, track: PublishedTrack, layer: Layer, packet: bytes, header: rtp.Header, *, redundant: bool = False
    ) -> None:
        receive = track.receive_redundant if redundant else track.receive
        receive(layer, packet, header, FEEDBACK_SSRC)
        if not track.flowing:
            track.flowing = True
            self._owner.room.track_flows(self._owner, track)

    def _other_codec(self, track: PublishedTrack, payload_type: int) -> bool:
        """A sender may take another codec of our answer than the first: believe its first packet."""
        if track.flowing:
            return False
        found = next((codec for codec in track.section_codecs if codec.payload_type == payload_type), None)
        if found is not None:
            track.use(found)
        return found is not None

    def _rtcp(self, packet: bytes) -> None:
        feedback = self._owner.subscriber.hear(packet) if self._owner.single else rtp.read_feedback(packet)
        for report in feedback.reports:
            track = self._by_ssrc.get(report.ssrc)
            if track is not None:
                track.sender_report(report)

    def _feedback(self, packet: bytes) -> None:
        if self._transport is not None:
            # A receiver's compound packet begins with a report; an empty one keeps strict parsers content.
            self._transport.send_rtcp(b"\x80\xc9\x00\x01" + FEEDBACK_SSRC.to_bytes(4, "big") + packet)

    def _state(self, state: str) -> None:
        if self._owner.single:
            self._owner.subscriber.state(state)
        elif state == "closed":
            self._owner.room.media_lost(self._owner)

    async def trickle(self, candidate: str) -> None:
        """A remote candidate."""
        if self._transport is None:
            self._early_candidates.append(candidate)
        else:
            await self._transport.add_candidate(candidate)

    def report(self) -> None:
        """Tell the publisher what arrives, and catch up on what was put off."""
        for track in self.tracks.values():
            track.tick()
            # Asked only while it can be told: what is lost with a socket would never be said again.
            told = self._owner.attached.is_set()
            if told and (update := track.quality_update(time.monotonic())) is not None:
                self._owner.send(signal.SignalResponse(subscribed_quality_update=update))
            if self._transport is not None:
                for packet in track.feedback(FEEDBACK_SSRC, REMB_BITS_PER_SECOND):
                    self._transport.send_rtcp(packet)
