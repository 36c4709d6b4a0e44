"""`GoLive`: from a source to the air, and back."""

from __future__ import annotations

from typing import Any

from spnb.live import LiveRoom
from spnb.widgets.base import STATIC
from spnb.widgets.stage import Stage

__all__ = ["GoLive"]


class GoLive(Stage):
    """Source choice, a 3-2-1 that can be cancelled, and the LIVE badge with timer, viewers and health.

    Closing the widget ends the broadcast.

    Args:
        room: a live room.
        countdown: seconds before going live; 0 goes at once.
    """

    _esm = STATIC / "goLive.js"
    plain = "a button to go live; in code: room.go_live()."

    def __init__(self, room: LiveRoom, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._use(room.asynchronous)
