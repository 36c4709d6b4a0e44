"""What one participant is sent: its forwards, its line, and how the two are negotiated.

With two peer connections (`/rtc`) we offer the second one, data channels first, and the client answers. With one
(`/rtc/v1`) the client offers all, with empty sections for what it is to be sent: we fill them in our answers, and ask
for more sections, or only for another offer, by `MediaSectionsRequirement`. As livekit-server 1.9 does both.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from livekit.protocol import models
from livekit.protocol import rtc as signal

from spnb.sandbox.media import rtp, sdp
from spnb.sandbox.media.downlink import Downlink
from spnb.sandbox.media.forward import Forward
from spnb.sandbox.media.rtp import Feedback
from spnb.sandbox.media.sdp import Description, Outgoing, Section
from spnb.sandbox.media.track import PublishedTrack
from spnb.sandbox.media.transport import MediaTransport

if TYPE_CHECKING:
    from spnb.sandbox.media.participant import Participant

__all__ = ["LOSSY", "RELIABLE", "Answering", "Offering", "Subscriber"]

log = logging.getLogger(__name__)

RELIABLE, LOSSY = "_reliable", "_lossy"
ANSWER_SECONDS = 10.0


class Subscriber:
    """Forwards tracks to one participant.

    Args:
        owner: the participant.
    """

    def __init__(self, owner: Participant) -> None:
        self._owner = owner
        self.transport: MediaTransport | None = None
        """The connection it is sent by, once there is one."""
        self._forwards: dict[str, Forward] = {}
        self._sources: dict[int, Forward] = {}
        self._line = Downlink(self._sources, on_pause=self._tell_paused)
        self._ready: set[Forward] = set()
        self._ssrcs = itertools.count(secrets.randbelow(2**30) + 1000)

    async def start(self) -> None:
        """Begin, after the join was answered."""

    def allow_pause(self, allowed: bool) -> None:
        """Whether its pictures may be paused on a line too narrow for all of them."""
        self._line.allow_pause = allowed

    def attached(self) -> None:
        """It has a signalling socket again: what was said meanwhile was not heard."""

    def subscribe(self, track: PublishedTrack) -> None:
        """Forward a track, as soon as that is negotiated."""
        raise NotImplementedError

    def _let_go(self, forward: Forward) -> None:
        """A forward is over: its section is empty."""
        raise NotImplementedError

    def unsubscribe(self, track_sid: str) -> None:
        """Stop forwarding a track."""
        forward = self._forwards.pop(track_sid, None)
        if forward is None:
            return
        del self._sources[forward.ssrc]
        forward.end()
        forward.track.forwards.discard(forward)
        self._let_go(forward)

    def unsubscribe_all(self) -> None:
        """Stop forwarding everything."""
        for track_sid in list(self._forwards):
            self.unsubscribe(track_sid)

    def follows(self, track_sid: str) -> bool:
        """Whether a track is forwarded, or will be once it is negotiated."""
        return track_sid in self._forwards

    def track_settings(self, settings: signal.UpdateTrackSettings) -> None:
        """The client wants tracks paused or in another quality."""
        for track_sid in settings.track_sids:
            forward = self._forwards.get(track_sid)
            if forward is not None:
                self._set(forward, settings)

    @staticmethod
    def _set(forward: Forward, settings: signal.UpdateTrackSettings) -> None:
        # Protobuf cannot tell an unset quality from LOW. Clients that have a size send it instead.
        sized = settings.width > 0 and settings.height > 0
        most = forward.track.rank_for(settings.width, settings.height) if sized else settings.quality + 1
        forward.want(paused=settings.disabled, most=most, fps=settings.fps)

    def _outgoing(
        self, track: PublishedTrack, mid: str, payload_type: int, rtx_payload_type: int, red_payload_type: int
    ) -> Outgoing:
        """The section that carries a track."""
        return Outgoing(
            mid=mid,
            kind=track.kind,
            codec=track.codec.name,
            payload_type=payload_type,
            stream_id=f"{self._owner.room.sid_of(track)}|{track.info.sid}",
            track_id=track.info.sid,
            ssrc=next(self._ssrcs),
            stereo=track.info.stereo,
            rtx_payload_type=rtx_payload_type,
            rtx_ssrc=next(self._ssrcs) if rtx_payload_type else 0,
            red_payload_type=red_payload_type if track.redundant else 0,
        )

    def _forward(
        self, track: PublishedTrack, section: Outgoing, transport: MediaTransport, stamp_id: int, number_id: int
    ) -> Forward:
        """Make the forward that fills a section."""
        forward = Forward(
            track,
            mid=section.mid,
            payload_type=section.payload_type,
            ssrc=section.ssrc,
            rtx_payload_type=section.rtx_payload_type,
            rtx_ssrc=section.rtx_ssrc,
            red_payload_type=section.red_payload_type,
            stamp_id=stamp_id,
            number_id=number_id,
            send_rtp=transport.send_rtp,
            send_rtcp=transport.send_rtcp,
            on_streaming=partial(self._tell_active, track) if track.kind == "video" else lambda: None,
        )
        self._line.admit(forward)
        self._forwards[track.info.sid] = self._sources[section.ssrc] = forward
        track.forwards.add(forward)
        return forward

    def _tell_active(self, track: PublishedTrack) -> None:
        self._tell_state(track, signal.StreamState.ACTIVE)

    def _tell_paused(self, forward: Forward) -> None:
        self._tell_state(forward.track, signal.StreamState.PAUSED)

    def _tell_state(self, track: PublishedTrack, state: signal.StreamState) -> None:
        info = signal.StreamStateInfo(
            participant_sid=self._owner.room.sid_of(track), track_sid=track.info.sid, state=state
        )
        told = signal.StreamStateUpdate(stream_states=[info])
        self._owner.send(signal.SignalResponse(stream_state_update=told))

    def start_ready(self) -> None:
        """Begin the forwards that are negotiated, once packets can be sent: a key frame sent before would be lost."""
        if self.transport is not None and self.transport.connected:
            for forward in self._ready:
                if not forward.over:
                    forward.start()
            self._ready.clear()

    def hear(self, packet: bytes) -> Feedback:
        """Take RTCP of the client, and read it."""
        feedback = rtp.read_feedback(packet)
        self._line.hear(feedback)
        return feedback

    def state(self, state: str) -> None:
        """The connection it is sent by is up, or is lost."""
        if state == "connected":
            self._owner.now_active()
            self.start_ready()
        else:
            self._owner.room.media_lost(self._owner)

    def answer(self, description: signal.SessionDescription) -> None:
        """The client's answer to an offer of ours, where we make any."""

    async def trickle(self, candidate: str) -> None:
        """A remote candidate for a connection of its own, where it has one."""

    def send_data(self, label: str, message: bytes) -> None:
        """Send a data packet."""
        if self.transport is not None:
            self.transport.send_data(label, message)

    def tick(self) -> None:
        """A few times a second: see what the line carries."""
        self._line.tick()

    async def aclose(self) -> None:
        """Stop forwarding; the connection is the owner's to close."""
        self._line.close()
        self.unsubscribe_all()


