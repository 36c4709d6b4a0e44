"""A media room: who is in it, which tracks are on, who taps them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from aiortc import RTCCertificate
from livekit.protocol import models
from livekit.protocol import rtc as signal

from spnb.sandbox.media.announcement import ASKED_CODECS, new_sid
from spnb.sandbox.media.burst import Burst
from spnb.sandbox.media.frames import MediaEvent, MediaEventKind, Tap
from spnb.sandbox.media.participant import Participant
from spnb.sandbox.media.subscriber import LOSSY, RELIABLE
from spnb.sandbox.media.tokens import Identity
from spnb.sandbox.media.track import PublishedTrack

__all__ = ["MediaRoom"]

EMPTY_SECONDS, DEPARTURE_SECONDS = 300, 20
"""LiveKit's defaults."""
SILENT_SECONDS = 5.0
"""Without a socket, a participant of whom nothing is heard for so long is out: clients check their lines more often."""
RESUME_SECONDS = 40.0
"""Without a socket, a participant whose media flow stays for so long: SDKs try about half a minute to come back."""
VANISHED_SECONDS = 20.0
"""With a socket, a participant of whom no datagram came for so long is gone: asleep, stopped, or without a network."""


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
        self.burst = Burst()
        self.created_at = time.time()
        self.participants: dict[str, Participant] = {}
        self.taps: list[Tap] = []
        self.metadata = ""
        self.max_participants = 0
        """0 is no limit."""
        self.empty_timeout, self.departure_timeout = EMPTY_SECONDS, DEPARTURE_SECONDS
        """Seconds it stays while nobody has come yet, and after everybody has left."""
        self.visited = False
        self._speaking: dict[str, float] = {}
        self._told_quality: dict[str, models.ConnectionQuality] = {}
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
            empty_timeout=self.empty_timeout,
            departure_timeout=self.departure_timeout,
            max_participants=self.max_participants,
            creation_time=int(self.created_at),
            creation_time_ms=int(self.created_at * 1000),
            num_participants=len(seen),
            num_publishers=sum(bool(participant.tracks) for participant in seen),
            metadata=self.metadata,
            enabled_codecs=ASKED_CODECS,
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
        self.visited = True
        self._tell("participant_joined", participant)
        self.changed(participant)

    async def settle(self, participant: Participant) -> None:
        """After the join answer: begin its subscriber connection with all that is on."""
        await participant.subscriber.start()
        if participant.auto_subscribe:
            for other in self.participants.values():
                if other is not participant:
                    for track in other.tracks.values():
                        if track.flowing:
                            self._offer(participant, other, track)

    def is_full(self, who: Identity) -> bool:
        """Whether one more would be too many; recorders and those who come back are not counted."""
        if not self.max_participants or who.grants.recorder or who.identity in self.participants:
            return False
        counted = [other for other in self.participants.values() if not other.who.grants.recorder]
        return len(counted) >= self.max_participants

    def changed(
        self, participant: Participant, state: models.ParticipantInfo.State | None = None, *, itself: bool = False
    ) -> None:
        """Tell the others about a participant, and `itself` too where it did not ask for the change."""
        info = participant.to_info(state)
        update = signal.SignalResponse(update=signal.ParticipantUpdate(participants=[info]))
        if itself:
            participant.send(update)
        if participant.who.grants.hidden:
            return
        for other in self.participants.values():
            if other is not participant:
                other.send(update)

    def describe(self, metadata: str) -> None:
        """Change the room's metadata and tell everybody."""
        self.metadata = metadata
        self._broadcast(signal.SignalResponse(room_update=signal.RoomUpdate(room=self.to_info())))

    def _broadcast(self, message: signal.SignalResponse) -> None:
        for participant in self.participants.values():
            participant.send(message)

    # -- who follows whom

    def subscribe(self, participant: Participant, track_sids: set[str], *, subscribe: bool) -> None:
        """A participant wants tracks, or does not want them any more."""
        for other in self.participants.values():
            for track in other.tracks.values():
                if track.info.sid not in track_sids or other is participant:
                    continue
                if not subscribe:
                    participant.wanted.discard(track.info.sid)
                    participant.unsubscribe(track.info.sid)
                    continue
                participant.wanted.add(track.info.sid)
                if track.flowing:
                    self._offer(participant, other, track)

    def _offer(self, participant: Participant, publisher: Participant, track: PublishedTrack) -> None:
        """Forward a track to a participant, if its publisher permits; the first time the publisher is told."""
        if not publisher.permits(participant, track.info.sid):
            self._tell_permission(participant, publisher, track, allowed=False)
            return
        participant.subscribe(track)
        if participant.follows(track.info.sid) and not track.first_subscribed:
            track.first_subscribed = True
            told = signal.TrackSubscribed(track_sid=track.info.sid)
            publisher.send(signal.SignalResponse(track_subscribed=told))

    def permissions_changed(self, publisher: Participant) -> None:
        """A publisher permits other participants, or other tracks, than before."""
        for track in publisher.tracks.values():
            for other in self.participants.values():
                sid = track.info.sid
                if other is publisher or not track.flowing:
                    continue
                if not publisher.permits(other, sid):
                    if other.follows(sid):
                        other.unsubscribe(sid)
                    self._tell_permission(other, publisher, track, allowed=False)
                elif not other.follows(sid) and (other.auto_subscribe or sid in other.wanted):
                    self._tell_permission(other, publisher, track, allowed=True)
                    self._offer(other, publisher, track)

    @staticmethod
    def _tell_permission(
        participant: Participant, publisher: Participant, track: PublishedTrack, *, allowed: bool
    ) -> None:
        told = signal.SubscriptionPermissionUpdate(
            participant_sid=publisher.sid, track_sid=track.info.sid, allowed=allowed
        )
        participant.send(signal.SignalResponse(subscription_permission_update=told))

    # -- what is told by the clock

    def speakers(self) -> None:
        """Tell who has begun or stopped to speak, or speaks louder or softer."""
        told = []
        for participant in self.participants.values():
            level = max((t.loudness.level() for t in participant.tracks.values() if t.kind == "audio"), default=0.0)
            if level != self._speaking.get(participant.sid, 0.0):
                told.append(models.SpeakerInfo(sid=participant.sid, level=level, active=level > 0))
            self._speaking[participant.sid] = level
        here = {participant.sid for participant in self.participants.values()}
        self._speaking = {sid: level for sid, level in self._speaking.items() if sid in here}
        if told:
            self._broadcast(signal.SignalResponse(speakers_changed=signal.SpeakersChanged(speakers=told)))

    def qualities(self) -> None:
        """Tell how well everybody is connected, whenever somebody came or it has changed."""
        now = {who.sid: who.quality() for who in self.participants.values() if who.active}
        if any(self._told_quality.get(sid) != quality for sid, quality in now.items()):
            scores = {models.ConnectionQuality.EXCELLENT: 5.0, models.ConnectionQuality.GOOD: 4.0}
            updates = [
                signal.ConnectionQualityInfo(participant_sid=sid, quality=quality, score=scores.get(quality, 2.0))
                for sid, quality in now.items()
            ]
            told = signal.ConnectionQualityUpdate(updates=updates)
            self._broadcast(signal.SignalResponse(connection_quality=told))
        self._told_quality = now

    def look_after(self, now: float) -> None:
        """Take out who has vanished: no socket and no media for a while, or no media for long."""
        for participant in list(self.participants.values()):
            silent = participant.silent_for(now)
            lost = not participant.attached.is_set()
            if lost and (silent > SILENT_SECONDS or now - participant.detached_at > RESUME_SECONDS):
                self._spawn(self.dismiss(participant, models.DisconnectReason.SIGNAL_CLOSE))
            elif silent > VANISHED_SECONDS or participant.lacks_consent(now):
                self.media_lost(participant)

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
                self._offer(other, publisher, track)

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

    def send_data(self, packet: models.DataPacket, *, reliable: bool) -> None:
        """Send a data packet of the server to those it names, to all where it names nobody."""
        named = set(packet.destination_identities)
        message = packet.SerializeToString()
        for participant in self.participants.values():
            if not named or participant.identity in named:
                participant.send_data(RELIABLE if reliable else LOSSY, message)

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
            participant.uplink.unpublish(track)
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
