"""Floating reactions against the real sandbox: gathered, kept through a gap, counted once whatever the wire does."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

import spnb
from spnb.client.watch_key import throwaway
from spnb.config import Credentials, Endpoints, Network
from spnb.errors import InvalidInput, NotFound, Unreachable
from spnb.live import AsyncLiveRoom, LiveRoom
from spnb.live import reactions as live_reactions
from spnb.live.reactions import Tally, reactors_of
from spnb.models import LiveReaction
from tests.conftest import RunningSandbox
from tests.live.conftest import Wire, until


@pytest_asyncio.fixture
async def sp(sandbox: RunningSandbox) -> AsyncIterator[Any]:
    """The host, whose connections nothing cuts."""
    client: spnb.AsyncClient[AsyncLiveRoom] = spnb.AsyncClient(
        Endpoints.of_url(sandbox.url), Credentials(sandbox.api_key, "live-host"), room_factory=AsyncLiveRoom
    )
    await client.login()
    yield client
    await client.aclose()


@pytest_asyncio.fixture
async def fan(sandbox: RunningSandbox, wire: Wire) -> AsyncIterator[Any]:
    """Another user, whose REST and MQTT both go through the wire."""
    client: spnb.AsyncClient[AsyncLiveRoom] = spnb.AsyncClient(
        Endpoints.of_url(f"http://127.0.0.1:{wire.port}"),
        Credentials(sandbox.api_key, "fan", watch_key=throwaway),
        room_factory=AsyncLiveRoom,
        network=Network(timeout=3),
    )
    await client.login()
    yield client
    await client.aclose()


async def seen_by(client: Any, room_id: str) -> AsyncLiveRoom:
    """The room as another user has it, with reactions coming in."""
    room: AsyncLiveRoom = await client.rooms.get(room_id)
    reactions = room.reactions
    await until(lambda: reactions.following)
    return room


async def test_reactions_of_two_users_are_counted_by_both(sp: Any, fan: Any) -> None:
    room = await sp.rooms.create("hearts", chat=False)
    with pytest.raises(InvalidInput, match=r"room\.post"):
        await room.react("heart")
    mine = room.reactions
    await room.post(text="come in")
    await until(lambda: mine.following)
    theirs = await seen_by(fan, room.room_id)
    names: list[str] = []
    watching = theirs.live_reactions()
    follow = asyncio.create_task(_collect(watching, names, 8))
    await until(lambda: len(theirs.reactions._observers) == 1)
    await room.react("fire", 3)
    assert mine.counts == {"fire": 3}, "one's own counts at once"
    assert mine.waiting == 3
    await theirs.react("heart", 4)
    await theirs.react("clap")
    wanted = {"heart": 4, "fire": 3, "clap": 1}
    await until(lambda: dict(mine) == dict(theirs.reactions) == wanted)
    await asyncio.wait_for(follow, 60)
    assert Counter(names) == wanted
    assert (mine.total, mine["heart"], mine["none"], len(mine), "fire" in mine) == (8, 4, 0, 3, True)
    assert "heart 4, fire 3, clap 1" in repr(mine)
    assert "heart 4" in repr(LiveRoom(room).reactions)
    assert await asyncio.to_thread(lambda: LiveRoom(room).reactions.counts) == wanted
    plain = LiveRoom(room)
    assert len(await asyncio.to_thread(plain.react, "like", 2)) == 2
    await asyncio.to_thread(plain.reactions.flush)
    assert (plain.reactions.waiting, plain.reactions["like"], len(plain.reactions)) == (0, 2, 4)
    for name, times in (("", 1), ("x" * 101, 1), ("heart", 0)):
        with pytest.raises(InvalidInput):
            await room.react(name, times)
    # Some apps react to the post's child, which carries the room.
    post = await sp.posts.get(room.record.reference_id)
    await fan.reactions.send_live(room.room_id, post.children[0], ["wow"])
    await until(lambda: mine["wow"] == 1)
    mine.stop()
    await until(lambda: not mine.following)


async def _collect(watching: Any, names: list[str], most: int) -> None:
    async for reaction in watching:
        names.append(reaction.reaction_name)
        if len(names) == most:
            return


async def test_reactions_are_kept_through_a_gap_and_sent_once(sp: Any, fan: Any, wire: Wire) -> None:
    room = await sp.rooms.create("gap")
    await room.post()
    host = await seen_by(sp, room.room_id)
    theirs = await fan.rooms.get(room.room_id)
    await theirs.react("heart", 2)
    await until(lambda: theirs._own_reactions().waiting == 0)
    await wire.cut()
    # Away: what is given counts here and waits, more of it than one request takes.
    await theirs.react("heart", live_reactions.MOST_IN_A_REQUEST + 5)
    with pytest.raises(Unreachable):
        await theirs._own_reactions().flush()
    assert theirs._own_reactions().waiting == live_reactions.MOST_IN_A_REQUEST + 5
    wire.mend()
    await theirs._own_reactions().flush()
    assert theirs._own_reactions().waiting == 0
    await until(lambda: host.reactions["heart"] == live_reactions.MOST_IN_A_REQUEST + 7)
    # A request whose answer was lost is sent again, and counts once.
    given = await theirs.react("wow", 3)
    await theirs._own_reactions()._send(given)
    await theirs._own_reactions().flush()
    await theirs.react("last")
    await fan.aclose()
    await until(lambda: host.reactions["last"] == 1)
    assert host.reactions["wow"] == 3


async def test_what_the_service_refuses_is_told_and_taken_back(sp: Any, fan: Any) -> None:
    room = await sp.rooms.create("gone")
    await room.post()
    theirs = await seen_by(fan, room.room_id)
    await sp.rooms.delete(room.room_id)
    await theirs.react("heart", 2)
    with pytest.raises(NotFound):
        await theirs.reactions.flush()
    assert theirs.reactions.counts == {}
    assert theirs.reactions.waiting == 0
    await theirs.react("fire")
    await until(lambda: theirs.reactions.waiting == 0)
    with pytest.raises(NotFound):
        await theirs.react("fire")


async def test_too_many_that_wait_are_refused_not_lost(sp: Any, fan: Any, wire: Wire, monkeypatch: Any) -> None:
    monkeypatch.setattr(live_reactions, "MOST_WAITING", 5)
    room = await sp.rooms.create("full")
    await room.post()
    theirs = await fan.rooms.get(room.room_id)
    await wire.cut()
    await theirs.react("heart", 5)
    with pytest.raises(Unreachable, match="wait to be sent"):
        await theirs.react("heart")
    assert theirs._own_reactions().waiting == 5
    wire.mend()
    await theirs._own_reactions().flush()


async def test_reactions_on_messages_and_posts_come_and_go(sp: Any, fan: Any) -> None:
    room = await sp.rooms.create("words")
    chat = await room.open_chat()
    message = await chat.send("hello")
    for kind, subject in (("message", message.message_id), ("post", room.record.reference_id)):
        await fan.reactions.add(subject, kind, "like")
        await sp.reactions.add(subject, kind, "like")
        assert [one.user_id async for one in sp.reactions.query(subject, kind)] == ["live-host", "fan"]
        await sp.reactions.remove(subject, kind, "like")
        assert [one.user_id async for one in sp.reactions.query(subject, kind, name="like")] == ["fan"]


NOW = datetime(2026, 1, 1, tzinfo=UTC)
REACTIONS = st.builds(
    lambda user, name, at, noise: LiveReaction(
        user_id=user,
        reaction_name=name,
        occurred_at=NOW + timedelta(milliseconds=at, microseconds=noise),
        reference_public_id="p",
    ),
    st.sampled_from(["ann", "bob"]),
    st.sampled_from(["heart", "fire", "clap"]),
    st.integers(0, 30),
    st.integers(0, 999),
)


@given(st.lists(REACTIONS, max_size=40), st.data())
def test_loss_doubling_and_order_never_change_what_a_reaction_counts(given_: list[LiveReaction], data: Any) -> None:
    """However often and in whichever order events come, the counts are those of the reactions that arrived at all."""
    told = data.draw(st.lists(st.sampled_from(given_), max_size=120)) if given_ else []
    tally = Tally()
    new = [reaction for reaction in told if tally.add(reaction)]

    def identity(reaction: LiveReaction) -> Any:
        assert reaction.occurred_at is not None
        return reaction.user_id, reaction.reaction_name, reaction.occurred_at.strftime("%S.%f")[:-3]

    arrived = {identity(reaction) for reaction in told}
    assert len(new) == len(arrived)
    assert tally.counts == Counter(name for _, name, _ in arrived)
    for reaction in new:
        tally.take_back(reaction)
        tally.take_back(reaction)
    assert not tally.counts


def test_a_tally_stays_small() -> None:
    tally = Tally(remembered=3)
    for number in range(10):
        tally.add(LiveReaction(reaction_name="heart", occurred_at=NOW + timedelta(seconds=number)))
    tally.add(LiveReaction(reaction_name="heart"))
    assert tally.counts == {"heart": 11}
    assert len(tally._known) == 3


@pytest.mark.parametrize(
    ("data", "found"),
    [
        # As SDK 7.20 reads the event: its first reaction is a reactor.
        ({"messages": [{"messageId": "m"}], "reactions": [{"userId": "ann", "reactionName": "a"}]}, [("m", "ann")]),
        # As the list of who reacted groups them.
        ({"reactions": [{"referenceId": "m", "reactors": [{"userId": "ann"}, {}]}]}, [("m", "ann"), ("m", None)]),
        ({"messages": None, "reactions": [None, "x", {"reactors": [3]}]}, []),
        ({"messages": 3, "reactions": {"userId": "ann"}}, []),
    ],
)  # fmt: skip
def test_who_reacted_to_a_message_is_read_in_both_shapes(data: Any, found: list[Any]) -> None:
    assert [(message_id, body.get("userId")) for message_id, body in reactors_of(data)] == found
