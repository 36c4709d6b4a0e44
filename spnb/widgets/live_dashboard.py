"""`LiveDashboard`: a stream's numbers while it is on air, once a second; afterwards its page."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import traitlets

from spnb._lasting import kept_up
from spnb._loop import in_loop
from spnb.errors import NotFound, ServiceError, Unreachable
from spnb.live import AsyncLiveRoom, LiveRoom
from spnb.models import LiveReaction, Room
from spnb.widgets.base import STATIC
from spnb.widgets.live_series import LiveSeries
from spnb.widgets.still import counted
from spnb.widgets.stream_page import StreamPages
from spnb.widgets.stream_report import known_zone

if TYPE_CHECKING:
    from spnb.analytics import Dataset, StreamReport
    from spnb.analytics.alerts import Alert, Alerts
    from spnb.analytics.capture.health import HealthRows

__all__ = ["LiveDashboard"]

log = logging.getLogger(__name__)

RATE_SECONDS = 60
"""Rates are of the last minute."""
MOST_CHANGES = 100
MOST_ALERTS = 3
AGAIN_SECONDS = 2.0


class LiveDashboard(StreamPages):
    """Viewers now and at most, chat and reactions, and the curve as it grows, once a second while the room is on air.
    When the stream is over, its page takes the place, with everything that can be read by then.

    Numbers count from when the dashboard was made, or from the stream's beginning where that is later. Viewers come
    from `room.audience`, which reads the service every few seconds. What is kept does not grow: of a long stream the
    curve becomes coarser, while the peak stays exact.

    Args:
        room: a live room.
        source: where the page's rows come from at the end: anything that `spnb.analytics.load` takes, or a function
            that returns a dataset. Without it, what the service tells by REST: rooms, messages and reactions.
        time_zone: the zone of points in time.
        alerts: looks at the numbers as they come; what it tells stands above them too.

    Raises:
        InvalidInput: there is no such time zone.
    """

    _esm = STATIC / "liveDashboard.js"
    title = traitlets.Unicode("").tag(sync=True)
    status = traitlets.Unicode("idle").tag(sync=True)
    changes: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """Changes of status since the stream began, `[seconds, status]`, the newest hundred."""
    banner: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """Alerts since the stream began, `[seconds, words]`, the newest three."""
    over = traitlets.Bool(False).tag(sync=True)
    """The stream has ended: its page can be asked for."""
    _pace: ClassVar[float] = 1.0
    """Seconds of the stream per second; measurements go faster."""

    def __init__(
        self,
        room: LiveRoom,
        *,
        source: Any = None,
        time_zone: str = "UTC",
        alerts: Alerts | None = None,
        **keywords: Any,
    ) -> None:
        super().__init__(**keywords)
        self._time_zone = known_zone(time_zone)
        self._source = source
        self._room: AsyncLiveRoom = room.asynchronous
        self.series = LiveSeries()
        self.viewers: int | None = None
        """Now; None while they are not counted yet."""
        self.peak = self.messages = self.reactions = 0
        """The most since it is watched; since it is counted."""
        self.peak_at: float | None = None
        """When there were first that many, in seconds since the stream began."""
        self.since: float | None = None
        """From when on it is counted, in seconds since the stream began."""
        self.sent_bytes = self.sent_messages = 0
        """What the page was sent while on air."""
        self._fresh = [0, 0]
        self._minute: list[tuple[float, int, int]] = []
        self._second = 0.0
        self._report: StreamReport | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._chatting: asyncio.Task[None] | None = None
        self._unfollow: list[Callable[[], None]] = []
        self._alerts = alerts
        self._health: HealthRows | None = None
        if alerts is not None:
            from spnb.analytics.alerts import given_alerts  # not loaded where nobody asks for them

            self._at_end(given_alerts(alerts).observe(self._alarmed))
        self._at_end(self._room.observe(self._take))
        self._at_end(lambda: in_loop(self._stop))
        in_loop(lambda: self._take(self._room.record))

    # -- the room

    def _take(self, record: Room) -> None:
        changed = record.status != self.status
        was_live = self._ticking is not None
        with self.hold_sync():
            self.title, self.status = record.title, record.status
            if record.live_at is None or record.is_live:
                self._follow(record)
            if record.is_live and not was_live:
                self._start(record)
            if changed and (record.is_live or was_live):
                at = round(self._second, 1) if was_live else max(0.0, round(self.since or 0.0, 1))
                self.changes = [*self.changes, [at, record.status]][-MOST_CHANGES:]
            over = record.live_at is not None and not record.is_live
            self.over = over
        if over and was_live:
            self._tick(self._second)  # what came since the last second
            self._stop()
            self.send({"type": "ended"})

    def _follow(self, record: Room) -> None:
        """Hear chat and reactions, before it goes live too, so that the first ones are not missed."""
        if not self._unfollow:
            self._unfollow.append(self._room.reactions.observe(self._reacted))
        if self._chatting is None and record.live_channel_id:
            self._chatting = asyncio.create_task(kept_up(self._count_chat, "counting the chat"), name="spnb-live-chat")

    def _start(self, record: Room) -> None:
        began = record.live_at or self._room.client.clock.now()
        self._second = max(0.0, (self._room.client.clock.now() - began).total_seconds())
        if self.since is None:
            self.since = self._second
        self._unfollow.append(self._room.audience.observe(lambda _count: None))  # keeps it read
        if self._alerts is not None:
            row = {"room_id": record.room_id, "creator_id": record.created_by, "live_at": record.live_at}
            self._alerts.take({"rooms": [row]})
        self._ticking = asyncio.create_task(kept_up(self._keep_ticking, "a dashboard"), name="spnb-live-dashboard")

    def _stop(self) -> None:
        for end in self._unfollow:
            end()
        self._unfollow = []
        for task in (self._ticking, self._chatting):
            if task is not None:
                task.cancel()
        self._ticking = self._chatting = None

    def _reacted(self, _reaction: LiveReaction) -> None:
        self._fresh[1] += self._ticking is not None

    async def _count_chat(self) -> None:
        while True:
            try:
                async for batch in self._room.chat.batches(last=0):
                    for change in batch:
                        if change.kind == "added":
                            self._fresh[0] += self._ticking is not None
                        elif change.kind == "deleted":
                            self.messages -= self._ticking is not None
                return
            except (ServiceError, Unreachable) as error:
                log.info("the chat could not be counted: %s", type(error).__name__)
                await asyncio.sleep(AGAIN_SECONDS)

    # -- seconds

    async def _keep_ticking(self) -> None:
        loop = asyncio.get_running_loop()
        first, began, count = self._second, loop.time(), 0
        while True:
            # A machine that slept goes on with the present second: the ones between were seen by nobody.
            count = max(count + 1, int((loop.time() - began) * self._pace))
            await asyncio.sleep(max(0.0, began + count / self._pace - loop.time()))
            self._tick(first + count)

    def _tick(self, second: float) -> None:
        messages, reactions = self._fresh
        self._fresh = [0, 0]
        audience = self._room.audience
        self._second = second
        self.viewers = audience.count if audience.was_read else None
        self.messages += messages
        self.reactions += reactions
        if audience.was_read and (audience.peak > self.peak or self.peak_at is None):
            self.peak, self.peak_at = audience.peak, second
        self.series.add(second, self.viewers, messages, reactions)
        self._minute = [*(one for one in self._minute if one[0] > second - RATE_SECONDS), (second, messages, reactions)]
        self._tell({"type": "tick", "new": [messages, reactions], **self._now()})
        if self._alerts is not None and self.status == "live":
            self._alerts.take(self._rows(messages))

    def _rows(self, messages: int) -> dict[str, list[dict[str, Any]]]:
        """The last second as a capture would have written it."""
        from spnb.analytics.capture.health import HealthRows

        self._health = self._health or HealthRows()
        room_id, now = self._room.room_id, self._room.client.clock.now()
        return {
            "presence": [{"room_id": room_id, "at": now, "viewers": self.viewers}] if self.viewers is not None else [],
            "messages": [{"room_id": room_id, "created_at": now}] * messages,
            "health": self._health.fresh([room_id], now),
        }

    def _alarmed(self, alert: Alert) -> None:
        if alert.room_id == self._room.room_id:
            at = self._second if alert.seconds is None else alert.seconds
            self.banner = [*self.banner, [round(at, 1), alert.words]][-MOST_ALERTS:]

    def _now(self) -> dict[str, Any]:
        seconds = min(RATE_SECONDS, max(1.0, self._second - (self.since or 0.0)))
        return {
            "at": round(self._second, 1),
            "viewers": self.viewers,
            "peak": self.peak,
            "peakAt": round(self.peak_at or 0.0, 1),
            "messages": self.messages,
            "reactions": self.reactions,
            "chatRate": round(sum(wrote for _, wrote, _ in self._minute) * 60 / seconds, 1),
            "reactionRate": round(sum(given for *_, given in self._minute) * 60 / seconds, 1),
        }

    def _tell(self, content: dict[str, Any]) -> None:
        self.sent_bytes += len(json.dumps(content))
        self.sent_messages += 1
        self.send(content)

    async def do_hello(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A view has come: it gets the curve so far; from then on each second is appended."""
        kept = self.series
        self.send(
            {
                "type": "so far",
                "client": content.get("client"),
                "since": self.since,
                "width": kept.width,
                "series": [kept.viewers, kept.messages, kept.reactions],
                **self._now(),
            }
        )

    # -- afterwards

    async def _report_of(self, room_id: str) -> StreamReport | None:  # noqa: ARG002 - there is but one
        if not self.over:
            return None
        if self._report is None:
            dataset = await self._dataset()
            self._report = await asyncio.to_thread(dataset.report, self._room.room_id)
        return self._report

    async def _dataset(self) -> Dataset:
        from spnb import analytics
        from spnb.analytics.sources.service import load_service

        if self._source is None:
            return await load_service(self._room.client, room_ids=[self._room.room_id])
        source = self._source() if callable(self._source) else self._source
        return await asyncio.to_thread(analytics.load, source)

    async def do_reload(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """The page's rows are read again: more may have come since."""
        self._report = None
        await self.do_stream(content, buffers)

    async def _room_of(self, room_id: str) -> AsyncLiveRoom | None:  # noqa: ARG002
        try:
            await self._room.refresh()
        except NotFound:
            return None
        return self._room if self.status in ("ended", "recorded") else None

    @property
    def _zone(self) -> str:
        return self._time_zone

    def _as_text(self) -> str:
        watching = "viewers not known" if self.viewers is None else f"{self.viewers} watching"
        now = f"{watching}, at most {self.peak}" if self.status == "live" else f"at most {self.peak} watched"
        said = f"{counted(self.messages, 'message')}, {counted(self.reactions, 'reaction')}"
        return f"{self.title} ({self.status}): {now}, {said}"
