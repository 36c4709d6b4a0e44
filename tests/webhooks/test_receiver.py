"""The webhook receiver over real HTTP: what it lets in, keeps, answers, and hands on."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spnb.errors import ConfigError, InvalidInput
from spnb.webhooks import AsyncReceiver, Delivery, EventNames, Receiver, is_signed, signed
from spnb.webhooks.delivery import Malformed, read_body, shown_body

SECRET = "the secret of the webhook"
LIVEKIT = ("key", "secret of livekit, thirty-two bytes")


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with Receiver(SECRET, livekit=LIVEKIT, path=tmp_path / "webhooks.sqlite") as made:
        yield made


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=60) as client:
        yield client


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not become so"
        time.sleep(0.01)


def event(name: str = "stream.started", room: str = "r1", **more: Any) -> bytes:
    return json.dumps({"event": name, "data": {"rooms": [{"roomId": room, **more}]}}).encode()


def headers(body: bytes, secret: str = SECRET, **more: str) -> dict[str, str]:
    return {"x-amity-signature": signed(body, secret), "content-type": "application/json", **more}


def post(http: httpx.Client, receiver: Receiver, body: bytes, **more: str) -> httpx.Response:
    return http.post(receiver.url, content=body, headers={**headers(body), **more})


# -- what is let in


def test_what_no_delivery_is_called_is_refused(receiver: Receiver) -> None:
    for wrong in ("nonsense", "room.lve", "chat.*"):
        with pytest.raises(InvalidInput, match=r"room\.live"):
            receiver.on(wrong)


def test_a_server_of_one_s_own_checks_the_same() -> None:
    body, secret = b'{"event": "stream.started"}', "the secret"
    digest = hmac.new(secret.encode(), body, hashlib.sha256)
    for header in (signed(body, secret), digest.hexdigest(), digest.hexdigest().upper(), f" {signed(body, secret)} "):
        assert is_signed(body, header, secret)
        assert is_signed(body, header, ["the one before", secret])
        assert not is_signed(body + b" ", header, secret)
        assert not is_signed(body, header, list(secret))
    assert not is_signed(body, "", secret)
    assert not is_signed(body, signed(body, ""), [])


def test_a_signed_delivery_is_answered_and_kept(receiver: Receiver, http: httpx.Client) -> None:
    body = event(room="r7", updatedAt=datetime.now(UTC).isoformat())
    answer = post(http, receiver, body)
    assert (answer.status_code, answer.json(), answer.headers["content-type"]) == (200, {}, "application/json")
    (delivery,) = receiver.deliveries()
    assert (delivery.event, delivery.name, delivery.room_id, delivery.copies) == (
        "stream.started",
        "room.live",
        "r7",
        1,
    )
    assert delivery.data["rooms"][0]["roomId"] == "r7"
    assert delivery.happened_at is not None
    assert delivery.happened_at <= delivery.received_at
    assert "r7" in repr(delivery)
    assert "rooms" not in repr(delivery), "no body in a repr"


def test_hex_and_the_type_with_a_charset_are_taken_too(receiver: Receiver, http: httpx.Client) -> None:
    body = event()
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    for number, told in enumerate((digest, digest.upper()), 1):
        sent = {"x-amity-signature": told, "content-type": "application/json; charset=utf-8"}
        assert http.post(receiver.url, content=body, headers=sent).status_code == 200
        assert receiver.deliveries()[0].copies == number


def forgeries() -> dict[str, tuple[bytes, dict[str, str], int]]:
    """What → body, headers, and the answer it must get."""
    body = event()
    good = headers(body)
    large, deep, packed = bytes(10_000_000), b"[" * 100_000, gzip.compress(body)
    return {
        "wrong key": (body, headers(body, "another secret"), 401),
        "changed byte": (body.replace(b"r1", b"r2"), good, 401),
        "re-serialised": (json.dumps(json.loads(body), indent=1).encode(), good, 401),
        "no signature": (body, {"content-type": "application/json"}, 401),
        "empty signature": (body, {**good, "x-amity-signature": ""}, 401),
        "signature of nothing": (body, {**good, "x-amity-signature": signed(b"", SECRET)}, 401),
        "not text": (body, {**good, "x-amity-signature": "é" * 44}, 401),
        "10 MB": (large, headers(large), 413),
        "wrong type": (body, {**good, "content-type": "text/plain"}, 415),
        "a form": (body, {**good, "content-type": "application/x-www-form-urlencoded"}, 415),
        "no type": (body, {"x-amity-signature": good["x-amity-signature"]}, 415),
        "no JSON": (b"{", headers(b"{"), 400),
        "no event": (b"{}", headers(b"{}"), 400),
        "no object": (b"[1]", headers(b"[1]"), 400),
        "deep": (deep, headers(deep), 400),
        "compressed": (packed, {**headers(packed), "content-encoding": "gzip"}, 400),
        "livekit's forged": (body, {"authorization": "Bearer x.y.z", "content-type": "application/json"}, 401),
    }


def test_forgeries_are_refused_and_leave_nothing(receiver: Receiver, http: httpx.Client) -> None:
    cases = forgeries()
    for name, (body, sent, status) in cases.items():
        encoded = {key.encode(): value.encode() for key, value in sent.items()}
        answer = http.post(receiver.url, content=body, headers=encoded)
        assert answer.status_code == status, name
        assert SECRET not in answer.text
    assert http.get(receiver.url).status_code == 405
    chunks = (bytes(300_000) for _ in range(5))
    endless = http.post(receiver.url, content=chunks, headers={"content-type": "application/json"})
    assert endless.status_code == 413, "a body of unknown length is cut off"
    assert receiver.deliveries() == []
    assert [refusal.status for refusal in receiver.refusals][:2] == [401, 401]
    assert len(receiver.refusals) == len(cases) + 2


def test_a_legacy_duplicate_is_ignored(receiver: Receiver, http: httpx.Client) -> None:
    body = event()
    legacy = {"x-eko-signature": signed(body, SECRET), "content-type": "application/json"}
    answer = http.post(receiver.url, content=body, headers=legacy)
    assert (answer.status_code, answer.json()) == (200, {})
    assert receiver.deliveries() == []
    assert post(http, receiver, body, **{"x-eko-signature": "twice"}).status_code == 200
    assert len(receiver.deliveries()) == 1


def test_a_replay_is_known_or_too_old(tmp_path: Path, http: httpx.Client) -> None:
    path = tmp_path / "w.sqlite"
    now = datetime.now(UTC)
    with Receiver(SECRET, path=path, max_age=600) as receiver:
        young = event(updatedAt=(now - timedelta(minutes=5)).isoformat())
        old = event(updatedAt=(now - timedelta(minutes=15)).isoformat())
        assert [post(http, receiver, body).status_code for body in (young, young, old)] == [200, 200, 401]
        assert "replayed" in receiver.refusals[-1].reason
        # A flag on an old message is news, however old the message is.
        flagged = json.dumps({"event": "message.didFlag", "data": {"messages": [{"messageId": "m", "updatedAt": 1}]}})
        assert post(http, receiver, flagged.encode()).status_code == 200
        assert [(one.name, one.copies) for one in receiver.deliveries()] == [("room.live", 2), ("message.flagged", 1)]
    with Receiver(SECRET, path=path) as again:
        post(http, again, young)
        assert again.deliveries()[0].copies == 3, "known after a restart too"


def test_livekit_is_taken_by_its_own_signature(receiver: Receiver, http: httpx.Client, tmp_path: Path) -> None:
    body = json.dumps({"event": "track_published", "id": "EV_1", "createdAt": "1", "room": {"name": "r9"}}).encode()
    body = body.replace(b'"1"', f'"{int(time.time())}"'.encode())
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()

    def sent(claims: dict[str, Any], secret: str = LIVEKIT[1]) -> int:
        token = jwt.encode({"iss": LIVEKIT[0], "exp": time.time() + 60, **claims}, secret, algorithm="HS256")
        told = {"authorization": token, "content-type": "application/webhook+json"}
        return http.post(receiver.url, content=body, headers=told).status_code

    assert sent({"sha256": "x"}) == 401
    assert sent({"sha256": digest}, "another secret of thirty-two byte") == 401
    assert sent({"sha256": digest, "exp": time.time() - 60}) == 401
    assert sent({"sha256": digest, "iss": "other"}) == 401
    assert sent({"sha256": digest}) == 200
    (delivery,) = receiver.deliveries()
    assert (delivery.source, delivery.name, delivery.room_id) == ("livekit", "livekit.track_published", "r9")
    assert delivery.data["id"] == "EV_1"
    with Receiver(SECRET, path=tmp_path / "other.sqlite") as other:
        told = {"authorization": "x", "content-type": "application/webhook+json"}
        assert http.post(other.url, content=body, headers=told).status_code == 401


# -- what happens with it


def test_copies_are_kept_once_and_handled_once(receiver: Receiver, http: httpx.Client) -> None:
    seen: list[str] = []
    receiver.on("room.live")(lambda delivery: seen.append(delivery.room_id))
    for _ in range(3):
        for room in ("a", "b"):
            post(http, receiver, event(room=room))
    until(lambda: [one.handled for one in receiver.deliveries()] == ["done", "done"])
    assert seen == ["a", "b"]
    assert [one.copies for one in receiver.deliveries()] == [3, 3]


def test_a_slow_handler_delays_no_answer(receiver: Receiver, http: httpx.Client) -> None:
    gate = threading.Event()
    seen: list[str] = []

    @receiver.on()
    def slow(delivery: Delivery) -> None:
        assert gate.wait(60)
        seen.append(delivery.room_id)

    # Were an answer to wait for the handler, the second request would never come back: the gate is opened after it.
    for room in "abc":
        assert post(http, receiver, event(room=room)).status_code == 200
    assert seen == []
    assert [one.handled for one in receiver.deliveries()] == ["waiting"] * 3
    gate.set()
    until(lambda: seen == ["a", "b", "c"])


def test_handlers_choose_may_fail_and_are_called_again(receiver: Receiver, http: httpx.Client) -> None:
    seen: list[tuple[str, str, bool]] = []
    broken = True

    @receiver.on("stream.ended")
    async def ended(delivery: Delivery) -> None:
        seen.append(("ended", delivery.room_id, delivery.replayed))
        if broken:
            raise RuntimeError("a handler's own fault")

    @receiver.on("room.*")
    def any_room(delivery: Delivery) -> None:
        seen.append(("any", delivery.room_id, delivery.replayed))

    for name in ("stream.started", "stream.ended", "post.didCreate"):
        post(http, receiver, event(name))
    until(lambda: [one.handled for one in receiver.deliveries()] == ["done", "failed", "done"])
    assert seen == [("any", "r1", False), ("ended", "r1", False), ("any", "r1", False)]
    seen.clear()
    broken = False
    assert receiver.replay(failed=True) == 1
    assert seen == [("ended", "r1", True), ("any", "r1", True)]
    assert receiver.deliveries()[1].handled == "done"
    seen.clear()
    assert receiver.replay("room.live", room_id="r1", since=datetime.now(UTC) - timedelta(hours=1)) == 1
    assert seen == [("any", "r1", True)]
    assert receiver.replay(room_id="another") == receiver.replay(since=datetime.now(UTC)) == 0
    assert receiver.replay(number=2) == 1


def test_replaying_goes_through_all_of_many(receiver: Receiver, http: httpx.Client) -> None:
    for number in range(230):
        post(http, receiver, event(room=str(number)))
    seen: list[str] = []
    receiver.on()(lambda delivery: seen.append(delivery.room_id))
    until(lambda: receiver.deliveries(newest=1)[0].handled == "done")
    seen.clear()
    assert receiver.replay() == 230
    assert seen == [str(number) for number in range(230)]


def test_the_table_has_facts_and_no_bodies(receiver: Receiver, http: httpx.Client) -> None:
    empty = receiver.df
    assert len(empty) == 0
    post(http, receiver, event(room="x", updatedAt=datetime.now(UTC).isoformat()))
    post(http, receiver, event("post.didCreate", room="x"))
    until(lambda: receiver.deliveries()[-1].handled == "done")
    table = receiver.df
    assert list(table.columns) == list(empty.columns)
    assert table.name.tolist() == ["room.live", "post.created"]
    assert str(table.received_at.dtype) == str(table.happened_at.dtype) == "datetime64[ms, UTC]"
    assert table.happened_at.isna().tolist() == [False, True]
    assert table.handled.tolist() == ["done", "done"]
    assert "body" not in table.columns


def test_nothing_is_acknowledged_that_could_not_be_kept(receiver: Receiver, http: httpx.Client) -> None:
    post(http, receiver, event(room="first"))
    until(lambda: receiver.deliveries()[0].handled == "done")
    store = receiver.asynchronous._store
    # The database may grow no more: to SQLite that is a full disk.
    pages = store._submit(lambda db: db.execute("PRAGMA page_count").fetchone()[0]).result()
    store._submit(lambda db: db.execute(f"PRAGMA max_page_count = {pages}")).result()
    large = event(room="second", filler="x" * 500_000)
    assert post(http, receiver, large).status_code == 503
    assert receiver.refusals[-1].status == 503
    store._submit(lambda db: db.execute("PRAGMA max_page_count = 1000000")).result()
    assert post(http, receiver, large).status_code == 200
    assert [one.room_id for one in receiver.deliveries()] == ["first", "second"]


def test_half_characters_break_nothing(receiver: Receiver, http: httpx.Client) -> None:
    assert post(http, receiver, b'{"event": "a\\ud800"}').status_code == 400
    assert post(http, receiver, b'{"event": "a", "data": {"roomId": "r\\ud800"}}').status_code == 200
    assert [one.room_id for one in receiver.deliveries()] == ["r?"]
    with pytest.raises(UnicodeEncodeError):
        receiver.asynchronous._store._submit(lambda db: db.execute("SELECT ?", ("\ud800",))).result(10)
    assert len(receiver.deliveries()) == 1, "one that fails takes nothing along"


# -- endings


def test_one_file_has_one_receiver(tmp_path: Path, http: httpx.Client) -> None:
    path = tmp_path / "deep" / "webhooks.sqlite"
    first = Receiver(SECRET, path=path).serve()
    address = first.url
    assert first.serve().url == address
    post(http, first, event())
    program = "import sys; from spnb.webhooks import Receiver; Receiver('a secret', path=sys.argv[1])"
    other = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
    assert "give this one a path of its own" in other.stderr
    # A cell that is run again: the receiver of its earlier run has ended.
    second = Receiver(SECRET, path=path)
    with pytest.raises(httpx.ConnectError):
        http.post(address, content=b"")
    with pytest.raises(ConfigError, match="closed"):
        first.deliveries()
    assert len(second.deliveries()) == 1
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(InvalidInput, match="serve"):
        _ = second.url
    with pytest.raises(ConfigError, match="taken"), Receiver(SECRET, path=tmp_path / "third.sqlite") as third:
        second.serve(int(third.url.rsplit(":", 1)[1]))
    second.close()
    second.close()
    (tmp_path / "text").write_text("no database, but text that is long enough to be looked at" * 20)
    with pytest.raises(ConfigError, match="cannot be used"):
        Receiver(SECRET, path=tmp_path / "text")


def test_a_receiver_needs_a_secret_and_never_shows_it(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for secret in ("", [], ["good enough", ""]):
        with pytest.raises(ConfigError, match="secret"):
            Receiver(secret)
    assert SECRET not in repr(receiver) + repr(receiver.asynchronous) + repr(receiver.asynchronous._intake)
    monkeypatch.setenv("SPNB_HOME", str(tmp_path / "home"))
    made = Receiver(["old secret", SECRET])
    assert (tmp_path / "home" / "webhooks.sqlite").exists()
    assert repr(made.asynchronous.sync) == repr(made)
    made.close()


async def test_it_is_an_app_for_any_server(tmp_path: Path) -> None:
    receiver = AsyncReceiver(SECRET, path=tmp_path / "w.sqlite")
    told: list[str] = []
    inbox = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(inbox)

    async def send(message: Any) -> None:
        told.append(message["type"])

    transport = httpx.ASGITransport(app=receiver)
    async with httpx.AsyncClient(transport=transport, base_url="http://hooks", timeout=60) as client:
        body = event()
        assert (await client.post("/any/path", content=body, headers=headers(body))).status_code == 200
    with pytest.raises(ConfigError, match="websocket"):
        await receiver({"type": "websocket"}, receive, send)
    assert len(await receiver.deliveries()) == 1
    await receiver({"type": "lifespan"}, receive, send)
    assert told == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    async with httpx.AsyncClient(transport=transport, base_url="http://hooks", timeout=60) as client:
        answer = await client.post("/", content=body, headers=headers(body))
    assert answer.status_code == 503, "nobody is told that something was kept when it was not"
    async with AsyncReceiver(SECRET, path=tmp_path / "w.sqlite") as again:
        assert again.url.startswith("http://127.0.0.1:")


PROGRAM = """
import sys, time
from spnb.webhooks import Receiver
receiver = Receiver(sys.argv[2], path=sys.argv[1])
@receiver.on()
def handle(delivery):
    time.sleep(60)
