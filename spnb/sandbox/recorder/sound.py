"""Opus in, AAC out, without a gap: missing stretches become silence, doubled ones are left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np

__all__ = ["FRAME_SAMPLES", "RATE", "SoundPacket", "SoundTranscoder"]

RATE = 48_000
CHANNELS = 2
FRAME_SAMPLES = 1024
"""Samples in an AAC packet."""
TOLERANCE_SECONDS = 0.06
"""Packets may lie this far from where the last one ended before silence is put in or samples are dropped."""


@dataclass(frozen=True, slots=True)
class SoundPacket:
    """One AAC packet with its ADTS header, and its place in samples of 1/48000 s."""

    data: bytes
    pts: int


def _with_header(raw: bytes) -> bytes:
    """Put the ADTS header before a raw AAC-LC packet of 48 kHz stereo (ISO/IEC 13818-7, 6.2)."""
    length = len(raw) + 7
    return (
        bytes(
            (
                0xFF,
                0xF1,
                1 << 6 | 3 << 2 | CHANNELS >> 2,
                (CHANNELS & 3) << 6 | length >> 11,
                length >> 3 & 0xFF,
                (length & 7) << 5 | 0x1F,
                0xFC,
            )
        )
        + raw
    )


class SoundTranscoder:
    """Turns Opus packets with their places on the timeline into AAC packets (HLS players everywhere take AAC)."""

    def __init__(self) -> None:
        self._decoder = av.CodecContext.create("libopus", "r")
        self._decoder.sample_rate = RATE
        self._decoder.layout = "stereo"
        self._encoder = av.CodecContext.create("aac", "w")
        self._encoder.sample_rate = RATE
        self._encoder.layout = "stereo"
        self._encoder.format = "fltp"
        self._encoder.bit_rate = 128_000
        self._written = 0
        self._origin: float | None = None

    def add(self, opus: bytes, position: float) -> Iterator[SoundPacket]:
        """Encode one Opus packet that belongs at `position` (seconds); yields AAC packets."""
        try:
            frames = self._decoder.decode(av.Packet(opus))
        except av.FFmpegError:
            return  # a broken packet: its place becomes silence when the next one comes
        for frame in frames:
            samples: Any = frame.to_ndarray()
            samples = samples.reshape(-1, CHANNELS) if not frame.format.is_planar else samples.T
            if samples.dtype != np.int16:
                samples = np.clip(samples * 32767.0, -32768, 32767).astype(np.int16)
            yield from self._place(samples, position)
            position += len(samples) / RATE

    def silence_until(self, position: float) -> Iterator[SoundPacket]:
        """Fill up with silence as far as `position`."""
        if self._origin is not None:
            missing = int((position - self._end()) * RATE)
            if missing > 0:
                yield from self._encode(np.zeros((missing, CHANNELS), np.int16))

    def _end(self) -> float:
        return (self._origin or 0.0) + self._written / RATE

    def _place(self, samples: np.ndarray[Any, np.dtype[np.int16]], position: float) -> Iterator[SoundPacket]:
        if self._origin is None:
            self._origin = position
        distance = position - self._end()
        if distance > TOLERANCE_SECONDS:
            yield from self.silence_until(position)
        elif distance < -TOLERANCE_SECONDS:
            samples = samples[min(len(samples), int(-distance * RATE)) :]
        if len(samples):
            yield from self._encode(samples)

    def _encode(self, samples: np.ndarray[Any, np.dtype[np.int16]]) -> Iterator[SoundPacket]:
        # A long silence in one frame would need as much memory as it lasts.
        for start in range(0, len(samples), RATE):
            piece = np.ascontiguousarray(samples[start : start + RATE])
            frame = av.AudioFrame.from_ndarray(piece.reshape(1, -1), format="s16", layout="stereo")
            frame.sample_rate = RATE
            frame.pts = int((self._origin or 0.0) * RATE) + self._written
            frame.time_base = Fraction(1, RATE)
            self._written += len(piece)
            yield from self._encoded(frame)

    def flush(self) -> Iterator[SoundPacket]:
        """What the encoder still holds."""
        if self._written:
            yield from self._encoded(None)

    def _encoded(self, frame: Any) -> Iterator[SoundPacket]:
        for packet in self._encoder.encode(frame):
            yield SoundPacket(_with_header(bytes(packet)), packet.pts or 0)
