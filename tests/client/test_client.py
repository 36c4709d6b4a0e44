"""The client against the real sandbox: the seed flow's calls, both faces, limits."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import spnb
from spnb.errors import BadRequest, ConfigError, Conflict, Forbidden, InvalidInput, NotFound, Unauthorized
from tests.conftest import RunningSandbox

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


@pytest.fixture(scope="module")
def sp(sandbox: RunningSandbox) -> Iterator[Any]:
    with spnb.connect("sync-host", url=sandbox.url, api_key=sandbox.api_key, display_name="Sync Host") as client:
        yield client


@pytest.fixture(scope="module")
def guest(sandbox: RunningSandbox) -> Iterator[Any]:
    with spnb.connect("sync-guest", url=sandbox.url, api_key=sandbox.api_key) as client:
        yield client


@pytest_asyncio.fixture
async def async_sp(sandbox: RunningSandbox) -> AsyncIterator[Any]:
    async with await spnb.connect_async("async-host", url=sandbox.url, api_key=sandbox.api_key) as client:
        yield client


def test_rooms_are_made_listed_changed_and_deleted(sp: Any, tmp_path: Path) -> None:
    picture = tmp_path / "thumb.png"
    picture.write_bytes(PNG)
    room = sp.rooms.create("Title", description="Text", thumbnail=picture, metadata={"a": 1}, chat=False)
    assert isinstance(room, spnb.LiveRoom)
    assert (room.title, room.description, room.live_chat_enabled) == ("Title", "Text", False)
    assert sp.rooms.thumbnail(room.record) == PNG
    child = sp.rooms.create("Child", parent_room_id=room.room_id, thumbnail=PNG)
    assert sp.rooms.get(room.room_id).child_room_ids == [child.room_id]
    assert sp.rooms.update(room.room_id, title="New", description="D", metadata={"b": 2}, chat=True).title == "New"
    file_id = sp.files.upload_image(PNG).file_id
    assert sp.rooms.update(room.room_id, thumbnail=file_id).thumbnail_file_id == file_id
    with pytest.raises(NotFound, match="'own' was not found"):
        sp.rooms.update(room.room_id, thumbnail="own")
    ids = [found.room_id for found in sp.rooms.query(statuses=["idle"], type="coHosts", page_size=3)]
    assert room.room_id in ids
    assert len(ids) == len(set(ids))
    oldest = [found.room_id for found in sp.rooms.query(sort="firstCreated", page_size=100)]
    assert oldest == [found.room_id for found in sp.rooms.query(page_size=100)][::-1]
    for live in (sp.rooms.live(), sp.rooms.lives()):
        assert not {found.room_id for found in live} & {room.room_id, child.room_id}, "both are idle"
    sp.rooms.delete(room.room_id)
    with pytest.raises(NotFound, match="was not found"):
        sp.rooms.get(room.room_id)


def test_lists_are_tables_and_frames(sp: Any) -> None:
    sp.rooms.create("<b>bold</b>")
    rooms = spnb.client.Records.of(sp.rooms.query(page_size=5))
    html = rooms._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>bold" not in html
    frame = rooms.df
    assert {"room_id", "title", "status"} <= set(frame.columns)
    assert "live_playback_url" not in frame.columns


def test_limits_are_checked_before_anything_is_sent(sp: Any) -> None:
    wrong = (
        lambda: sp.rooms.create(""),
        lambda: sp.rooms.create("   "),
        lambda: sp.rooms.create("x" * 1001),
        lambda: sp.rooms.create("x", description="x" * 5001),
        lambda: sp.rooms.create("x", thumbnail="x" * 51),
        lambda: sp.rooms.update("r"),
        lambda: sp.rooms.get(""),
        lambda: sp.rooms.ban_viewers("r", []),
        lambda: sp.rooms.ban_viewers("r", "abc"),
        lambda: sp.rooms.query(statuses=["x"] * 11),
        lambda: sp.rooms.query(page_size=0),
        lambda: sp.posts.create_room_post("r", text="x" * 50_001),
        lambda: sp.posts.create_room_post("r", title="x" * 151),
        lambda: sp.messages.send("f", ""),
        lambda: sp.messages.send("f", "x" * 20_001),
        lambda: sp.reactions.add("p", "post", ""),
        lambda: sp.reactions.send_live("r", "p", "heart"),
        lambda: sp.communities.create(""),
        lambda: sp.channels.create_live("r", "p", display_name="x" * 101),
        lambda: sp.users.update(display_name="x" * 101),
    )
    for call in wrong:
        with pytest.raises(InvalidInput):
            call()
    with pytest.raises(InvalidInput, match="1001 characters; the service takes at most 1000"):
        sp.rooms.create("x" * 1001)


def test_posts_communities_and_chat(sp: Any, guest: Any) -> None:
    community = sp.communities.create("Club", description="d", user_ids=["sync-guest"], metadata={"x": 1})
    assert guest.communities.get(community.community_id).is_joined
    room = sp.rooms.create("For the club", chat=False)
    post = sp.posts.create_room_post(
        room.room_id, community_id=community.community_id, text="t", title="T", tags=["a"], metadata={"k": "v"}
    )
    assert post.children
    assert [one.post_id for one in guest.posts.query(community.community_id)] == [post.post_id]
    assert sp.posts.update(post.post_id, text="t2", tags=["b"], metadata={}).data["text"] == "t2"
    guest.posts.flag(post.post_id)
    guest.posts.unflag(post.post_id)
    with pytest.raises(Forbidden):
        guest.posts.delete(post.post_id)
    channel = sp.channels.create_live(room.room_id, post.children[0], display_name="Chat")
    with pytest.raises(Conflict):
        sp.channels.create_live(room.room_id, post.children[0])
    guest.channels.join(channel.channel_id)
    asked = guest.messages.send(channel.feed_id, "question?", mentions=["sync-host"], tags=["q"], metadata={"a": 1})
    answer = sp.messages.send(channel.feed_id, "answer!", parent_id=asked.message_id)
    assert [one.text for one in sp.messages.query(channel.feed_id, page_size=1)] == ["answer!", "question?"]
    assert [one.message_id for one in sp.messages.query(channel.feed_id, parent_id=asked.message_id)] == [
        answer.message_id
    ]
    assert guest.messages.edit(asked.message_id, "better?").text == "better?"
    sp.messages.flag(asked.message_id, reason="spam")
    sp.messages.unflag(asked.message_id)
    sp.messages.delete(asked.message_id)
    assert sp.messages.get(asked.message_id).is_deleted
    sp.channels.mute(channel.channel_id, user_ids=["sync-guest"])
    with pytest.raises(Forbidden, match="muted"):
        guest.messages.send(channel.feed_id, "x")
    sp.channels.mute(channel.channel_id, seconds=0, user_ids=["sync-guest"])
    sp.channels.mute(channel.channel_id, seconds=0)
    sp.channels.ban(channel.channel_id, ["sync-guest"])
    with pytest.raises(Forbidden, match="banned"):
        guest.messages.send(channel.feed_id, "x")
    sp.channels.unban(channel.channel_id, ["sync-guest"])
    assert sp.channels.update(channel.channel_id, display_name="C", rate_limit=1, rate_limit_window=1).rate_limit == 1
    assert sp.channels.get(channel.channel_id).display_name == "C"
    guest.channels.leave(channel.channel_id)
    sp.posts.delete(post.post_id)
    with pytest.raises(NotFound):
        sp.posts.get(post.post_id)
    assert guest.communities.join("sandbox").is_joined
    guest.communities.leave("sandbox")
    assert [one.display_name for one in sp.communities.query(keyword="club", membership="member")] == ["Club"]


def test_reactions_presence_invitations_and_users(sp: Any, guest: Any) -> None:
    room = sp.rooms.create("Busy")
    post = room.post(text="look")
    assert guest.reactions.add(post.post_id, "post", "heart")
    assert [one.reaction_name for one in sp.reactions.query(post.post_id, "post", name="heart")] == ["heart"]
    guest.reactions.remove(post.post_id, "post", "heart")
    assert list(sp.reactions.query(post.post_id, "post")) == []
    message = sp.messages.send(room.open_chat().channel.feed_id, "m")
    assert guest.reactions.add(message.message_id, "message", "x")
    assert [one.user_id for one in sp.reactions.query(message.message_id, "message")] == ["sync-guest"]
    assert len(guest.reactions.send_live(room.room_id, post.children[0], ["heart", "fire"])) == 2
    assert guest.presence.settings()["network"]
    guest.presence.heartbeat(room.room_id)
    assert sp.presence.count(room.room_id) == room.viewers() == 1
    assert [viewer.user_id for viewer in sp.presence.viewers(room.room_id)] == ["sync-guest"]
    invitation = sp.invitations.create(room.room_id, "sync-guest")
    assert [one.invitation_id for one in guest.invitations.mine(room_id=room.room_id)] == [invitation.invitation_id]
    guest.invitations.reject(invitation.invitation_id)
    sp.invitations.cancel(sp.invitations.create(room.room_id, "sync-guest").invitation_id)
    guest.invitations.accept(sp.invitations.create(room.room_id, "sync-guest").invitation_id)
    statuses = [one.status for one in sp.invitations.of_room(room.room_id)]
    assert statuses == ["approved", "cancelled", "rejected"]
    assert sp.rooms.broadcaster_data(room.room_id).co_host_token
    with pytest.raises(BadRequest, match="not live yet"):
        guest.rooms.broadcaster_data(room.room_id)
    changed = sp.rooms.set_participant(room.room_id, "sync-guest", can_manage_product_tags=True)
    assert changed.participants[1].can_manage_product_tags
    guest.rooms.leave(room.room_id)
    assert sp.users.get("sync-host").display_name == "Sync Host"
    assert [user.user_id for user in sp.users.get_many(["sync-guest", "nobody"])] == ["sync-guest"]
    assert guest.users.update(display_name="G", metadata={"a": 1}).display_name == "G"
    with pytest.raises(BadRequest, match="has not been live"):
        sp.rooms.stop(room.room_id)
    with pytest.raises(BadRequest, match="recorded"):
        sp.rooms.recording(room.room_id)
    file = sp.files.upload_image(PNG)
    assert sp.files.get(file.file_id).file_id == file.file_id
    sp.files.delete(file.file_id)


async def test_both_faces_work_in_a_running_loop(async_sp: Any, sandbox: RunningSandbox) -> None:
    room = await async_sp.rooms.create("From a cell")
    assert isinstance(room, spnb.AsyncLiveRoom)
    assert room.room_id in [found.room_id async for found in async_sp.rooms.query(page_size=2)]
    blocking = async_sp.sync
    assert blocking.rooms.get(room.room_id).title == "From a cell"
    assert repr(async_sp) == f"AsyncClient(sandbox at {sandbox.url}, as async-host)"
    assert repr(blocking).startswith("Client(")
    assert blocking.user.user_id == blocking.user_id == "async-host"
    assert blocking.network_id == "sandbox"
    assert blocking.asynchronous is async_sp
    rooms = await asyncio.gather(*(async_sp.rooms.get(room.room_id) for _ in range(10)))
    assert {one.room_id for one in rooms} == {room.room_id}


def test_a_wrong_key_is_told_with_what_to_do(sandbox: RunningSandbox) -> None:
    with pytest.raises(Unauthorized, match="check the API key"):
        spnb.connect("x", url=sandbox.url, api_key="wrong")


def test_what_was_given_must_fit_together(monkeypatch: pytest.MonkeyPatch, sandbox: RunningSandbox) -> None:
    for name in ("SOCIALPLUS_API_KEY", "SOCIALPLUS_USER_ID", "SOCIALPLUS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for options in ({"api_key": "k"}, {"region": "eu"}, {"sandbox": True, "api_key": "k"}, {"sandbox": False}):
        with pytest.raises(ConfigError):
            spnb.connect(**options)
    monkeypatch.setenv("SOCIALPLUS_API_KEY", sandbox.api_key)
    monkeypatch.setenv("SOCIALPLUS_USER_ID", "from-environment")
    monkeypatch.setenv("SOCIALPLUS_URL", sandbox.url)
    with spnb.connect() as client:
        assert repr(client) == f"Client(sandbox at {sandbox.url}, as from-environment)"


def test_without_credentials_it_is_the_sandbox(tmp_path: Path) -> None:
    program = "import spnb\nwith spnb.connect() as sp:\n    print(sp, sp.rooms.create('x').status)\n"
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "SPNB_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert told.stdout.startswith("Client(sandbox at http://127.0.0.1:"), told.stderr
    assert told.stdout.strip().endswith("as host) idle")
