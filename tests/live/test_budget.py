"""One budget of requests a user: many observed rooms leave room for calls, and are never refused for their rate."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import spnb
from spnb._loop import on_loop
from spnb.errors import NotFound, RoomOver
from spnb.models import Room
from spnb.realtime import Event
from tests.client.conftest import FaultProxy, serving
from tests.conftest import RunningSandbox, start_sandbox

ROOMS = 150


class Seen:
    """How often each room was read, and when all of them were."""

    def __init__(self, proxy: FaultProxy, rooms: list[Any]) -> None:
        self._proxy = proxy
        self._paths = {f"/api/v1/rooms/{room.room_id}" for room in rooms}

    @property
    def reads(self) -> Counter[str]:
        return Counter(path for method, path in self._proxy.seen if method == "GET" and path in self._paths)

    async def all_read(self, times: int) -> None:
        async with asyncio.timeout(120):
            while len(self.reads) < ROOMS or min(self.reads.values()) < times:
                await asyncio.to_thread(self._proxy.asked.wait, 60)
                self._proxy.asked.clear()


async def test_a_hundred_and_fifty_observed_rooms_are_not_refused(tmp_path: Path) -> None:
    box = start_sandbox(tmp_path)  # 100 requests in 5 s, as the service has it
    proxy = FaultProxy(box.url)
    try:
        async with (
            serving(proxy),
            spnb.connect_async("maker", url=box.url, api_key=box.api_key) as maker,
            spnb.connect_async("watcher", url=proxy.url, api_key=box.api_key) as watcher,
        ):
            # What passes the proxy is counted; real time goes straight.
            watcher._session.endpoints = replace(watcher._session.endpoints, mqtt=f"ws{box.url[4:]}/mqtt")
            for start in range(0, ROOMS, 50):
                made = (maker.rooms.create(f"Room {start + one}", chat=False) for one in range(50))
                await asyncio.gather(*made)
            rooms = [room async for room in watcher.rooms.query(page_size=100)]
            assert len(rooms) == ROOMS
            seen = Seen(proxy, rooms)
            ends = [room.observe(lambda _record: None) for room in rooms]
            own = await watcher.users.get("watcher")
            assert own.user_id == "watcher"
            assert len(seen.reads) < ROOMS, "the user's own call goes first"
            await seen.all_read(1)
            assert set(seen.reads.values()) == {1}, "observing reads once"
            faults = await spnb.sandbox.faults_async(maker)
            await faults.cut("realtime")
            await seen.all_read(2)
            assert proxy.answered.count(429) == 0
            for end in ends:
                end()
    finally:
        box.stop()


async def test_all_connections_of_a_user_spend_of_one_budget(sandbox: RunningSandbox) -> None:
    at: Any = {"url": sandbox.url, "api_key": sandbox.api_key}
    async with (
        spnb.connect_async("spender", **at) as one,
        spnb.connect_async("spender", **at) as two,
        spnb.connect_async("another", **at) as other,
    ):

        @on_loop
        async def spent() -> list[int]:
            return [id(client._session._budget()) for client in (one, two, other)]

        first, second, third = await spent()
        assert first == second != third


async def test_a_deleted_room_is_noticed(sandbox: RunningSandbox) -> None:
    async with (
        spnb.connect_async("deleter", url=sandbox.url, api_key=sandbox.api_key) as host,
        spnb.connect_async("left-alone", url=sandbox.url, api_key=sandbox.api_key) as viewer,
    ):
        made = await host.rooms.create("Soon gone", chat=False)
        room = await viewer.rooms.get(made.room_id)
        told: asyncio.Queue[Room] = asyncio.Queue()
        end = room.observe(told.put_nowait)
        waiting = asyncio.ensure_future(room.until("live"))

        async def watched() -> list[Room]:
            return [record async for record in room.watch()]

        watching = asyncio.ensure_future(watched())
        await made.delete()
        assert made.record.is_deleted
        assert "deleted" in repr(made)
        # Any news has the room read; the safety read of once a minute does too.
        viewer.realtime.tell(Event("room.didUpdate", {}, f"{viewer.network_id}/room/{room.record.id}"))
        async with asyncio.timeout(60):
            assert (await told.get()).is_deleted
            with pytest.raises(RoomOver, match="deleted"):
                await waiting
            assert (await watching)[-1].is_deleted
        with pytest.raises(NotFound):
            await room.refresh()
        end()
