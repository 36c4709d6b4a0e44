"""The async faces of what only a sandbox can do: the same words, from any loop, and an end when they are cancelled."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

import spnb
from spnb import sandbox as spnb_sandbox
from tests.conftest import RunningSandbox


async def test_faults_strike_until_the_block_ends(quiet_sandbox: RunningSandbox) -> None:
    sandbox = quiet_sandbox
    client = await spnb.connect_async("async-control", url=sandbox.url, api_key=sandbox.api_key)
    async with await spnb_sandbox.faults_async(client) as faults:
        fault = await faults.add("bad-gateway", match="GET /api/v3/users/async-control", times=1)
        assert (await client.users.get("async-control")).user_id == "async-control"
        assert [(each.fault_id, each.hits, each.left) for each in await faults.active()] == [(fault.fault_id, 1, 0)]
        assert await faults.cut("signalling") == 0
        assert faults.sync.active() == await faults.active()
        assert sandbox.api_key not in repr(faults)
    assert await faults.active() == []
    await client.aclose()


async def test_webhooks_are_registered_and_removed(sandbox: RunningSandbox) -> None:
    hooks = await spnb_sandbox.webhooks_async(url=sandbox.url, api_key=sandbox.api_key)
    made = await hooks.add("http://127.0.0.1:9/hook", "a secret of some length", events=["room.terminated"])
    assert made in await hooks.registered()
    assert hooks.sync.deliveries(made) == await hooks.deliveries(made) == []
    await hooks.remove(made)
    assert made not in await hooks.registered()


async def test_a_cancelled_back_fill_ends_its_process_and_is_completed_by_the_next(tmp_path: Path) -> None:
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def fill(*, stop: bool) -> spnb_sandbox.Past:
        return await spnb_sandbox.backfill_async(
            days=5,
            streams=40,
            views=4000,
            messages=8000,
            until=datetime(2026, 6, 1, tzinfo=UTC),
            data_dir=tmp_path,
            progress=(lambda _done, _of: loop.call_soon_threadsafe(begun.set)) if stop else None,
        )

    filling = asyncio.create_task(fill(stop=True))
    await begun.wait()
    writers = [each for each in psutil.Process().children() if "backfill" in each.cmdline()]
    assert len(writers) == 1
    filling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await filling
    _, alive = await asyncio.to_thread(psutil.wait_procs, writers, 20)
    assert not alive
    past = await fill(stop=False)
    assert (past.streams, past.views, past.messages) == (40, 4000, 8000)
