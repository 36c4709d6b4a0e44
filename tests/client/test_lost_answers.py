"""A lost answer is not a failure: on a repeat, "already so" is what was wanted."""

from __future__ import annotations

import ast
import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request

import spnb
from spnb.errors import InvalidInput, NotFound, Unreachable
from tests.client.conftest import AT_ONCE, FaultProxy
from tests.client.test_faults import error, first
from tests.conftest import RunningSandbox

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


async def on_stage(sp: Any, guest: Any) -> tuple[Any, Any]:
    """A room, and the guest's accepted invitation to it."""
    room = await sp.rooms.create("Together", type="coHosts", chat=False)
    invitation = await sp.invitations.create(room.room_id, guest.user_id)
    await guest.invitations.accept(invitation.invitation_id)
    return room, invitation


async def test_what_a_lost_answer_had_done_is_done(sandbox: RunningSandbox, faulty: Any, proxy: FaultProxy) -> None:
    """Each call is carried out, its answer is a gateway's, and the repeat finds it done."""
    async with spnb.connect_async("lost-guest", url=sandbox.url, api_key=sandbox.api_key) as guest:
        room = await faulty.rooms.create("To lose")
        chat = await room.open_chat()
        community = await faulty.communities.create("Lost and found")
        message = await chat.send("soon gone")
        liked = await chat.send("liked")
        await chat.react(liked, "like")
        await chat.flag(liked)
        post = await faulty.posts.create_room_post((await faulty.rooms.create("Other", chat=False)).room_id)
        file = await faulty.files.upload_image(PNG)
        await faulty.rooms.ban_viewers(room.room_id, [guest.user_id])
        stage, _ = await on_stage(faulty, guest)
        invited = await faulty.rooms.create("Invites", chat=False)
        open_invitation = await faulty.invitations.create(invited.room_id, guest.user_id)
        calls: list[Callable[[], Awaitable[Any]]] = [
            lambda: chat.unreact(liked, "like"),
            lambda: chat.unflag(liked),
            lambda: chat.delete(message),
            lambda: faulty.posts.delete(post.post_id),
            lambda: faulty.files.delete(file.file_id),
            lambda: faulty.rooms.unban_viewers(room.room_id, [guest.user_id]),
            lambda: faulty.rooms.remove_participant(stage.room_id, guest.user_id),
            lambda: faulty.invitations.cancel(open_invitation.invitation_id),
            lambda: faulty.channels.leave(chat.channel.channel_id),
            lambda: faulty.communities.join(community.community_id),
            lambda: faulty.rooms.delete(invited.room_id),
            lambda: faulty.files.upload_image(PNG),
        ]
        for call in calls:
            proxy.fault = lose_one()
            await call()
        proxy.fault = lambda _request: None
        with pytest.raises(NotFound):
            await faulty.rooms.get(invited.room_id)
        assert guest.user_id not in await faulty.rooms.banned_viewers(room.room_id)


def lose_one() -> Callable[[Request], Any]:
    """The first writing call is carried out, and answered as a gateway does that has lost it."""
    left = 1

    def fault(request: Request) -> Any:
        nonlocal left
        if request.method == "GET" or not left:
            return None
        left -= 1
        return "carried out"

    return fault


async def test_a_guest_s_answers_are_settled_by_reading(sandbox: RunningSandbox, proxy: FaultProxy) -> None:
    async with (
        spnb.connect_async("lost-host", url=sandbox.url, api_key=sandbox.api_key) as host,
        spnb.connect_async("lost-co-host", url=proxy.url, api_key=sandbox.api_key) as guest,
    ):
        guest._session.retries = AT_ONCE
        room = await host.rooms.create("Together", chat=False)
        for answer, status in (("accept", "approved"), ("reject", "rejected")):
            invitation = await host.invitations.create(room.room_id, guest.user_id)
            proxy.fault = lose_one()
            await getattr(guest.invitations, answer)(invitation.invitation_id)
            proxy.fault = lambda _request: None
            assert {one.invitation_id: one.status for one in await guest.invitations.mine()}[
                invitation.invitation_id
            ] == status
            if answer == "accept":
                proxy.fault = lose_one()
                await guest.rooms.leave(room.room_id)
                proxy.fault = lambda _request: None
                assert guest.user_id not in [
                    one.user_id for one in (await host.rooms.record(room.room_id)).participants
                ]


async def test_what_was_never_so_is_still_told(faulty: Any, proxy: FaultProxy) -> None:
    path = f"/api/v1/invitations/{'6' * 24}/accept"
    proxy.fault = first(1, error(503, 500000), path=path)  # not carried out, and not so
    with pytest.raises(NotFound):
        await faulty.invitations.accept("6" * 24)
    assert proxy.calls("POST", path) == 2
    with pytest.raises(NotFound) as caught:
        await faulty.rooms.delete("6" * 24)
    assert not caught.value.repeated


