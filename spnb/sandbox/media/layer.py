"""One incoming RTP stream: what was lost, what is asked again, what the sender should hear of it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from spnb.sandbox.media import rtp
from spnb.sandbox.media.red import Block, fill
from spnb.sandbox.media.rtp import Header, SenderReport
from spnb.sandbox.media.vp8 import MOST_TEMPORAL, Place, Vp8Shift

__all__ = ["HISTORY", "Follower", "Layer", "Parcel"]

HISTORY = 1024
"""Packets kept for retransmission: some two seconds of 720p video."""
TOLERANCE = 0.9
"""A temporal layer may fall a tenth short of what was asked for."""
NACK_RETRY_SECONDS = 0.05
NACK_TRIES = 10
LATE_SECONDS = 0.25
"""A sender that is busy says of its sound that it was taken so much later, at most; more is a change."""


class Parcel:
    """A packet on its way to many: what is the same for all of them is made once."""

    __slots__ = ("_at", "_earlier", "_redundant", "_rests", "header", "payload", "place")

    def __init__(self, header: Header, payload: bytes, at: float, earlier: Sequence[Block] = ()) -> None:
        self.header = header
        self.payload = payload
        self.place: Place | None = None
        """Where its picture stands among VP8's temporal layers."""
        self._at = at
        self._rests = {0: payload}
        self._earlier = earlier
        self._redundant: dict[int, bytes] = {}

    def rest(self, stamp_id: int) -> bytes:
        """What follows the fixed header, with `abs-send-time` under that extension id."""
        made = self._rests.get(stamp_id)
        if made is None:
            made = self._rests[stamp_id] = rtp.stamped(stamp_id, self._at, self.payload)
        return made

    def redundant(self, payload_type: int) -> bytes:
        """The payload together with those before it, sound of that payload type."""
        made = self._redundant.get(payload_type)
        if made is None:
            made = self._redundant[payload_type] = fill(payload_type, self._earlier, self.payload)
        return made

    def shifted(self, shift: Vp8Shift, stamp_id: int) -> bytes:
        """The same with VP8's numbers shifted."""
        payload = shift.applied(self.payload)
        return rtp.stamped(stamp_id, self._at, payload) if stamp_id else payload


class Follower(Protocol):
    """Who is sent a layer: a forward."""

    def follow(self, layer: Layer, header: Header) -> None:
        """Go over to `layer` with the packet of this header."""

    def send(self, parcel: Parcel) -> None:
        """Send a packet on."""


