"""What a client does beyond rooms and texts: comments, pictures and own kinds of messages, visitors and bots."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

import spnb
from spnb.errors import ConfigError, Forbidden, InvalidInput, NotFound
from tests.conftest import RunningSandbox

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def sp(sandbox: RunningSandbox) -> Iterator[Any]:
    with spnb.connect("talker", url=sandbox.url, api_key=sandbox.api_key) as client:
        yield client


def test_comments_are_made_answered_changed_and_deleted(sp: Any, sandbox: RunningSandbox) -> None:
    post = sp.rooms.create("Commented", chat=False).post(text="say something")
    with spnb.connect("commenter", url=sandbox.url, api_key=sandbox.api_key) as other:
        first = other.comments.create(post.post_id, "first <b>", metadata={"mood": "good"})
        assert (first.text, first.user_id, first.metadata) == ("first <b>", "commenter", {"mood": "good"})
        reply = sp.comments.create(post.post_id, "thanks", parent_id=first.comment_id)
        assert reply.parent_id == first.comment_id
        assert [one.comment_id for one in sp.comments.query(post.post_id, parent_id=first.comment_id)] == [
            reply.comment_id
        ]
        assert other.comments.update(first.comment_id, "changed").text == "changed"
        with pytest.raises(Forbidden):
            sp.comments.update(first.comment_id, "not mine")
        sp.comments.flag(first.comment_id)
        assert sp.comments.get(first.comment_id).flag_count == 1
        sp.comments.unflag(first.comment_id)
        other.comments.delete(first.comment_id)
        other.comments.delete(first.comment_id)  # it is gone already: that is what was wanted
        assert list(sp.comments.query(post.post_id)) == []
    with pytest.raises(InvalidInput):
        sp.comments.create(post.post_id, "")
    with pytest.raises(NotFound):
        sp.comments.create("no-such-post", "lost")


def test_pictures_and_own_kinds_of_messages_are_sent(sp: Any, tmp_path: Any) -> None:
    chat = sp.rooms.create("Pictures").chat
    (tmp_path / "pixel.png").write_bytes(PIXEL)
    sent = chat.send_image(tmp_path / "pixel.png", caption="one pixel")
    assert (sent.data_type, sent.data["caption"]) == ("image", "one pixel")
    again = chat.send_image(sent.model_extra["fileId"], reply_to=sent)
    assert (again.model_extra["fileId"], again.parent_id) == (sent.model_extra["fileId"], sent.message_id)
    own = chat.send_custom({"score": [2, 1]})
    assert sp.messages.get(own.message_id).data == {"score": [2, 1]}
    assert sp.messages.get(own.message_id).data_type == "custom"
    with pytest.raises(InvalidInput, match="no image"):
        chat.send_image("no such file.png")
    with pytest.raises(InvalidInput, match="is no PNG"):
        chat.send_image(b"words")


@pytest.mark.parametrize("kind", ["visitor", "bot"])
def test_visitors_and_bots_read_and_do_not_write(kind: Any, sp: Any, sandbox: RunningSandbox) -> None:
    room = sp.rooms.create("Looked at")
    with spnb.connect(kind=kind, url=sandbox.url, api_key=sandbox.api_key) as guest:
        assert guest.user_id == guest.user.user_id != ""
        assert guest.user_id in repr(guest)
        seen = guest.rooms.get(room.room_id)
        assert seen.title == "Looked at"
        with pytest.raises(Forbidden, match="only read"):
            seen.chat.send("hello")


def test_who_a_visitor_is_the_service_says(sandbox: RunningSandbox) -> None:
    for odd in ({"user_id": "ann"}, {"display_name": "Ann"}, {"auth_token": "token"}):
        with pytest.raises(ConfigError, match="goes by no user id"):
            spnb.connect(kind="visitor", url=sandbox.url, api_key=sandbox.api_key, **odd)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="kind is"):
        spnb.connect(kind="guest", url=sandbox.url, api_key=sandbox.api_key)  # type: ignore[arg-type]


def test_a_collection_follows_what_it_is_asked_for(sp: Any) -> None:
    first = sp.rooms.create("Follow one", chat=False)
    second = sp.rooms.create("Follow two", chat=False, type="directStreaming")
    idle = sp.rooms.follow("idle", sort="firstCreated")
    mine = [room.room_id for room in idle.refresh() if room.created_by == "talker"]
    assert mine.index(first.room_id) < mine.index(second.room_id)
    direct = sp.rooms.follow(None, type="directStreaming")
    assert {room.type for room in direct.refresh()} == {"directStreaming"}
    second.delete()
    assert second.room_id in [room.room_id for room in sp.rooms.follow(None, deleted=True).refresh()]
    for wrong in ({"sort": "newest"}, {"type": "video"}, {"statuses": "lve"}):
        with pytest.raises(InvalidInput):
            sp.rooms.follow(**wrong)
    with pytest.raises(InvalidInput, match="client is a Client"):
        spnb.LiveRooms("ann")  # type: ignore[arg-type]
