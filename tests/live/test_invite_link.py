"""A co-host by a link: for one guest, for a while, and for nobody who only saw it used."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

import spnb
from spnb.errors import InvalidInput, RoomOver
from spnb.live.invite_link import PROOF, LinkToken
from tests.conftest import RunningSandbox


@pytest_asyncio.fixture
async def people(sandbox: RunningSandbox) -> AsyncIterator[Any]:
    """Connects by name."""
    clients: dict[str, Any] = {}

    async def connect(name: str) -> Any:
        clients[name] = await spnb.connect_async(f"link-{name}", url=sandbox.url, api_key=sandbox.api_key)
        return clients[name]

    yield connect
    for client in clients.values():
        await client.aclose()


async def test_the_first_guest_becomes_a_co_host_and_no_other(people: Any) -> None:
    host, guest, late = [await people(name) for name in ("host", "guest", "late")]
    room = await host.rooms.create("By a link")
    link = await room.invite_link()
    assert (link.status, link.invitation) == ("open", None)
    for secret in (link.address, LinkToken.read(link.address).secret.hex()):
        assert secret not in repr(link)
    theirs = await spnb.AsyncLiveInvitations(guest).accept_link(link.address)
    assert theirs.room_id == room.room_id
    used = await link.until_used(timeout=60)
    assert (used.user_id, link.status) == ("link-guest", "used")
    assert [(one.user_id, one.role) for one in theirs.stage.people] == [("link-host", "host"), ("link-guest", "coHost")]
    with pytest.raises(InvalidInput, match="was used"):
        await spnb.AsyncLiveInvitations(late).accept_link(link.address)
    with pytest.raises(InvalidInput, match="only the room's host"):
        await theirs.invite_link()


async def test_what_others_see_of_a_link_brings_nobody_in(people: Any) -> None:
    host, guest, thief = [await people(name) for name in ("host", "guest", "thief")]
    room = await host.rooms.create("Overheard")
    link = await room.invite_link()
    token = LinkToken.read(link.address)
    channel = await thief.channels.join(token.channel_id)
    await thief.messages.send_custom(channel.feed_id, {PROOF: token.proof("link-guest")})
    await thief.messages.send_custom(channel.feed_id, {PROOF: "0" * 64})
    # The host's own program is told why it cannot be its own guest, and the link stays.
    with pytest.raises(InvalidInput, match="could not invite you"):
        await spnb.AsyncLiveInvitations(host).accept_link(link.address)
    assert link.status == "open"
    await spnb.AsyncLiveInvitations(guest).accept_link(link.address)
    assert [one.user_id for one in await room.invitations()] == ["link-guest"]


async def test_a_link_ends_with_its_time_its_room_its_program_and_at_a_word(people: Any) -> None:
    host, guest = [await people(name) for name in ("host", "guest")]
    inbox = spnb.AsyncLiveInvitations(guest)
    room = await host.rooms.create("Ends")
    brief, taken, left = [await room.invite_link(seconds=seconds) for seconds in (0.2, 60, 60)]
    assert await brief.until_used(timeout=60) is None
    assert brief.status == "expired"
    with pytest.raises(InvalidInput, match="has expired"):
        await inbox.accept_link(brief.address)
    with pytest.raises(TimeoutError, match="nobody used"):
        await taken.until_used(timeout=0.01)
    await taken.cancel()
    assert (taken.status, await taken.until_used()) == ("cancelled", None)
    with pytest.raises(InvalidInput, match="taken back"):
        await inbox.accept_link(taken.address)
    await room.delete()
    assert await left.until_used(timeout=60) is None
    assert left.status == "over"
    with pytest.raises(RoomOver):
        await room.invite_link()
    second = await host.rooms.create("Its program ends")
    link = await second.invite_link()
    await host.aclose()
    assert link.status == "cancelled"
    with pytest.raises(InvalidInput, match="taken back"):
        await inbox.accept_link(link.address)


async def test_a_link_that_nobody_answers_says_so(people: Any) -> None:
    host, guest = [await people(name) for name in ("host", "guest")]
    room = await host.rooms.create("Left over")
    channel = await host.channels.create("Invite link")
    until = host.clock.now() + timedelta(minutes=5)
    link = LinkToken(room.room_id, channel.channel_id, until.timestamp(), b"secret").text()
    inbox = spnb.AsyncLiveInvitations(guest)
    with pytest.raises(InvalidInput, match="has to be running"):
        await inbox.accept_link(link, timeout=0.5)
    for odd in ("", "spnb:co-host#", link[:-9], "https://app.example/#bm90IGEgbGluaw"):
        with pytest.raises(InvalidInput, match="no invite link"):
            await inbox.accept_link(odd)
