"""`spnb capture`: record the audience of rooms from the terminal, until Ctrl-C or the end of the rooms."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from spnb.analytics.capture import Capture

__all__ = ["capture_rooms"]

LINE_SECONDS = 0.5


def capture_rooms(rooms: list[str], folder: Path, *, seconds: float | None, text: bool, as_json: bool) -> int:
    """Capture, show what is safely on disk, and say at the end what there is and what is missing."""
    import spnb
    from spnb.errors import InvalidInput

    if seconds is not None and not seconds > 0:
        raise InvalidInput(f"--seconds {seconds:g} captures nothing: give a number above 0")
    console = Console(stderr=as_json)
    over = threading.Event()
    until = time.monotonic() + seconds if seconds is not None else None
    capture = spnb.capture(rooms or "all live rooms", folder, text=text)
    with _ended_by_signal(over), suppress(KeyboardInterrupt), capture, console.status("") as status:
        told: dict[str, Any] = {}
        while not over.is_set() and (until is None or time.monotonic() < until):
            now = {
                "rows": capture.rows,
                "rooms": len(capture.rooms),
                "gaps": capture.gaps,
                "write_error": capture.write_error,
            }
            if now != told:
                told = now
                if as_json:
                    sys.stdout.write(json.dumps(now) + "\n")
                    sys.stdout.flush()
                status.update(_shown(capture))
            if capture.wait(LINE_SECONDS):
                break
    made = capture.dataset()
    if as_json:
        steps = [{"table": s.table, "rows": s.rows, "name": s.name, "action": s.action} for s in made.mended]
        sys.stdout.write(json.dumps({"rows": capture.rows, "quality": steps, "ended": True}) + "\n")
        return 0
    console.print(repr(made), highlight=False, markup=False)
    for step in made.mended:
        console.print(f"  {step}", highlight=False, markup=False)
    console.print(f"  spnb.analytics.load({str(folder)!r}) reads it", highlight=False, markup=False)
    return 0


def _shown(capture: Capture) -> str:
    written = " · ".join(f"{count} {name}" for name, count in sorted(capture.rows.items()))
    gaps = f" · {capture.gaps} gaps open" if capture.gaps else ""
    return f"{len(capture.rooms)} rooms · on disk: {written or 'nothing yet'}{gaps}"


@contextmanager
def _ended_by_signal(over: threading.Event) -> Iterator[None]:
    """A service manager's SIGTERM ends it as properly as Ctrl-C."""
    before = signal.signal(signal.SIGTERM, lambda *_: over.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
