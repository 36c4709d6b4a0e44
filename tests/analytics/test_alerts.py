"""Alerts while live: what a host would want to know of is told once, and chance is not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pandas as pd
import pytest

from spnb import analytics
from spnb.analytics import Alert, AlertRules, Alerts
from spnb.errors import InvalidInput

ZERO = 1_772_388_000_000
"""2026-03-01T18:00Z."""


def at(second: float) -> int:
    return ZERO + round(second * 1000)


def begun(alerts: Alerts, room_id: str = "r", creator_id: str = "ann") -> None:
    alerts.take({"rooms": [{"room_id": room_id, "creator_id": creator_id, "live_at": ZERO}]})


def counted(alerts: Alerts, viewers: Any, *, every: float = 5.0, since: float = 0.0) -> None:
    for number, count in enumerate(viewers):
        alerts.take({"presence": [{"room_id": "r", "at": at(since + number * every), "viewers": int(count)}]})


def spoken(alerts: Alerts, seconds: Any) -> None:
    for second in np.sort(np.asarray(seconds, dtype=float)):
        alerts.take({"messages": [{"room_id": "r", "created_at": at(second), "deleted": False}]})


def kinds(alerts: Alerts) -> list[str]:
    return [alert.kind for alert in alerts.told]


def season_of(viewers: Any, *, streams: int = 8, per_second: float = 0.1, host: str = "ann") -> analytics.Dataset:
    """Earlier streams of a host: so many viewers in each of their minutes, and such a chat."""
    draw = np.random.default_rng(8)
    rooms, views, messages = [], [], []
    for number in range(streams):
        begin = pd.Timestamp("2026-02-01T18:00Z") + pd.Timedelta(days=number)
        room, length = f"past{number}", pd.Timedelta(minutes=len(viewers))
        rooms.append({"room_id": room, "creator_id": host, "live_at": begin, "ended_at": begin + length})
        for minute, count in enumerate(viewers):
            start = begin + pd.Timedelta(minutes=minute)
            for user in range(int(count * (0.9 + 0.03 * number))):
                until = start + pd.Timedelta(minutes=1)
                views.append({"room_id": room, "user_id": f"{room}u{user}", "start": start, "end": until})
        for second in draw.uniform(0, 60 * len(viewers), round(60 * len(viewers) * per_second)):
            sent = begin + pd.Timedelta(seconds=second)
            messages.append({"room_id": room, "user_id": "u", "created_at": sent})
    tables = {"rooms": rooms, "views": views, "messages": messages}
    return analytics.load({name: pd.DataFrame(rows) for name, rows in tables.items()})


def test_an_audience_that_falls_is_told_once_and_one_that_wavers_is_not() -> None:
    alerts = Alerts()
    begun(alerts)
    draw = np.random.default_rng(1)
    counted(alerts, 100 + draw.integers(-8, 9, 200))
    counted(alerts, np.linspace(100, 80, 100), since=1000)  # slowly: a fifth in eight minutes
    assert kinds(alerts) == []
    counted(alerts, [80, 78, 60, 50, 49, 50, 48, 49], since=1500)
    assert kinds(alerts) == ["audience fell"]
    alert = alerts.told[0]
    assert (alert.room_id, alert.value, alert.seconds) == ("r", 50.0, 1515.0)
    assert alert.at == datetime.fromtimestamp(at(1515) / 1000, UTC)
    assert (alert.usual, alert.words) == (84.0, "the audience fell from 84 to 50 within 00:02:00")
    few = Alerts()
    counted(few, [12, 12, 3, 2, 0])  # a handful comes and goes
    assert kinds(few) == []


def test_a_stream_that_ends_has_not_lost_its_audience() -> None:
    alerts = Alerts()
    counted(alerts, [100] * 10)
    alerts.take({"status": [{"room_id": "r", "status": "ended", "at": at(50)}]})
    counted(alerts, [0], since=51)
    assert kinds(alerts) == []


def test_what_is_usual_for_the_host_is_no_news() -> None:
    half = season_of([100] * 5 + [40] * 15)  # after five minutes more than half of them always leave
    alerts, blind = Alerts(usual=half), Alerts()
    for each in (alerts, blind):
        begun(each)
        counted(each, [100] * 60 + [42] * 60)
    assert kinds(blind) == ["audience fell"]
    assert kinds(alerts) == []
    lower = Alerts(usual=half)
    begun(lower)
    counted(lower, [100] * 60 + [22] * 60)
    assert kinds(lower) == ["audience fell", "audience below usual"]
    assert "usual at this minute are" in lower.told[1].words
    stranger = Alerts(usual=half)
    begun(stranger, creator_id="bo")
    counted(stranger, [30] * 100)
    assert kinds(stranger) == []


def test_bursts_of_chat_are_found_and_a_lively_chat_is_not_one() -> None:
    draw = np.random.default_rng(3)
    alerts = Alerts()
    begun(alerts)
    spoken(alerts, np.concatenate((draw.uniform(0, 1200, 240), draw.uniform(900, 930, 40))))
    assert kinds(alerts) == ["chat burst"]
    assert 900 < alerts.told[0].seconds < 935
    assert alerts.told[0].usual == pytest.approx(6, abs=3)
    false = {1000.0: 0, 4.0: 0, 1.0: 0}
    for (
        wild
    ) in false:  # twenty hours of a steady chat, and of such as go in waves: variance three and nine times the mean
        for seed in range(10):
            draw = np.random.default_rng(seed)
            counts = draw.poisson(draw.gamma(wild, 1 / wild, 7200 // 30) * 8)
            lively = Alerts()
            spoken(lively, np.concatenate([draw.uniform(30 * n, 30 * n + 30, count) for n, count in enumerate(counts)]))
            false[wild] += len(lively.told)
    assert false[1000.0] == 0
    assert false[4.0] <= 3
    assert false[1.0] <= 16


def test_early_on_earlier_streams_say_what_is_usual_for_the_chat() -> None:
    draw = np.random.default_rng(5)
    early = draw.uniform(20, 50, 40)
    blind, alerts = Alerts(), Alerts(usual=season_of([1] * 20))
    for each in (blind, alerts):
        begun(each)
        spoken(each, early)
    assert kinds(blind) == []  # nobody knows yet what is usual
    assert kinds(alerts) == ["chat burst"]
    late = Alerts(usual=season_of([1] * 20))
    begun(late)
    late.take({"pulse": [{"at": at(5000)}]})
    spoken(late, early)  # a chat that is read again tells nothing of now
    assert kinds(late) == []


def test_poor_health_that_lasts_is_told_and_again_only_after_a_while() -> None:
    alerts = Alerts(rules=AlertRules(again_seconds=60))
    sent = lost = 0
    for second in range(120):
        red = 20 <= second < 30 or 50 <= second < 90
        sent, lost = sent + 90, lost + (10 if red else 0)
        measured = {"fps": 30.0, "target_fps": 30.0, "packets_received": sent, "packets_lost": lost}
        alerts.take({"health": [{"room_id": "r", "at": at(second), **measured}]})
    assert kinds(alerts) == ["health poor"]
    assert alerts.told[0].at == datetime.fromtimestamp(at(65) / 1000, UTC)
    assert alerts.told[0].value == 15


class Hook(BaseHTTPRequestHandler):
    """Refuses the first delivery, takes the others."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        got: list[Any] = self.server.got  # type: ignore[attr-defined]
        got.append(json.loads(body))
        self.send_response(503 if len(got) == 1 else 204)
        self.end_headers()
        if len(got) > 1:
            self.server.taken.set()  # type: ignore[attr-defined]

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[Any]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.got, server.taken = [], threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_callable_and_a_webhook_are_told(hook: Any) -> None:
    heard: list[Alert] = []
    told = threading.Event()

    def call(alert: Alert) -> None:
        heard.append(alert)
        told.set()
        raise RuntimeError("an observer's fault is its own")

    url = f"http://127.0.0.1:{hook.server_port}/services/SECRET"
    alerts = Alerts(call, webhook=url)
    begun(alerts)
    from spnb._loop import in_loop

    in_loop(lambda: counted(alerts, [100, 100, 20]))
    assert told.wait(60)
    assert hook.taken.wait(60)
    assert hook.got[0] == hook.got[1]  # what was not taken is posted again
    assert hook.got[0] == {
        "text": f"r: {heard[0].words}", "roomId": "r", "kind": "audience fell",
        "at": "2026-03-01T18:00:10.000Z", "seconds": 10.0, "value": 20.0, "usual": 100.0,
    }  # fmt: skip
    assert "SECRET" not in repr(alerts) + repr(vars(heard[0]) if hasattr(heard[0], "__dict__") else heard[0])
    assert (alerts.undelivered, repr(alerts)) == (0, "Alerts(1 told)")


