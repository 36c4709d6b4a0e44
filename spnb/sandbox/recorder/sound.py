"""Opus in, AAC out, without a gap: several microphones are mixed, missing stretches become silence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np

__all__ = ["FRAME_SAMPLES", "RATE", "SoundMixer", "SoundPacket"]

RATE = 48_000
CHANNELS = 2
FRAME_SAMPLES = 1024
"""Samples in an AAC packet."""
TOLERANCE_SECONDS = 0.06
"""Packets may lie this far from where the last one ended before silence is put in or samples are dropped."""
PATIENCE_SECONDS = 0.3
"""How long one microphone is waited for while another goes on."""


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

    HLS players everywhere take AAC. What all microphones have told of is encoded at once; one that is silent, since it
    is muted or its packets are late, is waited for a moment and then left behind.
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
        self._origin: float | None = None

    def add(self, microphone: str, opus: bytes, position: float) -> Iterator[SoundPacket]:
        """Mix one Opus packet that belongs at `position` (seconds) in; yields AAC packets."""
        source = self._microphones.setdefault(microphone, _Microphone())
        for samples in source.decode(opus):
            if self._origin is None:
                self._origin = position
            self._place(source, samples, round((position - self._origin) * RATE))
            position += len(samples) / RATE
        ends = [known.end for known in self._microphones.values() if known.end is not None]
        if ends:
            yield from self._encode_until(max(min(ends), max(ends) - int(PATIENCE_SECONDS * RATE)))

    def remove(self, microphone: str) -> None:
        """One is gone for good; what it said stays."""
        self._microphones.pop(microphone, None)

    def _place(self, source: _Microphone, samples: np.ndarray[Any, np.dtype[np.int16]], at: int) -> None:
        tolerance = int(TOLERANCE_SECONDS * RATE)
        if source.end is not None and at < source.end + tolerance:
            # In step, or said already: it goes on where it ended.
            early = source.end - at
            samples = samples[early:] if early > tolerance else samples
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

    def silence_until(self, position: float) -> Iterator[SoundPacket]:
        """Encode as far as `position`; silence where nothing was heard."""
        if self._origin is not None:
            yield from self._encode_until(int((position - self._origin) * RATE))

    def _encode_until(self, end: int) -> Iterator[SoundPacket]:
        # A long silence in one piece would need as much memory as it lasts.
        while self._written < end:
            length = min(RATE, end - self._written)
            self._reach(length)
            piece, self._mixed = self._mixed[:length], self._mixed[length:]
            sound = np.ascontiguousarray(np.clip(piece, -32768, 32767).astype(np.int16))
            frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout="stereo")
            frame.sample_rate = RATE
            frame.pts = int((self._origin or 0.0) * RATE) + self._written
            frame.time_base = Fraction(1, RATE)
            self._written += length
            yield from self._encoded(frame)

    def flush(self) -> Iterator[SoundPacket]:
        """What has been heard and not been written, and what the encoder still holds."""
        yield from self._encode_until(self._written + len(self._mixed))
        if self._written:
            yield from self._encoded(None)

    def _encoded(self, frame: Any) -> Iterator[SoundPacket]:
        for packet in self._encoder.encode(frame):
            yield SoundPacket(_with_header(bytes(packet)), packet.pts or 0)
