"""`Dashboard`: many streams; a period in cards, the streams in a table, and the page of each."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, fields
from datetime import date, timedelta
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any

import traitlets

from spnb.client import AsyncClient, Client
from spnb.errors import InvalidInput, NotFound
from spnb.live import AsyncLiveRoom, LiveRoom
from spnb.widgets.base import STATIC
from spnb.widgets.still import counted, named, still, table
from spnb.widgets.stream_page import StreamPages
from spnb.widgets.stream_report import known_zone

if TYPE_CHECKING:
    import pandas as pd

    from spnb.analytics import Dataset, Overview, StreamReport

__all__ = ["Dashboard"]

DAYS = 30
ROWS = 25
REPORTS = 4
COLUMNS = {
    "duration_seconds": "Duration",
    "views": "Views",
    "unique_viewers": "Unique",
    "peak_viewers": "Peak",
    "average_viewers": "Average",
    "minutes_watched": "Minutes",
    "view_seconds": "Per view",
    "messages": "Messages",
    "reactions": "Reactions",
    "engagement_rate": "Engagement",
}
"""The table's numbers; its heads are short, what is said beside them is not."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a page looks at: the days from `start` to `end`, both included, of a time zone; and which rows."""

    start: str
    end: str
    zone: str = "UTC"
    text: str = ""
    kind: str = ""
    sort: str = "live_at"
    descending: bool = True
    page: int = 0

    @classmethod
    def asked(cls, content: Any, now: Look) -> Look:
        """What a page asks for; what it leaves out stays as it is.

        Raises:
            InvalidInput: it makes no sense.
        """
        given = content if isinstance(content, dict) else {}
        known = {field.name: given.get(field.name, getattr(now, field.name)) for field in fields(cls)}
        look = cls(
            **{name: str(known[name]) for name in ("start", "end", "zone", "text", "kind", "sort")},
            descending=bool(known["descending"]),
            page=max(0, int(known["page"])) if isinstance(known["page"], int | float) else 0,
        )
        known_zone(look.zone)
        if look.last < look.first:
            raise InvalidInput(f"the period ends ({look.end}) before it starts ({look.start})")
        return look

    @property
    def first(self) -> date:
        """The first day."""
        return _day(self.start)

    @property
    def last(self) -> date:
        """The last day."""
        return _day(self.end)

    @property
    def period(self) -> tuple[str, str, str]:
        """What the cards depend on."""
        return self.start, self.end, self.zone


