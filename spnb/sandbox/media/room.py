"""A media room: who is in it, which tracks are on, who taps them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from aiortc import RTCCertificate
from livekit.protocol import models
from livekit.protocol import rtc as signal

from spnb.sandbox.media.frames import MediaEvent, MediaEventKind, Tap
from spnb.sandbox.media.participant import Participant, new_sid
from spnb.sandbox.media.track import PublishedTrack

__all__ = ["MediaRoom"]


class MediaRoom:
    """One room of the media server.

    Args:
        name: its name: social.plus's room id.
        certificate: the DTLS identity of the server.
        on_event: told of joins, tracks and leaves.
        on_empty: called when the last participant has left and nobody taps.
    """

    def __init__(
        self,
        name: str,
        certificate: RTCCertificate,
        *,
        on_event: Callable[[MediaEvent], None],
        on_empty: Callable[[MediaRoom], None],
    ) -> None:
        self.name = name
        self.sid = new_sid("RM")
        self.certificate = certificate
        self.created_at = time.time()
        self.participants: dict[str, Participant] = {}
        self.taps: list[Tap] = []
        self.metadata = ""
        self._on_event = on_event
        self._on_empty = on_empty
        self._loop = asyncio.get_running_loop()
        self._closing: set[asyncio.Task[None]] = set()

    def call_soon(self, function: Callable[[], Any]) -> None:
        """Run a function on the media loop, from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function)

    def to_info(self) -> models.Room:
        """LiveKit's description of the room."""
        seen = [participant for participant in self.participants.values() if not participant.who.grants.hidden]
        return models.Room(
            sid=self.sid,
            name=self.name,
            empty_timeout=300,
            departure_timeout=20,
            creation_time=int(self.created_at),
            creation_time_ms=int(self.created_at * 1000),
            num_participants=len(seen),
            num_publishers=sum(bool(participant.tracks) for participant in seen),
            metadata=self.metadata,
            enabled_codecs=[models.Codec(mime="video/H264"), models.Codec(mime="audio/opus")],
        )

    def others(self, participant: Participant) -> list[Participant]:
        """Everybody else whom this participant may see."""
        everybody = self.participants.values()
        return [other for other in everybody if other is not participant and not other.who.grants.hidden]

    async def join(self, participant: Participant) -> None:
        """Let a participant in; one of the same identity is shown the door first, as LiveKit does."""
        before = self.participants.get(participant.identity)
        if before is not None:
            await self.dismiss(before, models.DisconnectReason.DUPLICATE_IDENTITY)
        self.participants[participant.identity] = participant
        self._tell("participant_joined", participant)
        self.changed(participant)

    async def settle(self, participant: Participant) -> None:
        """After the join answer: begin its subscriber connection with all that is on."""
        await participant.start_subscriber()
        if participant.auto_subscribe:
            for other in self.participants.values():
                if other is not participant:
                    for track in other.tracks.values():
                        if track.flowing:
                            participant.subscribe(track)

    def changed(self, participant: Participant, state: models.ParticipantInfo.State | None = None) -> None:
        """Tell the others about a participant."""
        if participant.who.grants.hidden:
            return
        info = participant.to_info(state)
        update = signal.SignalResponse(update=signal.ParticipantUpdate(participants=[info]))
        for other in self.participants.values():
            if other is not participant:
                other.send(update)

    def sid_of(self, track: PublishedTrack) -> str:
        """The participant id of a track's publisher."""
        owner = self.participants.get(track.identity)
        return owner.sid if owner is not None else "PA_gone"

    def track_flows(self, publisher: Participant, track: PublishedTrack) -> None:
        """A track's first packet has come: announce it, forward it, tap it."""
        self.changed(publisher)
        self._tell("track_published", publisher, track)
        for tap in self.taps:
            track.add_tap(tap)
        for other in self.participants.values():
            if other is not publisher and (other.auto_subscribe or track.info.sid in other.wanted):
                other.subscribe(track)

    def track_ended(self, publisher: Participant, track: PublishedTrack) -> None:
        """A track is over."""
        for other in self.participants.values():
            other.unsubscribe(track.info.sid)
        self.changed(publisher)
        if track.flowing:
            self._tell("track_unpublished", publisher, track)

    def media_lost(self, participant: Participant) -> None:
        """A participant's connection died: it is out, whatever its signalling socket says."""
        if not participant.gone and self.participants.get(participant.identity) is participant:
            self._spawn(self.dismiss(participant, models.DisconnectReason.CONNECTION_TIMEOUT, reconnect=True))

    def relay_data(self, sender: Participant, packet: models.DataPacket, label: str) -> None:
        """Pass a data packet on to everybody else, or to those it names."""
        packet.participant_identity = sender.identity
        packet.participant_sid = sender.sid
        if packet.HasField("user"):
            packet.user.participant_identity = sender.identity
            packet.user.participant_sid = sender.sid
        named = set(packet.destination_identities)
        message = packet.SerializeToString()
        for other in self.participants.values():
            if other is not sender and (not named or other.identity in named):
                other.send_data(label, message)

    async def dismiss(self, participant: Participant, reason: int, *, reconnect: bool = False) -> None:
        """Take a participant out: tracks first, then itself, and say why."""
        if participant.gone:
            return
        participant.gone = True
        action = signal.LeaveRequest.Action.RECONNECT if reconnect else signal.LeaveRequest.Action.DISCONNECT
        leave = signal.LeaveRequest(reason=reason, action=action, can_reconnect=reconnect)  # type: ignore[arg-type]
        participant.send(signal.SignalResponse(leave=leave))
        if self.participants.get(participant.identity) is participant:
            del self.participants[participant.identity]
        for track in list(participant.tracks.values()):
            participant.unpublish(track)
        self.changed(participant, models.ParticipantInfo.State.DISCONNECTED)
        self._tell("participant_left", participant)
        await participant.aclose()
        if not self.participants:
            self._on_empty(self)

    def add_tap(self, tap: Tap) -> Callable[[], None]:
        """Give `tap` all frames of the room from now on.

        Returns:
            A function that ends it.
        """
        self.taps.append(tap)
        for track in self._flowing():
            track.add_tap(tap)

        def remove() -> None:
            if tap in self.taps:
                self.taps.remove(tap)
                for track in self._flowing():
                    track.remove_tap(tap)

        return remove

    def _flowing(self) -> list[PublishedTrack]:
        return [
            track
            for participant in self.participants.values()
            for track in participant.tracks.values()
            if track.flowing
        ]

    def _tell(self, kind: MediaEventKind, participant: Participant, track: PublishedTrack | None = None) -> None:
        self._on_event(
            MediaEvent(
                kind=kind,
                room=self.name,
                identity=participant.identity,
                participant_sid=participant.sid,
                can_publish=participant.who.grants.can_publish,
                hidden=participant.who.grants.hidden,
                track_sid=track.info.sid if track else None,
                track_kind=track.kind if track else None,
                at=time.time(),
            )
        )

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def aclose(self, reason: int) -> None:
        """Dismiss everybody."""
        for participant in list(self.participants.values()):
            await self.dismiss(participant, reason)
        await asyncio.gather(*self._closing, return_exceptions=True)
