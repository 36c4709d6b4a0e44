"""Reads a container: its pictures and sound in the order in which they are due, whatever is wrong with the file.

Packets are read ahead, so that a stream whose decoder gives its pictures late (it has many threads, or needs what
follows) is not late against the other. What is damaged is left out; stamps that jump or are missing are made good.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from spnb.broadcast.sources.timing import Timeline
from spnb.errors import SourceError

__all__ = ["Reader"]

log = logging.getLogger(__name__)

MOST_BYTES = 64 << 20
"""What is read ahead of one stream while the other has nothing, at most."""
MOST_BROKEN = 200
"""Failures in a row after which there is nothing more to be had of a container."""
WRONG_SECONDS = 10.0
"""How far a picture's own stamp may be from the one it is decoded at."""


class _Track:
    """A stream that is read."""

    def __init__(self, stream: Any, step: float) -> None:
        self.stream = stream
        self.packets: deque[Any] = deque()
        self.bytes = 0
        self.frames: deque[tuple[float, Any]] = deque()
        self.over = False
        self.step = step
        """Seconds from one frame to the next where nothing tells."""
        self.shift: float | None = None
        """Seconds that are added to its stamps."""
        # Of its first packets no decoding time is known, and the time they are shown at goes forth and back.
        self.reorders = bool(getattr(stream.codec_context, "has_b_frames", False))
        self._last: float | None = None

    def seconds_ahead(self) -> float:
        """How much of it waits."""
        if not self.packets or self.packets[0].dts is None or self.packets[-1].dts is None:
            return len(self.packets) * self.step
        return float((self.packets[-1].dts - self.packets[0].dts) * self.packets[0].time_base)

    def decode(self, packet: Any | None) -> None:
        """Decode a packet, or what the decoder holds back.

        Raises:
            av.FFmpegError: it is damaged.
        """
        for frame in self.stream.decode(packet):
            at = None if frame.pts is None else float(frame.pts * (frame.time_base or self.stream.time_base))
            if at is None or (self._last is not None and at < self._last - 1):
                at = 0.0 if self._last is None else self._last + self.step
            self._last = at
            if getattr(frame, "samples", 0):
                self.step = frame.samples / frame.sample_rate
            self.frames.append((at, frame))


class Reader:
    """Gives the frames of a container in the order in which they are due.

    Args:
        container: it is not closed here.
        streams: which of its streams.
        fps: pictures per second, for those without time stamps.
        ahead: seconds that may be read of one stream while another has nothing: a file's whole interleaving; of a live
            stream little, for waiting there is delay.
        told: called with what was left out, in words, once for each damaged stretch.
    """

    def __init__(
        self,
        container: Any,
        streams: list[Any],
        *,
        fps: float,
        ahead: float,
        told: Callable[[str], None],
    ) -> None:
        self._container = container
        self._tracks = [_Track(stream, 1 / fps) for stream in streams]
        self._by_index = {track.stream.index: track for track in self._tracks}
        self._packets = container.demux(streams)
        self._ahead = ahead
        self._told = told
        self._timeline = Timeline()
        self._over = False
        self._broken = 0
        self._damaged = False

    def peek(self, stream: Any) -> Any | None:
        """The first frame of a stream, which is given again when it is due; None where there is none."""
        track = self._by_index[stream.index]
        self._fill(track, unbound=True)
        return track.frames[0][1] if track.frames else None

    def next(self) -> tuple[float, Any] | None:
        """Seconds since the start, and the frame that is due then; None at the end.

        Raises:
            SourceError: nothing more can be read.
        """
        while True:
            for track in self._tracks:
                self._fill(track)
            waiting = [track for track in self._tracks if track.frames]
            if waiting:
                return min(waiting, key=lambda track: track.frames[0][0]).frames.popleft()
            if all(track.over for track in self._tracks):
                return None

    def _fill(self, track: _Track, *, unbound: bool = False) -> None:
        while not track.frames and not track.over:
            if track.packets:
                packet = track.packets.popleft()
                track.bytes -= packet.size
                self._decode(track, packet)
            elif self._over:
                track.over = True
                self._decode(track, None)
            elif any(self._far_ahead(other, patient=unbound) for other in self._tracks if other is not track):
                return
            else:
                self._read()

    def _far_ahead(self, track: _Track, *, patient: bool) -> bool:
        return track.bytes > MOST_BYTES or (not patient and track.seconds_ahead() > self._ahead)

    def _decode(self, track: _Track, packet: Any | None) -> None:
        import av

        try:
            track.decode(packet)
        except av.EOFError:
            return
        except (av.FFmpegError, ValueError) as error:
            self._left_out(f"{track.stream.type} that cannot be decoded", error)
        else:
            self._damaged = False

    def _left_out(self, what: str, error: Exception) -> None:
        if not self._damaged:
            self._damaged = True
            self._told(f"{what} is left out: {getattr(error, 'strerror', None) or error}")

    def _read(self) -> None:
        import av

        try:
            packet = next(self._packets)
        except (StopIteration, av.EOFError):
            self._over = True
        except (av.InvalidDataError, ValueError) as error:
            self._broken += 1
            if self._broken > MOST_BROKEN:
                raise SourceError(f"nothing more can be read of it: {error}") from error
            self._left_out("what cannot be read", error)
            self._packets = self._container.demux([track.stream for track in self._tracks])
        else:
            self._broken = 0
            if packet.size:
                self._place(packet)

    def _place(self, packet: Any) -> None:
        track = self._by_index[packet.stream.index]
        base = packet.time_base
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is not None and base:
            if track.shift is None or packet.dts is not None or not track.reorders:
                track.shift = self._timeline.shift(packet.stream.index, float(stamp * base))
            shift = round(track.shift / base)
            if packet.pts is not None and abs(packet.pts - stamp) * base > WRONG_SECONDS:
                packet.pts = stamp
            if packet.pts is not None:
                packet.pts += shift
            if packet.dts is not None:
                packet.dts += shift
        track.packets.append(packet)
        track.bytes += packet.size
