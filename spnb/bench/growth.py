"""What grows: observers, rooms, messages, and a stream on air; each beside what linear growth would be."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from spnb._loop import run
from spnb.bench.figures import Figure, at_most
from spnb.bench.sandboxed import OwnSandbox, own_sandbox

__all__ = ["linear", "observers", "one_budget", "rooms_and_messages", "soak"]

OBSERVERS = (100, 500, 2_000)
BUDGETED = 150
ROOMS = (1_000, 10_000, 50_000)
MESSAGES = (10_000, 100_000, 1_000_000)
CALLS = 40
LOGINS = 10
SETTLED_PAUSE = 30.0
SOAK_MINUTES = "SPNB_SOAK_MINUTES"
"""Environment: how long the soak lasts; 20 without."""
WARM_UP_MINUTES = 2


def linear(measured: dict[int, float], unit: str) -> str:
    """The figures, and what the first of them would be at the size of the last if it grew with it."""
    sizes = sorted(measured)
    linear = measured[sizes[0]] * sizes[-1] / sizes[0]
    told = ", ".join(f"{size}: {measured[size]:.3g}" for size in sizes)
    return f"{told} {unit}; linear from {sizes[0]}: {linear:.3g}"


def observers() -> Iterator[Figure]:
    """Rooms that are observed at once, until the events of all come in and each was read."""
    with own_sandbox() as sandbox:
        yield from run(_observers(sandbox))


async def _observers(sandbox: OwnSandbox) -> list[Figure]:
    import spnb

    url, key = sandbox.info["url"], sandbox.info["apiKey"]
    host = await spnb.connect_async("bench", url=url, api_key=key)
    rooms: list[Any] = []
    while len(rooms) < OBSERVERS[-1]:
        rooms += await asyncio.gather(*(host.rooms.create(f"Room {number}") for number in range(20)))
    await host.aclose()
    took: dict[int, float] = {}
    spent: dict[int, float] = {}
    for many in OBSERVERS:
        client = await spnb.connect_async("bench", url=url, api_key=key)
        handles = [client.hand_out(room.record) for room in rooms[:many]]
        began, busy = time.perf_counter(), time.process_time()
        ends = [handle.observe(lambda _record: None) for handle in handles]
        while not all(handle._reader and (handle._reader.pause or 0) > SETTLED_PAUSE for handle in handles):  # noqa: ASYNC110 - they settle one by one
            await asyncio.sleep(0.05)
        took[many], spent[many] = time.perf_counter() - began, time.process_time() - busy
        for end in ends:
            end()
        await client.aclose()
    most = OBSERVERS[-1]
    return [
        at_most(f"{most} observers settle", took[most], 10, "s", linear(took, "s")),
        at_most(f"{most} observers: processor time", spent[most], 5, "s", linear(spent, "s")),
    ]


def one_budget() -> Iterator[Figure]:
    """What rooms that are observed at once ask of the service, which counts: at the start, and after a cut."""
    with own_sandbox() as sandbox:
        yield from run(_budget(sandbox))


async def _budget(sandbox: OwnSandbox) -> list[Figure]:
    import spnb

    url, key = sandbox.info["url"], sandbox.info["apiKey"]
    host = await spnb.connect_async("host", url=url, api_key=key)
    rooms = [await host.rooms.create(f"Room {number}", chat=False) for number in range(BUDGETED)]
    client = await spnb.connect_async("bench", url=url, api_key=key)
    answers: Counter[int] = Counter()
    reads: Counter[str] = Counter()

    async def count(answer: httpx.Response) -> None:
        answers[answer.status_code] += 1
        reads[answer.request.url.path] += 1

    client._session._http.event_hooks["response"].append(count)
    wanted = {f"/api/v1/rooms/{room.room_id}" for room in rooms}

    async def all_read(times: int) -> float:
        began = time.perf_counter()
        while min(reads[path] for path in wanted) < times:  # noqa: ASYNC110 - they are read one by one
            await asyncio.sleep(0.05)
        return time.perf_counter() - began

    ends = [client.hand_out(room.record).observe(lambda _record: None) for room in rooms]
    took = await all_read(1)
    first = answers.total()
    await (await spnb.sandbox.faults_async(host)).cut("realtime")
    again = await all_read(2)
    for end in ends:
        end()
    await client.aclose()
    await host.aclose()
    most = 2 * BUDGETED + 20
    return [
        at_most(f"{BUDGETED} observed rooms: requests at the start", first, most / 2, "", f"read after {took:.1f} s"),
        at_most("… and after a cut", answers.total() - first, most / 2, "", f"read again after {again:.1f} s"),
        at_most("… refused for their rate", answers[429], 0, "", "100 requests in 5 s are allowed"),
    ]


def rooms_and_messages() -> Iterator[Figure]:
    """Listing, making and sending in a small network and in a large one."""
    listed: dict[int, float] = {}
    made: dict[int, float] = {}
    sent: dict[int, float] = {}
    started: dict[int, float] = {}
    entered: dict[int, float] = {}
    for rooms, messages in zip(ROOMS, MESSAGES, strict=True):
        with own_sandbox(filled=_filler(rooms, messages)) as sandbox:
            started[rooms] = sandbox.ready_after
            listed[rooms], made[rooms], sent[messages], entered[rooms] = run(_calls(sandbox))
    few, some, many = ROOMS
    yield at_most("start among 50 000 rooms, 1 M messages", started[many], 3, "s", linear(started, "s"))
    yield at_most("a page of rooms among 50 000", listed[many], 3 * listed[few] + 5, "ms", linear(listed, "ms"))
    yield at_most("a room made among 50 000", made[many], 3 * made[few] + 5, "ms", linear(made, "ms"))
    yield at_most("a login among 10 000 rooms", entered[some], 3 * entered[few] + 5, "ms", linear(entered, "ms"))
    yield at_most("a login among 50 000 rooms", entered[many], 3 * entered[few] + 5, "ms", linear(entered, "ms"))
    yield at_most("a message sent among 1 M", sent[MESSAGES[-1]], 3 * sent[MESSAGES[0]] + 5, "ms", linear(sent, "ms"))


def _filler(rooms: int, messages: int) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        from spnb.sandbox.store import Store

        store = Store(folder / "sandbox.sqlite")
        user = store.ensure_user("bench")
        at = store.now()
        with store.bulk():
            for number in range(rooms):
                room_id = f"{number:024x}"
                store.rooms.insert(
                    {
                        "roomId": room_id,
                        "_id": room_id,
                        "type": "coHosts",
                        "status": "idle",
                        "title": f"Room {number}",
                        "createdBy": "bench",
                        "creatorInternalId": user["_id"],
                        "participants": [],
                        "childRoomIds": [],
                        "isDeleted": False,
                        "path": f"sandbox/room/{room_id}",
                        "createdAt": at,
                        "updatedAt": at,
                    }
                )
            columns = ("feed", None, 0, None, None)
            store.messages.insert_rows(
                (None, f"past-{number:020x}", b'{"messageId":"past"}', *columns) for number in range(messages)
            )
        store.close()

    return fill


async def _calls(sandbox: OwnSandbox) -> tuple[float, float, float, float]:
    """Median milliseconds of a page of rooms, of making one, of sending a message, and of a newcomer's login."""
    import spnb

    url, key = sandbox.info["url"], sandbox.info["apiKey"]
    client = await spnb.connect_async("bench", url=url, api_key=key)
    room = await client.rooms.create("Chat")
    await room.post()
    chat = await room.open_chat()

    async def page() -> None:
        async for _ in client.rooms.query(page_size=20):
            break

    works = (page, lambda: client.rooms.create("One more"), lambda: chat.send("words"))
    found = []
    for work in works:
        times = []
        for _ in range(CALLS):
            began = time.perf_counter()
            await work()
            times.append((time.perf_counter() - began) * 1000)
        found.append(statistics.median(times))
    entering = []
    for number in range(LOGINS):
        began = time.perf_counter()
        newcomer = await spnb.connect_async(f"newcomer-{number}", url=url, api_key=key)
        await newcomer.users.get(newcomer.user_id)
        entering.append((time.perf_counter() - began) * 1000)
        await newcomer.aclose()
    await client.aclose()
    return found[0], found[1], found[2], statistics.median(entering)


