"""`Recording`: the blocking face of a recording."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from spnb._loop import run
from spnb.recordings.progress import ProgressWish
from spnb.recordings.recording import AsyncRecording, RecordedFile

if TYPE_CHECKING:
    from spnb.recordings.sheet import ContactSheet

__all__ = ["Recording"]


class Recording:
    """The recording of a room: the blocking twin of `AsyncRecording`. `room.recording()` hands it out."""

    def __init__(self, twin: AsyncRecording) -> None:
        self._twin = twin

    @property
    def asynchronous(self) -> AsyncRecording:
        """The async twin."""
        return self._twin

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

    def download(
        self,
        folder: str | Path,
        *,
        name: str | None = None,
        most_bytes: int | None = None,
        overwrite: bool = False,
        progress: ProgressWish = None,
    ) -> list[Path]:
        """Fetch all files into a folder; see `AsyncRecording.download`."""
        return run(
            self._twin.download(folder, name=name, most_bytes=most_bytes, overwrite=overwrite, progress=progress)
        )

    def clip(self, start: float, end: float, path: str | Path, *, exact: bool = False, overwrite: bool = False) -> Path:
        """Write `start` to `end` seconds of the recording into an MP4 file; see `AsyncRecording.clip`."""
        return run(self._twin.clip(start, end, path, exact=exact, overwrite=overwrite))

    def contact_sheet(self, *, columns: int = 4, count: int = 12, width: int = 240) -> ContactSheet:
        """Pictures of the recording at even distances; see `AsyncRecording.contact_sheet`."""
        return run(self._twin.contact_sheet(columns=columns, count=count, width=width))

    def __repr__(self) -> str:
        return repr(self._twin).removeprefix("Async")

    def _repr_html_(self) -> str:
        return self._twin._repr_html_()
