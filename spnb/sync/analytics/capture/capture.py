"""The blocking twins of `spnb.analytics.capture.capture`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from spnb._faces import Face
from spnb._loop import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from spnb.analytics.capture.capture import AsyncCapture, State
    from spnb.analytics.capture.writer import Written
    from spnb.analytics.dataset import Dataset
    from spnb.models import Room


__all__ = ["Capture"]


class Capture(Face):
    """Captures rooms to a folder. `spnb.capture()` makes one; `with` starts and stops it.

    The blocking twin of `AsyncCapture`.

    What `rows` counts and `observe` tells of is on disk and survives the process being killed; the same folder goes on
    where it was. `spnb.analytics.load(folder)` reads it at any time.
    """

    _twin: AsyncCapture

    @property
    def folder(self) -> Path:
        """Where the rows are."""
        return self._twin.folder

    @property
    def state(self) -> State:
        """`new`, `capturing` or `ended`."""
        return self._twin.state

    @property
    def rows(self) -> dict[str, int]:
        """Rows by table that are safely on disk, those of earlier runs too; a row that changed counts once."""
        return self._twin.rows

    @property
    def rooms(self) -> list[Room]:
        """The rooms being captured now."""
        return self._twin.rooms

    @property
    def gaps(self) -> int:
        """How many gaps are open now: a table of a room that may lack rows at this moment."""
        return self._twin.gaps

    @property
    def write_error(self) -> str | None:
        """What keeps rows from the disk now; None where nothing does."""
        return self._twin.write_error

    def observe(self, observer: Written) -> Callable[[], None]:
        """Have `observer` called with new rows by table, as dictionaries with times in milliseconds, once they are on
        disk; on spnb's background loop.

        Returns:
            A function that ends it.
        """
        return self._twin.observe(observer)

    def start(self) -> Capture:
        """Begin to capture; on return the first rows are on disk.

        Raises:
            ConfigError: the folder holds something else, or another capture writes there.
            NotFound: a room is none.
        """
        run(self._twin.start())
        return self

    def stop(self) -> None:
        """Read once more what the service has, write it, and leave a saved dataset. Stopping again does nothing."""
        run(self._twin.stop())

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every named room is over for good, or the capture was stopped.

        Args:
            timeout: seconds; for ever without.

        Returns:
            Whether it came to that in time.
        """
        return run(self._twin.wait(timeout))

    def flush(self) -> None:
        """Wait until all that is known is on disk."""
        run(self._twin.flush())

    def dataset(self) -> Dataset:
        """What was captured so far, as `spnb.analytics.load(folder)` gives it."""
        return run(self._twin.dataset())

    def __enter__(self) -> Self:
        run(self._twin.__aenter__())
        return self

    async def __aenter__(self) -> AsyncCapture:
        return await self._twin.__aenter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run(self._twin.__aexit__(kind, error, trace))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._twin.__aexit__(kind, error, trace)

    def _repr_html_(self) -> str:
        return self._twin._repr_html_()

    @property
    def asynchronous(self) -> AsyncCapture:
        """The async twin: the same object, to be awaited."""
        return self._twin
