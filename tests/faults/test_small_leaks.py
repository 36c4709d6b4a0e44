"""What is left behind by what ends too early, or happens twice in one moment."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil

import spnb
from spnb.sandbox.audience.history import plan_history
from spnb.sandbox.audience.past_writer import write_past
from spnb.sandbox.store import Store
from tests.conftest import RunningSandbox
from tests.live.conftest import until


def open_connections(running: RunningSandbox) -> int:
    process = psutil.Process(running.process.pid)
    return sum(found.status == psutil.CONN_ESTABLISHED for found in process.net_connections("tcp"))


async def test_a_client_that_is_closed_while_it_connects_leaves_no_connection(sandbox: RunningSandbox) -> None:
    before = open_connections(sandbox)
    for turns in range(24):
        client = await spnb.connect_async("hasty", url=sandbox.url, api_key=sandbox.api_key)
        client.realtime.subscribe(f"{client.network_id}/room/none", lambda _event: None)
        for _ in range(turns):
            await asyncio.sleep(0)
        await client.aclose()
    await until(lambda: open_connections(sandbox) <= before, 60)


def test_two_streams_of_one_moment_are_both_written(tmp_path: Path) -> None:
    planned = plan_history(seed=3, days=7, streams=4, views=40, messages=40, until=datetime(2026, 6, 1, tzinfo=UTC))
    at = planned.streams[0].created
    moments = (at, at, at + 1, at + 1)
    history = replace(
        planned, streams=tuple(replace(one, created=at) for one, at in zip(planned.streams, moments, strict=True))
    )
    store = Store(tmp_path / "sandbox.sqlite")
    assert len(list(write_past(store, history, lambda _done: None))) == 4
    assert len(store.rooms.find({})) == 4
    assert len(list(write_past(store, history, lambda _done: None))) == 4, "done again, it adds nothing"
    assert len(store.rooms.find({})) == 4
    store.close()
