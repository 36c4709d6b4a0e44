"""Whole encoded frames from a stream's packets, in order, for taps."""

from __future__ import annotations

import time
from collections.abc import Callable

from spnb.sandbox.media.codec import depayload, starts_keyframe
from spnb.sandbox.media.frames import EncodedFrame
from spnb.sandbox.media.layer import Layer
from spnb.sandbox.media.rtp import Header

__all__ = ["Assembler"]

PATIENCE_SECONDS = 0.4
"""How long a missing packet is waited for (it was asked for again) before its frame is given up."""


class Assembler:
    """Puts packets in order and frames together.

    A frame that cannot be completed is left out; what follows then waits for a key frame: it could not be decoded.

    Args:
        codec: `h264`, `vp8` or `opus`.
        deliver: called with each complete frame.
        need_keyframe: called when frames had to be given up.
    """

    def __init__(
        self, codec: str, *, deliver: Callable[[EncodedFrame], None], need_keyframe: Callable[[], None]
    ) -> None:
        self._codec = codec
        self._deliver = deliver
        self._need_keyframe = need_keyframe
        self._layer: Layer | None = None
        self._waiting: dict[int, tuple[bytes, Header]] = {}
        self._next: int | None = None
        self._stalled_since: float | None = None
        self._parts: list[bytes] = []
        self._keyframe = False
        self._broken = codec != "opus"
        self._unwrapped: int | None = None
        self._last_timestamp = 0
        self._delivered_at = 0.0

    def add(self, layer: Layer, packet: bytes, header: Header) -> None:
        """Take one packet of the layer that is being followed; another layer than before starts anew."""
        if layer is not self._layer:
            self._switch(layer, header)
        if self._next is not None and not (
            header.sequence == self._next or (header.sequence - self._next) & 0xFFFF < 0x8000
        ):
            return  # late: its frame was given up, or it is a double
        self._waiting[header.sequence] = (packet, header)
        if self._next is None:
            self._next = header.sequence
        self._drain()
        if self._waiting:
            now = time.monotonic()
            if self._stalled_since is None:
                self._stalled_since = now
            elif now - self._stalled_since > PATIENCE_SECONDS:
                self._give_up()

    def _switch(self, layer: Layer, header: Header) -> None:
        if self._layer is not None and self._unwrapped is not None:
            # Layers have their own timestamp bases; on the common timeline the new one goes on after real time passed.
            elapsed = max(1, int((time.monotonic() - self._delivered_at) * 90000))
            self._last_timestamp = header.timestamp
            self._unwrapped += elapsed
        self._layer = layer
        self._waiting.clear()
        self._parts.clear()
        self._keyframe = False
        self._next = None
        self._stalled_since = None

    def _drain(self) -> None:
        while self._next is not None and (found := self._waiting.pop(self._next, None)) is not None:
            self._next = (self._next + 1) & 0xFFFF
            self._stalled_since = None
            self._take(*found)

    def _give_up(self) -> None:
        assert self._next is not None  # noqa: S101 - only called with packets waiting
        oldest = min(self._waiting, key=lambda sequence: (sequence - (self._next or 0)) & 0xFFFF)
        self._next = oldest
        self._stalled_since = None
        self._parts.clear()
        self._keyframe = False
        if self._codec != "opus":
            self._broken = True
            self._need_keyframe()
        self._drain()

    def _take(self, packet: bytes, header: Header) -> None:
        payload = packet[header.start : header.end]
        if not payload:
            return  # padding only: bandwidth probing
        if starts_keyframe(self._codec, payload) and not self._parts:
            self._keyframe = True
        self._parts.append(depayload(self._codec, payload))
        if header.marker or self._codec == "opus":
            self._finish(header)

    def _finish(self, header: Header) -> None:
        data, keyframe = b"".join(self._parts), self._keyframe
        self._parts.clear()
        self._keyframe = False
        if keyframe:
            self._broken = False
        if self._broken or not data:
            return
        layer = self._layer
        frame = EncodedFrame(
            data=data,
            timestamp=self._unwrap(header.timestamp),
            keyframe=keyframe or self._codec == "opus",
            arrived=time.monotonic(),
            captured=layer.captured(header.timestamp) if layer else None,
        )
        self._delivered_at = frame.arrived
        self._deliver(frame)

    def _unwrap(self, timestamp: int) -> int:
        if self._unwrapped is None:
            self._unwrapped = timestamp
        else:
            self._unwrapped += (timestamp - self._last_timestamp + 2**31) % 2**32 - 2**31
        self._last_timestamp = timestamp
        return self._unwrapped
