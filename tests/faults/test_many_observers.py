"""Hundreds of rooms observed at once: a read each, a few at a time, and whoever calls finds a connection free."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

import spnb
from spnb._lasting import SETTLED_READ
from spnb.client.client import BACKGROUND_READS
from spnb.live import AsyncLiveRoom
from tests.conftest import RunningSandbox
from tests.live.conftest import until

MANY = 400


class Traffic:
    """What a client asks by REST: how often, and how much of it at once."""

    def __init__(self, client: spnb.AsyncClient[AsyncLiveRoom]) -> None:
        self.sent = self.waiting = self.most = 0
        client._session._http.event_hooks = {"request": [self._asked], "response": [self._answered]}

    async def _asked(self, _request: httpx.Request) -> None:
        self.sent += 1
        self.waiting += 1
        self.most = max(self.most, self.waiting)

    async def _answered(self, _response: httpx.Response) -> None:
        self.waiting -= 1


@pytest_asyncio.fixture
async def sp(sandbox: RunningSandbox) -> AsyncIterator[spnb.AsyncClient[AsyncLiveRoom]]:
    client = await spnb.connect_async("many", url=sandbox.url, api_key=sandbox.api_key)
    yield client
    await client.aclose()


def settled(room: AsyncLiveRoom) -> bool:
    """Whether a room's events come in, and it is read rarely from now on."""
    return room._reader is not None and (room._reader.pause or 0) > SETTLED_READ / 2


async def test_each_is_read_once_and_a_few_at_a_time(
    sp: spnb.AsyncClient[AsyncLiveRoom], sandbox: RunningSandbox
) -> None:
    rooms: list[AsyncLiveRoom] = []
    for _ in range(MANY // 20):
        rooms += await asyncio.gather(*(sp.rooms.create("One of many") for _ in range(20)))
    traffic = Traffic(sp)
    heard: dict[str, str] = {}
    for room in rooms:
        room.observe(lambda record: heard.update({record.room_id: record.title}))
    await until(lambda: all(map(settled, rooms)), 90)
    assert traffic.sent <= MANY * 1.1, "rooms were read again and again while they settled"
    assert traffic.most <= BACKGROUND_READS

    other = await spnb.connect_async("many", url=sandbox.url, api_key=sandbox.api_key)
    for room in (rooms[0], rooms[-1]):
        await other.rooms.update(room.room_id, title="Changed")
        await until(lambda key=room.room_id: heard.get(key) == "Changed")
    await other.aclose()

    before = traffic.sent
    async with await spnb.sandbox.faults_async(sp) as faults:
        await faults.cut("realtime")
    await until(lambda: sp.realtime.state == "away")
    assert (await sp.rooms.record(rooms[0].room_id)).title == "Changed", "who calls does not wait for them"
    await until(lambda: sp.realtime.state == "connected" and all(map(settled, rooms)), 90)
    assert traffic.sent - before <= MANY * 3
    assert traffic.most <= BACKGROUND_READS + 1


def test_the_library_that_locks_ask_is_there() -> None:
    import sniffio

    assert sniffio.AsyncLibraryNotFoundError
