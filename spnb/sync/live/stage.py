"""The blocking twins of `spnb.live.stage`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Face, Watch
from spnb._loop import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from spnb._stage_layout import Shape, StageLayout
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

    @property
    def layout(self) -> StageLayout:
        """How several are shown, as the host has chosen."""
        return self._twin.layout

    def arrange(self, shape: Shape, *, focus: str | None = None) -> StageLayout:
        """Choose how several broadcasters are shown, before or while they are on air; host only.

        Viewers and the recording follow at once where the sandbox composes the picture. The real service composes it by
        rules of its own: there Studios follow. A shared screen is the large picture, whatever was chosen.

        Args:
            shape: `side-by-side`; `spotlight`, one large and the others in a column; `picture-in-picture`, the others
                small upon the large one.
            focus: public id of whose picture is the large one, the host's or a co-host's; the host's without it.

        Raises:
            InvalidInput: `focus` is no broadcaster of the room.
            Forbidden: the room is somebody else's.
        """
        return run(self._twin.arrange(shape, focus=focus))

    def observe(self, observer: Callable[[list[Broadcaster]], Any]) -> Callable[[], None]:
        """Have `observer` called with all broadcasters, first with what is known now, then at every change.

        It is called on spnb's background loop and must be quick.

        Returns:
            A function that ends it. Both may be called from any thread.
        """
        return self._twin.observe(observer)

    def watch(self) -> Watch[list[Broadcaster]]:
        """All broadcasters now, then at every change. Ends only when it is left.

        social.plus: `RoomRepository.onRoomParticipantJoined`, `RoomRepository.onRoomParticipantLeft`,
        `RoomRepository.onRoomParticipantRemoved`, `RoomRepository.onRoomParticipantStageJoined`,
        `RoomRepository.onRoomParticipantStageLeft`, `RoomRepository.onRoomLeft`,
        `RoomRepository.onRoomCoHostInviteAccepted`, `RoomRepository.onRoomCoHostInviteRejected`,
        `RoomRepository.onRoomCoHostInviteCanceled`.
        """
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
