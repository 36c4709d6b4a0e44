"""One track on its way to one subscriber: follows the layer that fits, keeps numbering and time without a seam."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from spnb.sandbox.media import rtp
from spnb.sandbox.media.layer import HISTORY, Layer, Parcel
from spnb.sandbox.media.rtp import Header, SenderReport
from spnb.sandbox.media.sdp import ABS_SEND_TIME, TRANSPORT_NUMBER, Section
from spnb.sandbox.media.vp8 import MOST_TEMPORAL, Place, Vp8Shift

if TYPE_CHECKING:
    from spnb.sandbox.media.track import PublishedTrack

__all__ = ["Forward"]

FRESH_SECONDS = 0.7
"""A key frame this young is sent again to who comes now: quicker than a new one, of which publishers make few."""
RESEND_SECONDS, RESEND_MOST_SECONDS = 0.02, 0.5
"""A packet that was asked for twice within a round trip, or at least this time, is on its way already."""


class _Epoch(NamedTuple):
    """From outgoing number `start` on, packets are those of `layer`, shifted by these offsets."""

    start: int
    layer: Layer
    sequence_offset: int
    timestamp_offset: int
    vp8: Vp8Shift | None


class Forward:
    """Forwards a published track to a subscriber.

    Args:
        track: what is forwarded.
        mid: the subscriber's media section.
        payload_type, ssrc: how the packets are labelled for the subscriber.
        rtx_payload_type, rtx_ssrc: the same for retransmissions (RFC 4588); 0 sends them as they were.
        red_payload_type: how sound that carries the packets before it is labelled; 0 sends each packet alone.
        stamp_id: the id of the `abs-send-time` header extension, 0 without: receivers estimate their line by it.
        number_id: the id of the header extension for transport-wide numbers, 0 without: probes carry it.
        send_rtp, send_rtcp: the subscriber's transport.
        on_streaming: called when packets begin to flow, at first and after each pause.
    """

    def __init__(
        self,
        track: PublishedTrack,
        *,
        mid: str,
        payload_type: int,
        ssrc: int,
        send_rtp: Callable[[bytes], None],
        send_rtcp: Callable[[bytes], None],
        rtx_payload_type: int = 0,
        rtx_ssrc: int = 0,
        red_payload_type: int = 0,
        stamp_id: int = 0,
        number_id: int = 0,
        on_streaming: Callable[[], None] = lambda: None,
    ) -> None:
        self.track = track
        self.mid = mid
        self.payload_type = payload_type
        self.ssrc = ssrc
        self.rtx_payload_type = rtx_payload_type
        self._red_payload_type = red_payload_type
        self.paused = False
        self.most = 3
        """The best layer the client wants: 1 low, 2 medium, 3 high."""
        self.granted = 3
        """The best layer its line carries; 0 where it carries none, and may be told so."""
        self.over = False
        self.octets = 0
        """Payload bytes sent, retransmissions among them."""
        self.layer: Layer | None = None
        """The layer that is being forwarded."""
        self.started = False
        self._rtx_ssrc = rtx_ssrc
        self.number_id = number_id
        self._stamp_id = stamp_id
        self._send_rtp = send_rtp
        self._send_rtcp = send_rtcp
        self._streaming = False
        self._on_streaming = on_streaming
        self._fps = 0
        self._undecided = False
        self._temporal_wanted = self._temporal = MOST_TEMPORAL
        """The highest temporal layer that is wanted, and that is sent: more only from where it can be shown."""
        self._omitted: int | None = None
        """The timestamp of the picture that is being left out."""
        self._next: Layer | None = None
        self._epochs: deque[_Epoch] = deque(maxlen=512)
        self._last_sequence = 0
        self._switched_at = 0
        self._held_until = 0.0
        self._last_timestamp = 0
        self._last_sent = 0.0
        self.packets = 0
        """Packets sent, without retransmissions."""
        self.asked = 0
        """Of those, how many were asked for again."""
        self._asked_highest: int | None = None
        self._rtx_sequence = 0
        self._probed = 0
        self._resent: dict[int, float] = {}

    def start(self) -> None:
        """The subscriber is ready: begin with a key frame, the last one if it is fresh, else a new one."""
        if self.started or self.over:
            return
        self.started = True
        layer = self.track.best_layer(min(self.most, self.granted))
        recent = layer.since_keyframe(FRESH_SECONDS) if layer is not None and self.track.kind == "video" else []
        if self.paused or layer is None or not recent:
            self.choose()
            return
        self.follow(layer, recent[0][1])
        now = time.monotonic()
        for packet, header in recent:
            self.send(Parcel(header, packet[header.start : header.end], now))

    def choose(self) -> None:
        """Aim at the layer that fits now: it is taken up at its next key frame, which is asked for."""
        if not self.started or self.paused or time.monotonic() < self._held_until:
            return
        if not self.granted:
            return
        best = self.track.best_layer(min(self.most, self.granted))
        aim = None if best is self.layer else best
        if aim is not self._next:
            if self._next is not None:
                self._next.awaited.discard(self)
            self._next = aim
            if aim is not None:
                aim.awaited.add(self)
        if aim is not None:
            self.track.request_keyframe(aim)

    def follow(self, layer: Layer, header: Header) -> None:
        """Go on with `layer` from the packet of this header, the first of a key frame."""
        before = self._epochs[-1] if self._epochs else None
        if before is None:
            self._epochs.append(_Epoch(header.sequence, layer, 0, 0, None))
            self._last_sequence = (header.sequence - 1) & 0xFFFF
            self._switched_at = header.sequence
        else:
            following = (self._last_sequence + 1) & 0xFFFF
            elapsed = max(1, int((time.monotonic() - self._last_sent) * self.track.codec.clock_rate))
            timestamp = self._last_timestamp + elapsed
            shift = self._vp8_shift(before, layer, header) if self.track.codec.name == "vp8" else None
            epoch = _Epoch(following, layer, following - header.sequence, timestamp - header.timestamp, shift)
            self._epochs.append(epoch)
            self._switched_at = following
        self.leave()
        self.layer = layer
        self._thin_out()
        self._temporal, self._omitted = self._temporal_wanted, None
        layer.followers.add(self)
        if not self._streaming:
            self._streaming = True
            self._on_streaming()

    def _vp8_shift(self, before: _Epoch, layer: Layer, header: Header) -> Vp8Shift | None:
        last = before.layer.stored((self._last_sequence - before.sequence_offset) & 0xFFFF)
        first = layer.stored(header.sequence)
        if last is None or first is None:
            return None
        ended, begins = (packet[found.start : found.end] for packet, found in (last, first))
        return Vp8Shift.between(ended if before.vp8 is None else before.vp8.applied(ended), begins)

    def leave(self) -> None:
        """Let go of the layer that is followed and of the one that is aimed at."""
        if self.layer is not None:
            self.layer.followers.discard(self)
            self.layer = None
        if self._next is not None:
            self._next.awaited.discard(self)
            self._next = None

    def hold(self, seconds: float) -> None:
        """Send nothing for so long: what waits on a full line goes first. Then `tick` takes a layer up."""
        self._held_until = time.monotonic() + seconds
        self.leave()

    def withhold(self) -> None:
        """Send nothing until a layer is granted again."""
        self.granted = 0
        self._streaming = False
        self.leave()

    def want(self, *, paused: bool, most: int, fps: int = 0) -> None:
        """The client's wish: a pause, or the best layer of use to it. After a pause numbers go on without a gap.

        Args:
            paused: whether it wants nothing for now.
            most: the best layer of use to it.
            fps: pictures a second that are enough for it, of a codec with temporal layers (VP8); 0 changes nothing.
        """
        self.most = max(1, min(3, most))
        self._fps = fps or self._fps
        self._thin_out()
        if paused and not self.paused:
            self.leave()
            self._streaming = False
        self.paused = paused
        self.choose()

    def agree(self, section: Section) -> None:
        """Do without a retransmission stream or header extensions that the client's answer did not take."""
        if self.payload_type not in section.rtx:
            self.rtx_payload_type = 0
        if section.red.get(self.payload_type) != self._red_payload_type:
            self._red_payload_type = 0
        if ABS_SEND_TIME not in section.extensions:
            self._stamp_id = 0
        if TRANSPORT_NUMBER not in section.extensions:
            self.number_id = 0

    def send(self, parcel: Parcel) -> None:
        """Send on a packet of the layer that is followed."""
        header, payload = parcel.header, parcel.payload
        epoch = self._epochs[-1]
        sequence = (header.sequence + epoch.sequence_offset) & 0xFFFF
        step = (sequence - self._last_sequence) & 0xFFFF
        if step >= 0x8000 or step == 0:
            found = self._of_late(header.sequence)
            if found is None or not payload:
                return
            epoch = found
            sequence = (header.sequence + epoch.sequence_offset) & 0xFFFF
        elif not payload:
            # Padding only (bandwidth probing). Its number is taken out of the sequence, or it would look lost.
            if step == 1:
                shorter = epoch.sequence_offset - 1
                self._epochs.append(epoch._replace(start=sequence, sequence_offset=shorter))
            return
        elif parcel.place is not None and self._is_left_out(parcel.place, header, step):
            self._leave_out(epoch, sequence, begins=parcel.place.begins)
            return
        timestamp = (header.timestamp + epoch.timestamp_offset) & 0xFFFFFFFF
        if step < 0x8000 and step:
            self._last_sequence, self._last_timestamp = sequence, timestamp
            self._last_sent = epoch.layer.last_arrival
        stamp_id, payload_type = self._stamp_id, self.payload_type
        if self._red_payload_type:
            rest, payload_type = parcel.redundant(payload_type), self._red_payload_type
        else:
            rest = parcel.rest(stamp_id) if epoch.vp8 is None else parcel.shifted(epoch.vp8, stamp_id)
        self._send_rtp(
            rtp.packet(
                rest,
                payload_type=payload_type,
                marker=header.marker,
                sequence=sequence,
                timestamp=timestamp,
                ssrc=self.ssrc,
                extended=stamp_id > 0,
            )
        )
        self.packets += 1
        self.octets += len(payload)

    def _thin_out(self) -> None:
        if self._fps and self.layer is not None:
            found = self.layer.temporal_for(self._fps)
            self._undecided = found is None
            self._temporal_wanted = MOST_TEMPORAL if found is None else found
            self._temporal = min(self._temporal, self._temporal_wanted)

    def _is_left_out(self, place: Place, header: Header, step: int) -> bool:
        """Whether a packet belongs to a picture that is left out; after a gap, which may hide anything, none begins."""
        if place.begins and step == 1:
            if place.sync or not place.temporal:
                self._temporal = max(self._temporal, min(place.temporal or self._temporal, self._temporal_wanted))
            left_out = place.temporal > self._temporal
            self._omitted = header.timestamp if left_out else None
            return left_out
        return self._omitted == header.timestamp

    def _leave_out(self, epoch: _Epoch, sequence: int, *, begins: bool) -> None:
        """Numbers go on as if the packet, and with its beginning the picture, had never been."""
        shift = (epoch.vp8 or Vp8Shift(0, 0)).without_one() if begins else epoch.vp8
        if epoch.start == sequence:
            self._epochs.pop()
        self._epochs.append(epoch._replace(start=sequence, sequence_offset=epoch.sequence_offset - 1, vp8=shift))

    def _of_late(self, incoming: int) -> _Epoch | None:
        """The epoch of a packet that comes after later ones; None where it is older than what is followed."""
        layer = self._epochs[-1].layer
        for epoch in reversed(self._epochs):
            if epoch.layer is not layer:
                return None
            if (incoming - epoch.start + epoch.sequence_offset) & 0xFFFF < 0x8000:
                return epoch
        return None

    def resend(self, sequences: tuple[int, ...], octets: float, round_trip: float | None = None) -> int:
        """Send packets again that the subscriber missed, as long as they are remembered.

        Args:
            sequences: their numbers.
            octets: how much may be sent: on a full line everything is missed, and what comes again fills it the more.
            round_trip: seconds, where known. Clients that do not know it ask several times for what is on its way.

        Returns:
            How much was sent.
        """
        now, sent = time.monotonic(), 0
        patience = max(RESEND_SECONDS, min(RESEND_MOST_SECONDS, 0.9 * (round_trip or 0.0)))
        if len(self._resent) > HISTORY:
            self._resent = {number: at for number, at in self._resent.items() if now - at < patience}
        for sequence in sequences:
            if self._asked_highest is None or rtp.newer(sequence, self._asked_highest):
                self._asked_highest = sequence
                self.asked += 1
            if sent >= octets or (sequence - self._switched_at) & 0xFFFF >= 0x8000:
                continue  # a layer that was left is of no more use
            if now - self._resent.get(sequence, -patience) >= patience:
                self._resent[sequence] = now
                sent += self._again(sequence)
        self.octets += sent
        return sent

    def _again(self, sequence: int, number_in_transport: int | None = None) -> int:
        """Send one packet again; its payload's length, 0 where it is forgotten."""
        if (self._last_sequence - sequence) & 0xFFFF >= 0x8000:
            return 0
        for epoch in reversed(self._epochs):
            if (sequence - epoch.start) & 0xFFFF < 0x8000:
                break
        else:
            return 0
        found = epoch.layer.stored((sequence - epoch.sequence_offset) & 0xFFFF)
        if found is None or found[1].start == found[1].end:
            return 0
        packet, header = found
        payload = packet[header.start : header.end]
        if epoch.vp8 is not None:
            payload = epoch.vp8.applied(payload)
        number, payload_type, ssrc = sequence, self.payload_type, self.ssrc
        if self.rtx_payload_type:
            payload = sequence.to_bytes(2, "big") + payload
            self._rtx_sequence = number = (self._rtx_sequence + 1) & 0xFFFF
            payload_type, ssrc = self.rtx_payload_type, self._rtx_ssrc
        size = len(payload)
        if number_in_transport is not None:
            payload = rtp.numbered(self.number_id, number_in_transport, payload)
        elif self._stamp_id:
            payload = rtp.stamped(self._stamp_id, time.monotonic(), payload)
        self._send_rtp(
            rtp.packet(
                payload,
                payload_type=payload_type,
                marker=header.marker,
                sequence=number,
                timestamp=(header.timestamp + epoch.timestamp_offset) & 0xFFFFFFFF,
                ssrc=ssrc,
                extended=number_in_transport is not None or self._stamp_id > 0,
            )
        )
        return size

    def probe(self, number: int) -> int:
        """Send one of the last packets once more, with a transport-wide number: receivers tell when that arrived.

        Returns:
            How many bytes were sent; 0 without a retransmission stream, which alone takes doubles.
        """
        if not self.rtx_payload_type or not self.number_id or not self._epochs:
            return 0
        for _ in range(16):
            self._probed = (self._probed + 1) % 16
            if size := self._again((self._last_sequence - self._probed) & 0xFFFF, number):
                return size
        return 0

    def sender_report(self, layer: Layer, report: SenderReport) -> None:
        """Tell the subscriber the publisher's clock in the numbers of this forward: sound and picture stay together."""
        if layer is self.layer and self.packets:
            timestamp = report.timestamp + self._epochs[-1].timestamp_offset
            self._send_rtcp(rtp.sender_report(self.ssrc, report.ntp, timestamp, self.packets, self.octets))

    def tick(self) -> None:
        """Look for a better layer, or another one where the followed one fell silent; forget what is long past."""
        self.choose()
        if self._undecided:
            self._thin_out()
        while len(self._epochs) > 1 and (self._last_sequence - self._epochs[1].start) & 0xFFFF > 4 * HISTORY:
            self._epochs.popleft()
        if (self._last_sequence - self._switched_at) & 0xFFFF > 8 * HISTORY:
            self._switched_at = (self._last_sequence - 4 * HISTORY) & 0xFFFF
        if self._epochs and (self._last_sequence - self._epochs[0].start) & 0xFFFF > 8 * HISTORY:
            # Numbers wrap: an epoch that lasts long begins later, or its beginning would seem to lie ahead.
            self._epochs[0] = self._epochs[0]._replace(start=(self._last_sequence - 4 * HISTORY) & 0xFFFF)

    def request_keyframe(self) -> None:
        """The subscriber cannot go on without a key frame."""
        self.track.request_keyframe(self._next or self.layer)

    def end(self) -> None:
        """The track is over."""
        self.over = True
        self.started = False
        self.leave()
