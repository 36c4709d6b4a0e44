"""Room, post, channel: the whole way to a live chat, whatever breaks on it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import spnb
from spnb.errors import ChatNotOpened, Forbidden, InvalidInput, ServerFault
from tests.client.conftest import FaultProxy
from tests.client.test_faults import error, first
from tests.conftest import RunningSandbox

PATHS = {"room": "/api/v1/rooms", "post": "/api/v4/posts", "channel": "/api/v3/channels"}


async def made(client: Any, title: str) -> tuple[int, int, int]:
    """How many rooms, posts and live channels there are for a title."""
    rooms = [room.record async for room in client.rooms.query(page_size=100) if room.title == title]
    posts = [post async for post in client.posts.query(client.user_id, target_type="user", page_size=100)]
    carrying = [post for post in posts if post.data.get("text") == title]
    return len(rooms), len(carrying), len({room.live_channel_id for room in rooms if room.live_channel_id})


async def test_create_goes_the_whole_way_and_shows_each_step(faulty: Any, proxy: FaultProxy) -> None:
    room = await faulty.rooms.create("All of it")
    steps = room.steps
    assert list(steps) == ["room", "post", "channel"]
    assert None not in steps.values()
    assert await made(faulty, "All of it") == (1, 1, 1)
    channel = await faulty.channels.get(steps["channel"])
    assert channel.attached_to == {"postId": steps["post"], "roomId": room.room_id}
    assert channel.display_name == "All of it"
    alone = await faulty.rooms.create("Alone", chat=False)
    assert alone.steps == {"room": alone.room_id, "post": None, "channel": None}
    assert await made(faulty, "Alone") == (1, 0, 0)
    assert not alone.record.live_chat_enabled


@pytest.mark.parametrize("step", PATHS)
@pytest.mark.parametrize("fault", ["lose", "500", "429"])
async def test_a_fault_on_any_step_is_survived_and_doubles_nothing(
    sandbox: RunningSandbox, proxy: FaultProxy, step: str, fault: str
) -> None:
    client = await spnb.connect_async("survivor", url=proxy.url, api_key=sandbox.api_key)
    client._session._http.timeout = 5.0
    answers = {"lose": "lose", "500": error(500, 500000), "429": error(429, 400311, **{"Retry-After": "0.1"})}
    proxy.fault = first(1, answers[fault], method="POST", path=PATHS[step])
    title = f"{step} {fault}"
    room = await client.rooms.create(title)
    assert None not in room.steps.values()
    assert await made(client, title) == (1, 1, 1)
    await client.aclose()


@pytest.mark.parametrize("step", ["post", "channel"])
async def test_a_way_that_broke_off_is_gone_on(faulty: Any, proxy: FaultProxy, step: str) -> None:
    title = f"Broken off at the {step}"
    proxy.fault = first(99, error(403, 400300, "not now"), method="POST", path=PATHS[step])
    with pytest.raises(ChatNotOpened, match=f"`{step}` failed.*not now") as caught:
        await faulty.rooms.create(title)
    broken = caught.value
    assert broken.step == step
    assert isinstance(broken.__cause__, Forbidden)
    assert broken.key
    assert broken.key in str(broken)
    proxy.fault = lambda _request: None
    # By the key, as in a program that is started again …
    again = await faulty.rooms.create(title, key=broken.key)
    assert again.room_id == broken.room_id
    assert await made(faulty, title) == (1, 1, 1)
    # … or by the room.
    chat = await (await faulty.rooms.get(broken.room_id)).open_chat()
    assert chat.channel.channel_id == again.steps["channel"]
    assert await made(faulty, title) == (1, 1, 1)


async def test_a_key_of_ones_own_gives_the_same_room(faulty: Any, sandbox: RunningSandbox) -> None:
    first_room = await faulty.rooms.create("Keyed", key="show 7", metadata={"mine": 1})
    assert first_room.record.metadata == {"mine": 1}  # the key is ours, and not shown among the user's
    again = await faulty.rooms.create("Keyed", key="show 7")
    assert again.room_id == first_room.room_id
    assert await made(faulty, "Keyed") == (1, 1, 1)
    other = await spnb.connect_async("other keyed", url=sandbox.url, api_key=sandbox.api_key)
    theirs = await other.rooms.create("Keyed too", key="show 7", chat=False)
    assert theirs.room_id != first_room.room_id
    await other.aclose()
    for wrong in ("", "x" * 101):
        with pytest.raises(InvalidInput, match="key"):
            await faulty.rooms.create("Keyed", key=wrong)


async def test_the_post_goes_to_the_community_and_a_refusal_is_told(faulty: Any) -> None:
    community = await faulty.communities.create("Openers")
    room = await faulty.rooms.create("For openers", community_id=community.community_id)
    assert (room.target_type, room.target_id) == ("community", community.community_id)
    with pytest.raises(InvalidInput, match="chat=True"):
        await faulty.rooms.create("x", chat=False, community_id=community.community_id)
    await faulty.communities.leave(community.community_id)
    with pytest.raises(InvalidInput, match="no member of 'Openers'"):
        await faulty.rooms.create("Not for openers", community_id=community.community_id)
    assert await made(faulty, "Not for openers") == (0, 0, 0)  # asked before the room was made


async def test_a_room_is_posted_once(faulty: Any) -> None:
    room = await faulty.rooms.create("Posted")
    post = await room.post()
    assert post.data["text"] == "Posted"
    assert post.post_id == room.steps["post"] == room.record.reference_id
    assert len(post.children) == 1
    changed = await room.post(text="Come and see", title="Soon")
    assert (changed.post_id, changed.data["text"], changed.data["title"]) == (post.post_id, "Come and see", "Soon")
    assert (await room.post(text="Come and see")).post_id == post.post_id
    assert await room.post_text() == "Come and see"
    community = await faulty.communities.create("Another place")
    elsewhere = await room.post(community_id=community.community_id, text="Here too")
    assert elsewhere.post_id != post.post_id
    assert (await room.post(community_id=community.community_id)).post_id == elsewhere.post_id
    await faulty.posts.delete(elsewhere.post_id)
    assert (await room.post(text="Anew")).post_id not in (elsewhere.post_id, post.post_id)


async def test_two_at_once_open_one_chat(faulty: Any, proxy: FaultProxy, sandbox: RunningSandbox) -> None:
    room = await faulty.rooms.create("Twice", chat=False)
    chats = await asyncio.gather(room.open_chat(), faulty.rooms.open_chat(room.room_id), room.open_chat())
    assert len({getattr(chat, "channel", chat).channel_id for chat in chats}) == 1
    assert await made(faulty, "Twice") == (1, 1, 1)
    # Another notebook of the same host is quicker by a moment: its channel is taken.
    posted = await faulty.rooms.create("Overtaken", chat=False)
    await posted.post(text="Overtaken")
    elsewhere = await spnb.connect_async("faulty", url=sandbox.url, api_key=sandbox.api_key)
    theirs: list[Any] = []

    def overtake(request: Any) -> None:
        if (request.method, request.url.path) == ("POST", PATHS["channel"]) and not theirs:
            theirs.append(elsewhere.sync.rooms.open_chat(posted.room_id))

    proxy.fault = overtake
    chat = await posted.open_chat()
    assert chat.channel.channel_id == theirs[0].channel_id
    await elsewhere.aclose()


async def test_a_service_that_stays_away_at_the_first_step_is_told_plainly(faulty: Any, proxy: FaultProxy) -> None:
    proxy.fault = first(99, error(503, 500000), method="POST", path=PATHS["room"])
    with pytest.raises(ServerFault, match="create the room"):
        await faulty.rooms.create("Never")