async def test_what_was_surely_never_sent_is_sent_again(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A creation, which is never repeated blindly, waits for a service that is only coming up."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    client = await spnb.connect_async("patient", url=sandbox.url, api_key=sandbox.api_key)
    at = client._session.endpoints
    client._session.endpoints = at.of_url(f"http://127.0.0.1:{port}")
    tries = 0

    async def passing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        host, _, port = sandbox.url.removeprefix("http://").partition(":")
        there = await asyncio.open_connection(host, int(port))

        async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
            sink.close()

        await asyncio.gather(pipe(reader, there[1]), pipe(there[0], writer), return_exceptions=True)

    sending = asyncio.ensure_future(client.messages.flag("6" * 24))
    adding = asyncio.ensure_future(client._session.request("POST", "/api/v1/reactions/live", doing="react", json={}))
    refused = asyncio.Event()
    fates: set[bool] = set()
    before = client._session._once

    async def counted(*args: Any, **options: Any) -> Any:
        try:
            return await before(*args, **options)
        except Unreachable as told:
            fates.add(told.sent)
            refused.set()
            raise

    monkeypatch.setattr(client._session, "_once", counted)
    async with asyncio.timeout(60):
        await refused.wait()
    server = await asyncio.start_server(passing, "127.0.0.1", port)
    results = await asyncio.gather(sending, adding, return_exceptions=True)
    assert fates == {False}
    assert tries
    assert not any(isinstance(each, Unreachable) for each in results), results
    server.close()
    await client.aclose()


async def test_mistakes_are_told_before_anything_is_made(faulty: Any, proxy: FaultProxy, tmp_path: Any) -> None:
    made = proxy.calls("POST", "/api/v1/rooms")
    for wrong in ("thumbs/live.png", "live.png", str(tmp_path / "none.jpg"), "C:\\live.png"):
        with pytest.raises(InvalidInput, match="no image"):
            await faulty.rooms.create("Never", thumbnail=wrong)
    with pytest.raises(NotFound):
        await faulty.rooms.create("Never", community_id="6" * 24)
    async with spnb.connect_async("owner", url=proxy.url, api_key=faulty._credentials.api_key) as owner:
        community = await owner.communities.create("Not yours")
    with pytest.raises(InvalidInput, match="no member of 'Not yours'"):
        await faulty.rooms.create("Never", community_id=community.community_id)
    assert proxy.calls("POST", "/api/v1/rooms") == made


async def test_keys_survive_a_change_of_the_metadata(faulty: Any) -> None:
    room = await faulty.rooms.create("Once", metadata={"a": 1}, key="show-7", chat=False)
    changed = await faulty.rooms.update(room.room_id, metadata={"b": 2})
    assert (changed.record.metadata, changed.record.key) == ({"b": 2}, "show-7")
    assert (await faulty.rooms.create("Twice", key="show-7", chat=False)).room_id == room.room_id


async def test_ids_are_quoted_whatever_they_are_made_of(sandbox: RunningSandbox, faulty: Any) -> None:
    for name in ("ann/../bo", "a?b=c#d", "50% off", "ünï ✓", "a b", "../..", "a%2Fb"):
        async with spnb.connect_async(name, url=sandbox.url, api_key=sandbox.api_key) as other:
            assert (await other.users.get(name)).user_id == name
            room = await faulty.rooms.create("Quoted", chat=False)
            await faulty.invitations.create(room.room_id, name)
            await other.invitations.accept((await other.invitations.mine())[0].invitation_id)
            await faulty.rooms.remove_participant(room.room_id, name)
    for wrong in ("", ".", ".."):
        with pytest.raises(InvalidInput):
            await faulty.users.get(wrong)
    async with spnb.connect_async("x/b/c", url=sandbox.url, api_key=sandbox.api_key) as other:
        with pytest.raises(NotFound):
            await other.users.get("x\ue000b/c")  # what slashes pass the routes as is nobody's name for another
        async with httpx.AsyncClient(base_url=sandbox.url, trust_env=False, timeout=60) as caller:
            bearer = {"Authorization": f"Bearer {await other.access_token()}"}
            for spelt in ("x%2Fb%2Fc", "x%2fb%2fc", "x%2Fb%2fc"):
                told = (await caller.get(f"/api/v3/users/{spelt}", headers=bearer)).json()
                assert told["users"][0]["userId"] == "x/b/c"


def test_every_path_quotes_what_is_put_into_it() -> None:
    """As the code stands: a path is put together of constants and of what went through `part()`."""
    paths = 0
    for file in sorted((Path(spnb.__file__).parent / "client").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.JoinedStr) or not re.match(r"f['\"](/api/|\{BASE\}/)", ast.unparse(node)):
                continue
            paths += 1
            for each in node.values:
                if isinstance(each, ast.FormattedValue):
                    put = ast.unparse(each.value)
                    assert put.startswith("part(") or put in ("BASE", "answer"), (
                        f"{file.name}:{node.lineno}: {put} is not quoted"
                    )
    assert paths > 50
