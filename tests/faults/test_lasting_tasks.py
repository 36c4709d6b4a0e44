"""Every task that lasts outlives what nobody foresaw: what it waits for fails in a way that none of its code knows."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import spnb
from spnb import _lasting
from spnb._loop import spawn
from spnb.analytics.capture import AsyncCapture
from spnb.sandbox.livekit.deployment import LiveKitDeployment
from spnb.sandbox.media import MediaServer
from spnb.sandbox.realtime.broker import Broker
from spnb.widgets import Chat, LiveDashboard, LiveNow, Studio
from tests.conftest import RunningSandbox
from tests.live.conftest import until
from tests.live.test_live import on_air

HOUSE = Path(spnb.__file__).parent
FOR_A_MOMENT = {"live/outbox.py", "live/stage.py"}
"""Send what waits, or ask for a name: they end when that is done."""
OF_THE_SANDBOX = {"sandbox/media/server.py", "sandbox/realtime/broker.py", "sandbox/livekit/deployment.py"}
ELSEWHERE = {"sandbox/livekit/own_server.py", "broadcast/publisher.py"}
"""The first one's watch is tested by killing what it watches, tests/media/test_own_server.py; what feeds the sound of a
broadcast, by a piece of it that cannot be sent, tests/broadcast/test_line.py."""


class NobodyForesaw(Exception):
    """An error that no code of ours or of a library knows."""


def users() -> set[str]:
    """The files that keep something up."""
    found = set()
    for path in HOUSE.rglob("*.py"):
        calls = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
        if any(isinstance(called, ast.Name) and called.id == "kept_up" for called in calls):
            found.add(str(path.relative_to(HOUSE)))
    return found


def kept(task: asyncio.Task[Any]) -> Any:
    """The running `kept_up` of a task, wherever in it; None where there is none."""
    running: Any = task.get_coro()
    while running is not None and getattr(running, "cr_code", None) is not _lasting.kept_up.__code__:
        running = getattr(running, "cr_await", None)
    return running


def file_of(running: Any) -> str:
    work = running.cr_frame.f_locals["work"]
    while hasattr(work, "func"):
        work = work.func
    return str(Path(getattr(work, "__func__", work).__code__.co_filename).relative_to(HOUSE))


def waited_for(task: asyncio.Task[Any]) -> asyncio.Future[Any] | None:
    """What a task waits for in the end."""
    waiter: Any = task._fut_waiter  # type: ignore[attr-defined]
    return waited_for(waiter) if isinstance(waiter, asyncio.Task) else waiter


def lasting() -> Iterator[tuple[str, asyncio.Task[Any]]]:
    for task in asyncio.all_tasks():
        if (running := kept(task)) is not None and not task.done():
            yield file_of(running), task


async def strike(wanted: set[str]) -> None:
    """Have what each task of these files waits for fail; until each has failed, and is at it again."""
    struck: dict[asyncio.Task[Any], tuple[str, Any]] = {}
    async with asyncio.timeout(90):
        while {name for name, _ in struck.values()} != wanted:
            for name, task in lasting():
                waiter = waited_for(task)
                if name in wanted and task not in struck and waiter is not None and not waiter.done():
                    struck[task] = name, kept(task).cr_frame
                    waiter.set_exception(NobodyForesaw(name))
            await asyncio.sleep(0.01)
        for task in struck:
            while not task.done() and waited_for(task) is None:
                await asyncio.sleep(0.01)
    given_up = {name for task, (name, _) in struck.items() if task.done() and not task.cancelled() and task.exception()}
    assert not given_up


async def running() -> set[str]:
    """The files of which something is kept up now."""
    return {name for name, _ in lasting()}


@pytest_asyncio.fixture
async def host(sandbox: RunningSandbox) -> AsyncIterator[Any]:
    client = await spnb.connect_async("lasting-host", url=sandbox.url, api_key=sandbox.api_key)
    yield client
    await client.aclose()


def test_none_is_forgotten_here() -> None:
    assert users() >= FOR_A_MOMENT | OF_THE_SANDBOX | ELSEWHERE


@pytest.mark.media
async def test_what_a_notebook_keeps_up(
    host: Any,
    sandbox: RunningSandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_lasting.random, "uniform", lambda _low, _high: 0.05)
    fan = await spnb.connect_async("lasting-fan", url=sandbox.url, api_key=sandbox.api_key)
    room = await host.rooms.create("Struck")
    chat = await room.open_chat()
    titles: list[str] = []
    ends = [room.observe(lambda record: titles.append(record.title))]
    theirs = await fan.rooms.get(room.room_id)
    widgets = [Studio(host.sync, room.sync), LiveNow(fan.sync), Chat(theirs.sync), LiveDashboard(theirs.sync)]
    studio, now, said, board = widgets
    async with AsyncCapture(fan, [room.room_id], tmp_path / "captured") as capture, await on_air(room):
        await room.until("live", timeout=60)
        viewing = theirs.watch_session()
        await viewing.start()
        link = await room.invite_link()
        wanted = users() - FOR_A_MOMENT - OF_THE_SANDBOX - ELSEWHERE - {"widgets/stage.py"}
        await asyncio.wrap_future(spawn(strike(wanted)))
        # Each goes on with what it is for.
        await room.update(title="After the blow")
        await chat.send("still here")
        await until(lambda: titles[-1:] == ["After the blow"], 60)
        await until(lambda: any(row["title"] == "After the blow" for row in now.rooms), 60)
        await until(lambda: capture.rows.get("messages"), 60)
        assert await asyncio.wrap_future(spawn(running())) >= wanted
        await spnb.AsyncLiveInvitations(fan).accept_link(link.address)
        await viewing.end()
    assert studio.error == board.error == said.error == ""
    for widget in widgets:
        widget.close()
    for end in ends:
        end()
    await fan.aclose()


async def test_what_a_sandbox_keeps_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lasting.random, "uniform", lambda _low, _high: 0.05)
    broker = Broker("sandbox", lambda _user, _token: True)
    server = MediaServer("key", "s" * 40, on_event=lambda _event: None)
    deployment = LiveKitDeployment("ws://127.0.0.1:9", "key", "s" * 40)
    await broker.start()
    await deployment.start()
    server.room("struck")
    await strike(OF_THE_SANDBOX)
    assert await running() >= OF_THE_SANDBOX
    broker.publish(["sandbox/room/x"], "room.didUpdate", {})
    await deployment.aclose()
    await broker.aclose()
    await server.aclose()
