"""`StreamReport`: one stream's page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from spnb.errors import InvalidInput
from spnb.live import AsyncLiveRoom, LiveRoom
from spnb.widgets.base import STATIC
from spnb.widgets.stream_page import StreamPages

if TYPE_CHECKING:
    from spnb import analytics

__all__ = ["StreamReport"]


class StreamReport(StreamPages):
    """Everything about one stream: numbers, viewers with chat and reactions on one time axis, moments, retention,
    joins and leaves, health, and what was mended. A click on a moment plays the recording there.

    Args:
        report: what `dataset.report(room_id)` returned.
        room: the room, whose recording plays beside it; without it a click only tells the time (`moment`).
        time_zone: the zone of points in time, e.g. `Europe/Berlin`.

    Raises:
        InvalidInput: it is no report, or there is no such time zone.
    """

    _esm = STATIC / "streamReport.js"
    time_zone = traitlets.Unicode("UTC").tag(sync=True)

    def __init__(
        self,
        report: analytics.StreamReport,
        *,
        room: LiveRoom | None = None,
        time_zone: str = "UTC",
        **keywords: Any,
    ) -> None:
        from spnb import analytics

        if not isinstance(report, analytics.StreamReport):
            raise InvalidInput("a report is what dataset.report(room_id) returns")
        super().__init__(time_zone=known_zone(time_zone), **keywords)
        self.report = report
        self._room: AsyncLiveRoom | None = room.asynchronous if room is not None else None

    async def _report_of(self, room_id: str) -> analytics.StreamReport:  # noqa: ARG002 - there is but one
        return self.report

    async def _room_of(self, room_id: str) -> AsyncLiveRoom | None:  # noqa: ARG002
        return self._room

    @property
    def _zone(self) -> str:
        return self.time_zone

    def _as_text(self) -> str:
        from spnb.analytics.shown import LABELS, shown
        from spnb.widgets.stream_page import CARDS

        kpis = self.report.kpis
        return "\n".join(
            [f"{self.report.room['title']}", *(f"{LABELS[name]}: {shown(name, kpis[name])}" for name in CARDS)]
        )


def known_zone(name: str) -> str:
    """The name of a time zone.

    Raises:
        InvalidInput: there is none of that name.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(f"there is no time zone {name!r}: name one like Europe/Berlin") from error
    return name
