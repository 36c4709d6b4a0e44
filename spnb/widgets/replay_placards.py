"""What a host had put on screen, for widgets that play the recording: it stands there where it stood."""

from __future__ import annotations

import logging
from typing import Any

import traitlets

from spnb.errors import ServiceError, Unreachable
from spnb.live import AsyncLiveRoom
from spnb.widgets.base import Widget

__all__ = ["ReplayPlacards"]

log = logging.getLogger(__name__)


class ReplayPlacards(Widget):
    """A widget that plays a recording, with the texts that stood over its picture."""

    placards: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """What the host had put on screen (`room.chat.show()`): `{at, until, text, name}`, in seconds from the beginning;
    `until` is None where it stood to the end."""

    async def _read_placards(self, room: AsyncLiveRoom) -> None:
        """Read what stood over the picture, but for messages that were deleted since (`chat.placards` has none)."""
        began = room.record.live_at
        if began is None or not room.record.live_channel_id:
            return
        try:
            chat = room.chat
            await chat.refresh()
        except (ServiceError, Unreachable) as error:
            log.info("what was on screen could not be read: %s", type(error).__name__)
            return
        self.placards = [
            {
                "at": max(0.0, (placard.since - began).total_seconds()),
                "until": (placard.until - began).total_seconds() if placard.until else None,
                "text": placard.text,
                "name": placard.name,
            }
            for placard in chat.placards
            if placard.until is None or placard.until > began
        ]
