"""One track on its way to one subscriber: follows the best layer, keeps numbering and time without a seam."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from spnb.sandbox.media import rtp
from spnb.sandbox.media.layer import HISTORY, Layer
from spnb.sandbox.media.rtp import Header, SenderReport

if TYPE_CHECKING:
    from spnb.sandbox.media.track import PublishedTrack

__all__ = ["Forward"]

FRESH_SECONDS = 0.7
"""A key frame this young is sent again to who comes now: quicker than a new one, of which publishers make few."""


class _Epoch(NamedTuple):
    """Since outgoing number `start`, packets are those of `layer`, shifted by these offsets."""

    start: int
    layer: Layer
    sequence_offset: int
    timestamp_offset: int


class Forward:
    """Forwards a published track to a subscriber.

    Args:
        track: what is forwarded.
        mid: the subscriber's media section.
        payload_type, ssrc: how the packets are labelled for the subscriber.
        send_rtp, send_rtcp: the subscriber's transport.
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
    ) -> None:
        self.track = track
        self.mid = mid
        self.payload_type = payload_type
        self.ssrc = ssrc
        self.paused = False
        self.most = 3
        """The best layer wanted: 1 low, 2 medium, 3 high."""
        self.over = False
        self._send_rtp = send_rtp
        self._send_rtcp = send_rtcp
        self._epochs: deque[_Epoch] = deque(maxlen=8)
        self._last_sequence = 0
        self._last_timestamp = 0
        self._last_sent = 0.0
        self._packets = 0
        self._octets = 0
        self._started = False

    @property
    def layer(self) -> Layer | None:
        """The layer that is being forwarded."""
        return self._epochs[-1].layer if self._epochs else None

    def start(self) -> None:
        """The subscriber is ready: begin with a key frame, the last one if it is fresh, else a new one."""
        if self._started or self.over:
            return
        self._started = True
        layer = self.track.best_layer(self.most)
        recent = layer.since_keyframe(FRESH_SECONDS) if layer is not None and self.track.kind == "video" else []
        if layer is None or not recent:
            self.track.request_keyframe(layer)
            return
        self._switch(layer, recent[0][1])
        for packet, header in recent:
            self.packet(layer, packet, header, keyframe=False)

    def packet(self, layer: Layer, packet: bytes, header: Header, *, keyframe: bool) -> None:
        """Send a packet on, if it belongs to the layer this subscriber follows."""
        if not self._started or self.paused:
            return
        current = self.layer
        if layer is not current:
            if current is not None and layer is not self.track.best_layer(self.most):
                return
            if not keyframe:
                if current is None:
                    self.track.request_keyframe(layer)
                return
            self._switch(layer, header)
        epoch = self._epochs[-1]
        if header.start == header.end:
            # Padding only (bandwidth probing). Its number is taken out of the sequence, or it would look lost.
            if (header.sequence + epoch.sequence_offset) & 0xFFFF == (self._last_sequence + 1) & 0xFFFF:
                shorter = epoch.sequence_offset - 1
                self._epochs.append(epoch._replace(start=self._last_sequence + 1, sequence_offset=shorter))
            return
        self._emit(epoch, packet, header)

    def _switch(self, layer: Layer, header: Header) -> None:
        if not self._epochs:
            self._epochs.append(_Epoch(header.sequence, layer, 0, 0))
            return
        following = (self._last_sequence + 1) & 0xFFFF
        elapsed = max(1, int((time.monotonic() - self._last_sent) * self.track.codec.clock_rate))
        timestamp = self._last_timestamp + elapsed
        self._epochs.append(_Epoch(following, layer, following - header.sequence, timestamp - header.timestamp))

    def _emit(self, epoch: _Epoch, packet: bytes, header: Header) -> None:
        sequence = (header.sequence + epoch.sequence_offset) & 0xFFFF
        timestamp = (header.timestamp + epoch.timestamp_offset) & 0xFFFFFFFF
        self._send_rtp(
            rtp.rewritten(
                packet, header, payload_type=self.payload_type, sequence=sequence, timestamp=timestamp, ssrc=self.ssrc
            )
        )
        if not self._packets or rtp.newer(sequence, self._last_sequence):
            self._last_sequence, self._last_timestamp, self._last_sent = sequence, timestamp, time.monotonic()
        self._packets += 1
        self._octets += header.end - header.start

    def resend(self, sequences: tuple[int, ...]) -> None:
        """Send packets again that the subscriber missed, as long as they are remembered."""
        for sequence in sequences:
            for epoch in reversed(self._epochs):
                if (sequence - epoch.start) & 0xFFFF < HISTORY:
                    found = epoch.layer.stored((sequence - epoch.sequence_offset) & 0xFFFF)
                    if found is not None and found[1].start != found[1].end:
                        self._emit(epoch, *found)
                    break

    def sender_report(self, layer: Layer, report: SenderReport) -> None:
        """Tell the subscriber the publisher's clock in the numbers of this forward: sound and picture stay together."""
        if layer is self.layer and self._packets:
            timestamp = report.timestamp + self._epochs[-1].timestamp_offset
            self._send_rtcp(rtp.sender_report(self.ssrc, report.ntp, timestamp, self._packets, self._octets))

    def tick(self) -> None:
        """Look for a better layer, or another one where the followed one fell silent."""
        if not self._started or self.paused:
            return
        best = self.track.best_layer(self.most)
        if best is not None and best is not self.layer:
            self.track.request_keyframe(best)

    def request_keyframe(self) -> None:
        """The subscriber cannot go on without a key frame."""
        self.track.request_keyframe(self.layer)

    def end(self) -> None:
        """The track is over."""
        self.over = True
        self._started = False
