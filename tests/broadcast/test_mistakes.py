"""The guide's five mistakes cannot be made. Two are here; the others have their tests where they would happen:

ghost rooms (sandbox/test_lifecycle), expired tokens (test_broadcast, lab/test_failures), polling (live/test_live).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

import spnb
from spnb.broadcast import Connected, Ended
from spnb.broadcast.sources import TestCard
from spnb.errors import InvalidInput
from tests.conftest import RunningSandbox

pytestmark = pytest.mark.media


@pytest_asyncio.fixture
async def sp(sandbox: RunningSandbox) -> AsyncIterator[Any]:
    client = await spnb.connect_async("careful", url=sandbox.url, api_key=sandbox.api_key)
    yield client
    await client.aclose()


async def test_stopping_the_room_itself_disconnects_first(sp: Any) -> None:
    room = await sp.rooms.create("Stopped by its room")
    forget = room.observe(lambda _record: None)
    events: list[Any] = []
    await room.go_live(TestCard(320, 180), on_event=events.append)
    await room.until("live", timeout=60)
    ended = await (await sp.rooms.get(room.room_id)).stop()
    assert ended.is_over
    assert [type(event) for event in events] == [Connected, Ended]
    assert events[-1].reason == "stopped"
    await room.until("recorded", timeout=60)
    heard = [entry.what for entry in room.timeline() if entry.source == "event"]
    # The service saw the publisher leave before it was told to stop.
    assert heard.index("room.waitingReconnect") < heard.index("room.endBroadcasting")
    forget()


async def test_a_chat_whose_opening_broke_off_is_picked_up(sp: Any) -> None:
    room = await sp.rooms.create("Half a chat", chat=False)
    with pytest.raises(InvalidInput, match=r"open_chat\(\)"):
        _ = room.chat
    post = await room.post(text="the post was made, then the program ended")
    again = await sp.rooms.get(room.room_id)
    chat = await again.open_chat()
    await chat.send("hello")
    assert again.record.live_channel_id == chat.channel.channel_id
    assert (await room.refresh()).reference_id in (post.post_id, *post.children)
    assert (await room.open_chat()).channel.channel_id == chat.channel.channel_id
