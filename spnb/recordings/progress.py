"""How a wait or a download goes on: told to a function, or shown quietly in a notebook."""

from __future__ import annotations

import contextvars
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any, Literal

__all__ = ["Listener", "Progress", "ProgressWish", "listener_of"]

QUIET_SECONDS = 1.0
"""What takes less shows nothing."""
EVERY_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a wait or a download stands."""

    stage: Literal["waiting", "downloading", "done"]
    text: str
    """In words, for people."""
    done: int = 0
    """Bytes that are here."""
    total: int | None = None
    """Bytes there will be; None where it is not known."""


Listener = Callable[[Progress], None]
ProgressWish = Listener | bool | None
"""A function that is told, False for silence, None or True for a display where there is a notebook."""


def listener_of(wish: ProgressWish) -> Listener:
    """The function that is told."""
    if callable(wish):
        return wish
    if wish is not False and _in_notebook():
        return _Display()
    return _silence


def _silence(_progress: Progress) -> None:
    return


def _in_notebook() -> bool:
    if "IPython" not in sys.modules:
        return False
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


class _Display:
    """One line below the cell that comes after a second and goes when it is done."""

    def __init__(self) -> None:
        # The loop's thread tells: shown in this context, it lands below the cell that waits.
        self._context = contextvars.copy_context()
        self._began = time.monotonic()
        self._handle: Any = None
        self._next = self._began + QUIET_SECONDS

    def __call__(self, progress: Progress) -> None:
        if progress.stage == "done":
            if self._handle is not None:
                self._show("")
            return
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_SECONDS
        bar = ""
        if progress.total:
            bar = f"<progress value='{progress.done}' max='{progress.total}' style='width:220px'></progress> "
        self._show(f"<span role='status'>{bar}{escape(progress.text)}</span>")

    def _show(self, html: str) -> None:
        from IPython.display import display

        shown = {"text/html": html, "text/plain": ""}
        if self._handle is None:
            self._handle = self._context.copy().run(partial(display, shown, raw=True, display_id=True))
        else:
            self._context.copy().run(partial(self._handle.update, shown, raw=True))
