"""Records one room: takes encoded frames from the media loop, writes on a thread of its own."""

from __future__ import annotations

import logging
import queue
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spnb.sandbox.media.frames import EncodedFrame, TapTrack
from spnb.sandbox.recorder.composition import Composition
from spnb.sandbox.recorder.picture import PictureTranscoder, jpeg, keyframe_picture
from spnb.sandbox.recorder.segments import SegmentWriter
from spnb.sandbox.recorder.sound import SoundMixer
from spnb.sandbox.recorder.timeline import Timeline, TrackClock

__all__ = ["LiveFiles", "RoomWriter"]

log = logging.getLogger(__name__)

BALLAST = "ballast"
BALLAST_BYTES = 4 * 2**20
SOUND_LEAD_SECONDS = 0.5
"""How far pictures may run ahead of the sound before silence is put in: a muted microphone sends nothing."""


@dataclass(frozen=True, slots=True)
class LiveFiles:
    """What a viewer of a live room needs: the playlist, a thumbnail once there is one, the picture's size."""

    playlist: Path
    thumbnail: Path | None
    width: int
    height: int


class RoomWriter:
    """A `Tap` that records.

    The frames of a single publisher are taken as they are. The pictures of several are composed into one, the host's
    first, from when the second has one to when all but one have left, on one timeline without a gap. Sounds are mixed.

    Args:
        folder: where this recording's segments go; made if missing.
        host: the identity to prefer.
        segment_seconds, thumbnail_seconds: shortest segment; distance of thumbnails.
        composed: width and height of a picture of several publishers.
        on_ready: called once, on the writer's thread, when the live playlist can be played.
        on_problem: called once, on the writer's thread, when nothing more can be written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        host: str,
        segment_seconds: float,
        thumbnail_seconds: float,
        composed: tuple[int, int],
        on_ready: Callable[[], None],
        on_problem: Callable[[str], None],
    ) -> None:
        self.folder = folder
        self._host = host
        self._thumbnail_seconds = thumbnail_seconds
        self._composed = composed
        self._on_ready = on_ready
        self._on_problem = on_problem
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._segments = SegmentWriter(folder, seconds=segment_seconds)
        self._segment_seconds = segment_seconds
        self._timeline = Timeline()
        self._clocks: dict[str, TrackClock] = {}
        self._tracks: dict[str, TapTrack] = {}
        self._video: str | None = None
        self._composition: Composition | None = None
        self._composing = False
        """Whether the last picture was a composed one."""
        self._sound: SoundMixer | None = None
        self._transcoder: PictureTranscoder | None = None
        self._changed = False
        """Whether the next picture is encoded in another way than the last: it must be a key frame."""
        self._size = (0, 0)
        self._last_thumbnail = -thumbnail_seconds
        self._last_asked = 0.0
        self._ready = False
        self._broken = False
        self.frames = 0
        """Pictures written so far."""
        self._queue.put(self._prepare)
        self._thread = threading.Thread(target=self._run, name=f"recorder-{folder.parent.name[:8]}", daemon=True)
        self._thread.start()

    # -- the tap, on the media loop

    def track_started(self, track: TapTrack) -> None:
        """A track is there."""
        self._queue.put(lambda: self._start_track(track))

    def frame(self, track: TapTrack, frame: EncodedFrame) -> None:
        """A frame of a track has come."""
        self._queue.put(lambda: self._write(track, frame))

    def track_ended(self, track: TapTrack) -> None:
        """A track is gone."""
        self._queue.put(lambda: self._end_track(track))

    def live_files(self) -> LiveFiles | None:
        """What is there for viewers; None before the first segment."""
        if not self._ready:
            return None
        thumbnail = self.folder / "thumbnail.jpg"
        shown = thumbnail if thumbnail.is_file() else None
        return LiveFiles(self.folder / "index.m3u8", shown, *self._size)

    def finish(self) -> Future[None]:
        """Write out what is there and end the thread; done when everything is on disk."""
        done: Future[None] = Future()

        def last() -> None:
            try:
                self._guard(self._close)
                (self.folder / BALLAST).unlink(missing_ok=True)
            finally:
                done.set_result(None)

        self._queue.put(last)
        self._queue.put(None)
        return done

    # -- the writer's thread

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            self._guard(work)

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # whatever it is, the thread lives on: the end of the room waits for it
            if not self._broken:
                self._broken = True
                log.exception("recording into %s has stopped", self.folder)
                (self.folder / BALLAST).unlink(missing_ok=True)
                self._segments.abandon()
                reason = getattr(error, "strerror", None) or type(error).__name__
                self._on_problem(f"nothing more can be recorded: {reason}")

    def _prepare(self) -> None:
        """Make the folder, and set some room aside for the files that close a recording, should the disk run full."""
        self.folder.mkdir(parents=True, exist_ok=True)
        spare = min(BALLAST_BYTES, shutil.disk_usage(self.folder).free // 8)
        (self.folder / BALLAST).write_bytes(bytes(spare))

    def _start_track(self, track: TapTrack) -> None:
        self._tracks[track.sid] = track
        self._choose()

    def _end_track(self, track: TapTrack) -> None:
        self._tracks.pop(track.sid, None)
        self._clocks.pop(track.sid, None)
        if self._sound is not None:
            self._sound.remove(track.sid)
        self._choose()

    def _choose(self) -> None:
        def rank(track: TapTrack) -> tuple[bool, bool]:
            return track.identity != self._host, track.source not in ("camera", "unknown")

        # Of each publisher the best picture, the host's first, then as they came.
        best: dict[str, TapTrack] = {}
        for track in sorted((track for track in self._tracks.values() if track.kind == "video"), key=rank):
            best.setdefault(track.identity, track)
        shown = list(best.values())
        if len(shown) > 1:
            self._composition = self._composition or Composition(self._composed)
            self._composition.arrange(shown)
        elif self._composition is not None and shown and self._composing:
            # Alone again: it is composed until its own key frame comes, so that no moment is missing.
            self._composition.arrange(shown)
            shown[0].request_keyframe()
        else:
            self._composition, self._composing = None, False
        first = shown[0] if shown else None
        if first is None or first.sid != self._video:
            self._video = first.sid if first else None
            if not self._composing:
                self._pass_on(first)

    def _pass_on(self, track: TapTrack | None) -> None:
        """The pictures of this track are the next to be taken as they are."""
        self._transcoder = PictureTranscoder() if track is not None and track.codec == "vp8" else None
        self._changed = True
        if track is not None:
            track.request_keyframe()

    def _write(self, track: TapTrack, frame: EncodedFrame) -> None:
        if self._broken or track.sid not in self._tracks:
            return
        clock = self._clocks.get(track.sid)
        if clock is None:
            clock = self._clocks[track.sid] = TrackClock(self._timeline, track)
        position = clock.place(frame)
        if track.kind == "audio":
            self._write_sound(track.sid, frame.data, position)
        elif not self._compose(track, frame, position) and track.sid == self._video:
            if self._transcoder is None:
                self._write_picture(track, frame.data, position, keyframe=frame.keyframe)
            else:
                for data, at, keyframe in self._transcoder.add(frame.data, position):
                    self._write_picture(track, data, at, keyframe=keyframe)

    def _compose(self, track: TapTrack, frame: EncodedFrame, position: float) -> bool:
        """Whether the frame has gone into a composed picture; where not, it is taken as it is."""
        composition = self._composition
        if composition is None or track.sid not in composition:
            return self._composing
        if self._composing and len(composition) == 1 and frame.keyframe:
            self._composition, self._composing = None, False
            self._size = composition.picture_size(track.sid)
            self._pass_on(track)
            return False
        for data, at, keyframe in composition.add(track.sid, frame, position):
            if not self._composing:
                self._composing = self._changed = True
                self._size = composition.size
            self._write_picture(track, data, at, keyframe=keyframe)
        return self._composing

    def _write_sound(self, microphone: str, opus: bytes, position: float) -> None:
        if self._sound is None:
            self._sound = SoundMixer()
        for packet in self._sound.add(microphone, opus, position):
            # Where a picture is on its way, it begins the first segment, not the sound.
            self._segments.audio(packet, with_video=self._video is not None)
        self._tell_ready()

    def _write_picture(self, track: TapTrack, data: bytes, position: float, *, keyframe: bool) -> None:
        if self._changed and not keyframe:
            return
        if keyframe and (self._size == (0, 0) or position - self._last_thumbnail >= self._thumbnail_seconds):
            self._take_thumbnail(data, position)
        if self._size == (0, 0):
            return  # nothing to show before the first picture that can be decoded
        if self._sound is not None:
            for packet in self._sound.silence_until(position - SOUND_LEAD_SECONDS):
                self._segments.audio(packet, with_video=True)
        if self._changed:
            self._changed = False
            self._segments.change(position)
        with_sound = self._sound is not None or any(known.kind == "audio" for known in self._tracks.values())
        self._segments.video(data, position, keyframe=keyframe, size=self._size, with_sound=with_sound)
        self.frames += 1
        encoded_here = self._transcoder is not None or self._composing
        if position - self._last_asked >= self._segment_seconds and not encoded_here:
            # Segments begin with key frames, which WebRTC encoders make only when asked.
            self._last_asked = position
            track.request_keyframe()
        self._tell_ready()

    def _take_thumbnail(self, data: bytes, position: float) -> None:
        picture = keyframe_picture(data)
        if picture is None:
            return
        self._size = (picture.width, picture.height)
        self._last_thumbnail = position
        fresh = self.folder / "thumbnail.jpg.part"
        fresh.write_bytes(jpeg(picture, width=640))
        fresh.replace(self.folder / "thumbnail.jpg")

    def _tell_ready(self) -> None:
        if not self._ready and self._segments.segments:
            self._ready = True
            self._on_ready()

    def _close(self) -> None:
        if self._broken:
            return
        if self._sound is not None:
            tail: list[Any] = [*self._sound.silence_until(self._segments.end), *self._sound.flush()]
            for packet in tail:
                self._segments.audio(packet, with_video=self._size != (0, 0))
        self._segments.finish()
