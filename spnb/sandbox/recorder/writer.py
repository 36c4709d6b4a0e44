"""Records one room: takes encoded frames from the media loop, writes on a thread of its own."""

from __future__ import annotations

import logging
import queue
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from spnb.sandbox.media.frames import EncodedFrame, TapTrack
from spnb.sandbox.recorder.copies import Copies
from spnb.sandbox.recorder.layout import Arrangement
from spnb.sandbox.recorder.picture import THUMBNAIL_WIDTH, jpeg
from spnb.sandbox.recorder.program import Program
from spnb.sandbox.recorder.segments import Listing, SegmentWriter
from spnb.sandbox.recorder.sound import SoundMixer, SoundTaps

__all__ = ["BEGAN", "LiveFiles", "Quality", "RoomWriter", "Trouble"]

log = logging.getLogger(__name__)

Trouble = Literal["begins", "over", "failed"]
"""Something is left out from now on; that is over, or was one moment; nothing more can be written."""
BEGAN = "began"
"""The file that tells when a recording began, Unix seconds."""
BALLAST = "ballast"
BALLAST_BYTES = 4 * 2**20
TICK_SECONDS = 0.05
"""How often time moves on while nothing comes."""


@dataclass(frozen=True, slots=True)
class Quality:
    """A smaller copy of what is live: what the names of its files begin with, its segments, and its picture."""

    name: str
    listing: Listing
    codec: str | None
    """None while it has nothing of its own."""
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class LiveFiles:
    """What a viewer of a live room needs: segments and when they began, a thumbnail once there is one, the size."""

    folder: Path
    listing: Listing
    began: float
    """Unix seconds of the recording's zero."""
    seconds: float
    """Of a segment."""
    codec: str
    """The picture's, in RFC 6381's words."""
    thumbnail: Path | None
    width: int
    height: int
    copies: tuple[Quality, ...] = ()
    """The smaller qualities, the best first."""

    def listing_of(self, quality: str) -> Listing | None:
        """The segments of a quality by what its files' names begin with, nothing for the best; None of no such one."""
        if not quality:
            return self.listing
        return next((copy.listing for copy in self.copies if copy.name == quality), None)