class Dashboard(StreamPages):
    """The Console's two pages, exact: a period in cards with change and trend over the table of its streams; a click on
    a stream opens its page.

    Only the rows of the shown page travel; sorting and filtering are the kernel's work. `dashboard.table` and
    `dashboard.overview` are what it shows, as frames.

    Args:
        dataset: what `spnb.analytics.load()` returned.
        client: a client of `spnb.connect()`; with it recordings play on the streams' pages.
        start: the first day, `2026-02-20` or a date; without it the last 30 days of the dataset.
        end: the last day, likewise.
        time_zone: whose days and clock times are meant.

    Raises:
        InvalidInput: it is no dataset, the period ends before it starts, or there is no such time zone.
    """

    _esm = STATIC / "dashboard.js"
    look: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    """What is looked at; a page opened later begins with it."""
    room = traitlets.Unicode("").tag(sync=True)
    """Id of the stream whose page is open; empty on the first page."""
    reach: traitlets.List[str] = traitlets.List().tag(sync=True)
    """First and last day of the dataset."""
    columns: traitlets.List[Any] = traitlets.List().tag(sync=True)
    kinds: traitlets.List[str] = traitlets.List().tag(sync=True)
    """Types of streams there are."""

    def __init__(
        self,
        dataset: Dataset,
        *,
        client: Client[LiveRoom] | None = None,
        start: Any = None,
        end: Any = None,
        time_zone: str = "UTC",
        **keywords: Any,
    ) -> None:
        from spnb import analytics
        from spnb.analytics.shown import LABELS

        if not isinstance(dataset, analytics.Dataset):
            raise InvalidInput("a dashboard shows a dataset: spnb.analytics.load(…) makes one")
        known_zone(time_zone)
        first, last = _reach(dataset, time_zone)
        begin = str(start) if start is not None else max(first, last - timedelta(days=DAYS - 1)).isoformat()
        look = Look.asked({}, Look(begin[:10], str(end if end is not None else last)[:10], time_zone))
        columns = [
            {"name": "title", "label": "Stream", "about": "title and creator", "number": False},
            {"name": "live_at", "label": "Went live", "about": "when it went on air", "number": False},
            *(
                {"name": name, "label": label, "about": f"{LABELS[name]}: {analytics.KPIS[name]}", "number": True}
                for name, label in COLUMNS.items()
            ),
        ]
        # With the first that a page hears of it: a view is drawn by them.
        shown = {
            "look": asdict(look),
            "reach": [first.isoformat(), last.isoformat()],
            "kinds": sorted(str(kind) for kind in dataset.rooms["type"].dropna().unique()),
            "columns": columns,
        }
        super().__init__(**{**keywords, **shown})
        self.dataset = dataset
        self._client: AsyncClient[AsyncLiveRoom] | None = client.asynchronous if client is not None else None
        self._look = look
        self._overview = lru_cache(maxsize=REPORTS)(self._overview_of)
        self._report = lru_cache(maxsize=REPORTS)(dataset.report)

    @property
    def overview(self) -> Overview:
        """The cards of the period that is shown."""
        return self._overview(self._look.period)

    @property
    def table(self) -> pd.DataFrame:
        """All streams that are listed, on all pages of the table, in its order."""
        return self._table_of(self._look)

    def _overview_of(self, period: tuple[str, str, str]) -> Overview:
        from spnb import analytics

        start, end, zone = period
        return analytics.overview(self.dataset, start, _day(end) + timedelta(days=1), time_zone=zone)

    def _table_of(self, look: Look) -> pd.DataFrame:
        from spnb import analytics

        period = self._overview(look.period)
        return analytics.streams_table(
            self.dataset,
            period.start,
            period.end,
            text=look.text,
            kind=look.kind,
            sort=look.sort,
            descending=look.descending,
        )

    async def do_look(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A view looks at something; it gets the rows, and the cards unless it has them (`have`)."""
        self.error = ""
        async with self._reckoning:
            look = Look.asked(content.get("look"), self._look)
            answer, look = await asyncio.to_thread(self._answer, look, content.get("have"))
            self._look = look
        self.look = asdict(look)
        self.send({"type": "look", "client": content.get("client"), "ask": content.get("ask"), **answer})

    def _answer(self, look: Look, have: Any) -> tuple[dict[str, Any], Look]:
        from dataclasses import replace

        table = self._table_of(look)
        pages = max(1, -(-len(table) // ROWS))
        look = replace(look, page=min(look.page, pages - 1))
        shown = table.iloc[look.page * ROWS : (look.page + 1) * ROWS]
        answer = {
            "look": asdict(look),
            "rows": [_row(row, look.zone) for row in shown.reset_index().to_dict("records")],
            "count": len(table),
            "pages": pages,
            "period": " ".join(look.period),
        }
        if have != answer["period"]:
            answer["cards"] = _cards(self._overview(look.period))
        return answer, look

    async def do_csv(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A view wants the listed streams as a file, those on all pages."""
        from spnb import analytics

        self.error = ""
        text = await asyncio.to_thread(lambda: analytics.streams_csv(self.table))
        self.send({"type": "csv", "client": content.get("client")}, [text.encode("utf-8-sig")])

    async def do_back(self, _content: dict[str, Any], _buffers: list[Any]) -> None:
        """Back to the first page."""
        self.room = ""
        self._drop_player()

    async def _report_of(self, room_id: str) -> StreamReport:
        report = await asyncio.to_thread(self._report, room_id)
        self.room = room_id
        return report

    async def _room_of(self, room_id: str) -> AsyncLiveRoom | None:
        if self._client is None:
            return None
        try:
            room = await self._client.rooms.get(room_id)
        except NotFound:
            return None  # rows of an audience whose rooms are gone, or another network's
        return room if room.status in ("recorded", "ended") else None

    @property
    def _zone(self) -> str:
        return self._look.zone

    def to_html(self) -> str:
        """The cards of the period that is shown and its streams, as far as its page of the table lists them."""
        look = self._look
        answer, _ = self._answer(look, None)
        cards = [
            (escape(card["label"]), escape(card["value"]), escape(card["before"]), escape(card["change"]))
            for card in answer["cards"]
        ]
        heads = [column["label"] for column in self.columns]
        rows = [(named(row["title"]), *(escape(cell) for cell in row["cells"])) for row in answer["rows"]]
        return still(
            f"{look.start} to {look.end} ({look.zone})",
            table(("", "Now", "Before", "Change"), cards),
            f"<p>{counted(answer['count'], 'stream')}, page {answer['look']['page'] + 1} of {answer['pages']}</p>",
            table(heads, rows) if rows else "<p>None.</p>",
        )

    def _as_text(self) -> str:
        # Said wherever the widget is shown: nothing is reckoned for it.
        look = self._look
        streams = counted(self.dataset.rows("rooms"), "stream")
        return f"Dashboard: {streams}, {look.start} to {look.end} ({look.zone}) shown"


def _cards(overview: Overview) -> list[dict[str, Any]]:
    from spnb.analytics.shown import LABELS, change, shown

    days = [f"{day:%a %d %b %Y}" for day in overview.trend["day"]]
    return [
        {
            "name": name,
            "label": LABELS[str(name)],
            "value": shown(str(name), card["now"]),
            "before": shown(str(name), card["before"]),
            "change": change(float(card["change"])),
            "about": card["definition"],
            "trend": [None if value != value else round(float(value), 2) for value in overview.trend[name]],
            "days": days,
        }
        for name, card in overview.cards.iterrows()
    ]


def _row(row: dict[Any, Any], zone: str) -> dict[str, Any]:
    import pandas as pd

    from spnb.analytics.shown import shown
    from spnb.widgets.stream_page import text_of

    room_id = str(row["room_id"])
    went = None if pd.isna(row["live_at"]) else row["live_at"]
    return {
        "id": room_id,
        "title": text_of(row["title"]) or room_id,
        "creator": text_of(row["creator_id"]),
        "status": text_of(row["status"]),
        "cells": [
            "n/a" if went is None else f"{went.tz_convert(zone):%Y-%m-%d %H:%M}",
            *(shown(name, row[name]) for name in COLUMNS),
        ],
    }


def _reach(dataset: Dataset, zone: str) -> tuple[date, date]:
    import pandas as pd

    rooms = dataset.rooms
    created = rooms["created_at"].fillna(rooms["live_at"]).dropna()
    if created.empty:
        today = (dataset.as_of or pd.Timestamp.now("UTC")).tz_convert(zone).date()
        return today, today
    return created.min().tz_convert(zone).date(), created.max().tz_convert(zone).date()


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no day: write it like 2026-02-20") from error
