"""A stream's page, for every widget that has one: figures, numbers, moments, and the recording where there is one."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from spnb.errors import InvalidInput
from spnb.live import AsyncLiveRoom
from spnb.widgets.base import Charts, Hub, Widget
from spnb.widgets.recording_player import RecordingPlayer

if TYPE_CHECKING:
    from spnb.analytics import StreamReport

__all__ = ["CARDS", "StreamPages", "page_of", "text_of"]

CARDS = (
    *("views", "unique_viewers", "peak_viewers", "average_viewers", "minutes_watched", "view_seconds"),
    *("messages", "messages_per_minute", "chat_penetration", "reactions", "engagement_rate", "returning_viewers"),
)
POLLED_CARDS = ("polled_peak_viewers", "polled_average_viewers", "polled_every_seconds", *CARDS[6:8], "reactions")
"""Of a stream whose viewers were only counted."""
MOST_MOMENTS = 200


def page_of(
    report: StreamReport, *, time_zone: str = "UTC", clock_times: bool = False, dark: bool = False
) -> tuple[dict[str, Any], list[bytes]]:
    """A report as a page gets it: words, and the figures as JSON aside.

    Args:
        report: the stream.
        time_zone: the zone of points in time.
        clock_times: points in time on the axes, instead of time since the stream began.
        dark: for dark themes.
    """
    import pandas as pd

    from spnb.analytics import KPIS
    from spnb.analytics.shown import LABELS, clock, shown

    numbers = [
        {
            "name": name,
            "label": LABELS[name],
            "value": shown(name, report.kpis[name], time_zone=time_zone),
            "about": about,
        }
        for name, about in KPIS.items()
    ]
    figures = report.figures(dark=dark, time_zone=time_zone if clock_times else None)
    room = report.room
    columns = ["seconds", "why", "score"]
    moments = report.moments.nlargest(MOST_MOMENTS, "score").sort_values("seconds")
    content = {
        "room": str(room["room_id"]),
        "title": text_of(room["title"]) or str(room["room_id"]),
        "creator": text_of(room["creator_id"]),
        "kind": text_of(room["type"]),
        "status": text_of(room["status"]),
        "began": shown("live_at", room["live_at"], time_zone=time_zone),
        "length": shown("duration_seconds", report.kpis["duration_seconds"]),
        "cards": POLLED_CARDS if report.as_polled and pd.notna(report.kpis["polled_peak_viewers"]) else CARDS,
        "numbers": numbers,
        "moments": [
            {
                "at": at,
                "clock": clock(at),
                "why": why,
                "score": float(score),
            }
            for at, why, score in moments[columns].itertuples(index=False, name=None)
        ],
        "quality": [str(step) for step in report.quality],
        "figures": list(figures),
        "clock_times": clock_times,
    }
    return content, [made.to_json().encode() for made in figures.values()]


class StreamPages(Widget):
    """A widget that shows streams' pages. A page asks with its theme, and gets figures to suit it."""

    charts = traitlets.Instance(Hub).tag(sync=True, **ipywidgets.widget_serialization)
    player = traitlets.Instance(RecordingPlayer, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)
    """Plays the recording of the stream that is shown; None where there is none to play."""
    moment = traitlets.Float(None, allow_none=True).tag(sync=True)
    """The moment that was clicked last, in seconds since the stream began."""

    _plays = ""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(charts=Charts.shared(), **keywords)
        self._reckoning = asyncio.Lock()
        self._at_end(self._drop_player)

    async def _report_of(self, room_id: str) -> StreamReport | None:
        """The report a page asks for."""
        raise NotImplementedError

    async def _room_of(self, room_id: str) -> AsyncLiveRoom | None:
        """The room whose recording is to be played beside it."""
        raise NotImplementedError

    @property
    def _zone(self) -> str:
        return "UTC"

    async def do_stream(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A view wants a stream's page."""
        self.error = ""
        async with self._reckoning:
            report = await self._report_of(str(content.get("room") or ""))
            if report is None:
                return
            page, buffers = await asyncio.to_thread(
                page_of,
                report,
                time_zone=self._zone,
                clock_times=bool(content.get("clock_times")),
                dark=bool(content.get("dark")),
            )
        self.send({"type": "stream", "client": content.get("client"), "ask": content.get("ask"), **page}, buffers)
        room = await self._room_of(page["room"])
        if room is not None and (self.player is None or self._plays != room.room_id):
            self._drop_player()
            marks = [(mark["at"], mark["why"]) for mark in page["moments"]]
            self.player = contextvars.copy_context().run(RecordingPlayer, room.sync, marks=marks)
            self._plays = room.room_id

    async def do_moment(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A moment was clicked, in the list or on a chart: the recording plays there."""
        seconds = content.get("seconds")
        if not isinstance(seconds, int | float) or not 0 <= seconds < float("inf"):
            raise InvalidInput("a moment is in seconds since the stream began")
        self.moment = float(seconds)
        if self.player is not None:
            self.player.seek(float(seconds), play=True)

    def _drop_player(self) -> None:
        player, self.player = self.player, None
        if player is not None:
            player.close()


def text_of(value: Any) -> str:
    """A cell of a table as text; empty where there is none."""
    import pandas as pd

    return "" if pd.isna(value) else str(value)
