"""The recorder: a writer for each room on air, and the finished files of all."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from spnb.sandbox.recorder.files import Interrupted, RecordedFile, finalise, listed, taken_in
from spnb.sandbox.recorder.layout import Arrangement
from spnb.sandbox.recorder.room import Gap, RoomRecording
from spnb.sandbox.recorder.writer import LiveFiles, RoomWriter, Trouble

__all__ = ["Recorder", "RecorderSettings"]

ROOM_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class RecorderSettings:
    """Choices of the recorder: times in seconds, and the size of a picture of several publishers."""

    segment_seconds: float = 2.0
    thumbnail_seconds: float = 5.0
    composed: tuple[int, int] = (1280, 720)
    most_waiting: int = 3000
    """Frames that may wait to be written: about half a minute of a publisher's."""


class Recorder:
    """Records rooms into folders below `root`, one each.

    Args:
        root: where recordings go; made if missing.
        on_ready: called on the event loop with a room's id when its live playlist can be played.
        on_problem: called on the event loop with a room's id and what is wrong.
        settings: see `RecorderSettings`.
        clock: monotonic seconds, the clock of `EncodedFrame.arrived`.
    """

    def __init__(
        self,
        root: Path,
        *,
        on_ready: Callable[[str], None],
        on_problem: Callable[[str, str], None],
        settings: RecorderSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root = root
        self._on_ready = on_ready
        self._on_problem = on_problem
        self._settings = settings or RecorderSettings()
        self._clock = clock
        self._writers: dict[str, RoomWriter] = {}
        self._arrangements: dict[str, Arrangement] = {}
        self._waiting: dict[str, asyncio.Event] = {}
        self._closed: dict[str, Future[None]] = {}
        self._recordings: dict[str, RoomRecording] = {}
        self.on_gaps: Callable[[str, list[Gap]], None] = lambda _room_id, _gaps: None
        """Called on the event loop with a room's id and its gaps when one begins or ends; see `record`."""
        self.elsewhere: Callable[[str], Awaitable[list[tuple[str, Path]]]] | None = None
        """Gives the recordings of a room that were made elsewhere, each with an id; they are taken in at its end."""
        self._known: dict[str, list[RecordedFile]] = {}
        self._loop = asyncio.get_running_loop()
        self._workers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="finalise")
        # What was left by an earlier process may take minutes: who ends a room now does not wait for that.
        self._left_over = ThreadPoolExecutor(max_workers=1, thread_name_prefix="finalise-left")
        self._ending = threading.Event()
        root.mkdir(parents=True, exist_ok=True)

    def folder(self, room_id: str) -> Path:
        """A room's folder.

        Raises:
            ValueError: the id could lead out of the recordings folder.
        """
        if not ROOM_ID.fullmatch(room_id):
            raise ValueError("a room id holds letters, digits, - and _ only")
        return self._root / room_id

    def record(self, room_id: str, *, host: str = "") -> RoomRecording:
        """Begin to record a room, or go on. A disk that is full for a while does not end it: a new part follows.

        Returns:
            The tap that takes the room's frames.
        """
        recording = self._recordings.get(room_id)
        if recording is None:
            recording = self._recordings[room_id] = RoomRecording(
                self.folder(room_id),
                lambda: self._next_writer(room_id, host),
                on_gaps=lambda gaps: self.on_gaps(room_id, gaps),
            )
        return recording

    def _next_writer(self, room_id: str, host: str) -> RoomWriter:
        broken = self._writers.get(room_id)
        if broken is not None and broken._broken:
            del self._writers[room_id]
            broken.finish()
        return self.start(room_id, host=host)

    def _ready(self, room_id: str) -> None:
        self._has_more(room_id)
        self._on_ready(room_id)
        if room_id in self._recordings:
            self._recordings[room_id].playable()

    def _problem(self, room_id: str, problem: str, trouble: Trouble) -> None:
        self._on_problem(room_id, problem)
        recording = self._recordings.get(room_id)
        if recording is not None and trouble == "failed":
            recording.failed(problem)
        elif recording is not None:
            recording.troubled(problem, goes_on=trouble == "begins")
        elif trouble == "failed":
            # The last of a room could not be written out, and nothing follows.
            now = time.time()
            self.on_gaps(room_id, [Gap(now - self._settings.segment_seconds, now, problem)])

    def last_written(self, room_id: str) -> float | None:
        """When something of a room was written last that is no file yet, seconds since 1970; None where nothing was."""
        segments = self.folder(room_id).glob("part-*/segment-*")
        return max((path.stat().st_mtime for path in segments), default=None)

    def _damaged(self, room_id: str, started: float, ended: float, reason: str) -> None:
        self._on_problem(room_id, reason)
        self.on_gaps(room_id, [Gap(started, ended, reason)])

    def start(self, room_id: str, *, host: str = "") -> RoomWriter:
        """Begin to record a part of a room, or go on with the one that is being recorded.

        Returns:
            The tap that takes the room's frames.
        """
        writer = self._writers.get(room_id)
        if writer is None:
            folder = self.folder(room_id)
            number = 1 + max((int(path.name[5:]) for path in _parts(folder)), default=0)
            writer = RoomWriter(
                folder / f"part-{number}",
                host=host,
                segment_seconds=self._settings.segment_seconds,
                thumbnail_seconds=self._settings.thumbnail_seconds,
                composed=self._settings.composed,
                most_waiting=self._settings.most_waiting,
                on_part=lambda: self._tell(self._has_more, room_id),
                clock=self._clock,
                on_ready=lambda: self._tell(self._ready, room_id),
                on_problem=lambda problem, trouble: self._tell(self._problem, room_id, problem, trouble),
            )
            writer.lay_out(self._arrangements.get(room_id, Arrangement()))
            self._writers[room_id] = writer
        return writer

    def lay_out(self, room_id: str, arrangement: Arrangement) -> None:
        """Show several publishers of a room so, in what follows of this part and in those to come."""
        self._arrangements[room_id] = arrangement
        if room_id in self._writers:
            self._writers[room_id].lay_out(arrangement)

    def _tell(self, function: Callable[..., None], *arguments: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    def _has_more(self, room_id: str) -> None:
        waiting = self._waiting.pop(room_id, None)
        if waiting is not None:
            waiting.set()

    async def live_files_with(
        self, room_id: str, segment: int, part: int | None, *, quality: str = "", timeout: float
    ) -> LiveFiles | None:
        """What viewers of a live room get, once a segment, or a part of it, is among it.

        Args:
            segment, part: their numbers from 0; without a part the whole segment.
            quality: of which quality; the best without.
            timeout: how long to wait, in seconds; what is there then is the answer.
        """

        def has(files: LiveFiles | None) -> bool:
            listing = files.listing_of(quality) if files is not None else None
            return files is None or (listing is not None and listing.has(segment, part))

        return await self._live_files_once(room_id, has, timeout)

    async def first_live_files(
        self, room_id: str, *, while_: Callable[[str], bool], timeout: float
    ) -> LiveFiles | None:
        """What viewers of a live room get, once there is any.

        Args:
            while_: whether it is worth waiting for.
            timeout: how long to wait, in seconds.
        """
        return await self._live_files_once(room_id, lambda files: files is not None or not while_(room_id), timeout)

    async def _live_files_once(
        self, room_id: str, will_do: Callable[[LiveFiles | None], bool], timeout: float
    ) -> LiveFiles | None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not will_do(self.live_files(room_id)):
                    await self._waiting.setdefault(room_id, asyncio.Event()).wait()
        return self.live_files(room_id)

    def live_files(self, room_id: str) -> LiveFiles | None:
        """What viewers of a live room get; None while nothing can be played."""
        writer = self._writers.get(room_id)
        return writer.live_files() if writer is not None else None

    async def finish(self, room_id: str, *, left_over: bool = False) -> list[RecordedFile]:
        """End a room's recording and make its files. What is made stays made: done again, it goes on behind that.

        Args:
            left_over: whether an earlier process left it: then it waits for others of the kind only.

        Returns:
            All recordings of the room, in order; empty where nothing was recorded.

        Raises:
            Interrupted: the process ends; the next one finds it `unfinished()`.
        """
        await self._written(room_id)
        workers = self._left_over if left_over else self._workers
        made = await self.elsewhere(room_id) if self.elsewhere is not None else []
        files = await self._loop.run_in_executor(workers, self._finalise, self.folder(room_id), made)
        # Only now: until the files are there, the live ones are what can be played.
        self._writers.pop(room_id, None)
        self._arrangements.pop(room_id, None)
        self._has_more(room_id)
        self._closed.pop(room_id, None)
        self._known[room_id] = files
        return files

    async def _written(self, room_id: str) -> None:
        """Until everything of a room is on disk that its writer was given; nothing follows."""
        recording = self._recordings.pop(room_id, None)
        if recording is not None:
            recording.end()
        writer = self._writers.get(room_id)
        if writer is not None:
            if room_id not in self._closed:
                self._closed[room_id] = writer.finish()
            await asyncio.wrap_future(self._closed[room_id])

    def _finalise(self, folder: Path, elsewhere: list[tuple[str, Path]]) -> list[RecordedFile]:
        def damaged(path: Path, reason: str) -> None:
            # A segment was written last when it ended.
            ended = path.stat().st_mtime if path.exists() else time.time()
            self._tell(self._damaged, folder.name, ended - self._settings.segment_seconds, ended, reason)

        files = listed(folder)
        for part in _parts(folder):
            if self._ending.is_set():
                raise Interrupted
            files = finalise(folder, part, over=self._ending.is_set, damaged=damaged)
        for playback_id, path in elsewhere:
            files = taken_in(folder, playback_id, path)
        return files

    def recorded(self, room_id: str) -> list[RecordedFile]:
        """The finished recordings of a room."""
        if room_id not in self._known:
            self._known[room_id] = listed(self.folder(room_id))
        return self._known[room_id]

    def unfinished(self) -> list[str]:
        """The rooms of which segments are on disk that are not made into files yet."""
        return sorted({part.parent.name for part in self._root.glob("*/part-*")})

    async def discard(self, room_id: str) -> None:
        """Remove everything that was recorded of a room."""
        folder = self.folder(room_id)
        self._known.pop(room_id, None)
        await self._loop.run_in_executor(self._workers, lambda: shutil.rmtree(folder, ignore_errors=True))

    def interrupt(self) -> None:
        """Give up making files, soon and without loss."""
        self._ending.set()

    async def aclose(self) -> None:
        """Write out what is being recorded; it is made into files at the next start."""
        self.interrupt()
        await asyncio.gather(*map(self._written, self._writers), return_exceptions=True)
        self._writers.clear()
        for workers in (self._workers, self._left_over):
            workers.shutdown(wait=True)


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*"), key=lambda path: int(path.name[5:]))
