"""The blocking twins of `spnb.sandbox.audience.simulation`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from spnb._faces import Face, Watch, blocking
from spnb._loop import run

if TYPE_CHECKING:
    from datetime import datetime
    from types import TracebackType
    from typing import Any

    from spnb.sandbox.audience.plan import AudiencePlan
    from spnb.sandbox.audience.simulation import AsyncSimulation, Progress


__all__ = ["Simulation", "simulate"]


class Simulation(Face):
    """A running audience. As a context manager it is stopped at the end of the block.

    The blocking twin of `AsyncSimulation`.
    """

    _twin: AsyncSimulation

    @property
    def plan(self) -> AudiencePlan:
        """What was planted, the truth for scoring: moments, sessions, messages, reactions, the troll. Its times are
        seconds since `began`.
        """
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

    def watch(self) -> Watch[Progress]:
        """How far it is now, then twice a second; ends with the audience."""
        return Watch(self._twin.watch())

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

    def __enter__(self) -> Self:
        run(self._twin.__aenter__())
        return self

    async def __aenter__(self) -> AsyncSimulation:
        return await self._twin.__aenter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run(self._twin.__aexit__(kind, error, trace))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._twin.__aexit__(kind, error, trace)

    @property
    def asynchronous(self) -> AsyncSimulation:
        """The async twin: the same object, to be awaited."""
        return self._twin


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
    from spnb.sandbox.audience.simulation import simulate_async

    found: Simulation = blocking(
        run(
            simulate_async(
                room,
                viewers=viewers,
                seconds=seconds,
                seed=seed,
                chattiness=chattiness,
                moments=moments,
                sandbox=sandbox,
            )
        )
    )
    return found
