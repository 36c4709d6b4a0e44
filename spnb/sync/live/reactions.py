"""The blocking twins of `spnb.live.reactions`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from spnb._faces import Face, Watch
from spnb._loop import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spnb.live.reactions import AsyncLiveReactions, ReactionObserver
    from spnb.models import LiveReaction


__all__ = ["LiveReactions"]


class LiveReactions(Face, Mapping[str, int]):
    """How many reactions of each name have floated since it is followed, one's own at once.

    The blocking twin of `AsyncLiveReactions`.

    The service keeps no counts: what floated before is not known. Following starts with the first look.
    """

    _twin: AsyncLiveReactions

    @property
    def counts(self) -> dict[str, int]:
        """Counts by name, most first.

        Raises:
            InvalidInput: none are counted yet: following has begun just now, or no post carries the room.
        """
        return self._twin.counts

    @property
    def total(self) -> int:
        """All reactions.

        Raises:
            InvalidInput: none are counted yet.
        """
        return self._twin.total

    def __getitem__(self, name: str) -> int:
        return self._twin[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._twin)

    def __len__(self) -> int:
        return len(self._twin)

    def __contains__(self, name: object) -> bool:
        return name in self._twin

    def observe(self, observer: ReactionObserver) -> Callable[[], None]:
        """Have `observer` called with every reaction, one's own too, on spnb's background loop.

        Returns:
            A function that ends it. Both may be called from any thread.
        """
        return self._twin.observe(observer)

    def watch(self) -> Watch[LiveReaction]:
        """Every reaction from now on. Ends only when it is left."""
        return Watch(self._twin.watch())

    def follow(self) -> None:
        """Start counting; done by itself with the first look."""
        self._twin.follow()

    def stop(self) -> None:
        """Stop counting; observers hear nothing until it is followed again."""
        self._twin.stop()

    @property
    def following(self) -> bool:
        """Whether reactions of others come in now."""
        return self._twin.following

    @property
    def waiting(self) -> int:
        """How many of one's own wait to be sent: for the second they are gathered, or for the network."""
        return self._twin.waiting

    def send(self, name: str, times: int = 1) -> list[LiveReaction]:
        """React. Returns at once: what is given is counted here, gathered for a second, and kept while the network is
        away.

        Args:
            name: e.g. `heart`; at most 100 characters.
            times: how often.

        Raises:
            InvalidInput: the name is none, or no post carries the room yet.
            ServiceError: what was given before was refused; it is no longer counted.
            Unreachable: too many wait to be sent.
        """
        return run(self._twin.send(name, times))

    def flush(self) -> None:
        """Send now what waits.

        Raises:
            Unreachable, RateLimited, ServerFault: it could not be sent; it is kept.
            ServiceError: it was refused.
        """
        run(self._twin.flush())

    @property
    def asynchronous(self) -> AsyncLiveReactions:
        """The async twin: the same object, to be awaited."""
        return self._twin
