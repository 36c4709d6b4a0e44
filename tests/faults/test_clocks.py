"""A service whose clock is a quarter of an hour off: what is shown and captured is not bent by it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import spnb
from spnb.analytics import load
from spnb.analytics.capture import AsyncCapture
from spnb.client.clock import ServiceClock
from spnb.widgets import LiveDashboard
from tests.conftest import RunningSandbox, ready_sandbox
from tests.live.conftest import until
from tests.live.test_live import on_air

BEFORE = timedelta(minutes=15)
SHIFTED = f"""
import datetime, runpy, time
from spnb.sandbox import clock
true, ahead = time.time, {BEFORE.total_seconds()}
time.time = lambda: true() + ahead
class Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=ahead)

clock.datetime = Shifted  # and so all that asks it
import jwt.api_jwt
jwt.api_jwt.datetime = Shifted
runpy.run_module("spnb.sandbox", run_name="__main__", alter_sys=True)
"""


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    folder = tmp_path_factory.mktemp("shifted")
    options = ["--port", "0", "--data-dir", str(folder), "--json", "--no-rate-limit"]
    process = subprocess.Popen([sys.executable, "-c", SHIFTED, *options], stdout=subprocess.PIPE, text=True)
    running: RunningSandbox = ready_sandbox(process, folder)
    connected = await spnb.connect_async("host", url=running.url, api_key=running.api_key)
    yield connected
    await connected.aclose()
    running.stop()


@pytest.mark.media
async def test_a_dashboard_and_a_capture_count_by_the_clock_of_the_service(client: Any, tmp_path: Path) -> None:
    room = await client.rooms.create("Early")
    there = client.clock.now() - datetime.now(UTC)
    assert abs(there - BEFORE) < timedelta(seconds=5)
    async with AsyncCapture(client, [room.room_id], tmp_path / "captured") as capture, await on_air(room):
        await room.until("live", timeout=60)
        board = LiveDashboard(room.sync)
        await until(lambda: board.peak_at is not None)
        assert board.since is not None
        assert 0 <= board.since < 120, "not a quarter of an hour before it began, nor after"
        assert -BEFORE / 2 < client.clock.now() - room.record.live_at < BEFORE / 2
        await until(lambda: capture.rows.get("presence"), 60)
        board.close()
    rows = load(tmp_path / "captured")
    began = rows.rooms["live_at"].iloc[0]
    assert len(rows.presence)
    assert (abs(rows.presence["at"] - began) < BEFORE / 2).all(), "one clock for all that is captured"
    assert abs(rows.as_of - began) < BEFORE / 2


def test_the_clock_is_what_answers_say_and_events_only_before_the_first() -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    clock = ServiceClock(lambda: now[0])
    clock.heard(datetime(2026, 1, 1, 0, 15, tzinfo=UTC))
    assert clock.now() == datetime(2026, 1, 1, 0, 15, tzinfo=UTC)
    clock.answered("Thu, 01 Jan 2026 00:00:01 GMT", timedelta(seconds=0.1))
    assert clock.now() == now[0], "two seconds are no difference"
    clock.heard(datetime(2099, 1, 1, tzinfo=UTC))
    assert clock.now() == now[0], "a claim changes nothing that was read"
    clock.answered("Thu, 01 Jan 2026 00:15:00 GMT", timedelta(seconds=0.2))
    assert timedelta(minutes=15) < clock.offset < timedelta(minutes=15, seconds=1)
    settled = clock.offset
    clock.answered("Thu, 01 Jan 2026 00:15:01 GMT", timedelta(seconds=0.2))
    assert clock.offset == settled, "what jitters by a second does not move it"
    for odd in (None, "", "yesterday", "Thu, 99 Jan 2026 00:00:00 GMT"):
        clock.answered(odd, timedelta(0))
    assert clock.offset == settled
    clock.answered("Thu, 01 Jan 2026 09:00:00 GMT", timedelta(seconds=9))
    assert clock.offset == settled, "what took long tells little"