class Offering(Subscriber):
    """A connection of its own, which we offer."""

    def __init__(self, owner: Participant) -> None:
        super().__init__(owner)
        self._early_candidates: list[str] = []
        self._sections: list[Outgoing] = []
        self._mids = itertools.count(1)
        self._negotiation: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._answered: asyncio.Future[Description] | None = None
        self._version = 0

    async def start(self) -> None:
        """Offer the connection with its data channels."""
        self.transport = MediaTransport(
            self._owner.room.certificate,
            burst=self._owner.room.burst,
            checks=False,
            on_rtp=lambda _packet: None,
            on_rtcp=self.hear,
            on_data=self._owner.data_from_client,
            on_state=self.state,
        )
        self.transport.open_channel(RELIABLE, reliable=True)
        self.transport.open_channel(LOSSY, reliable=False)
        self._wanted.set()
        self._negotiation = asyncio.create_task(self._negotiate(), name=f"negotiate {self._owner.identity}")

    def attached(self) -> None:
        """An offer that got no answer is made again."""
        if self._answered is not None and not self._answered.done():
            self._answered.cancel()

    def subscribe(self, track: PublishedTrack) -> None:
        """Forward a track: an empty section of its kind and codec serves again; sections only ever grow in number."""
        if track.info.sid in self._forwards or self.transport is None:
            return
        empty = (
            index
            for index, section in enumerate(self._sections)
            if not section.active and (section.kind, section.codec) == (track.kind, track.codec.name)
        )
        slot = next(empty, None)
        mid = str(next(self._mids)) if slot is None else self._sections[slot].mid
        name = track.codec.name
        rtx = sdp.RTX_PAYLOAD_TYPES.get(name, 0)
        section = self._outgoing(track, mid, sdp.PAYLOAD_TYPES[name], rtx, sdp.RED_PAYLOAD_TYPE)
        if slot is None:
            self._sections.append(section)
        else:
            self._sections[slot] = section
        video = track.kind == "video"
        self._forward(track, section, self.transport, sdp.STAMP_ID if video else 0, sdp.NUMBER_ID if video else 0)
        self._wanted.set()

    def _let_go(self, forward: Forward) -> None:
        for index, section in enumerate(self._sections):
            if section.mid == forward.mid:
                self._sections[index] = Outgoing(
                    mid=section.mid,
                    kind=section.kind,
                    codec=section.codec,
                    payload_type=section.payload_type,
                    rtx_payload_type=section.rtx_payload_type,
                    active=False,
                )
        self._wanted.set()

    async def _negotiate(self) -> None:
        """One negotiation at a time."""
        owner, transport = self._owner, self.transport
        assert transport is not None  # noqa: S101 - started together
        local = await transport.local()
        while not owner.gone:
            await self._wanted.wait()
            await owner.attached.wait()
            self._wanted.clear()
            self._version += 1
            answered: asyncio.Future[Description] = asyncio.get_running_loop().create_future()
            self._answered = answered
            covered = set(self._forwards.values())
            text = sdp.offer(self._sections, local, version=self._version)
            tracks = {section.mid: section.track_id for section in self._sections if section.active}
            described = signal.SessionDescription(type="offer", sdp=text, id=self._version, mid_to_track_id=tracks)
            owner.send(signal.SignalResponse(offer=described))
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await asyncio.wait([answered])
            except TimeoutError:
                if not owner.attached.is_set():
                    self._wanted.set()
                    continue
                log.info("%s did not answer an offer within %g s", owner.identity, ANSWER_SECONDS)
                owner.room.media_lost(owner)
                return
            if answered.cancelled():  # asked for again, over another socket
                self._wanted.set()
                continue
            answer = answered.result()
            transport.start(answer.remote, controlling=True)
            by_mid = {section.mid: section for section in answer.sections}
            for forward in self._forwards.values():
                if (section := by_mid.get(forward.mid)) is not None:
                    forward.agree(section)
            for line in self._early_candidates:
                await transport.add_candidate(line)
            self._early_candidates.clear()
            self._ready |= covered
            self.start_ready()

    def answer(self, description: signal.SessionDescription) -> None:
        """The client's answer to our offer.

        Raises:
            MalformedDescription: it cannot be read.
        """
        if self._answered is None or self._answered.done():
            return
        if description.id and description.id != self._version:
            return
        self._answered.set_result(sdp.parse(description.sdp))

    async def trickle(self, candidate: str) -> None:
        """A remote candidate."""
        if self.transport is None:
            self._early_candidates.append(candidate)
        else:
            await self.transport.add_candidate(candidate)

    async def aclose(self) -> None:
        """Stop forwarding and negotiating."""
        await super().aclose()
        if self._negotiation is not None:
            self._negotiation.cancel()
            await asyncio.gather(self._negotiation, return_exceptions=True)


