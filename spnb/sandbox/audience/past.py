"""`backfill_async()`: months of streams in a minute, with what was planted kept aside.

The writing is done by a process of its own, so that nothing in the caller's process waits for it; the caller does.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spnb._arguments import checked
from spnb._loop import end_process, on_loop
from spnb.errors import InvalidInput, SandboxError
from spnb.sandbox.audience.history import plan_history
from spnb.sandbox.control.target import reached

__all__ = ["Past", "backfill_async", "write_from"]

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Past:
    """A past that was written into a sandbox.

    Attributes:
        run: eight hex digits that name it.
        start, until: what it covers.
        streams, views, messages, reactions, live_reactions: how many there are.
        path: the file with its truth, readable by this user only; no API shows it.
    """

    run: str
    start: datetime
    until: datetime
    streams: int
    views: int
    messages: int
    reactions: int
    live_reactions: int
    path: Path

    @classmethod
    def read(cls, path: Path) -> Past:
        """The past whose truth is kept in `path`."""
        truth = json.loads(path.read_text())
        totals = truth["totals"]
        return cls(
            truth["run"],
            datetime.fromtimestamp(truth["start"] / 1000, UTC),
            datetime.fromtimestamp(truth["until"] / 1000, UTC),
            len(truth["streams"]),
            totals["views"],
            totals["messages"],
            totals["reactions"],
            totals["liveReactions"],
            path,
        )

    @property
    def truth(self) -> Json:
        """What was planted: `creators` with their pull, and per stream (`streams`) its moments, peak, views, unique
        viewers, seconds watched, messages and reactions; for scoring what an analysis finds."""
        found: Json = json.loads(self.path.read_text())
        return found


@on_loop
@checked
async def backfill_async(
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
    wish = {
        "days": days,
        "streams": streams,
        "seed": seed,
        "views": streams * 10_000 // 3 if views is None else views,
        "messages": streams * 20_000 // 3 if messages is None else messages,
        "until": until.isoformat() if until is not None else None,
    }
    await asyncio.to_thread(_planned, wish)  # refuses what is out of bounds before anything is started
    if data_dir is not None and sandbox is not None:
        raise InvalidInput("give a running sandbox or a data_dir, not both")
    if data_dir is not None:
        await asyncio.to_thread(_make_private, data_dir)
        target = {"data_dir": str(data_dir), "network_id": "sandbox"}
    else:
        info = await asyncio.to_thread(reached, sandbox)
        target = {"data_dir": str(info.data_dir), "network_id": info.network_id}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "spnb.sandbox.audience", "backfill"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None  # noqa: S101 - pipes were asked for
    assert process.stdout is not None  # noqa: S101
    assert process.stderr is not None  # noqa: S101
    path = None
    complaints = asyncio.create_task(process.stderr.read())
    try:
        process.stdin.write(json.dumps({**wish, **target}).encode() + b"\n")
        process.stdin.close()
        async for line in process.stdout:
            said = json.loads(line)
            if "truth" in said:
                path = Path(said["truth"])
            elif progress is not None:
                progress(said["done"], streams)
        told = (await complaints).decode(errors="replace").strip().splitlines()
    finally:
        # Also when the caller is interrupted: what is whole stays, the next run goes on from there.
        complaints.cancel()
        end_process(process)
        await process.wait()
    if path is None:
        raise SandboxError(f"the back-fill stopped: {told[-1] if told else 'it was ended'}; run it again to go on")
    return Past.read(path)


def _make_private(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)


def _planned(wish: Json) -> Any:
    until = datetime.fromisoformat(wish["until"]) if wish["until"] else None
    sizes = {name: wish[name] for name in ("seed", "days", "streams", "views", "messages")}
    return plan_history(**sizes, until=until)


def write_from(wish: Json) -> None:
    """The work of the process: write, tell of the progress, keep the truth aside."""
    from spnb.sandbox.audience.past_writer import write_past
    from spnb.sandbox.store import Store

    history = _planned(wish)
    folder = Path(wish["data_dir"])
    store = Store(folder / "sandbox.sqlite", network_id=wish["network_id"])

    def told(done: int) -> None:
        sys.stdout.write(json.dumps({"done": done}) + "\n")
        sys.stdout.flush()

    try:
        streams = list(write_past(store, history, told))
    finally:
        store.close()
    names = ("views", "replays", "messages", "deletedMessages", "reactions", "liveReactions")
    truth = {
        "run": history.run,
        "seed": history.seed,
        "start": history.start,
        "until": history.until,
        "totals": {name: sum(stream[name] for stream in streams) for name in names},
        "creators": [
            {"userId": f"{creator.name.lower()}-{history.run[:4]}", "pull": creator.pull}
            for creator in history.creators
        ],
        "streams": streams,
    }
    path = folder / "truth" / f"{history.run}.json"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(truth, file)
    part.replace(path)
    sys.stdout.write(json.dumps({"truth": str(path)}) + "\n")
    sys.stdout.flush()
