"""A part of a recording as a file of its own: cut at a keyframe without loss, or to the frame by encoding anew."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from spnb.errors import InvalidInput
from spnb.recordings.containers import open_recording
from spnb.recordings.pieces import Piece
from spnb.recordings.places import part_of

__all__ = ["cut"]

TICKS = Fraction(1, 90_000)


def cut(pieces: Sequence[Piece], target: Path, *, exact: bool) -> Path:
    """Write pieces one after the other into an MP4 file. Blocks; runs on a thread of its own.

    Args:
        exact: False copies what was recorded: quick and without loss, beginning at the keyframe at or before the wanted
            moment. True encodes anew (H.264, AAC) from the very frame.

    Raises:
        InvalidInput: a file cannot be read, or files of different kinds would have to be joined without `exact`.
    """
    part = part_of(target)
    try:
        with av.open(str(part), "w", format="mp4", options={"movflags": "faststart"}) as made:
            writer = _Encoder(made) if exact else _Copier(made)
            for piece in pieces:
                with open_recording(piece.file) as source:
                    writer.add(source, piece.start, piece.end)
            writer.finish()
    except av.FFmpegError as error:
        part.unlink(missing_ok=True)
        raise InvalidInput(f"the clip could not be made: {error.strerror or type(error).__name__}") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    part.replace(target)
    return target


def _streams(source: Any) -> list[Any]:
    return [*source.streams.video[:1], *source.streams.audio[:1]]


def _kind(stream: Any) -> tuple[Any, ...]:
    context = stream.codec_context
    shape = (context.width, context.height) if stream.type == "video" else (context.sample_rate, context.layout.name)
    return (stream.type, context.name, shape, bytes(context.extradata or b""))


class _Copier:
    """Copies packets, with times that go on from piece to piece."""

    def __init__(self, made: Any) -> None:
        self._made = made
        self._outputs: dict[str, Any] = {}
        self._kinds: list[tuple[Any, ...]] = []
        self._offset = 0.0
        self._last: dict[str, int] = {}

    def add(self, source: Any, start: float, end: float) -> None:
        streams = _streams(source)
        kinds = [_kind(stream) for stream in streams]
        if not self._outputs:
            self._kinds = kinds
            self._outputs = {stream.type: self._made.add_stream_from_template(stream) for stream in streams}
        elif kinds != self._kinds:
            raise InvalidInput("the files of this recording differ in kind: pass exact=True to encode the clip anew")
        begin = (source.start_time or 0) / av.time_base
        source.seek(round((begin + start) * av.time_base), backward=True)
        first: float | None = None
        latest = 0.0
        lead = streams[0].type
        held: list[Any] = []
        for packet in source.demux(streams):
            if packet.pts is None or packet.dts is None:
                continue
            at = float(packet.pts * packet.time_base)
            if packet.stream.type == lead and at - begin >= end:
                break
            if first is None:
                if packet.stream.type != lead or not packet.is_keyframe:
                    held.append(packet)
                    continue
                first = at
                for waiting in held:
                    if float(waiting.pts * waiting.time_base) >= first:
                        latest = max(latest, self._put(waiting, first))
            if at < first or at - begin >= end:
                continue
            latest = max(latest, self._put(packet, first))
        if first is None:
            raise InvalidInput(f"there is no picture between {start:g} and {end:g} s of this file")
        self._offset += latest

    def _put(self, packet: Any, first: float) -> float:
        """Write a packet; where it ends, in seconds from the piece's beginning."""
        kind = packet.stream.type
        base = packet.time_base
        shift = round((self._offset - first) / float(base))
        end = float(((packet.pts or 0) + (packet.duration or 0)) * base) - first
        packet.pts += shift
        packet.dts += shift
        if kind in self._last:
            # Two files may overlap by a frame where they meet.
            packet.dts = max(packet.dts, self._last[kind] + 1)
            packet.pts = max(packet.pts, packet.dts)
        self._last[kind] = packet.dts
        packet.stream = self._outputs[kind]
        self._made.mux(packet)
        return end

    def finish(self) -> None:
        return


class _Encoder:
    """Decodes and encodes anew, so that the clip begins and ends at the very frame."""

    def __init__(self, made: Any) -> None:
        self._made = made
        self._video: Any = None
        self._audio: Any = None
        self._resampler: Any = None
        self._offset = 0.0
        self._last = -1
        self._samples = 0

    def add(self, source: Any, start: float, end: float) -> None:
        streams = _streams(source)
        self._open(streams)
        begin = (source.start_time or 0) / av.time_base
        source.seek(round((begin + start) * av.time_base), backward=True)
        over = 0
        for frame in source.decode(streams):
            if frame.pts is None:
                continue
            at = float(frame.pts * frame.time_base) - begin
            if at >= end:
                over += 1
                # Sound and picture lie interleaved: a little further, and both have passed the end.
                if at >= end + 1.0 or over > 200:
                    break
                continue
            if isinstance(frame, av.VideoFrame):
                if at >= start - 1e-6:
                    self._picture(frame, at - start)
            elif at >= start - 1e-6:
                self._sound(frame)
        self._offset += end - start

    def _open(self, streams: list[Any]) -> None:
        for stream in streams:
            context = stream.codec_context
            if stream.type == "video" and self._video is None:
                rate = stream.average_rate or Fraction(30)
                self._video = self._made.add_stream("libx264", rate=min(rate, Fraction(60)))
                self._video.width, self._video.height = context.width // 2 * 2, context.height // 2 * 2
                self._video.pix_fmt = "yuv420p"
                self._video.codec_context.time_base = TICKS
                self._video.options = {"preset": "veryfast", "crf": "20"}
            elif stream.type == "audio" and self._audio is None:
                self._audio = self._made.add_stream("aac", rate=48_000)
                self._audio.layout = "stereo"
                self._resampler = av.AudioResampler("fltp", "stereo", 48_000, frame_size=1024)

    def _picture(self, frame: Any, at: float) -> None:
        shown = frame.reformat(self._video.width, self._video.height, "yuv420p")
        shown.time_base = TICKS
        self._last = shown.pts = max(self._last + 1, round((self._offset + at) / TICKS))
        shown.pict_type = 0
        self._made.mux(self._video.encode(shown))

    def _sound(self, frame: Any) -> None:
        if self._audio is None:
            return
        frame.pts = None
        for resampled in self._resampler.resample(frame):
            self._encode_sound(resampled)

    def _encode_sound(self, frame: Any) -> None:
        frame.pts = self._samples
        frame.time_base = Fraction(1, 48_000)
        self._samples += frame.samples
        self._made.mux(self._audio.encode(frame))

    def finish(self) -> None:
        if self._resampler is not None:
            for resampled in self._resampler.resample(None):
                self._encode_sound(resampled)
        for stream in (self._video, self._audio):
            if stream is not None:
                self._made.mux(stream.encode(None))