class Answering(Subscriber):
    """The publisher's connection, which the client offers: the sections it leaves empty are filled."""

    def __init__(self, owner: Participant) -> None:
        super().__init__(owner)
        self._waiting: dict[str, PublishedTrack] = {}
        self._placed: dict[str, Outgoing] = {}  # by mid
        self._leaving: set[str] = set()
        """Sections that are empty now, which the client must hear before they are filled again."""
        self._free: dict[str, str] = {}
        """Kinds of the sections of the last offer that could be filled, by their mids."""
        self._settings: dict[str, signal.UpdateTrackSettings] = {}
        self._asking = False
        self._asked = {"audio": 0, "video": 0}

    def attached(self) -> None:
        """An offer is asked for again where one is needed."""
        self._asked = {"audio": 0, "video": 0}
        if self._waiting or self._leaving:
            self._ask_soon()

    def subscribe(self, track: PublishedTrack) -> None:
        """Forward a track once the client has offered a section for it."""
        if not self.follows(track.info.sid):
            self._waiting[track.info.sid] = track
            self._ask_soon()

    def follows(self, track_sid: str) -> bool:
        """Whether a track is forwarded, or waits for its section."""
        return track_sid in self._waiting or super().follows(track_sid)

    def unsubscribe(self, track_sid: str) -> None:
        """Stop forwarding a track, or waiting for its section."""
        self._waiting.pop(track_sid, None)
        self._settings.pop(track_sid, None)
        super().unsubscribe(track_sid)

    def track_settings(self, settings: signal.UpdateTrackSettings) -> None:
        """Keeps what is wanted of a track that still waits for its section."""
        for track_sid in settings.track_sids:
            if track_sid in self._waiting:
                self._settings[track_sid] = settings
        super().track_settings(settings)

    def _let_go(self, forward: Forward) -> None:
        if self._placed.pop(forward.mid, None) is not None:
            self._leaving.add(forward.mid)
            self._ask_soon()

    def _ask_soon(self) -> None:
        """Ask once for all that changes in one go."""
        if not self._asking:
            self._asking = True
            asyncio.get_running_loop().call_soon(self._ask)

    def _ask(self) -> None:
        self._asking = False
        if self._owner.gone or self.transport is None or not (self._waiting or self._leaving):
            return  # the first offer is on its way
        missing = {"audio": 0, "video": 0}
        for kind in missing:
            waiting = sum(track.kind == kind for track in self._waiting.values())
            free = sum(found == kind for found in self._free.values())
            missing[kind] = max(0, waiting - free - self._asked[kind])
            self._asked[kind] += missing[kind]
        told = signal.MediaSectionsRequirement(num_audios=missing["audio"], num_videos=missing["video"])
        self._owner.send(signal.SignalResponse(media_sections_requirement=told))

    def place(self, sections: Iterable[Section], transport: MediaTransport) -> Mapping[str, Outgoing]:
        """Fill the sections of an offer.

        Returns:
            By its mid, what each section carries to the client.
        """
        self.transport = transport
        self._asked = {"audio": 0, "video": 0}
        offered = {section.mid: section for section in sections}
        usable = {mid: section for mid, section in offered.items() if section.receives and section.codecs}
        for mid, outgoing in list(self._placed.items()):
            if mid not in usable:  # the client has closed it: what it carried goes another way
                forward = self._sources[outgoing.ssrc]
                track = forward.track
                super().unsubscribe(track.info.sid)
                self._waiting[track.info.sid] = track
        free = {mid: section for mid, section in usable.items() if mid not in self._placed and mid not in self._leaving}
        self._leaving.clear()
        for track in list(self._waiting.values()):
            of_kind = {mid: section for mid, section in free.items() if section.kind == track.kind}
            for mid, section in of_kind.items():
                codec = next((codec for codec in sdp.chosen(section) if codec.name == track.codec.name), None)
                if codec is not None:
                    self._fill(track, section, codec, transport)
                    del free[mid]
                    break
            else:
                if of_kind:
                    self._cannot(track)
        self._free = {mid: section.kind for mid, section in usable.items() if mid not in self._placed}
        return self._placed

    def _fill(self, track: PublishedTrack, section: Section, codec: sdp.Codec, transport: MediaTransport) -> None:
        sid = track.info.sid
        number = codec.payload_type
        outgoing = self._outgoing(track, section.mid, number, section.rtx.get(number, 0), section.red.get(number, 0))
        self._placed[section.mid] = outgoing
        estimated = track.kind == "video" and not section.sends
        stamp_id, number_id = (
            _short(section.extensions.get(uri, 0)) if estimated else 0
            for uri in (sdp.ABS_SEND_TIME, sdp.TRANSPORT_NUMBER)
        )
        forward = self._forward(track, outgoing, transport, stamp_id, number_id)
        self._ready.add(forward)
        del self._waiting[sid]
        if (settings := self._settings.pop(sid, None)) is not None:
            self._set(forward, settings)

    def _cannot(self, track: PublishedTrack) -> None:
        """The client decodes no such codec: it is told, as livekit-server does."""
        del self._waiting[track.info.sid]
        told = signal.SubscriptionResponse(track_sid=track.info.sid, err=models.SubscriptionError.SE_CODEC_UNSUPPORTED)
        self._owner.send(signal.SignalResponse(subscription_response=told))

    def answered(self) -> None:
        """An answer is sent: begin what it placed, ask for what is still missing."""
        self.start_ready()
        if self._waiting or self._leaving:
            self._ask_soon()


def _short(identity: int) -> int:
    """The id of a header extension that fits the one-byte form we write (RFC 8285), else 0: it is left out."""
    return identity if identity < 15 else 0
