"""Alerts while live: the audience falls, the chat bursts, the broadcast's health is poor, against what is usual.

    alerts = spnb.analytics.Alerts(print, webhook="https://…", usual=past)
    with spnb.capture(room, "tonight", alerts=alerts): ...
    spnb.LiveDashboard(room, alerts=alerts)

Rows come as a capture writes them; the clock is that of the rows, so that a whole stream can be looked through in a
moment, and late rows (a chat that is read again) raise no alarm about what is over.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from spnb._arguments import checked_class
from spnb.analytics.metrics.chance import Chance, chance_of
from spnb.analytics.shown import clock
from spnb.errors import InvalidInput
from spnb.observers import Observers

if TYPE_CHECKING:
    from spnb.analytics.dataset import Dataset
    from spnb.analytics.usual import Usual

__all__ = ["Alert", "AlertRules", "Alerts", "given_alerts"]

log = logging.getLogger(__name__)

BIN_MS = 10_000
BASE_MS = 3_600_000
"""So long before makes what is usual for the chat of this stream: real chats go in waves of many minutes."""
FEWEST_BINS = 12
"""Of fewer nobody can say what is usual, unless earlier streams do."""
LEAST_DISPERSION = 3.0
"""Variance ÷ mean of a chat's counts: people answer each other, so that they are never Poisson."""
HIGHER = 0.7
"""Beside something that was so much taller within the hour nothing is told."""
MOST_TOLD = 100
AGAIN_SECONDS = (1.0, 5.0, 20.0)
WEBHOOK_SECONDS = 10.0
ON_AIR = ("live", "waitingReconnect")


@checked_class
@dataclass(frozen=True, slots=True)
class AlertRules:
    """From what on something is told."""

    fall: float = 0.3
    """Share of the audience that left within `fall_seconds`."""
    fall_seconds: float = 120.0
    fewest_viewers: int = 20
    """Of smaller audiences nothing is told: a handful comes and goes."""
    burst_score: float = 3.25
    """Standard deviations of the stream's own chance, over `burst_seconds`, on the scale of the moments. Simulated
    chats without any burst: none an hour where they are Poisson, one in two hours where their variance is nine times
    the mean, 0.8 an hour at twenty times."""
    burst_seconds: float = 30.0
    fewest_messages: int = 15
    below_seconds: float = 15.0
    """How long fewer watch than is usual."""
    poor_seconds: float = 15.0
    """How long the broadcast's health is poor (red)."""
    again_seconds: float = 300.0
    """The same kind of one stream is told again after so long at the earliest."""

    def __post_init__(self) -> None:
        if not 0 < self.fall < 1:
            raise InvalidInput(f"fall is a share of the audience between 0 and 1, not {self.fall!r}")
        times = (self.fall_seconds, self.below_seconds, self.burst_seconds, self.poor_seconds, self.again_seconds)
        if min(times) < 0 or self.burst_seconds < 10:
            raise InvalidInput("times are in seconds, not below 0, and a burst is looked for over 10 s at least")


@dataclass(frozen=True, slots=True)
class Alert:
    """Something to look at, now."""

    room_id: str
    kind: str
    """`audience fell`, `audience below usual`, `chat burst` or `health poor`."""
    at: datetime
    """UTC."""
    seconds: float | None
    """Since the stream began, where that is known."""
    value: float
    """Viewers; messages within the window; seconds of poor health."""
    usual: float | None
    """What it was before, or is usually."""
    words: str
    """All of it in a sentence."""


@dataclass(slots=True)
class _Stream:
    live_at: int | None = None
    creator_id: str | None = None
    counts: deque[tuple[int, float]] = field(default_factory=deque)
    bins: Counter[int] = field(default_factory=Counter)
    begun: int | None = None
    low_since: int | None = None
    poor_since: int | None = None
    health: list[dict[str, Any]] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)


