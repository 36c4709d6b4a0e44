"""A sandbox that is slow to answer is waited for by whatever asks it; one that has gone is told at once."""

from __future__ import annotations

import ast
import asyncio
import re
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import spnb
from spnb import sandbox as spnb_sandbox
from spnb._patience import ELSEWHERE, ON_THIS_MACHINE, patience
from spnb.broadcast.signpost import signpost
from spnb.errors import InvalidInput, SandboxError
from spnb.sandbox import SandboxInfo
from spnb.sandbox.control import lease
from spnb.sandbox.control.found import shows_its_key
from spnb.sandbox.control.target import reached
from tests.conftest import RunningSandbox, start_sandbox

SLOW_SECONDS = 11.0
"""Longer than httpx (5 s) and websockets (10 s) wait where nobody tells them how long."""


def calls_of(sandbox: RunningSandbox) -> dict[str, Callable[[], Any]]:
    """Everything that a user's process asks of a sandbox itself."""
    info = SandboxInfo.read(sandbox.info)

    def join() -> None:
        lease._joined(info).close()

    def signposted() -> None:
        told = asyncio.run(signpost(info.url))
        assert told is not None
        if not told["answer"]:
            raise SandboxError("a page is not told how to know it")

    def known() -> None:
        if not shows_its_key(info.url, info.api_key):
            raise SandboxError("it is taken for another's")

    return {
        "a fault": spnb_sandbox.faults(url=info.url, api_key=info.api_key).active,
        "an audience": lambda: spnb_sandbox.simulate("none", viewers=1, seconds=5, sandbox=info),
        "moderation": lambda: info.moderate("none", "violence", 1),
        "an auth token": lambda: info.auth_token("ann"),
        "a lease": join,
        "a road": signposted,
        "its key": known,
        "where it is": lambda: reached(spnb.connect("ann", sandbox=info)),
    }


REFUSED = {"an audience": (InvalidInput, "there is no room 'none'"), "moderation": (SandboxError, "did not moderate")}
"""What an answer is where there is no such room."""


def test_a_slow_sandbox_is_waited_for_and_a_dead_one_is_not(tmp_path: Path) -> None:
    running = start_sandbox(tmp_path)
    calls = calls_of(running)
    calls.pop("where it is")()  # its client is connected before; what is asked is asked by the others too

    def held_up(pool: ThreadPoolExecutor) -> dict[str, Future[Any]]:
        running.process.send_signal(signal.SIGSTOP)
        return {name: pool.submit(call) for name, call in calls.items()}

    with ThreadPoolExecutor(len(calls)) as pool:
        asked = held_up(pool)
        time.sleep(SLOW_SECONDS)  # it is this very time that is waited through
        running.process.send_signal(signal.SIGCONT)
        for name, answer in asked.items():
            kind, words = REFUSED.get(name, (None, ""))
            if kind is None:
                answer.result(60)
            else:
                with pytest.raises(kind, match=words):
                    answer.result(60)
        asked = held_up(pool)
        running.stop(kill=True)
        for answer in asked.values():
            with pytest.raises(SandboxError):
                answer.result(30)


def test_nothing_that_asks_a_sandbox_has_a_patience_of_its_own() -> None:
    assert patience("http://127.0.0.1:8000/x") == ON_THIS_MACHINE
    assert patience("https://apix.eu.amity.co") == ELSEWHERE
    root = Path(spnb.__file__).parent / "sandbox"
    for path in [*(root / "control").glob("*.py"), *(root / "audience").glob("*.py")]:
        if path.name == "asking.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert not re.fullmatch(r"httpx\.(\w*Client|request|stream|get|post|put|delete)", called), (
                f"{path.name}, line {node.lineno}: `asking` asks"  # type: ignore[attr-defined]
            )