print(receiver.serve().url, flush=True)
time.sleep(600)
"""


def test_a_killed_receiver_has_lost_nothing_it_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "killed.sqlite"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path), SECRET], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    acknowledged: list[str] = []
    enough = threading.Event()

    def send(sender: int) -> None:
        with httpx.Client(trust_env=False, timeout=60) as client, contextlib.suppress(httpx.HTTPError):
            for number in range(10_000):
                body = event(room=f"{sender}-{number}")
                if client.post(url, content=body, headers=headers(body)).status_code == 200:
                    acknowledged.append(f"{sender}-{number}")
                if len(acknowledged) >= 150:
                    enough.set()

    senders = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for sender in senders:
        sender.start()
    assert enough.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    for sender in senders:
        sender.join()
    seen: list[str] = []
    receiver = Receiver(SECRET, path=path)
    receiver.on()(lambda delivery: seen.append(delivery.room_id))
    stored = [one.room_id for one in receiver.deliveries(newest=20_000)]
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))
    with receiver:
        until(lambda: len(seen) == len(stored), 60)
    assert seen == stored, "what was not handled before the end is handled after it, in order"


# -- reading


@pytest.mark.parametrize(
    ("sent", "common"),
    [
        ("stream.started", "room.live"),
        ("stream.ended", "room.ended"),
        ("recording.completed", "room.recorded"),
        ("video-streaming.didStart", "room.live"),
        ("video-streaming.didRecord", "room.recorded"),
        ("room.startBroadcasting", "room.live"),
        ("room.recordingAvailable", "room.recorded"),
        ("room.waitingReconnect", "room.waitingReconnect"),
        ("room.didCohostInvite", "room.didCohostInvite"),
        ("v3.post.didCreate", "post.created"),
        ("v5.message.didAddReaction", "message.reactionAdded"),
        ("post.didReact", "post.reactionAdded"),
        ("begun", "room.live"),
        ("of.a.newer.service", "of.a.newer.service"),
    ],
)
def test_names_are_one_set(sent: str, common: str) -> None:
    assert EventNames({"begun": "room.live"}).common(sent) == common


def test_bodies_tell_what_they_can() -> None:
    post = {"postId": "p1", "data": {"roomId": "r1"}, "createdAt": "2026-01-02T03:04:05.000Z"}
    cases = [
        ({"event": "post.didCreate", "data": {"posts": [post], "rooms": [{"roomId": "r2"}]}}, "r1", "p1", 1767323045.0),
        ({"event": "stream.started", "data": {"streamId": "s"}, "timestamp": 1767323045000}, "s", "s", 1767323045.0),
        ({"event": "stream.started", "data": "odd", "timestamp": True}, "", "", None),
        ({"event": "x.created", "data": {"rooms": ["odd"], "posts": {}}, "sentTime": "never"}, "", "", None),
        ({"event": "x", "data": {"users": [{"userId": "u"}]}, "sentTime": "2026-01-02T03:04:05"}, "", "u", 1767323045),
    ]
    for body, room, subject, moment in cases:
        facts = read_body(json.dumps(body).encode(), "social.plus")
        assert (facts.room_id, facts.subject_id, facts.happened_at) == (room, subject, moment)


def test_what_is_shown_opens_nothing() -> None:
    token = jwt.encode({"sub": "someone"}, "a key that is long enough for this", algorithm="HS256")
    body = {"url": "https://user:pass@cdn.example/live/x.m3u8?sig=abc", "t": f"Bearer {token}", "plain": "http://host"}
    shown = shown_body(json.dumps({**body, "markup": "<img src=x onerror=alert(1)>"}).encode())
    assert json.loads(shown) == {
        "url": "https://cdn.example/…",
        "t": "Bearer (token)",
        "plain": "http://host",
        "markup": "<img src=x onerror=alert(1)>",
    }
    assert shown_body(b"no json http://a/b") == "no json http://a/…"


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: json.dumps({"event": text}).encode()))
def test_no_body_is_more_than_malformed(body: bytes) -> None:
    with contextlib.suppress(Malformed):
        assert read_body(body, "social.plus").event
    with contextlib.suppress(Malformed):
        assert read_body(body, "livekit").event.startswith("livekit.")
    assert isinstance(shown_body(body), str)
