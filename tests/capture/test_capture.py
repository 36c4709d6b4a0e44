"""Capture against the real sandbox: what was there is what is in the files."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import spnb
from spnb import analytics
from spnb import sandbox as door
from spnb.sandbox import SandboxInfo
from tests.capture.conftest import exact, rows, same
from tests.conftest import RunningSandbox
from tests.live.conftest import Wire, until
from tests.live.test_live import on_air

pytestmark = pytest.mark.media


async def test_captured_rows_are_the_sandboxs_own(sandbox: RunningSandbox, sp: Any, tmp_path: Path) -> None:
    room = await sp.rooms.create("Captured <b>whole</b>")
    async with spnb.capture(room, tmp_path / "c", exact=sandbox) as c:
        async with await on_air(room):
            await room.until("live", timeout=20)
            simulation = await asyncio.to_thread(
                door.simulate, room, viewers=30, seconds=6, seed=7, chattiness=20, sandbox=SandboxInfo.read(sandbox.info)
            )
            await asyncio.to_thread(simulation.wait, 60)
            await until(lambda: c.rows.get("presence", 0) >= 2)
            running = await asyncio.to_thread(analytics.load, tmp_path / "c")
            assert running.rows("messages") > 0
        await room.stop()
        assert await c.wait(30)
    made = await c.dataset()
    same(made, sandbox, room.room_id, "messages", "reactions", "status", "views", "rooms")
    print(made, made.quality, c)
    assert made.presence["viewers"].max() > 0
