"""The blocking twins of `spnb.recordings.recording`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Face
from spnb._loop import run

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from spnb.gaps import RecordingGap
    from spnb.recordings.progress import ProgressWish
    from spnb.recordings.recording import AsyncRecording, RecordedFile
    from spnb.recordings.sheet import ContactSheet


__all__ = ["Recording"]


class Recording(Face):
    """The recording of a room. `room.recording()` hands it out.

    The blocking twin of `AsyncRecording`.
    """

    _twin: AsyncRecording

    @property
    def files(self) -> tuple[RecordedFile, ...]:
        """The files, in order."""
        return self._twin.files

    @property
    def urls(self) -> list[str]:
        """Signed addresses of the files, in order. They expire: secrets."""
        return self._twin.urls

    @property
    def expires_at(self) -> datetime | None:
        """When the addresses end, where the service says so."""
        return self._twin.expires_at

    @property
    def duration_seconds(self) -> float | None:
        """Length of all files together; None where one is not known."""
        return self._twin.duration_seconds

    @property
    def gaps(self) -> list[RecordingGap]:
        """The times in which the room was on air and could not be recorded, as far as the service tells them."""
        return self._twin.gaps

    @property
    def missing_seconds(self) -> float | None:
        """How much shorter it is than its room was on air, at least 0; None where one of the two is not known."""
        return self._twin.missing_seconds

    def download(
        self,
        folder: str | Path,
        *,
        name: str | None = None,
        most_bytes: int | None = None,
        overwrite: bool = False,
        progress: ProgressWish = None,
    ) -> list[Path]:
        """Fetch all files into a folder.

        Each grows in a `.part` file and is renamed when it is whole. Called again after a break, it goes on where it
        stopped; what is there already is not fetched again. An address that has expired is replaced once.

        Args:
            folder: made where it is not there; or the file to make: `out/talk.mp4`.
            name: what to call the files, e.g. `talk` → `talk.mp4`, or of several `talk-1.mp4`, …; made of title and
                room without.
            most_bytes: refuse a file that is larger.
            overwrite: whether other files of the same names may be replaced.
            progress: a function that is told, or False for silence.

        Returns:
            The absolute paths, in order.

        Raises:
            InvalidInput: the name does not stay in the folder, or is taken.
            DownloadError: an unsafe redirect, a file that is too large, a full disk.
            Unreachable: the server failed, again and again.
        """
        return run(
            self._twin.download(folder, name=name, most_bytes=most_bytes, overwrite=overwrite, progress=progress)
        )

    def clip(self, start: float, end: float, path: str | Path, *, exact: bool = False, overwrite: bool = False) -> Path:
        """Write `start` to `end` seconds of the recording into an MP4 file; only that part is fetched.

        Args:
            start: seconds from the recording's beginning, over all files.
            end: likewise.
            path: the file to write.
            exact: False copies without loss and begins at the keyframe at or before `start` (so up to a few seconds
                earlier). True encodes anew and begins at the very frame.
            overwrite: whether a file of this name may be replaced.

        Returns:
            The absolute path.

        Raises:
            InvalidInput: no such span, the name is taken, or files of different kinds without `exact`.
        """
        return run(self._twin.clip(start, end, path, exact=exact, overwrite=overwrite))

    def contact_sheet(self, *, columns: int = 4, count: int = 12, width: int = 240) -> ContactSheet:
        """Pictures of the recording at even distances; only those pictures are fetched.

        Args:
            columns: pictures per row.
            count: pictures in all.
            width: pixels of each.
        """
        return run(self._twin.contact_sheet(columns=columns, count=count, width=width))

    def _repr_html_(self) -> str:
        return self._twin._repr_html_()

    @property
    def asynchronous(self) -> AsyncRecording:
        """The async twin: the same object, to be awaited."""
        return self._twin