def test_a_fall_is_measured_anew_from_where_it_came_to() -> None:
    alerts = Alerts(rules=AlertRules(again_seconds=0))
    counted(alerts, [100] * 5 + [50] * 5 + [50] * 60 + [20] * 60)
    assert [(alert.value, alert.usual) for alert in alerts.told] == [(50, 100), (20, 50)]


def test_a_stream_that_waits_for_its_host_goes_on() -> None:
    alerts = Alerts()
    begun(alerts)
    counted(alerts, [100] * 5)
    for status in ("waitingReconnect", "live"):
        alerts.take({"status": [{"room_id": "r", "status": status, "at": at(25)}]})
    counted(alerts, [20], since=30)
    assert kinds(alerts) == ["audience fell"]


def test_below_usual_only_where_it_lasts_and_where_there_is_an_audience() -> None:
    past = season_of([100] * 20)
    alerts = Alerts(usual=past, rules=AlertRules(fall=0.99))
    begun(alerts)
    counted(alerts, ([60] * 3 + [100]) * 20)  # ten seconds at a time
    assert kinds(alerts) == []
    counted(alerts, [60] * 4, since=500)
    assert kinds(alerts) == ["audience below usual"]
    assert alerts.told[0].at == datetime.fromtimestamp(at(515) / 1000, UTC)
    few = Alerts(usual=season_of([10] * 20))
    begun(few)
    counted(few, [0] * 60)
    assert kinds(few) == []