def soak() -> Iterator[Figure]:
    """A stream on air with a viewer and a chat: memory, descriptors and threads, minute by minute."""
    minutes = int(os.environ.get(SOAK_MINUTES, "20"))
    with own_sandbox() as sandbox:
        yield from run(_soak(sandbox, minutes))


async def _soak(sandbox: OwnSandbox, minutes: int) -> list[Figure]:
    import spnb

    url, key = sandbox.info["url"], sandbox.info["apiKey"]
    host = await spnb.connect_async("host", url=url, api_key=key)
    fan = await spnb.connect_async("fan", url=url, api_key=key)
    room = await host.rooms.create("Soak")
    await room.post()
    chat = await room.open_chat()
    show = await room.go_live(spnb.TestCard(640, 360, 15))
    theirs = await fan.rooms.get(room.room_id)
    end = theirs.observe(lambda _record: None)
    viewing = theirs.watch_session()
    await viewing.start()
    rows: dict[str, list[tuple[float, int, int]]] = {"sandbox": [], "client": []}
    for minute in range(minutes + 1):
        for name, process in (("sandbox", sandbox.process), ("client", psutil.Process())):
            row = (process.memory_info().rss / 2**20, process.num_fds(), process.num_threads())
            rows[name].append(row)
            sys.stderr.write(f"minute {minute}: {name} {row[0]:.0f} MB, {row[1]} descriptors, {row[2]} threads\n")
        for _ in range(60 if minute < minutes else 0):
            await chat.send("still here")
            await asyncio.sleep(1)
    end()
    await viewing.end()
    await show.stop()
    for client in (fan, host):
        await client.aclose()
    figures = []
    for name, told in rows.items():
        settled = told[min(WARM_UP_MINUTES, minutes - 1) :]
        per_minute = [(settled[-1][kind] - settled[0][kind]) / max(1, len(settled) - 1) for kind in range(3)]
        for kind, (what, bar, unit) in enumerate(
            (("memory", 1.0, "MB/min"), ("descriptors", 0.5, "/min"), ("threads", 0.5, "/min"))
        ):
            note = f"{minutes} min on air, from {settled[0][kind]:.0f} to {settled[-1][kind]:.0f}"
            figures.append(at_most(f"on air, {name}: {what}", per_minute[kind], bar, unit, note))
    return figures