class RoomWriter:
    """A `Tap` that records; what is shown and heard is decided by `Program`.

    Args:
        folder: where this recording's segments go; made if missing.
        host: the identity to prefer.
        segment_seconds, thumbnail_seconds: length of a segment; distance of thumbnails.
        composed: width and height of a picture of several publishers.
        most_waiting: frames that may wait to be written; what comes beyond is left out, and told.
        on_ready: called once, on the writer's thread, when there is a segment to play.
        on_part: called on the writer's thread when there is more to play.
        on_problem: called, on any thread, with what is wrong (nothing more can be written, frames were left out), and
            which kind of trouble that is.
        clock: monotonic seconds, the clock of `EncodedFrame.arrived`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        host: str,
        segment_seconds: float,
        thumbnail_seconds: float,
        composed: tuple[int, int],
        most_waiting: int,
        on_ready: Callable[[], None],
        on_part: Callable[[], None],
        on_problem: Callable[[str, Trouble], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self._most_waiting = most_waiting
        self._on_ready = on_ready
        self._on_part = on_part
        self._on_problem = on_problem
        self._clock = clock
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._left_out: dict[str, int] = {}
        self._seconds = segment_seconds
        sound = SoundMixer()
        taps = SoundTaps(sound)
        self._segments = SegmentWriter(folder, seconds=segment_seconds, sound=taps.until, on_part=self._tell)
        self._copies = Copies(folder, seconds=segment_seconds, best=self._segments, sound=taps, on_part=self._tell)
        self._broken_copies: set[tuple[str, int]] = set()
        self.program = Program(
            self._segments,
            self._copies,
            sound,
            host=host,
            seconds=segment_seconds,
            composed=composed,
            thumbnail=self._thumbnail,
            thumbnail_seconds=thumbnail_seconds,
            clock=clock,
        )
        self._began = 0.0
        self._ready = False
        self._broken = False
        self._failed: set[type[Exception]] = set()
        self._queue.put(self._prepare)
        self._thread = threading.Thread(target=self._run, name=f"recorder-{folder.parent.name[:8]}", daemon=True)
        self._thread.start()

    @property
    def frames(self) -> int:
        """Pictures taken so far."""
        return self.program.frames

    def lay_out(self, arrangement: Arrangement) -> None:
        """Show several publishers so, from what comes next on."""
        self._queue.put(lambda: self.program.lay_out(arrangement))

    # -- the tap, on the media loop

    def track_started(self, track: TapTrack) -> None:
        """A track is there."""
        self._queue.put(lambda: self.program.start_track(track))

    def frame(self, track: TapTrack, frame: EncodedFrame) -> None:
        """A frame of a track has come; where too many wait already, it is left out."""
        left_out = self._left_out.get(track.sid, 0)
        full = self._queue.qsize() >= self._most_waiting
        if full or (left_out and not frame.keyframe):
            # What follows a missing picture cannot be decoded.
            if not self._left_out:
                self._on_problem("the recorder is too slow for what arrives: frames are left out", "begins")
            self._left_out[track.sid] = left_out + 1
            if not full:
                track.request_keyframe()
            return
        if left_out:
            del self._left_out[track.sid]
            kind = "pictures" if track.kind == "video" else "packets of sound"
            told = f"{left_out} {kind} were left out of the recording: this machine was too slow"
            self._on_problem(told, "begins" if self._left_out else "over")
        self._queue.put(lambda: self._write(track, frame))

    def copy(self, track: TapTrack, rank: int, frame: EncodedFrame) -> None:
        """A frame of a smaller copy has come; it is left out where much waits already, unlike what is recorded."""
        name = (track.sid, rank)
        if self._queue.qsize() >= self._most_waiting // 2:
            self._broken_copies.add(name)
        elif frame.keyframe or name not in self._broken_copies:
            self._broken_copies.discard(name)
            self._queue.put(lambda: self._write_copy(track, rank, frame))

    def track_ended(self, track: TapTrack) -> None:
        """A track is gone."""
        if self._left_out.pop(track.sid, None) and not self._left_out:
            self._on_problem("frames were left out of the recording: this machine was too slow", "over")
        self._queue.put(lambda: self.program.end_track(track))

    def live_files(self) -> LiveFiles | None:
        """What is there for viewers; None before the first segment."""
        parameters = self._segments.parameters
        if not self._ready or parameters is None:
            return None
        thumbnail = self.folder / "thumbnail.jpg"
        return LiveFiles(
            self.folder,
            self._segments.listing,
            self._began,
            self._seconds,
            parameters.codec,
            thumbnail if thumbnail.is_file() else None,
            parameters.width,
            parameters.height,
            tuple(
                Quality(
                    copy.quality,
                    copy.listing,
                    own.codec if own is not None else None,
                    own.width if own is not None else 0,
                    own.height if own is not None else 0,
                )
                for copy in self._copies.listed
                for own in (copy.parameters,)
            ),
        )

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

    def unreadable(self, reason: str) -> None:
        """There is a track that cannot be recorded."""
        self._on_problem(reason, "over")

    # -- the writer's thread

    def _run(self) -> None:
        while True:
            try:
                work = self._queue.get(timeout=TICK_SECONDS)
            except queue.Empty:
                work = self._tick
            if work is None:
                return
            self._guard(work)

    def _tick(self) -> None:
        if not self._broken:
            self.program.advance(self._clock())

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            if not self._broken:
                self._broken = True
                log.exception("recording into %s has stopped", self.folder)
                (self.folder / BALLAST).unlink(missing_ok=True)
                self._segments.abandon()
                self._on_problem(f"nothing more can be recorded: {error.strerror or type(error).__name__}", "failed")
        except Exception as error:  # a frame that nobody could foresee: the recording goes on without it
            if type(error) not in self._failed:
                self._failed.add(type(error))
                log.exception("a frame could not be recorded into %s", self.folder)
                self._on_problem(f"a frame could not be recorded: {type(error).__name__}", "over")

    def _prepare(self) -> None:
        """Make the folder, and set some room aside for the files that close a recording, should the disk run full."""
        self.folder.mkdir(parents=True, exist_ok=True)
        spare = min(BALLAST_BYTES, shutil.disk_usage(self.folder).free // 8)
        (self.folder / BALLAST).write_bytes(bytes(spare))

    def _write(self, track: TapTrack, frame: EncodedFrame) -> None:
        if self._broken:
            return
        if not self.program.started:
            self._began = time.time() - max(0.0, self._clock() - frame.arrived)
            (self.folder / BEGAN).write_text(repr(self._began))
        self.program.frame(track, frame)

    def _write_copy(self, track: TapTrack, rank: int, frame: EncodedFrame) -> None:
        if not self._broken:
            self.program.copy(track, rank, frame)

    def _thumbnail(self, picture: Any) -> None:
        fresh = self.folder / "thumbnail.jpg.part"
        fresh.write_bytes(jpeg(picture, width=THUMBNAIL_WIDTH))
        fresh.replace(self.folder / "thumbnail.jpg")

    def _tell(self) -> None:
        if not self._ready and self._segments.listing.count:
            self._ready = True
            self._on_ready()
        self._on_part()

    def _close(self) -> None:
        if not self._broken:
            self.program.finish()
