"""Whatever cannot be read, counted or changed for a while is told to who looks, never to a log alone, and goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator
from queue import SimpleQueue
from typing import Any

import av
import numpy as np
import pytest
import pytest_asyncio
from starlette.responses import Response

import spnb
from spnb import _lasting
from spnb._loop import spawn
from spnb.client.watch_key import throwaway
from spnb.config import Credentials, Endpoints
from spnb.errors import ClientClosed, ServiceError
from spnb.live import AsyncLiveRoom, AsyncLiveRooms, viewing
from spnb.live.audience import Heartbeat
from spnb.live.reading import Reader
from spnb.widgets import CameraPreview, LiveNow, Player
from tests.client.conftest import AT_ONCE, FaultProxy, serving
from tests.conftest import RunningSandbox
from tests.live.conftest import until

WORDS = "not for you today"


def refused(status: int = 400) -> Response:
    return Response(json.dumps({"code": 400300, "message": WORDS, "status": "error"}), status)


@pytest_asyncio.fixture
async def proxy(sandbox: RunningSandbox) -> AsyncIterator[FaultProxy]:
    made = FaultProxy(sandbox.url)
    async with serving(made):
        yield made


@pytest_asyncio.fixture
async def fan(proxy: FaultProxy, sandbox: RunningSandbox) -> AsyncIterator[Any]:
    """A viewer whose calls pass the proxy; there is no key to sign watch sessions with."""
    straight, slow = Endpoints.of_url(sandbox.url), Endpoints.of_url(proxy.url)
    client: spnb.AsyncClient[AsyncLiveRoom] = spnb.AsyncClient(
        Endpoints(slow.rest, slow.upload, straight.mqtt),
        Credentials(sandbox.api_key, "told-fan"),
        room_factory=AsyncLiveRoom,
    )
    await client.login()
    client._session.retries = AT_ONCE
    yield client
    await client.aclose()


@pytest_asyncio.fixture
async def host(sandbox: RunningSandbox) -> AsyncIterator[Any]:
    client = await spnb.connect_async("told-host", url=sandbox.url, api_key=sandbox.api_key)
    yield client
    await client.aclose()


async def test_whoever_looks_learns_that_what_they_see_is_old(proxy: FaultProxy, fan: Any, host: Any) -> None:
    room = await host.rooms.create("Old news")
    chat = await room.open_chat()
    theirs = await fan.rooms.get(room.room_id)
    listed, invited = AsyncLiveRooms(fan, "idle"), spnb.AsyncLiveInvitations(fan)
    told: list[str | None] = []
    ends = [
        theirs.observe(lambda _record: None),
        theirs.audience.observe(lambda _count: None),
        theirs.products.observe(lambda _tags: None),
        listed.observe(lambda _rooms: told.append(listed.read_error)),
        invited.observe(lambda _invitations: None),
    ]
    their_chat = theirs.chat
    batches = their_chat.batches(last=0)
    now = LiveNow(fan.sync)
    looking: dict[str, Any] = {
        "room": theirs,
        "list": listed,
        "invitations": invited,
        "audience": theirs.audience,
        "chat": their_chat,
    }

    async def chatting() -> None:
        async for batch in batches:
            begun.set()
            said.extend(change.message for change in batch if change.message is not None)

    begun = threading.Event()
    said: list[Any] = []
    following = spawn(chatting())
    await until(lambda: told and begun.is_set() and fan.realtime.is_subscribed(f"{chat.channel.path}/#"))
    assert {name for name, one in looking.items() if one.read_error} == set()

    proxy.fault = lambda request: refused() if request.method == "GET" else None

    async def news() -> None:
        """Something happens, so that all are read again."""
        await host.rooms.update(room.room_id, title="Newer")
        await chat.send("anybody there?")
        await host.invitations.create(room.room_id, fan.user_id)

    await news()
    # A read that was under way already may have confirmed the first message: what comes after it finds no answer.
    await until(lambda: said)
    await chat.send("still nobody?")
    await until(lambda: all(one.read_error for one in looking.values()), 60)
    for name, one in looking.items():
        assert WORDS in one.read_error, name
    assert WORDS in repr(theirs)
    assert WORDS in repr(listed)
    assert WORDS in repr(theirs.audience)
    await until(lambda: WORDS in now.error)
    assert WORDS in (told[-1] or "")
    with pytest.raises(ServiceError, match=WORDS):
        await listed.refresh()
    with pytest.raises(ServiceError, match=WORDS):
        await invited.refresh()

    proxy.fault = lambda _request: None
    fan.realtime.reconnect_now()
    assert await theirs.audience.read() == 0
    await until(lambda: not any(one.read_error for one in looking.values()), 60)
    await until(lambda: now.error == "")
    assert theirs.title == "Newer"
    assert "not read again" not in repr(theirs)
    for end in ends:
        end()
    following.cancel()
    now.close()


async def test_a_viewing_that_counts_nowhere_says_why(
    proxy: FaultProxy, fan: Any, host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewing, "TRIES", 1)
    room = await host.rooms.create("Not counted")
    # A show without media: what is tested begins once a room is called live.
    proxy.spoil = lambda path, body: body.replace(b'"status":"idle"', b'"status":"live"') if "rooms" in path else body
    theirs = await fan.rooms.get(room.room_id)
    reports = viewing.WatchReports.of(fan)
    seen = theirs.watch_session()
    assert seen.uncounted is None
    await seen.start()
    await reports.flush()
    assert "SOCIALPLUS_WATCH_KEY" in str(seen.uncounted), "there is no key"
    assert "SOCIALPLUS_WATCH_KEY" in repr(seen)

    fan._session.credentials = type(fan._session.credentials)(
        fan._session.credentials.api_key, fan.user_id, watch_key=throwaway
    )
    await seen.tell(3.0)
    await reports.flush()
    assert "refused the watch session" in str(seen.uncounted), "the service knows that the room is not live"

    beat = f"/api/v1/presence/rooms/{room.room_id}/heartbeat"
    proxy.fault = lambda request: refused(403) if request.url.path == beat else None
    await seen.end()
    other = theirs.watch_session()
    await other.start()
    await until(lambda: Heartbeat.of(fan, room.room_id).refused is not None, 60)
    assert WORDS in str(other.uncounted)
    await other.end()


async def test_a_player_knows_that_its_host_is_no_viewer(host: Any) -> None:
    room = await host.rooms.create("My own")
    player = Player(room.sync)
    assert player.uncounted is None
    player._received(None, {"do": "watched", "session": "s1", "seconds": 1.0}, [])
    await until(lambda: player.uncounted is not None)
    assert "only what is live" in str(player.uncounted)
    player.close()


def test_a_filter_that_fails_says_so_and_so_does_its_end() -> None:
    preview = CameraPreview()
    broken, passed = True, SimpleQueue[str]()

    @preview.on_frame
    def change(pixels: Any) -> Any:
        if broken:
            raise ValueError("no such face")
        return pixels

    class Seen:
        def video(self, *_picture: Any) -> None:
            passed.put(preview.filter_error)

    preview._monitor.attach(Seen())  # type: ignore[arg-type]
    picture = av.VideoFrame.from_ndarray(np.zeros((90, 160, 3), np.uint8), format="rgb24").reformat(format="yuv420p")
    preview._monitor.take(picture)
    assert "no such face" in passed.get(timeout=60)
    assert "no such face" in preview.error
    assert "unchanged" in preview.error
    broken = False
    preview._monitor.take(picture)
    assert passed.get(timeout=60) == ""
    assert preview.error == ""
    preview.close()


async def test_a_reader_outlives_whatever_it_meets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only what it reads may fail, but all that it asks on the way."""
    monkeypatch.setattr(_lasting.random, "uniform", lambda _low, _high: 0.0)
    reads: list[str] = []
    troubles: list[Exception] = [RuntimeError("at the gate"), KeyError("a question")]

    class Gate(contextlib.AbstractAsyncContextManager[None]):
        async def __aenter__(self) -> None:
            if len(troubles) == 2:
                raise troubles.pop(0)

        async def __aexit__(self, *_error: object) -> None:
            pass

    def over() -> bool:
        if troubles:
            raise troubles.pop(0)
        return len(reads) > 2

    async def read() -> bool:
        reads.append(reader.read_error or "")
        if len(reads) == 2:
            raise ValueError("nonsense")
        return False

    told: list[str | None] = []
    reader = Reader(
        read, lambda: False, over=over, gate=Gate(), told=lambda: told.append(reader.read_error), name="spnb-test"
    )

    async def script() -> None:
        reader.start()
        async with asyncio.timeout(60):
            while reader.pause is not None:
                await asyncio.sleep(0)
        reader.close()

    await asyncio.wrap_future(spawn(script()))
    assert reads == ["", "", "ValueError: nonsense"]
    assert told == ["ValueError: nonsense", None]


async def test_what_is_kept_up_ends_with_its_client_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lasting.random, "uniform", lambda _low, _high: 0.0)
    troubles: list[Exception] = [ValueError("one"), OSError("two"), ClientClosed("three")]
    told: list[str] = []

    async def work() -> None:
        raise troubles.pop(0)

    await _lasting.kept_up(work, "a test", told=lambda error: told.append(str(error)))
    assert told == ["one", "two"]
    assert not troubles
