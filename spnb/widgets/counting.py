"""How many watch a room, for widgets that say so."""

from __future__ import annotations

from collections.abc import Callable

import traitlets

from spnb.live import AsyncLiveRoom
from spnb.widgets.base import Widget

__all__ = ["Counting"]


class Counting(Widget):
    """A widget that counts a room's viewers while it is on air.

    All widgets that look at one room on one connection share its reads.
    """

    count = traitlets.Int(0, allow_none=True).tag(sync=True)
    """Viewers now; 0 off the air, None on air while they are not counted yet."""
    peak = traitlets.Int(0).tag(sync=True)
    _uncount: Callable[[], None] | None = None

    def _count(self, room: AsyncLiveRoom) -> None:
        """Begin to count, or stop it, as the room is on air or not; to be called at each change."""
        live, audience = room.record.is_live, room.audience
        with self.hold_sync():
            known = audience.was_read
            self.count = (audience.count if known else None) if live else 0
            self.peak = audience.peak if known else 0

        def counted(count: int) -> None:
            with self.hold_sync():
                self.count, self.peak = count, audience.peak

        if live and self._uncount is None:
            self._uncount = audience.observe(counted)
        elif not live:
            self._stop_counting()

    def _stop_counting(self) -> None:
        uncount, self._uncount = self._uncount, None
        if uncount is not None:
            uncount()

    def close(self) -> None:
        """Take the widget off the page and stop counting."""
        self._stop_counting()
        super().close()
