"""A pre-hook decides what is stored: a real sandbox asks it, over HTTP, before it keeps a message, post or channel."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pandas as pd
import polars
import pytest

import spnb
from spnb.errors import BadRequest, Forbidden, InvalidInput
from spnb.webhooks import Asked, Prehook
from spnb.webhooks.rehearsal import Rate
from tests.conftest import RunningSandbox


@pytest.fixture
def sp(sandbox: RunningSandbox) -> Iterator[Any]:
    with spnb.connect("asked-host", url=sandbox.url, api_key=sandbox.api_key) as client:
        yield client
        client.settings.set_prehook(enabled=False)


def said(room: Any) -> list[str]:
    return [message.text for message in room.client.messages.query(room.chat.channel.feed_id, oldest_first=True)]


def test_messages_are_allowed_refused_and_changed_before_they_are_stored(sp: Any) -> None:
    room = sp.rooms.create("Moderated")
    seen: list[Asked] = []
    with Prehook() as hook:

        @hook.on("message.shouldCreate")
        def no_adverts(asked: Asked) -> object:
            seen.append(asked)
            return asked.refuse("no advertising here") if "buy" in asked.text else None

        @hook.on("message.*")
        async def mild(asked: Asked) -> object:
            return asked.change(text=asked.text.replace("damn", "d***")) if "damn" in asked.text else None

        @hook.on()
        def tagged(asked: Asked) -> object:
            # Later rules see what earlier ones have made of it.
            return asked.change(tags=["mild"]) if "d***" in asked.text else None

        hook.install(sp)
        assert sp.settings.prehook().url == hook.url
        assert room.chat.send("hello").text == "hello"
        with pytest.raises(Forbidden, match="no advertising here"):
            room.chat.send("buy this")
        changed = room.chat.send("damn good")
        assert changed.text == "d*** good"
        assert said(room) == ["hello", "d*** good"]
        assert sp.messages.get(changed.message_id).tags == ["mild"]
        assert (seen[0].user_id, seen[0].channel_id) == ("asked-host", room.chat.channel.channel_id)
        assert hook.counts == {"allow": 1, "deny": 1, "change": 1}
        # What is not changed stays, within what a message holds too.
        custom = room.chat.send_custom({"text": "damn good", "kind": 7})
        assert custom.data == {"text": "d*** good", "kind": 7}
        with pytest.raises(InvalidInput, match="asks about no"):
            hook.on("message.created")
        with Prehook() as replaced:
            replaced.install(sp)
            hook.install(sp)
        assert sp.settings.prehook().url == hook.url
        assert sp.settings.prehook().enabled, "it was not the one that closed"
    assert not sp.settings.prehook().enabled, "whoever is closed is asked no more"
    assert room.chat.send("buy this").text == "buy this"


def test_posts_and_channels_are_asked_about_too(sp: Any) -> None:
    asked: list[str] = []
    with Prehook() as hook:

        @hook.on()
        def closed(question: Asked) -> object:
            asked.append(question.event)
            return question.refuse("closed") if question.event == "post.shouldCreate" else None

        hook.install(sp)
        room = sp.rooms.create("Neither of both", chat=False)
        with pytest.raises(Forbidden, match="closed"):
            room.post(text="no")
        sp.settings.set_prehook(enabled=False)
        post = room.post(text="yes")
        sp.settings.set_prehook(enabled=True)
        sp.channels.create_live(room.room_id, post.post_id)
    assert asked == ["post.shouldCreate", "channel.shouldCreate"]


class Nonsense(BaseHTTPRequestHandler):
    """Answers, but no JSON."""

    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "8")
        self.end_headers()
        self.wfile.write(b"nonsense")

    def log_message(self, *_: Any) -> None:
        return


@pytest.mark.parametrize("default", ["allow", "deny"])
def test_the_default_holds_where_a_rule_fails_or_is_late_or_nobody_answers(sp: Any, default: Any) -> None:
    room = sp.rooms.create("Default")
    over = threading.Event()

    def stored(text: str) -> bool:
        try:
            return bool(room.chat.send(text).text == text)
        except Forbidden:
            return False

    with Prehook(default=default, seconds=0.3) as hook:

        @hook.on()
        def odd(asked: Asked) -> object:
            if "late" in asked.text:
                over.wait(60)
            if "fail" in asked.text:
                raise RuntimeError("a rule with a fault")
            return 5 if "odd" in asked.text else None

        hook.install(sp)
        assert [stored(text) for text in ("late", "fail", "odd", "fine")] == [default == "allow"] * 3 + [True]
        assert (hook.counts["late"], hook.counts["failed"]) == (1, 2)
        over.set()
        # Nobody listens there any more, but the network still asks.
        sp.settings.set_prehook("http://127.0.0.1:9/", default=default)
        assert stored("nobody") is (default == "allow")
        with HTTPServer(("127.0.0.1", 0), Nonsense) as server:
            threading.Thread(target=server.handle_request, daemon=True).start()
            sp.settings.set_prehook(f"http://127.0.0.1:{server.server_port}/", default=default)
            assert stored("nonsense") is (default == "allow")


def test_only_the_network_is_answered(sp: Any, caplog: pytest.LogCaptureFixture) -> None:
    with Prehook("the secret of the tests") as hook:
        hook.on()(lambda asked: asked.refuse("never"))
        body = json.dumps({"eventName": "message.shouldCreate", "data": {}, "actor": {"userId": "ann"}}).encode()
        signature = hmac.new(b"the secret of the tests", body, hashlib.sha256).hexdigest()

        def ask(body: bytes, signature: str) -> tuple[int, Any]:
            answer = httpx.post(hook.url, content=body, headers={"x-signature": signature}, trust_env=False, timeout=60)
            return answer.status_code, answer.json()

        assert ask(body, signature) == (200, {"action": "deny", "message": "never"})
        assert ask(body + b" ", signature)[0] == 401
        assert ask(body, "")[0] == 401
        empty = hmac.new(b"the secret of the tests", b"[]", hashlib.sha256).hexdigest()
        assert ask(b"[]", empty)[0] == 400
        assert httpx.get(hook.url, trust_env=False, timeout=60).status_code == 405
        assert "secret" not in repr(hook)
    caplog.clear()
    with Prehook() as nameless:
        # Without a secret nothing is signed, not even by an empty key.
        bare = hmac.new(b"", body, hashlib.sha256).hexdigest()
        answer = httpx.post(nameless.url, content=body, headers={"x-signature": bare}, trust_env=False, timeout=60)
        assert answer.status_code == 401
        # Set by hand, without its secret: it decides nothing, and says so once.
        sp.settings.set_prehook(nameless.url, enabled=True, default="allow")
        chat = sp.rooms.create("Asked in vain").chat
        for text in ("one", "two"):
            chat.send(text)
        told = [each.message for each in caplog.records if each.name == "spnb.webhooks.prehook" and each.levelno > 20]
        assert [("decides nothing" in line, "install(sp)" in line) for line in told] == [(True, True)]
        assert nameless.counts["unsigned"] > 2
        assert nameless.counts.keys() == {"unsigned"}
        sp.settings.set_prehook(enabled=False)
    with pytest.raises(BadRequest, match="loopback"):
        sp.settings.set_prehook("https://elsewhere.example/hook")
    for odd in ({"default": "maybe"}, {"seconds": 0}, {"seconds": 10}):
        with pytest.raises(InvalidInput):
            Prehook(**odd)


def test_rules_are_rehearsed_on_a_recorded_chat(sp: Any) -> None:
    room = sp.rooms.create("Rehearsed")
    words = ["hello", "buy gold", "buy", "goodbye", "damn", "cheap gold", "boom"]
    sent = [room.chat.send(text) for text in words]
    hook = Prehook()

    @hook.on("message.shouldCreate")
    def rule(asked: Asked) -> object:
        if "boom" in asked.text:
            raise RuntimeError("a rule with a fault")
        if "damn" in asked.text:
            return asked.change(text="d***")
        return asked.refuse("no advertising") if "buy" in asked.text or "bye" in asked.text else None

    recorded = pd.DataFrame([{"message_id": m.message_id, "user_id": "asked-host", "text": m.text} for m in sent])
    bad = [False, True, True, False, True, True, False]
    told = hook.rehearse(recorded, bad)
    assert (told.messages, told.refused, told.changed, told.problems) == (7, 3, 1, 1)
    assert (told.false_alarms, told.misses) == (Rate(1, 3), Rate(1, 4))
    assert told.df.loc[told.df["wrong"], "text"].tolist() == ["goodbye", "cheap gold"]
    assert "1 undecided" in repr(told)
    assert "1 of 4 (25.0%, 95 %: 4.6% to 69.9%)" in repr(told)
    # The same chat in other forms.
    for chat, which in (
        (sent, {m.message_id for m, wrong in zip(sent, bad, strict=True) if wrong}),
        (polars.DataFrame({"text": words, "spam": bad}), "spam"),
        (words, bad),
        (room.chat.df, bad),
    ):
        again = hook.rehearse(chat, which)
        assert (again.false_alarms, again.misses) == (told.false_alarms, told.misses)
    for chat, which, why in (
        (recorded, "spam", "no column 'spam'"),
        (recorded, [True], "give one for each"),
        (recorded, {"nobody"}, "of no message"),
        (recorded, [None] * 7, "True or False"),
        (recorded.drop(columns="text"), bad, "no column `text`"),
        (7, bad, "a chat is a table"),
    ):
        with pytest.raises(InvalidInput, match=why):
            hook.rehearse(chat, which)
    hook.close()


def test_a_rule_that_says_no_refuses(sp: Any) -> None:
    room = sp.rooms.create("Yes and no")
    with Prehook(default="allow") as hook:
        hook.on()(lambda asked: "no" not in asked.text)
        # True has nothing against it: the rules behind it are asked all the same.
        hook.on()(lambda asked: asked.refuse("said twice") if "yes yes" in asked.text else None)
        hook.install(sp)
        assert room.chat.send("yes").text == "yes"
        for text in ("no", "yes yes"):
            with pytest.raises(Forbidden):
                room.chat.send(text)
        assert said(room) == ["yes"]
        assert hook.counts == {"allow": 1, "deny": 2}


@pytest.mark.parametrize(("count", "of"), [(0, 10), (1, 10), (5, 10), (10, 10), (3, 1000), (0, 1)])
def test_intervals_are_wilson_s(count: int, of: int) -> None:
    """Each end is the share at which what was seen lies just 1.96 standard errors away: that is their definition."""
    interval = Rate(count, of).interval
    assert interval is not None
    for end in interval:
        assert 0 <= end <= 1
        away = abs(count / of - end)
        if 0 < end < 1:
            assert math.isclose(away, 1.959963984540054 * math.sqrt(end * (1 - end) / of), rel_tol=1e-9)
    assert Rate(0, 0).interval is None
    assert str(Rate(0, 0)) == "of none"