class Layer:
    """An SSRC of a published track: its only stream, or one of its simulcast encodings.

    Args:
        ssrc: the stream's source.
        rid: the simulcast stream id, empty without simulcast.
        clock_rate: RTP ticks per second.
        wants_resend: whether lost packets are worth asking for again (video).
    """

    def __init__(self, ssrc: int, rid: str, clock_rate: int, *, wants_resend: bool) -> None:
        self.ssrc = ssrc
        self.rid = rid
        self.last_arrival = 0.0
        self.followers: set[Follower] = set()
        """Who is sent this layer."""
        self.awaited: set[Follower] = set()
        """Who goes over to this layer at its next key frame."""
        self.bitrate = 0.0
        """Bits per second over the last second or so, as of the last `measure`."""
        self._octets = 0
        self._measured: deque[tuple[float, int, tuple[int, ...]]] = deque(maxlen=5)
        self._pictures = [0] * (MOST_TEMPORAL + 1)
        self._rates: tuple[float, ...] = ()
        self._keyframe: tuple[int, float] | None = None
        self.lost_share = 0.0
        """Of the packets of the last two seconds or so."""
        self.report: SenderReport | None = None
        self.report_arrival = 0.0
        self.reports = 0
        """How often it has told how its clock stands."""
        self._clock: SenderReport | None = None
        self._clock_rate = clock_rate
        self._wants_resend = wants_resend
        self._first: int | None = None
        self._highest = 0
        self._cycles = 0
        self._received = 0
        self._jitter = 0.0
        self._transit: float | None = None
        self._expected_before = 0
        self._received_before = 0
        self._missing: dict[int, tuple[float, int]] = {}
        self._history: dict[int, tuple[bytes, Header]] = {}

    def receive(self, packet: bytes, header: Header) -> list[int]:
        """Take note of a packet.

        Returns:
            Sequence numbers to ask for again, empty most of the time.
        """
        now = time.monotonic()
        self.last_arrival = now
        self._received += 1
        self._octets += len(packet)
        self._history[header.sequence % HISTORY] = (packet, header)
        transit = now * self._clock_rate - header.timestamp
        if self._transit is not None:
            change = abs(transit - self._transit)
            if change < 10 * self._clock_rate:  # a wrapped timestamp is no jitter
                self._jitter += (change - self._jitter) / 16
        self._transit = transit
        if self._first is None:
            self._first = self._highest = header.sequence
            return []
        if rtp.newer(header.sequence, self._highest):
            gap = (header.sequence - self._highest) & 0xFFFF
            if header.sequence < self._highest:
                self._cycles += 1
            if self._wants_resend and 1 < gap < 256:
                for step in range(1, gap):
                    self._missing[(self._highest + step) & 0xFFFF] = (0.0, 0)
            self._highest = header.sequence
        else:
            self._missing.pop(header.sequence, None)
        return self._to_ask_for(now) if self._missing else []

    def _to_ask_for(self, now: float) -> list[int]:
        asked = []
        for sequence, (last, tries) in list(self._missing.items()):
            if tries >= NACK_TRIES or (self._highest - sequence) & 0xFFFF > HISTORY:
                del self._missing[sequence]
            elif now - last >= NACK_RETRY_SECONDS:
                self._missing[sequence] = (now, tries + 1)
                asked.append(sequence)
        return asked[:64]

    def measure(self, now: float) -> None:
        """Take the bitrate; called a few times a second, with `time.monotonic()`."""
        self._measured.append((now, self._octets, tuple(self._pictures)))
        (began, before, drawn), (ends, after, all_drawn) = self._measured[0], self._measured[-1]
        if ends > began:
            self.bitrate = 8 * (after - before) / (ends - began)
            self._rates = tuple((late - early) / (ends - began) for early, late in zip(drawn, all_drawn, strict=True))

    def count_picture(self, temporal: int) -> None:
        """Take note of a picture of a temporal layer."""
        self._pictures[temporal] += 1

    def temporal_for(self, fps: int) -> int | None:
        """The temporal layer up to which so many pictures a second are sent, as livekit-server chooses it.

        None while it is not known how many come.
        """
        if not any(self._rates):
            return None
        shown = 0.0
        for temporal, rate in enumerate(self._rates):
            shown += rate
            if shown and fps * TOLERANCE <= shown:
                return temporal
        return MOST_TEMPORAL

    def lacks(self, sequence: int) -> bool:
        """Whether a packet before the newest has not come."""
        return self._first is not None and self.stored(sequence) is None

    def was_lost(self) -> None:
        """The packet just taken had not come by itself: its publisher hears that it was lost."""
        self._received -= 1

    def begins_keyframe(self, sequence: int) -> None:
        """Take note that a key frame begins with this packet."""
        self._keyframe = (sequence, time.monotonic())

    def keyframe_within(self, seconds: float) -> bool:
        """Whether the last key frame began so short a time ago."""
        return self._keyframe is not None and time.monotonic() - self._keyframe[1] < seconds

    def since_keyframe(self, seconds: float) -> list[tuple[bytes, Header]]:
        """The packets from the last key frame on, if it began within `seconds` and none of them is missing."""
        if self._keyframe is None or time.monotonic() - self._keyframe[1] > seconds:
            return []
        first = self._keyframe[0]
        count = (self._highest - first) & 0xFFFF
        found = [self.stored((first + step) & 0xFFFF) for step in range(count + 1)]
        return [packet for packet in found if packet is not None] if None not in found else []

    def stored(self, sequence: int) -> tuple[bytes, Header] | None:
        """A recent packet by its sequence number."""
        found = self._history.get(sequence % HISTORY)
        return found if found is not None and found[1].sequence == sequence else None

    def take_report(self, report: SenderReport) -> None:
        """Remember the sender's clock.

        Of the last two reports the one counts by which media was taken earlier: a sender that is late with some sound
        takes it for sound of that moment.
        """
        before, self.report = self.report, report
        self.report_arrival = time.monotonic()
        self._clock = report
        self.reports += 1
        if before is not None:
            later = report.seconds - before.seconds - self._between(before.timestamp, report.timestamp)
            if 0 < later <= LATE_SECONDS:
                self._clock = before

    def captured(self, timestamp: int) -> float | None:
        """The sender's clock (Unix seconds) at an RTP timestamp, once a sender report has come."""
        if self._clock is None:
            return None
        return self._clock.seconds + self._between(self._clock.timestamp, timestamp)

    def _between(self, one: int, other: int) -> float:
        return ((other - one + 2**31) % 2**32 - 2**31) / self._clock_rate

    def receiver_report(self, sender: int) -> bytes:
        """What the publisher should know: loss, jitter, and the times that give it the round trip."""
        expected = self._expected()
        interval = expected - self._expected_before
        lost_now = interval - (self._received - self._received_before)
        self._expected_before, self._received_before = expected, self._received
        fraction = min(255, lost_now * 256 // interval) if interval > 0 and lost_now > 0 else 0
        self.lost_share += (fraction / 256 - self.lost_share) / 8
        last, delay = 0, 0
        if self.report is not None:
            last = self.report.ntp >> 16 & 0xFFFFFFFF
            delay = min(2**32 - 1, int((time.monotonic() - self.report_arrival) * 65536))
        return rtp.receiver_report(
            sender,
            self.ssrc,
            fraction=fraction,
            lost=max(0, expected - self._received),
            highest=self._cycles << 16 | self._highest,
            jitter=int(self._jitter),
            last=last,
            delay=delay,
        )

    def _expected(self) -> int:
        return 0 if self._first is None else (self._cycles << 16) + self._highest - self._first + 1
