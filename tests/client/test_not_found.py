"""A 404 of a call that only sandboxes have: the room is gone, or the service has no such call; told apart."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

import spnb
from spnb._loop import on_loop
from spnb.analytics.sources.exact import load_exact, load_views
from spnb.client import subscriber
from spnb.errors import BadRequest, NotFound, ServerFault, TableError
from tests.client.conftest import FaultProxy
from tests.client.test_faults import error
from tests.conftest import RunningSandbox

subscriber_data = on_loop(subscriber.subscriber_data)
revoke_stream_keys = on_loop(subscriber.revoke_stream_keys)


def has_no_such_call(request: Request) -> Response | None:
    """As social.plus, which has nothing under this path."""
    return error(404, 400400) if request.url.path.startswith("/sandbox/") else None


async def test_a_deleted_room_is_no_lack_of_the_call(faulty: Any, sandbox: RunningSandbox) -> None:
    gone = await faulty.rooms.create("Gone", chat=False)
    await gone.delete()
    for ask in (subscriber_data, revoke_stream_keys):
        with pytest.raises(NotFound):
            await ask(faulty, gone.room_id)
    with pytest.raises(NotFound) as told:
        await faulty.products.activity(gone.room_id)
    assert "Console" not in str(told.value)
    room = await faulty.rooms.create("Here", chat=False)
    with pytest.raises(BadRequest, match="idle"):  # asked, not taken for what the service has not
        await subscriber_data(faulty, room.room_id)
    assert await revoke_stream_keys(faulty, room.room_id)
    assert await faulty.products.activity(room.room_id) == []
    await room.delete()


async def test_a_service_without_the_call_is_known_by_the_room_that_it_has(faulty: Any, proxy: FaultProxy) -> None:
    room = await faulty.rooms.create("On the service", chat=False)
    proxy.fault = has_no_such_call
    asked = f"/sandbox/rooms/{room.room_id}/subscriber"
    for _ in range(2):
        assert await subscriber_data(faulty, room.room_id) is None
    assert proxy.calls("GET", asked) == 1, "asked once"
    assert not await revoke_stream_keys(faulty, room.room_id)
    with pytest.raises(NotFound, match="Console"):
        await faulty.products.activity(room.room_id)
    await room.delete()


async def test_tables_that_fail_now_are_not_tables_that_are_not_served(
    faulty: Any, proxy: FaultProxy, sandbox: RunningSandbox
) -> None:
    assert isinstance(faulty, spnb.AsyncClient)
    proxy.fault = lambda request: error(503, 500000) if request.url.path == "/sandbox/tables/messages" else None
    with pytest.raises(ServerFault, match="messages"):
        await load_exact(proxy.url, sandbox.api_key)
    proxy.fault = has_no_such_call
    with pytest.raises(TableError, match="no tables"):
        await load_exact(proxy.url, sandbox.api_key)
    with pytest.raises(TableError, match="no watch sessions"):
        await load_views(proxy.url, sandbox.api_key, "room")
