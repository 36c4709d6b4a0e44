"""The blocking twins of `spnb.sandbox.audience.past`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._loop import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path
    from typing import Any

    from spnb.sandbox.audience.past import Past


__all__ = ["backfill"]


def backfill(
    *,
    days: int = 90,
    streams: int = 300,
    seed: int = 1,
    views: int | None = None,
    messages: int | None = None,
    until: datetime | None = None,
    sandbox: Any = None,
    data_dir: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Past:
    """Fill a sandbox with months of streams: rooms, posts, chats, reactions, watch sessions, presence.

    The same seed, sizes and end give the same rows. Each stream is written whole or not at all while the sandbox goes
    on answering; run again after an interruption, it writes what is missing.

    Args:
        days: how many days the past covers.
        streams: how many rooms.
        seed: from 0 on.
        views: watch sessions in all, replays included [default: 3 333 a stream, so a million for 300].
        messages: chat messages in all [default: 6 667 a stream].
        until: when the past ends [default: the last midnight, UTC].
        sandbox: a running one, or a client of it [default: the environment's, else this user's].
        data_dir: the folder of a sandbox that need not run, instead of `sandbox`.
        progress: called with streams done and streams in all, on spnb's background loop; it must be quick.

    Raises:
        InvalidInput: a size is out of bounds.
        SandboxError: there is no such sandbox, or the writing failed.
    """
    from spnb.sandbox.audience.past import backfill_async

    return run(
        backfill_async(
            days=days,
            streams=streams,
            seed=seed,
            views=views,
            messages=messages,
            until=until,
            sandbox=sandbox,
            data_dir=data_dir,
            progress=progress,
        )
    )
