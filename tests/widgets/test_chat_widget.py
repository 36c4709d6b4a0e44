"""The chat widget's side in the kernel: rows in batches, deeds with answers, nothing of it in a trait."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import spnb
from spnb.errors import InvalidInput
from spnb.live import ChatChange
from spnb.models import Message, User
from spnb.widgets import Chat, CreateRoom, Player, Studio
from spnb.widgets.chat_rows import SHOWN, ChatRows
from tests.conftest import RunningSandbox
from tests.widgets.test_widgets import Sent, command, state_of, until


@pytest.fixture(scope="module")
def sp(sandbox: RunningSandbox) -> Iterator[Any]:
    with spnb.connect("chat-widget-host", url=sandbox.url, api_key=sandbox.api_key) as client:
        yield client


@pytest.fixture(scope="module")
def guest(sandbox: RunningSandbox) -> Iterator[Any]:
    with spnb.connect("ann", url=sandbox.url, api_key=sandbox.api_key, display_name="Ann Other") as client:
        yield client


class Page(Sent):
    """What a page shows by what it is sent, and the answers it got."""

    def __init__(self, widget: Any) -> None:
        super().__init__(widget)
        self.widget = widget
        self.asks = 0
        command(widget, "chat_hello")

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        shown: dict[str, dict[str, Any]] = {}
        for content, _ in self.messages:
            if content["type"] != "chat":
                continue
            if content.get("all"):
                shown = {}
            for row in (*content["rows"], *content.get("changed", [])):
                shown[row["id"]] = row
            for gone in content.get("gone", []):
                shown.pop(gone, None)
        return shown

    @property
    def texts(self) -> list[str]:
        return [row["text"] for row in self.rows.values()]

    def ask(self, do: str, **content: Any) -> str:
        """Send a command and wait for its answer: the error, empty without one."""
        self.asks += 1
        number = self.asks
        command(self.widget, do, ask=number, **content)

        def answers() -> list[Any]:
            return [told for told, _ in self.messages if told["type"] == "chatAnswer" and told["ask"] == number]

        until(answers)
        assert answers()[0]["client"] == "page"
        return str(answers()[0]["error"])

    def told_error(self, do: str, **content: Any) -> str:
        """Send a command that cannot be answered; what the widget says of it."""
        self.widget.error = ""
        command(self.widget, do, **content)
        until(lambda: self.widget.error)
        return str(self.widget.error)


def test_host_and_guest_talk_through_two_widgets(sp: Any, guest: Any) -> None:
    room = sp.rooms.create("Talk", chat=False)
    mine, theirs = Chat(room), Chat(guest.rooms.get(room.room_id))
    about = {"room": room.room_id, "there": False, "open": False}
    assert mine.chat_state == {**about, "me": "chat-widget-host", "canOpen": True}
    assert not theirs.chat_state["canOpen"]
    command(mine, "chat_send", ask=0, text="too early")
    until(lambda: "no live chat yet" in mine.error)
    host, ann = Page(mine), Page(theirs)
    assert host.ask("chat_open") == ""
    until(lambda: mine.chat_state["open"] and theirs.chat_state["open"])
    assert mine.chat_state["moderator"]
    assert not theirs.chat_state["moderator"]

    text = "<img src=x onerror=alert(1)>"
    assert ann.ask("chat_send", text=text) == ""
    until(lambda: host.texts == [text] and ann.texts == [text])
    (said,) = host.rows.values()
    assert (said["user"], said["name"]) == ("ann", "Ann Other")
    assert "role" not in said
    assert host.ask("chat_send", text="Hello @annother!", replyTo=said["id"]) == ""
    until(lambda: len(ann.rows) == 2)
    answer = list(ann.rows.values())[-1]
    assert answer["role"] == "host"
    assert answer["quote"] == {"name": "Ann Other", "text": text}
    assert answer["forMe"]
    assert ann.ask("chat_react", message=answer["id"], name="like", on=True) == ""
    until(lambda: ann.rows[answer["id"]].get("mine") == ["like"])
    until(lambda: host.rows[answer["id"]].get("reactions") == {"like": 1})
    assert ann.ask("chat_react", message=answer["id"], name="like", on=False) == ""
    until(lambda: "mine" not in ann.rows[answer["id"]])
    assert ann.ask("chat_edit", message=said["id"], text="better") == ""
    until(lambda: host.texts[0] == "better")
    assert host.rows[said["id"]]["edited"]
    assert ann.ask("chat_flag", message=answer["id"]) == ""
    until(lambda: host.rows[answer["id"]].get("flags") == 1)
    assert "flags" not in ann.rows[answer["id"]]

    # The tools of moderators, and what they do to others.
    assert "moderator" in ann.ask("chat_pin", message=said["id"])
    assert host.ask("chat_pin", message=said["id"]) == ""
    until(lambda: theirs.chat_state["announcement"] == {"text": "better", "user": "ann"})
    assert host.ask("chat_pin") == ""
    until(lambda: theirs.chat_state["announcement"] is None)
    assert host.ask("chat_slow", seconds=30) == ""
    until(lambda: theirs.chat_state["slow"] == 30)
    assert host.ask("chat_slow", seconds=0) == ""
    assert host.ask("chat_mute", user="ann", seconds=300) == ""
    assert "muted" in ann.ask("chat_send", text="x")
    assert host.ask("chat_mute", user="ann", seconds=0) == ""
    assert host.ask("chat_mute", seconds=None) == ""
    until(lambda: theirs.chat_state["muted"])
    assert host.ask("chat_mute", seconds=0) == ""
    assert host.ask("chat_delete", message=said["id"]) == ""
    until(lambda: said["id"] not in ann.rows)
    assert host.ask("chat_ban", user="ann") == ""
    assert "banned" in ann.ask("chat_send", text="x")

    following = mine._following
    assert following is not None
    for widget, client in ((mine, sp), (theirs, guest)):
        assert "Hello" not in state_of(widget)
        assert client.access_token() not in state_of(widget)
        assert "chat" in repr(widget)
        widget.close()
    until(following.done)


def test_a_studio_and_a_player_have_the_chat_of_their_room(sp: Any, guest: Any) -> None:
    room = sp.rooms.create("Talk beside the picture")
    studio, player = Studio(sp, room), Player(guest.rooms.get(room.room_id))
    # That there is a chat is known at once, so that a page keeps its place.
    assert player.chat_state["there"]
    assert not player.chat_state["canOpen"]
    host, fan = Page(studio), Page(player)
    until(lambda: studio.chat_state["open"] and player.chat_state["open"])
    assert fan.ask("chat_send", text="Hello there") == ""
    until(lambda: host.texts == fan.texts == ["Hello there"])
    assert host.ask("chat_send", text="Hello yourself") == ""
    until(lambda: host.texts == fan.texts == ["Hello there", "Hello yourself"])
    for widget in (studio, player):
        assert "Hello" not in state_of(widget)

    # A room that has left the stage takes its chat along; the next one has its own.
    first = studio._following
    assert first is not None
    studio.phase = "ended"
    command(studio, "new")
    until(lambda: studio.chat_state == {} and first.done())
    assert "no live chat yet" in host.told_error("chat_send", text="to nobody")
    command(studio, "create", title="Another", chat=True)
    until(lambda: studio.chat_state.get("open"))
    assert studio.chat_state["room"] != room.room_id
    command(studio, "chat_hello")
    until(lambda: host.rows == {})
    assert fan.ask("chat_send", text="still here") == ""
    until(lambda: fan.texts[-1] == "still here")
    assert host.rows == {}
    following = player._following, studio._following
    for widget in (studio, player):
        widget.close()
    until(lambda: all(one is not None and one.done() for one in following))


def test_what_its_author_has_deleted_is_on_no_screen(sp: Any, guest: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spnb.widgets.chat_part.SHOWN", 1)  # it is too far back to be among what a page shows
    room = sp.rooms.create("Taken back", chat=True)
    theirs = guest.rooms.get(room.room_id)
    said = theirs.chat.send("I should not have said that")
    theirs.chat.send("Something else")
    room.chat.pin(said)
    room.chat.show(said)
    open_before = [Chat(room), Studio(sp, room), Player(guest.rooms.get(room.room_id))]

    def shown(widget: Any) -> list[Any]:
        return [(widget.chat_state.get(name) or {}).get("text") for name in ("announcement", "onScreen")]

    for widget in open_before:
        until(lambda widget=widget: shown(widget) == [said.text] * 2)
    theirs.chat.delete(said)
    for widget in open_before:
        until(lambda widget=widget: shown(widget) == [None, None])
    # It still stands in the channel, which its author may not write: who comes later does not see it either.
    assert said.text in str(room.chat.refresh().metadata)
    assert (room.chat.announcement, room.chat.on_screen, room.chat.placards) == (None, None, [])
    late = Player(guest.rooms.get(room.room_id))
    seen: list[Any] = []
    late.observe(lambda _change: seen.append(shown(late)), "chat_state")
    until(lambda: late.chat_state.get("open"))
    assert not any(any(each) for each in seen)
    with pytest.raises(InvalidInput, match="was deleted"):
        room.chat.show(said)
    # A host's own hand takes it out of the channel.
    again = theirs.chat.send("Nor that")
    room.chat.pin(again)
    room.chat.show(again)
    room.chat.delete(again)
    assert again.text not in str(room.chat.refresh().metadata)
    for widget in (*open_before, late):
        widget.close()


def test_a_chat_that_cannot_be_read_says_so_and_is_tried_again(sp: Any, sandbox: RunningSandbox) -> None:
    room = sp.rooms.create("Hard to read")
    with spnb.sandbox.faults(url=sandbox.url, api_key=sandbox.api_key) as faults:
        fault = faults.add("rate-limit", match="GET /api/v3/channels/*", retry_after=600)
        widget = Chat(room)
        until(lambda: widget.chat_state.get("unreadable"))
        assert not widget.chat_state["open"]
        faults.remove(fault)
        until(lambda: widget.chat_state["open"] and not widget.chat_state["unreadable"])
    widget.close()


def test_a_form_whose_way_broke_off_goes_on_with_its_room(sp: Any) -> None:
    sp.communities.join("sandbox")
    form = CreateRoom(sp)
    with spnb.sandbox.faults(sp) as faults:
        faults.add("server-error", match="POST /api/v4/posts")
        command(form, "create", title="Half made", community="sandbox", chat=True)
        until(lambda: "`post` failed" in form.error)
    assert not form.created
    command(form, "create", title="Half made", community="sandbox", chat=True)
    until(lambda: form.created)
    rooms = [room for room in sp.rooms.query(page_size=100) if room.title == "Half made"]
    assert [room.room_id for room in rooms] == [form.created["id"]]
    assert rooms[0].live_channel_id
    form.close()


def message(number: int, text: str = "text", **fields: Any) -> Message:
    user = User(id="i", user_id="ann", display_name="Ann Other")
    return Message(
        message_id=f"m{number}", segment=number, data={"text": text}, creator_public_id="ann", creator=user, **fields
    )


def added(*messages: Message) -> list[ChatChange]:
    return [ChatChange("added", one) for one in messages]


def test_a_burst_is_told_as_its_last_hundred() -> None:
    rows = ChatRows("me", "host")
    assert rows.take(added(*(message(number) for number in range(1000))))
    told = rows.news()
    assert len(told["rows"]) == SHOWN
    assert told["count"] == 1000
    assert told["rows"][-1]["id"] == "m999"
    assert not rows.take([])
    # What came and went in between, or was changed before it was told, is told once.
    rows.take(added(message(1000), message(1001)))
    rows.take([ChatChange("changed", message(1001, "edited")), ChatChange("deleted", message(1000))])
    rows.take([ChatChange("changed", message(998, "edited")), ChatChange("deleted", message(999))])
    rows.take([ChatChange("changed", message(1, "too old to be shown")), ChatChange("channel")])
    told = rows.news()
    assert [(row["id"], row["text"]) for row in told["rows"]] == [("m1001", "edited")]
    assert [(row["id"], row["text"]) for row in told["changed"]] == [("m998", "edited")]
    assert told["gone"] == ["m999"]
    assert len(rows.all()["rows"]) == len(rows)
    rows.clear()
    assert len(rows) == 0


def test_long_texts_are_cut_and_unknown_names_mention_nobody() -> None:
    rows = ChatRows("ann", None)
    rows.take(added(message(1, "x" * 20_000, parent_id="m0")))
    (row,) = rows.news()["rows"]
    assert len(row["text"]) == 2001
    assert row["quote"] == {"name": "", "text": ""}
    assert len(json.dumps(row)) < 2500
    assert rows.mentioned("@nobody and mail@ann.example") == []
    assert rows.mentioned("@Ann, @annother. @ann") == ["ann"]
    assert rows.mentioned("hello") == []
