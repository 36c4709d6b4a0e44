"""`simulate_async()`: viewers for a live room, played by a process of their own."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx

from spnb._arguments import checked, checked_class
from spnb._loop import aiterate, end_process, on_loop
from spnb._twins import Blocking
from spnb.errors import InvalidInput, SandboxError
from spnb.sandbox.audience.plan import AudiencePlan, check_sizes, plan_audience
from spnb.sandbox.audience.player import Destination, wish_of
from spnb.sandbox.control.asking import ask
from spnb.sandbox.control.launch import SandboxInfo
from spnb.sandbox.control.target import reached

__all__ = ["AsyncSimulation", "Progress", "simulate_async"]

Json = dict[str, Any]
STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a simulation is.

    Attributes:
        prepared: viewers who are logged in; the clock starts when all are.
        elapsed: seconds since the clock started.
        watching: how many watch now.
        behind: by how many seconds the newest act was late; `worst` the most so far.
        sessions, heartbeats, messages, reactions: sent and accepted.
        refused: what the sandbox refused, e.g. for a ban, slow mode, or the end of the stream.
        failed: what got no answer.
    """

    prepared: int = 0
    elapsed: float = 0.0
    watching: int = 0
    behind: float = 0.0
    worst: float = 0.0
    sessions: int = 0
    heartbeats: int = 0
    messages: int = 0
    reactions: int = 0
    refused: int = 0
    failed: int = 0


@checked_class
class AsyncSimulation:
    """A running audience. As a context manager it is stopped at the end of the block."""

    def __init__(self, plan: AudiencePlan, name: str, process: asyncio.subprocess.Process) -> None:
        self.plan = plan
        """What was planted, the truth for scoring: moments, sessions, messages, reactions, the troll. Its times are
        seconds since `began`."""
        self.name = name
        """Begins the user ids of this audience: viewer 7 is `{name}-7`."""
        self._process = process
        self._progress = Progress()
        self._began: float | None = None
        self._finished = False
        self._stopped = False
        self._error: str | None = None
        self._over = asyncio.Event()
        self._watchers: set[asyncio.Queue[Progress | None]] = set()
        self._listening = asyncio.create_task(self._listen(), name="simulated audience")

    async def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        names = {field.name for field in fields(Progress)}
        async for line in self._process.stdout:
            said = json.loads(line)
            self._error = said.get("error", self._error)
            if "prepared" in said:
                self._progress = Progress(**{name: said[name] for name in names})
                self._began = said["began"]
                self._finished = said.get("finished", False)
                self._tell(self._progress)
        await self._process.wait()
        self._over.set()
        self._tell(None)

    def _tell(self, progress: Progress | None) -> None:
        for watcher in self._watchers:
            watcher.put_nowait(progress)

    @property
    def progress(self) -> Progress:
        """How far it is; renewed twice a second."""
        return self._progress

    @property
    def began(self) -> datetime | None:
        """When the clock of the plan started, in UTC; None while viewers log in."""
        return None if self._began is None else datetime.fromtimestamp(self._began, UTC)

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return not self._over.is_set()

    @property
    def finished(self) -> bool:
        """Whether the whole plan was played."""
        return self._finished

    def watch(self) -> AsyncIterator[Progress]:
        """How far it is now, then twice a second; ends with the audience."""
        return aiterate(self._watch())

    async def _watch(self) -> AsyncIterator[Progress]:
        told: asyncio.Queue[Progress | None] = asyncio.Queue()
        self._watchers.add(told)
        try:
            yield self._progress
            while self.running and (progress := await told.get()) is not None:
                yield progress
        finally:
            self._watchers.discard(told)

    @on_loop
    async def wait(self, timeout: float | None = None) -> Progress:
        """Wait for the end.

        Args:
            timeout: seconds, at most; without end where None.

        Returns:
            The last progress.

        Raises:
            TimeoutError: it still goes on.
            SandboxError: it broke off, e.g. since the sandbox has gone.
        """
        try:
            async with asyncio.timeout(timeout if self.running else None):
                await self._over.wait()
        except TimeoutError:
            raise TimeoutError(f"the simulated audience still goes on after {timeout:g} s") from None
        if not self._finished and not self._stopped:
            raise SandboxError(f"the simulated audience broke off: {self._error or 'its process ended'}")
        return self._progress

    @on_loop
    async def stop(self) -> None:
        """Send everybody home at once. Their heartbeats stop, so the count falls within the sandbox's presence time."""
        self._stopped = True
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        self._process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS if self.running else None):
                await self._over.wait()
        except TimeoutError:
            end_process(self._process, kill=True)
            await self._over.wait()

    async def __aenter__(self) -> AsyncSimulation:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    sync = Blocking()
    """The blocking twin."""

    def __repr__(self) -> str:
        state = "running" if self.running else "finished" if self.finished else "stopped"
        return f"<{type(self).__name__} {state}: {self.plan.viewers} viewers, {self._progress.watching} watching>"


@on_loop
@checked
async def simulate_async(
    room: Any,
    *,
    viewers: int = 200,
    seconds: float = 60.0,
    seed: int = 1,
    chattiness: float = 0.5,
    moments: int | None = None,
    sandbox: Any = None,
) -> AsyncSimulation:
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
    sizes = {"viewers": viewers, "seconds": seconds, "seed": seed, "chattiness": chattiness, "moments": moments}
    check_sizes(viewers, seconds, seed, chattiness, moments)
    info = await asyncio.to_thread(reached, sandbox, room=room)
    found = await asyncio.to_thread(_room, info, str(getattr(room, "room_id", room)))
    channel_id, post_id = found["channelId"], found["postId"]
    wish = {**sizes, "chat": channel_id is not None, "post": post_id is not None}
    plan = await asyncio.to_thread(lambda: plan_audience(**wish))  # type: ignore[arg-type]
    name = f"viewer-{secrets.token_hex(4)}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "spnb.sandbox.audience", "simulate"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # Interrupting a cell ends what waits for the audience, not the audience.
        start_new_session=True,
    )
    assert process.stdin is not None  # noqa: S101 - a pipe was asked for
    destination = Destination(info.url, info.api_key, found["roomId"], channel_id, post_id)
    process.stdin.write(wish_of(wish, destination, name).encode())
    return AsyncSimulation(plan, name, process)


def _room(info: SandboxInfo, room_id: str) -> Json:
    """What an audience must know of the room: needs no user's session.

    Raises:
        InvalidInput: it is unknown, or nobody can watch it.
        SandboxError: the sandbox does not answer.
    """
    try:
        answer = ask("GET", f"{info.url}/sandbox/rooms/{quote(room_id, safe='')}", info.api_key)
    except httpx.HTTPError as error:
        raise SandboxError(f"the sandbox at {info.url} does not answer: {type(error).__name__}") from None
    if answer.status_code == 404:
        raise InvalidInput(f"there is no room {room_id!r} in the sandbox at {info.url}")
    if answer.status_code != 200:
        raise SandboxError(f"the sandbox at {info.url} refused to tell of its rooms with {answer.status_code}")
    found: Json = answer.json()
    if found["status"] not in ("live", "waitingReconnect", "recorded"):
        hint = "go live first" if found["status"] == "idle" else "take one that is live"
        raise InvalidInput(f"room {room_id!r} is {found['status']}, nobody can watch it: {hint}")
    return found
