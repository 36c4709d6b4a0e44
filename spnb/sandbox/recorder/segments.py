"""Live HLS: MPEG-TS segments and their playlist (RFC 8216). What is on disk is what counts: it survives any crash."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from spnb.sandbox.recorder.picture import CLOCK
from spnb.sandbox.recorder.sound import FRAME_SAMPLES, RATE, SoundPacket

__all__ = ["Segment", "SegmentWriter", "segment_files"]

WINDOW = 30
"""Segments in the live playlist: about a minute to go back."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A finished segment: its file's name, where it begins (seconds) and how long it is."""

    name: str
    start: float
    seconds: float
    changed: bool = False
    """Whether its pictures are encoded in another way than those before."""


def segment_files(folder: Path) -> list[Path]:
    """The segments of a recording in order, one that was being written when the process died included."""
    return sorted([*folder.glob("segment-*.ts"), *folder.glob("segment-*.ts.part")])


class SegmentWriter:
    """Writes packets into segments of a few seconds.

    Args:
        folder: where segments and `index.m3u8` go.
        seconds: shortest length of a segment; it is cut at the next key frame.
    """

    def __init__(self, folder: Path, *, seconds: float = 2.0) -> None:
        self._folder = folder
        self._seconds = seconds
        self._number = 0
        self._container: Any = None
        self._video: Any = None
        self._audio: Any = None
        self._part: Path | None = None
        self._start = 0.0
        self._last_dts = -1
        self._last_audio = -1
        self._change = self._changed = False
        self.segments: list[Segment] = []
        self.end = 0.0

    def video(
        self, access_unit: bytes, position: float, *, keyframe: bool, size: tuple[int, int], with_sound: bool
    ) -> None:
        """Write a picture at `position` seconds; a key frame may begin a new segment.

        Args:
            size: width and height in pixels.
            with_sound: whether sound goes along.
        """
        if keyframe and (self._container is None or position - self._start >= self._seconds or self._video is None):
            self._begin(position, size=size, with_sound=with_sound)
        if self._video is None:
            return
        pts = max(round(position * CLOCK), self._last_dts + 1)
        self._last_dts = pts
        packet = av.Packet(access_unit)
        packet.stream = self._video
        packet.time_base = Fraction(1, CLOCK)
        packet.pts = packet.dts = pts
        packet.is_keyframe = keyframe
        self._container.mux(packet)
        self.end = max(self.end, position)

    def audio(self, sound: SoundPacket, *, with_video: bool) -> None:
        """Write an AAC packet; without video it is sound that begins segments."""
        if sound.pts <= self._last_audio:
            return  # the encoder's priming before zero, or a double
        position = sound.pts / RATE
        if not with_video and (self._container is None or position - self._start >= self._seconds):
            self._begin(position, size=None, with_sound=True)
        if self._audio is None:
            return
        self._last_audio = sound.pts
        packet = av.Packet(sound.data)
        packet.stream = self._audio
        packet.time_base = Fraction(1, RATE)
        packet.pts = packet.dts = sound.pts
        self._container.mux(packet)
        self.end = max(self.end, position + FRAME_SAMPLES / RATE)

    def _begin(self, position: float, *, size: tuple[int, int] | None, with_sound: bool) -> None:
        self.cut(position)
        self._number += 1
        self._start = position
        self._changed, self._change = self._change and bool(self.segments), False
        self._part = self._folder / f"segment-{self._number:06d}.ts.part"
        # Time stamps as they are: the muxer's own offset would differ from segment to segment.
        options = {"mpegts_copyts": "1", "flush_packets": "1"}
        self._container = av.open(str(self._part), "w", format="mpegts", options=options)
        self._video = self._audio = None
        if size is not None:
            self._video = self._container.add_mux_stream("h264", width=size[0], height=size[1])
            self._video.time_base = Fraction(1, CLOCK)
        if with_sound:
            self._audio = self._container.add_mux_stream("aac", rate=RATE)
            self._audio.time_base = Fraction(1, RATE)

    def change(self, position: float) -> None:
        """Finish the open segment: from `position` on, with a key frame, pictures are encoded in another way."""
        self.cut(position)
        self._change = True

    def cut(self, position: float) -> None:
        """Finish the open segment, which ends at `position`, and list it."""
        if self._container is None or self._part is None:
            return
        container, self._container = self._container, None
        part, self._part = self._part, None
        container.close()
        if not part.exists():
            return  # nothing was written into it
        final = part.with_suffix("")
        part.rename(final)
        self.segments.append(Segment(final.name, self._start, max(0.001, position - self._start), self._changed))
        self._write_playlist(ended=False)

    def abandon(self) -> None:
        """Give the open segment up after a failed write; what reached the disk of it stays."""
        container, self._container = self._container, None
        self._video = self._audio = None
        if container is not None:
            try:
                container.close()
            except (OSError, av.FFmpegError):
                return  # the disk is full: that is why it is given up

    def finish(self) -> None:
        """Finish the open segment and close the playlist."""
        self.cut(self.end)
        if self.segments:
            self._write_playlist(ended=True)

    def _write_playlist(self, *, ended: bool) -> None:
        shown = self.segments[-WINDOW:]
        first = len(self.segments) - len(shown)
        longest = max(1, math.ceil(max(segment.seconds for segment in shown)))
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:6",
            f"#EXT-X-TARGETDURATION:{longest}",
            f"#EXT-X-MEDIA-SEQUENCE:{first}",
            "#EXT-X-INDEPENDENT-SEGMENTS",
        ]
        if any(segment.changed for segment in self.segments):
            lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{sum(segment.changed for segment in self.segments[:first])}")
        for segment in shown:
            lines += ["#EXT-X-DISCONTINUITY"] if segment.changed else []
            lines += [f"#EXTINF:{segment.seconds:.3f},", segment.name]
        if ended:
            lines.append("#EXT-X-ENDLIST")
        fresh = self._folder / "index.m3u8.part"
        fresh.write_text("\n".join(lines) + "\n")
        fresh.replace(self._folder / "index.m3u8")
