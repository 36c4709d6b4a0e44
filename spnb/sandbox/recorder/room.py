"""A room's recording as a whole: where nothing more can be written, a new part begins once that is possible again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from spnb.sandbox.media.frames import EncodedFrame, TapTrack
from spnb.sandbox.recorder.writer import RoomWriter

__all__ = ["Gap", "RoomRecording"]

log = logging.getLogger(__name__)

RETRY_SECONDS = 3.0
"""Until it is tried again whether the disk takes something."""
MOST_GAPS = 100
"""Of one room; of more, the newest are told."""
PROBE_BYTES = 1 << 20
"""A second of a good picture: less room than that is none."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A time that is missing in a room's recording: seconds since 1970; without an end while it lasts."""

    started: float
    ended: float | None
    reason: str


class RoomRecording:
    """A `Tap` that hands everything to a writer, and to a new one where the last can write nothing more.

    Belongs to the event loop.

    Args:
        folder: the room's.
        begin: makes the writer of the next part.
        on_gaps: called with all gaps so far whenever one begins or ends.
    """

    def __init__(self, folder: Path, begin: Callable[[], RoomWriter], *, on_gaps: Callable[[list[Gap]], None]) -> None:
        self._folder = folder
        self._begin = begin
        self._on_gaps = on_gaps
        self._tracks: dict[str, TapTrack] = {}
        self._writer: RoomWriter | None = begin()
        self._began = 0.0
        self._retry: asyncio.Task[None] | None = None
        self._nothing = False
        """Whether nothing at all is recorded: the last gap is that, until a new writer has something."""
        self.gaps: list[Gap] = []

    # -- the tap

    def track_started(self, track: TapTrack) -> None:
        """A track is there."""
        self._tracks[track.sid] = track
        if self._writer is not None:
            self._writer.track_started(track)

    def frame(self, track: TapTrack, frame: EncodedFrame) -> None:
        """A frame of a track has come."""
        if self._writer is not None:
            self._writer.frame(track, frame)

    def copy(self, track: TapTrack, rank: int, frame: EncodedFrame) -> None:
        """A frame of a smaller copy of a track has come."""
        if self._writer is not None:
            self._writer.copy(track, rank, frame)

    def track_ended(self, track: TapTrack) -> None:
        """A track is gone."""
        self._tracks.pop(track.sid, None)
        if self._writer is not None:
            self._writer.track_ended(track)

    def unreadable(self, reason: str) -> None:
        """There is a track that cannot be recorded."""
        self.troubled(reason, goes_on=False)

    # -- what the writers tell

    def troubled(self, reason: str, *, goes_on: bool) -> None:
        """Something is left out while the rest is recorded. While nothing at all is recorded, that is told already.

        Args:
            goes_on: whether more is left out from now on; else that is over, or it was one moment only.
        """
        if self._nothing:
            return
        if not self._is_open:
            self._begin_gap(reason)
            if not goes_on:
                self._end_gap(self.gaps[-1].started)
        elif goes_on:
            return
        else:
            self._end_gap(time.time(), reason)
        self._on_gaps(self.gaps)

    def failed(self, reason: str) -> None:
        """The writer can write nothing more. It is asked for again every few seconds."""
        self._writer = None
        if not self._nothing:
            self._nothing = True
            if self._is_open:  # what was left out before is another matter
                self._end_gap(time.time())
            self._begin_gap(reason)
            self._on_gaps(self.gaps)
        if self._retry is None or self._retry.done():
            self._retry = asyncio.create_task(self._again(), name=f"record again {self._folder.name}")

    def playable(self) -> None:
        """The writer has something that can be played: the time without anything is over."""
        if self._writer is not None and self._nothing:
            self._nothing = False
            self._end_gap(self._began)
            self._on_gaps(self.gaps)

    @property
    def _is_open(self) -> bool:
        return bool(self.gaps) and self.gaps[-1].ended is None

    def _begin_gap(self, reason: str) -> None:
        # The wire has milliseconds, and a gap goes by its start.
        after = self.gaps[-1].started + 0.001 if self.gaps else 0.0
        self.gaps.append(Gap(max(time.time(), after), None, reason))
        del self.gaps[:-MOST_GAPS]

    def _end_gap(self, at: float, reason: str | None = None) -> None:
        last = self.gaps[-1]
        self.gaps[-1] = replace(last, ended=max(last.started, at), reason=last.reason if reason is None else reason)

    async def _again(self) -> None:
        while self._writer is None:
            await asyncio.sleep(RETRY_SECONDS)
            if await asyncio.to_thread(self._can_write):
                log.info("recording into %s goes on in a new part", self._folder)
                self._began = time.time()
                self._writer = self._begin()
                for track in self._tracks.values():
                    self._writer.track_started(track)

    def _can_write(self) -> bool:
        probe = self._folder / "probe"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with probe.open("wb") as file:
                file.write(bytes(PROBE_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            return False
        finally:
            with contextlib.suppress(OSError):
                probe.unlink(missing_ok=True)
        return True

    def end(self) -> None:
        """Nothing more is to be recorded: a gap that is open ends here."""
        if self._retry is not None:
            self._retry.cancel()
        if self._is_open:
            self._end_gap(time.time())
            self._on_gaps(self.gaps)
