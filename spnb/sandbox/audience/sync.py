"""The blocking faces of audiences: `simulate()` and `backfill()`, the same words as their async twins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from spnb._loop import iterate, run
from spnb.sandbox.audience.past import Past, backfill_async
from spnb.sandbox.audience.plan import AudiencePlan
from spnb.sandbox.audience.simulation import AsyncSimulation, Progress, simulate_async

__all__ = ["Simulation", "backfill", "simulate"]


class Simulation:
    """A running audience: the blocking twin of `AsyncSimulation`. As a context manager it is stopped at the end of the
    block."""

    def __init__(self, twin: AsyncSimulation) -> None:
        self._twin = twin

    @property
    def asynchronous(self) -> AsyncSimulation:
        """The async twin."""
        return self._twin

    @property
    def plan(self) -> AudiencePlan:
        """What was planted, the truth for scoring: moments, sittings, messages, reactions, the troll. Its times are
        seconds since `began`."""
        return self._twin.plan

    @property
    def name(self) -> str:
        """Begins the user ids of this audience: viewer 7 is `{name}-7`."""
        return self._twin.name

    @property
    def progress(self) -> Progress:
        """How far it is; renewed twice a second."""
        return self._twin.progress

    @property
    def began(self) -> datetime | None:
        """When the clock of the plan started, in UTC; None while viewers log in."""
        return self._twin.began

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self._twin.running

    @property
    def finished(self) -> bool:
        """Whether the whole plan was played."""
        return self._twin.finished

    def watch(self) -> Iterator[Progress]:
        """How far it is now, then twice a second; ends with the audience."""
        return iterate(self._twin.watch())

    def wait(self, timeout: float | None = None) -> Progress:
        """Wait for the end.

        Args:
            timeout: seconds, at most; without end where None.

        Returns:
            The last progress.

        Raises:
            TimeoutError: it still goes on.
            SandboxError: it broke off, e.g. since the sandbox has gone.
        """
        return run(self._twin.wait(timeout))

    def stop(self) -> None:
        """Send everybody home at once. Their heartbeats stop, so the count falls within the sandbox's presence time."""
        run(self._twin.stop())

    def __enter__(self) -> Simulation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return repr(self._twin).replace("<Async", "<", 1)


def simulate(
    room: Any,
    *,
    viewers: int = 200,
    seconds: float = 60.0,
    seed: int = 1,
    chattiness: float = 0.5,
    moments: int | None = None,
    sandbox: Any = None,
) -> Simulation:
    """Send an audience into a room that is on air (or recorded), in the background.

    Every viewer is a user with a session, heartbeats, watch sessions, messages and reactions through the public API.
    The same seed and sizes give the same audience.

    Args:
        room: a room or its id.
        viewers: how many people, up to 20 000.
        seconds: for how long.
        seed: from 0 on.
        chattiness: messages a viewer writes in a minute, apart from bursts around planted moments.
        moments: how many moments are planted [default: by length].
        sandbox: a running one, or a client of it [default: the live room's, else the environment's, else this user's].

    Raises:
        InvalidInput: a size is out of bounds, or the room is unknown or not to be watched.
        SandboxError: there is no such sandbox.
    """
    return run(
        simulate_async(
            room,
            viewers=viewers,
            seconds=seconds,
            seed=seed,
            chattiness=chattiness,
            moments=moments,
            sandbox=sandbox,
        )
    ).sync


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
