"""Opus in, AAC out, without a gap: several microphones are mixed, missing stretches become silence."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np

__all__ = ["FRAME_SAMPLES", "RATE", "SoundMixer", "SoundPacket", "SoundTaps"]

RATE = 48_000
CHANNELS = 2
FRAME_SAMPLES = 1024
"""Samples in an AAC packet."""
APART_SECONDS = 0.04
"""Sound that lies further from where the last packet ended is a pause or an overlap."""
STEADY_SECONDS, BEND_SAMPLES = 0.003, 4
"""What lies nearer is clocks that drift: a packet is made so many samples longer or shorter until it fits again."""


@dataclass(frozen=True, slots=True)
class SoundPacket:
    """One raw AAC packet, and its place in samples of 1/48000 s."""

    data: bytes
    pts: int


class _Microphone:
    """One publisher's sound: its decoder, and where its last sample ended."""

    def __init__(self) -> None:
        self.decoder = av.CodecContext.create("libopus", "r")
        self.decoder.sample_rate = RATE
        self.decoder.layout = "stereo"
        self.end: int | None = None

    def decode(self, opus: bytes) -> Iterator[np.ndarray[Any, np.dtype[np.int16]]]:
        """The samples of a packet; none of a broken one: its place stays silent."""
        try:
            frames = self.decoder.decode(av.Packet(opus))
        except av.FFmpegError:
            return
        for frame in frames:
            samples: Any = frame.to_ndarray()
            samples = samples.reshape(-1, CHANNELS) if not frame.format.is_planar else samples.T
            if samples.dtype != np.int16:
                samples = np.clip(samples * 32767.0, -32768, 32767).astype(np.int16)
            yield samples


class SoundMixer:
    """Mixes the Opus packets of any number of microphones, by their places on the timeline, into one track of AAC.

    HLS players everywhere take AAC. The track has no gap and begins at zero, whether or not there is anything to hear:
    where nobody has said anything by the time a stretch is encoded, it is silent.
    """

    def __init__(self) -> None:
        self._encoder = av.CodecContext.create("aac", "w")
        self._encoder.sample_rate = RATE
        self._encoder.layout = "stereo"
        self._encoder.format = "fltp"
        self._encoder.bit_rate = 128_000
        self._microphones: dict[str, _Microphone] = {}
        self._mixed = np.zeros((0, CHANNELS), np.int32)
        self._written = 0

    def add(self, microphone: str, opus: bytes, position: float) -> None:
        """Mix one Opus packet that belongs at `position` (seconds) in."""
        source = self._microphones.setdefault(microphone, _Microphone())
        for samples in source.decode(opus):
            self._place(source, samples, round(position * RATE))
            position += len(samples) / RATE

    def remove(self, microphone: str) -> None:
        """One is gone for good; what it said stays."""
        self._microphones.pop(microphone, None)

    def _place(self, source: _Microphone, samples: np.ndarray[Any, np.dtype[np.int16]], at: int) -> None:
        if source.end is not None:
            apart = at - source.end
            if abs(apart) <= APART_SECONDS * RATE:
                at = source.end
                if abs(apart) > STEADY_SECONDS * RATE:
                    samples = _bent(samples, BEND_SAMPLES if apart > 0 else -BEND_SAMPLES)
            elif apart < 0:
                samples = samples[-apart:]  # said already
                at = source.end
        source.end = at + len(samples)
        if at < self._written:
            samples = samples[self._written - at :]  # too late for its place
            at = self._written
        first = at - self._written
        self._reach(first + len(samples))
        self._mixed[first : first + len(samples)] += samples

    def _reach(self, length: int) -> None:
        missing = length - len(self._mixed)
        if missing > 0:
            self._mixed = np.concatenate((self._mixed, np.zeros((missing, CHANNELS), np.int32)))

    @property
    def end(self) -> float:
        """As far as something was heard, in seconds."""
        return (self._written + len(self._mixed)) / RATE

    def until(self, position: float) -> Iterator[SoundPacket]:
        """Encode as far as `position` (seconds); silence where nothing was heard."""
        end = round(position * RATE)
        # A long silence in one piece would need as much memory as it lasts.
        while self._written < end:
            length = min(RATE, end - self._written)
            self._reach(length)
            piece, self._mixed = self._mixed[:length], self._mixed[length:]
            sound = np.ascontiguousarray(np.clip(piece, -32768, 32767).astype(np.int16))
            frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout="stereo")
            frame.sample_rate = RATE
            frame.pts = self._written
            frame.time_base = Fraction(1, RATE)
            self._written += length
            yield from self._encoded(frame)

    def _encoded(self, frame: Any) -> Iterator[SoundPacket]:
        for packet in self._encoder.encode(frame):
            if packet.pts is not None and packet.pts >= 0:  # the first one, before zero, only starts the decoder up
                yield SoundPacket(bytes(packet), packet.pts)


class SoundTaps:
    """The mixer's packets for several who take them at their own pace; the first is there from the start."""

    def __init__(self, mixer: SoundMixer) -> None:
        self._mixer = mixer
        self._taps: list[deque[SoundPacket]] = [deque()]

    def another(self) -> int:
        """One more who takes them, from now on."""
        self._taps.append(deque())
        return len(self._taps) - 1

    def until(self, position: float, tap: int = 0) -> Iterable[SoundPacket]:
        """What that one has not had yet, as far as `position` (seconds) at least."""
        for packet in self._mixer.until(position):
            for each in self._taps:
                each.append(packet)
        found = list(self._taps[tap])
        self._taps[tap].clear()
        return found


def _bent(samples: np.ndarray[Any, np.dtype[np.int16]], by: int) -> np.ndarray[Any, np.dtype[np.int16]]:
    """The same sound in some samples more or fewer."""
    count = len(samples)
    places = np.linspace(0, count - 1, max(1, count + by))
    known = np.arange(count)
    sides = [np.interp(places, known, samples[:, side]) for side in range(samples.shape[1])]
    return np.stack(sides, axis=1).astype(np.int16)
