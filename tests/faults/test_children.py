"""Processes of ours: what reads tables goes away again, and no child's end is lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from spnb._loop import end_process
from tests.conftest import RunningSandbox
from tests.live.conftest import until
from tests.rest.conftest import Caller

TABLES = ("rooms", "views", "messages", "reactions", "presence", "status")


def readers(sandbox: RunningSandbox) -> list[psutil.Process]:
    found = psutil.Process(sandbox.process.pid).children()
    return [child for child in found if "spnb.sandbox.exact_rows" in child.cmdline()]


def test_tables_are_read_elsewhere(sandbox: RunningSandbox) -> None:
    Caller(sandbox).room("In a table")
    process = psutil.Process(sandbox.process.pid)
    headers = {"X-API-Key": sandbox.api_key}
    with httpx.Client(base_url=sandbox.url, headers=headers, trust_env=False, timeout=60) as http:
        for name in TABLES:
            for kind in ("arrow", "json"):
                answer = http.get(f"/sandbox/tables/{name}", params={"format": kind})
                assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/x-ndjson"
        assert "In a table" in http.get("/sandbox/tables/rooms", params={"format": "json"}).text
        libraries = {Path(part.path).name for part in process.memory_maps(grouped=True)}
        assert not [name for name in libraries if name.startswith("libarrow")], "no Arrow in the sandbox itself"
        assert len(readers(sandbox)) == 1, "one is kept for the next table"
        with http.stream("GET", "/sandbox/tables/rooms") as answer:
            assert answer.status_code == 200  # and left in the middle
        assert http.get("/sandbox/tables/rooms", params={"format": "json"}).status_code == 200


@pytest.mark.skipif(not hasattr(asyncio, "PidfdChildWatcher"), reason="Linux's way of waiting for children")
async def test_who_waits_for_a_child_learns_how_it_ended(caplog: pytest.LogCaptureFixture) -> None:
    for code in range(3):
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", f"raise SystemExit({code})")
        child = psutil.Process(process.pid)
        with caplog.at_level(logging.WARNING):
            with contextlib.suppress(psutil.NoSuchProcess):  # a watcher of another thread may have been quicker
                while child.status() != psutil.STATUS_ZOMBIE:
                    pass  # the loop is not to notice its end before the signal is sent
            end_process(process)
            assert await process.wait() == code
    assert "Unknown child" not in caplog.text


async def test_a_child_that_does_not_end_is_made_to() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "import signal; signal.pause()")
    child = psutil.Process(process.pid)
    await until(lambda: child.status() == psutil.STATUS_SLEEPING)
    end_process(process, kill=True)
    assert await process.wait() == -9
