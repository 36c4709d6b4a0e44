"""What this process has on air; no room of it stays live when the interpreter ends."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
from typing import Any

from spnb._loop import background_loop, is_background, run

__all__ = ["is_running", "on_air_here", "running"]

EXIT_SECONDS = 10.0

on_air_here: dict[str, Any] = {}
"""The `AsyncBroadcast`s of this process by `broadcast_key`: one for each user and room."""


_left_to_parent: list[dict[str, Any]] = []


def _forked() -> None:
    """A child of `os.fork` has nothing on air: what it sees of its parent's is the parent's, and is left as it is."""
    # Kept, for what is collected may close what both hold.
    _left_to_parent.append(dict(on_air_here))
    on_air_here.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def is_running(room_id: str) -> bool:
    """Whether this process has the room on air."""
    return bool(running(room_id))


def running(room_id: str) -> list[Any]:
    """What this process has on air in a room: the host's broadcast, co-hosts' ones."""
    return [show for show in on_air_here.values() if show.room.room_id == room_id]


@atexit.register
def _end_all() -> None:
    if not on_air_here or is_background() or background_loop().is_closed():
        return

    async def end() -> None:
        async with asyncio.timeout(EXIT_SECONDS):
            await asyncio.gather(*(show.stop() for show in list(on_air_here.values())), return_exceptions=True)

    with contextlib.suppress(TimeoutError, RuntimeError):
        run(end())
