"""Floating reactions from one user to many others, and what viewers' heartbeats and counts cost the sandbox."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from spnb._loop import run
from spnb.bench.figures import Figure, at_least, at_most, quantile
from spnb.bench.sandboxed import OwnSandbox, own_sandbox

if TYPE_CHECKING:
    from spnb.models import LiveReaction

__all__ = ["presence", "reactions"]

LISTENERS = 10
GIVEN = 40
"""Reactions that are timed, one every 100 ms."""
BURST = 2000
VIEWERS = 200
BEATS_SECONDS = 5.0
BEAT_EVERY = 30.0


def reactions() -> Iterator[Figure]:
    """From `room.react()` to the observers of ten other users: singly, and two thousand at once."""
    with own_sandbox() as sandbox:
        delays, rate = run(_react(sandbox))
    worst = quantile(delays, 0.95) * 1000
    yield at_most("reaction → other viewers, p95", worst, 1200, "ms", f"gathered for 1 s; {LISTENERS} listeners")
    yield at_least("reactions heard by each listener", rate, 1000, "/s", f"{BURST} at once, {LISTENERS} listeners")


async def _react(sandbox: OwnSandbox) -> tuple[list[float], float]:
    import spnb

    async def connect(name: str) -> Any:
        return await spnb.connect_async(name, url=sandbox.info["url"], api_key=sandbox.info["apiKey"])

    host = await connect("bench-host")
    room = await host.rooms.create("reactions")
    await room.post()
    clients = [await connect(f"bench-fan-{number}") for number in range(LISTENERS)]
    seen = [await client.rooms.get(room.room_id) for client in clients]
    delays: list[float] = []

    def heard(reaction: LiveReaction) -> None:
        if reaction.reaction_name == "timed" and reaction.occurred_at is not None:
            delays.append(time.time() - reaction.occurred_at.timestamp())

    for one in seen:
        one.reactions.observe(heard)
    await _until(lambda: all(one.reactions.following for one in seen), 30)
    for _ in range(GIVEN):
        await room.react("timed")
        await asyncio.sleep(0.1)
    await _until(lambda: len(delays) >= GIVEN * LISTENERS, 30)
    await room.react("burst", BURST)
    began = time.perf_counter()
    await room.reactions.flush()
    await _until(lambda: all(one.reactions["burst"] == BURST for one in seen), 60)
    rate = BURST / (time.perf_counter() - began)
    for client in [host, *clients]:
        await client.aclose()
    return delays, rate


async def _until(so: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not so():  # noqa: ASYNC110 - ten connections' counts have no event in common
            await asyncio.sleep(0.01)


def presence() -> Iterator[Figure]:
    """Two hundred users' heartbeats as fast as one client process sends them, and how many viewers that would keep."""
    with own_sandbox() as sandbox:
        beats, counted = run(_beat(sandbox))
    note = f"{beats:.0f} heartbeats/s of {VIEWERS} users, {counted} counted; each viewer beats every {BEAT_EVERY:g} s"
    yield at_least("viewers kept present", beats * BEAT_EVERY, 2000, "viewers", note)


async def _beat(sandbox: OwnSandbox) -> tuple[float, int]:
    import httpx

    url, key = sandbox.info["url"], sandbox.info["apiKey"]
    limits = httpx.Limits(max_connections=16, max_keepalive_connections=16)
    async with httpx.AsyncClient(base_url=url, trust_env=False, limits=limits, timeout=60) as http:

        async def login(name: str) -> dict[str, str]:
            body = {"userId": name, "deviceId": f"device of {name}"}
            answer = await http.post("/api/v5/sessions", json=body, headers={"X-API-Key": key})
            return {"Authorization": f"Bearer {answer.json()['accessToken']}"}

        host = await login("bench-host")
        room = (await http.post("/api/v1/rooms", json={"title": "beats", "type": "coHosts"}, headers=host)).json()
        path = f"/api/v1/presence/rooms/{room['rooms'][0]['roomId']}"
        fans = [await login(f"fan-{number}") for number in range(VIEWERS)]
        taken = 0
        began = time.perf_counter()
        gate = asyncio.Semaphore(16)

        async def beat(fan: dict[str, str]) -> None:
            nonlocal taken
            async with gate:
                if time.perf_counter() - began < BEATS_SECONDS or taken < VIEWERS:
                    (await http.post(f"{path}/heartbeat", json={}, headers=fan)).raise_for_status()
                    taken += 1

        while time.perf_counter() - began < BEATS_SECONDS:
            await asyncio.gather(*(beat(fan) for fan in fans))
        rate = taken / (time.perf_counter() - began)
        counted = (await http.get(f"{path}/users/count", headers=host)).json()["count"]
    return rate, int(counted)
