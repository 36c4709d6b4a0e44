"""The blocking twins of `spnb.live.viewing`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from spnb._faces import Face
from spnb._loop import run

if TYPE_CHECKING:
    from types import TracebackType

    from spnb.live.viewing import AsyncViewing
    from spnb.models import WatchSession


__all__ = ["Viewing"]


class Viewing(Face):
    """One visit of a viewer to a room: says that they are there, and how long they have really watched.

    The blocking twin of `AsyncViewing`.

    `with room.watch_session() as viewing:` starts and ends it. A player tells it what happens (`pause()`,
    `buffering()`, `resume()`), or tells the seconds it measured itself (`tell()`). It ends by itself when the stream
    does, or when its user becomes a broadcaster of the room.
    """

    _twin: AsyncViewing

    @property
    def session_id(self) -> str:
        """`room_…` for a stream, `room_playback_…` for a replay (SDK 7.20)."""
        return self._twin.session_id

    @property
    def state(self) -> str:
        """`new`, `watching`, `paused`, `buffering` or `ended`."""
        return self._twin.state

    @property
    def seconds(self) -> float:
        """Seconds watched, without pauses, buffering and the host's own absence."""
        return self._twin.seconds

    @property
    def uncounted(self) -> str | None:
        """Why this visit counts nowhere, or not fully: the service refuses the viewer or the watch session, or there is
        no key to sign it with. None where nothing is known to be wrong.
        """
        return self._twin.uncounted

    @property
    def session(self) -> WatchSession:
        """The watch session so far.

        Raises:
            InvalidInput: it has not begun.
        """
        return self._twin.session

    def start(self) -> None:
        """Begin to watch.

        Raises:
            InvalidInput: the room is neither live nor recorded, or the user broadcasts in it: hosts and co-hosts are no
                viewers.
        """
        run(self._twin.start())

    def pause(self) -> None:
        """The viewer paused."""
        run(self._twin.pause())

    def buffering(self) -> None:
        """The picture stands still because nothing comes."""
        run(self._twin.buffering())

    def resume(self) -> None:
        """It plays again."""
        run(self._twin.resume())

    def tell(self, seconds: float, *, playing: bool = True) -> None:
        """A player that measures by itself says how much was watched.

        Args:
            seconds: in all since the session began; less than was told before changes nothing.
            playing: whether it plays now.
        """
        run(self._twin.tell(seconds, playing=playing))

    def end(self) -> WatchSession | None:
        """Stop watching; what was watched is reported now, or as soon as the network is back.

        Returns:
            The session; None if it never began.
        """
        return run(self._twin.end())

    def __enter__(self) -> Self:
        run(self._twin.__aenter__())
        return self

    async def __aenter__(self) -> AsyncViewing:
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
    def asynchronous(self) -> AsyncViewing:
        """The async twin: the same object, to be awaited."""
        return self._twin