@checked_class
class Alerts:
    """Looks at what is captured, or shown by a `LiveDashboard`, and tells whom it concerns.

    Args:
        call: called with each `Alert` on spnb's background loop; must be quick, may be a coroutine function.
        webhook: an address that each is posted to as JSON, with `text` as chat services take it. It may hold a secret,
            and is never shown.
        usual: earlier streams, e.g. `analytics.load("season")`: those of a stream's host say what is usual for it.
        rules: from what on something is told.
    """

    def __init__(
        self,
        call: Callable[[Alert], Any] | None = None,
        *,
        webhook: str | None = None,
        usual: Dataset | None = None,
        rules: AlertRules | None = None,
    ) -> None:
        if not (call is None or callable(call)):
            raise InvalidInput(f"alerts are told to a function, not to a {type(call).__name__}")
        self.rules = rules or AlertRules()
        self.told: deque[Alert] = deque(maxlen=MOST_TOLD)
        """The newest hundred, the oldest first."""
        self.undelivered = 0
        """How many the webhook did not take."""
        self._webhook = webhook
        self._past: Dataset | None = usual
        self._usual: dict[str | None, Usual | None] = {}
        self._streams: dict[str, _Stream] = {}
        self._now = 0
        self._observers: Observers[Alert] = Observers("alerts")
        if call is not None:
            self.observe(call)
        if webhook is not None:
            if not webhook.startswith(("http://", "https://")):
                raise InvalidInput("a webhook is an address that begins with http:// or https://")
            self.observe(self._post)

    def observe(self, observer: Callable[[Alert], Any]) -> Callable[[], None]:
        """Have `observer` called with each alert, too.

        Returns:
            A function that ends it.
        """
        return self._observers.add(observer)

    # -- what comes in

    def take(self, rows: Mapping[str, list[dict[str, Any]]]) -> None:
        """Look at new rows by table, times in milliseconds since 1970, as `capture.observe` gives them."""
        for row in rows.get("rooms", ()):
            stream = self._stream(row["room_id"])
            stream.creator_id, stream.live_at = row.get("creator_id"), _ms(row.get("live_at"))
        for row in rows.get("status", ()):
            if row["status"] not in ("idle", *ON_AIR):
                self._streams.pop(row["room_id"], None)  # an end is no fall
        for row in rows.get("pulse", ()):
            self._now = max(self._now, _ms(row["at"]) or 0)
        for row in rows.get("messages", ()):
            self._message(row)
        for row in rows.get("presence", ()):
            self._counted(row["room_id"], _ms(row["at"]) or 0, float(row["viewers"]))
        for row in rows.get("health", ()):
            self._measured(row)
        for room_id, stream in self._streams.items():
            self._chatted(room_id, stream)

    def _stream(self, room_id: str) -> _Stream:
        return self._streams.setdefault(room_id, _Stream())

    def _usual_of(self, stream: _Stream) -> Usual | None:
        if self._past is None:
            return None
        if stream.creator_id not in self._usual:
            from spnb.analytics.usual import usual_of

            self._usual[stream.creator_id] = usual_of(self._past, stream.creator_id)
        return self._usual[stream.creator_id]

    # -- viewers

    def _counted(self, room_id: str, at: int, viewers: float) -> None:
        stream, rules = self._stream(room_id), self.rules
        self._now = max(self._now, at)
        counts = stream.counts
        counts.append((at, viewers))
        while counts and counts[0][0] < at - rules.fall_seconds * 1000:
            counts.popleft()
        second = _seconds(stream, at)
        usual = self._usual_of(stream)
        band = usual.viewers_at(second) if usual is not None and second is not None else None
        top_at, top = max(counts, key=lambda each: each[1])
        due = 1.0
        if usual is not None and second is not None:
            due = usual.change(second - (at - top_at) / 1000, second)
        if top >= rules.fewest_viewers and viewers <= (1 - rules.fall) * top * due:
            aside = f"; usual at this minute are {band[0]:.0f} to {band[2]:.0f}" if band else ""
            span = clock((at - top_at) / 1000)
            words = f"the audience fell from {top:.0f} to {viewers:.0f} within {span}{aside}"
            if self._tell(room_id, stream, "audience fell", at, viewers, top, words):
                counts.clear()
        if band is None or band[1] < rules.fewest_viewers or viewers >= band[0]:
            stream.low_since = None
            return
        stream.low_since = at if stream.low_since is None else stream.low_since
        if at - stream.low_since >= rules.below_seconds * 1000:
            words = f"{viewers:.0f} watch, usual at this minute are {band[0]:.0f} to {band[2]:.0f}"
            self._tell(room_id, stream, "audience below usual", at, viewers, band[1], words)

    # -- chat

    def _message(self, row: Mapping[str, Any]) -> None:
        at = _ms(row["created_at"])
        if at is None or row.get("deleted"):
            return
        stream = self._stream(row["room_id"])
        self._now = max(self._now, at)
        if at > self._now - BASE_MS - BIN_MS:
            stream.bins[at // BIN_MS] += 1
            stream.begun = at if stream.begun is None else min(stream.begun, at)

    def _chatted(self, room_id: str, stream: _Stream) -> None:
        now = self._now
        if stream.begun is None:
            return
        rules, newest = self.rules, now // BIN_MS
        span = max(1, round(rules.burst_seconds * 1000 / BIN_MS))
        for old in [number for number in stream.bins if number < newest - span - BASE_MS // BIN_MS]:
            del stream.bins[old]
        count = sum(stream.bins[number] for number in range(newest - span + 1, newest + 1))
        if count < rules.fewest_messages:
            return
        known_since = max(stream.live_at or stream.begun, now - BASE_MS)
        before = [stream.bins[number] for number in range(known_since // BIN_MS + 1, newest - span + 1)]
        usual = self._usual_of(stream)
        least = max(LEAST_DISPERSION, usual.dispersion if usual else 0.0)
        if len(before) >= FEWEST_BINS:
            # sums as long as the window: neighbours go together, so that these vary more than single bins tell
            chance = chance_of(before, span, least)
        elif usual is not None and usual.messages_per_second is not None:
            chance = Chance(usual.messages_per_second * span * BIN_MS / 1000, least, 0)
        else:
            return
        enough = max(2 * chance.usual, HIGHER * chance.highest)
        if count >= enough and chance.score(count) >= rules.burst_score:
            words = f"the chat bursts: {count} messages in {clock(span * BIN_MS / 1000)}, usual {chance.usual:.0f}"
            self._tell(room_id, stream, "chat burst", now, float(count), chance.usual, words)

    # -- health

    def _measured(self, row: dict[str, Any]) -> None:
        import pandas as pd

        from spnb.analytics.metrics import health

        stream, at = self._stream(row["room_id"]), _ms(row["at"]) or 0
        self._now = max(self._now, at)
        stream.health = [*stream.health[-1:], {**row, "at": pd.Timestamp(at, unit="ms", tz="UTC")}]
        grade = health(pd.DataFrame(stream.health))["grade"].iloc[-1]
        if grade != "poor":
            stream.poor_since = None
            return
        stream.poor_since = at if stream.poor_since is None else stream.poor_since
        lasted = (at - stream.poor_since) / 1000
        if lasted >= self.rules.poor_seconds:
            words = f"the broadcast has been in poor health for {clock(lasted)}"
            self._tell(row["room_id"], stream, "health poor", at, lasted, None, words)

    # -- who is told

    def _tell(
        self, room_id: str, stream: _Stream, kind: str, at: int, value: float, usual: float | None, words: str
    ) -> bool:
        last = stream.told.get(kind)
        if last is not None and at - last < self.rules.again_seconds * 1000:
            return False
        stream.told[kind] = at
        alert = Alert(room_id, kind, datetime.fromtimestamp(at / 1000, UTC), _seconds(stream, at), value, usual, words)
        self.told.append(alert)
        self._observers.tell(alert)
        return True

    async def _post(self, alert: Alert) -> None:
        import httpx

        assert self._webhook is not None  # noqa: S101 - it is observed for only then
        content = {
            "text": f"{alert.room_id}: {alert.words}",
            "roomId": alert.room_id,
            "kind": alert.kind,
            "at": alert.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "seconds": alert.seconds,
            "value": alert.value,
            "usual": alert.usual,
        }
        async with httpx.AsyncClient(timeout=WEBHOOK_SECONDS) as client:
            for wait in (*AGAIN_SECONDS, None):
                told = "no answer"
                try:
                    answer = await client.post(self._webhook, json=content)
                    if answer.is_success:
                        return
                    told = f"status {answer.status_code}"
                except (httpx.HTTPError, httpx.InvalidURL) as error:
                    told = type(error).__name__
                if wait is not None:
                    await asyncio.sleep(wait)
        self.undelivered += 1
        log.warning("an alert could not be posted: %s", told)

    def __repr__(self) -> str:
        missed = f", {self.undelivered} not delivered" if self.undelivered else ""
        return f"Alerts({len(self.told)} told{missed})"


def given_alerts(value: Any) -> Alerts:
    """What was given as `alerts`.

    Raises:
        InvalidInput: it is something else.
    """
    if not isinstance(value, Alerts):
        raise InvalidInput(f"alerts is spnb.analytics.Alerts(…), not {type(value).__name__}")
    return value


def _seconds(stream: _Stream, at: int) -> float | None:
    return None if stream.live_at is None else max(0.0, (at - stream.live_at) / 1000)


def _ms(at: Any) -> int | None:
    if at is None or at != at:
        return None
    return round(at.timestamp() * 1000) if isinstance(at, datetime) else int(at)