def test_what_counts_as_a_burst() -> None:
    steady = np.arange(0, 600, 2.0)  # 15 in half a minute

    def told(extra: Any, *, deleted: bool = False, **rules: Any) -> Alerts:
        alerts = Alerts(rules=AlertRules(**rules))
        begun(alerts)
        for second in np.sort(np.concatenate((steady, extra))):
            gone = deleted and second in extra
            alerts.take({"messages": [{"room_id": "r", "created_at": at(second), "deleted": gone}]})
        return alerts

    burst = 560.5 + np.arange(60) / 3
    found = told(burst)
    assert kinds(found) == ["chat burst"]
    since = found.told[0].seconds
    assert since is not None
    newest = int(since) // 10 * 10
    inside = np.concatenate((steady, burst))
    assert found.told[0].value == ((inside >= newest - 20) & (inside <= since)).sum()
    assert found.told[0].usual == 15
    assert kinds(told(burst, deleted=True)) == []
    tall, lower = 260.5 + np.arange(200) / 10, 560.5 + np.arange(100) / 5
    assert kinds(told(lower)) == ["chat burst"]
    assert len(told(tall).told) == 1
    beside = told(np.concatenate((tall, lower)), again_seconds=60.0)
    assert [alert.seconds < 300 for alert in beside.told if alert.seconds is not None] == [True]
    quick = np.sort(np.concatenate((np.arange(0, 600, 0.1), 560 + np.arange(0, 30, 0.125))))
    lively = Alerts(rules=AlertRules(burst_score=1.0))
    begun(lively)
    spoken(lively, quick)  # 540 where 300 are usual
    assert kinds(lively) == []
    quiet = [np.arange(0, 600, 60.0), 560.5 + np.arange(12)]
    for fewest, expected in ((15, []), (8, ["chat burst"])):
        alerts = Alerts(rules=AlertRules(fewest_messages=fewest, burst_score=1.5))
        begun(alerts)
        spoken(alerts, np.concatenate(quiet))
        assert kinds(alerts) == expected


def test_a_message_of_long_ago_does_not_make_the_chat_older() -> None:
    alerts = Alerts()
    alerts.take({"pulse": [{"at": at(7200)}]})
    alerts.take({"messages": [{"room_id": "r", "created_at": at(0), "deleted": False}]})
    spoken(alerts, np.arange(7200, 7290, 0.5))  # nobody knows what is usual in so young a chat
    assert kinds(alerts) == []


def test_early_on_the_usual_is_told_for_the_window() -> None:
    alerts = Alerts(usual=season_of([1] * 20))
    begun(alerts)
    spoken(alerts, np.linspace(20, 50, 40))
    assert alerts.told[0].usual == pytest.approx(3, rel=0.1)  # six a minute, over half of one
    before = Alerts()
    before.take({"rooms": [{"room_id": "r", "creator_id": "ann", "live_at": at(600)}]})
    counted(before, [100, 100, 20])
    assert before.told[0].seconds == 0.0  # who waited before the stream began left before it


def test_fair_health_is_not_poor() -> None:
    alerts = Alerts()
    sent = lost = 0
    for second in range(40):
        sent, lost = sent + 97, lost + (10 if second % 10 < 8 else 3)  # poor for eight seconds at a time
        row = {"room_id": "r", "at": at(second), "packets_received": sent, "packets_lost": lost}
        alerts.take({"health": [{**row, "fps": 30.0, "target_fps": 30.0}]})
    assert kinds(alerts) == []


def test_what_a_webhook_never_takes_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spnb.analytics.alerts.AGAIN_SECONDS", ())
    alerts = Alerts(webhook="http://127.0.0.1:9/nobody")
    from spnb._loop import run

    alert = Alert("r", "chat burst", datetime.now(UTC), None, 1.0, None, "words")
    run(alerts._post(alert))
    assert (alerts.undelivered, repr(alerts)) == (1, "Alerts(0 told, 1 not delivered)")


def test_what_makes_no_sense_is_refused() -> None:
    for share in (30, 1.0, 0.0):
        with pytest.raises(InvalidInput, match="between 0 and 1"):
            AlertRules(fall=share)
    for seconds in (1, 9.9):
        with pytest.raises(InvalidInput, match="over 10 s"):
            AlertRules(burst_seconds=seconds)
    AlertRules(burst_seconds=10)
    with pytest.raises(InvalidInput, match="begins with http"):
        Alerts(webhook="slack")
