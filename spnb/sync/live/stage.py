"""The blocking twins of `spnb.live.stage`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Face, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from spnb.live.stage import AsyncStage, Broadcaster


__all__ = ["Stage"]


class Stage(Face):
    """The broadcasters of a room, kept up to date while anybody observes them.

    The blocking twin of `AsyncStage`.
    """

    _twin: AsyncStage

    @property
    def people(self) -> list[Broadcaster]:
        """The host and the co-hosts who accepted, in the order they came."""
        return self._twin.people

    def observe(self, observer: Callable[[list[Broadcaster]], Any]) -> Callable[[], None]:
        """Have `observer` called with all broadcasters, first with what is known now, then at every change.

        It is called on spnb's background loop and must be quick.

        Returns:
            A function that ends it. Both may be called from any thread.
        """
        return self._twin.observe(observer)

    def watch(self) -> Watch[list[Broadcaster]]:
        """All broadcasters now, then at every change. Ends only when it is left."""
        return Watch(self._twin.watch())

    def seen(self, user_ids: Iterable[str] | None) -> None:
        """Who the media server shows on the stage, you included; None when it is not known any more (you left)."""
        self._twin.seen(user_ids)

    def _repr_html_(self) -> str:
        return self._twin._repr_html_()

    @property
    def asynchronous(self) -> AsyncStage:
        """The async twin: the same object, to be awaited."""
        return self._twin
