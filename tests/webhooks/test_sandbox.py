"""The sandbox's webhooks, from a change to a handler: signed, named, retried, doubled, reordered; fed to live rooms."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

import spnb
from spnb.errors import InvalidInput
from spnb.live import AsyncLiveRoom
from spnb.sandbox.control.webhooks import Webhook
from spnb.sandbox.store import Store
from spnb.sync.sandbox.control.webhooks import Webhooks
from spnb.webhooks import AsyncReceiver, Delivery
from tests.conftest import RunningSandbox, start_sandbox
from tests.live.conftest import until

SECRET = "the secret of the webhook"
AsyncClient = spnb.AsyncClient[AsyncLiveRoom]


@pytest.fixture(scope="module")
def hooked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """A sandbox of this module's own: endpoints get all that happens in it."""
    running = start_sandbox(tmp_path_factory.mktemp("hooked"), "--no-rate-limit", "--grace", "3")
    yield running
    running.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def sp(hooked: RunningSandbox) -> AsyncIterator[AsyncClient]:
    client: AsyncClient = await spnb.connect_async("host", url=hooked.url, api_key=hooked.api_key)
    yield client
    await client.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def receiver(tmp_path: Path) -> AsyncIterator[AsyncReceiver]:
    async with AsyncReceiver(SECRET, path=tmp_path / "webhooks.sqlite") as made:
        yield made


@pytest.fixture
def hooks(sp: AsyncClient) -> Iterator[Webhooks]:
    made = spnb.sandbox.webhooks(sp)
    yield made
    for webhook in made.registered():
        made.remove(webhook)


class Recorder:
    """A plain HTTP server that keeps requests, and answers as it is told."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                recorder.requests.append((headers | {"path": self.path}, body))
                status = recorder.answers.pop(0) if recorder.answers else 200
                recorder.gate.wait(60)
                self.send_response(status)
                self.send_header("location", "http://192.0.2.1/")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def signed(self) -> list[bytes]:
        return [body for headers, body in self.requests if "x-amity-signature" in headers]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    made = Recorder()
    yield made
    made.close()


@pytest.mark.media
async def test_a_life_is_told_in_three_styles_under_one_set_of_names(
    sp: AsyncClient, receiver: AsyncReceiver, hooks: Webhooks
) -> None:
    told: list[Delivery] = []
    receiver.on()(told.append)
    for style in ("guide", "reference", "room"):
        hooks.add(receiver.url, SECRET, style=style)
    room = await sp.rooms.create("told")
    chat = await room.open_chat()
    await chat.send("hello")
    async with await room.go_live(spnb.TestCard(320, 180, 10)):
        await room.until("live", timeout=60)
    await room.recording(timeout=60)
    await until(lambda: sum(one.name == "room.recorded" for one in told) == 3)
    named = {one.event for one in told}
    assert named >= {"stream.started", "stream.ended", "recording.completed"}
    assert named >= {"video-streaming.didStart", "video-streaming.didStop", "video-streaming.didRecord"}
    assert named >= {"room.startBroadcasting", "room.endBroadcasting", "room.recordedAvailable"}
    about = [one for one in told if one.room_id == room.room_id]
    assert {one.name for one in about} >= {"room.live", "room.ended", "room.recorded", "post.created"}
    assert [one.name for one in about if one.event.startswith(("stream.", "recording."))] == [
        "room.live",
        "room.ended",
        "room.recorded",
    ]
    stored = await receiver.deliveries()
    messages = [one for one in stored if one.name == "message.created"]
    # Three endpoints, one name, so one body: kept once.
    assert [(one.copies, one.data["messages"][0]["data"]["text"]) for one in messages] == [(3, "hello")]
    undated = {one.event for one in stored if one.happened_at is None}
    assert undated <= {"room.didCohostInvite", "room.participantStageJoined", "room.participantStageLeft"}
    assert not receiver.refusals


async def test_deliveries_carry_what_the_service_sends(sp: AsyncClient, hooks: Webhooks, recorder: Recorder) -> None:
    webhook = hooks.add(recorder.url, SECRET, events=["room.didUpdate"])
    room = await sp.rooms.create("one", chat=False)
    await room.update(title="two")
    await until(lambda: len(recorder.requests) == 2)
    (first, body), (second, twin) = recorder.requests
    assert first["content-type"] == "application/json"
    assert "x-eko-signature" not in first
    assert "x-amity-signature" not in second
    assert twin == body
    assert second["x-eko-signature"] == first["x-amity-signature"] == spnb.webhooks.signed(body, SECRET)
    assert set(json.loads(body)) == {"event", "data"}
    assert json.loads(body)["data"]["rooms"][0]["title"] == "two"
    await until(lambda: hooks.deliveries(webhook)[0]["delivered"])
    assert hooks.deliveries(webhook)[0] | {"deliveryId": ""} == {
        "deliveryId": "",
        "event": "room.didUpdate",
        "attempts": 1,
        "status": 200,
        "delivered": True,
    }


async def test_failures_are_tried_again_and_given_up(sp: AsyncClient, hooks: Webhooks, recorder: Recorder) -> None:
    recorder.answers = [500, 302, 200]
    once = hooks.add(recorder.url, SECRET, events=["room.*"], legacy=False, retry_seconds=[0.01, 0.01, 0.01])
    gone = hooks.add("http://127.0.0.1:9/", SECRET, events=["room.*"], retry_seconds=[0.01])
    room = await sp.rooms.create("one", chat=False)
    await room.update(title="two")
    await until(lambda: len(recorder.signed) == 3)
    assert len(set(recorder.signed)) == 1, "the same body every time"

    def outcome(webhook: Webhook) -> tuple[Any, ...]:
        (told,) = hooks.deliveries(webhook)
        return told["attempts"], told["status"], told["delivered"]

    await until(lambda: outcome(once) == (3, 200, True))
    await until(lambda: outcome(gone) == (2, None, False))
    hooks.remove(once)
    hooks.remove(gone)
    # Who does not answer within 1.5 s is asked again; others do not wait for it.
    recorder.requests.clear()
    recorder.gate.clear()
    hooks.add(recorder.url, SECRET, events=["room.*"], legacy=False, retry_seconds=[0.01] * 3)
    await room.update(title="three")
    await until(lambda: len(recorder.signed) >= 2)
    recorder.gate.set()


async def test_doubles_and_disorder_come_on_request(sp: AsyncClient, receiver: AsyncReceiver, hooks: Webhooks) -> None:
    hooks.add(receiver.url, SECRET, events=["room.didUpdate"])
    titles: list[str] = []
    receiver.on("room.updated")(lambda delivery: titles.append(delivery.data["rooms"][0]["title"]))
    with spnb.sandbox.faults(sp) as faults:
        room = await sp.rooms.create("none", chat=False)
        faults.add("reorder", where="webhook", match="room.didUpdate", times=1, seconds=30)
        for title in "abc":
            await room.update(title=title)
        await until(lambda: len(titles) == 3)
        assert titles == ["b", "a", "c"]
        faults.clear()
        faults.add("double", where="webhook")
        faults.add("drop", where="mqtt")
        await room.update(title="d")
        await until(lambda: titles[-1] == "d")
        faults.clear()
        await room.update(title="e")
        await until(lambda: titles[-1] == "e")
    stored = await receiver.deliveries()
    assert [(one.data["rooms"][0]["title"], one.copies) for one in stored] == [
        ("b", 1),
        ("a", 1),
        ("c", 1),
        ("d", 2),
        ("e", 1),
    ]


async def test_live_objects_hear_of_webhooks_when_real_time_is_away(
    sp: AsyncClient, hooked: RunningSandbox, receiver: AsyncReceiver, hooks: Webhooks
) -> None:
    other: AsyncClient = await spnb.connect_async("other", url=hooked.url, api_key=hooked.api_key)
    hooks.add(receiver.url, SECRET)
    end = receiver.feed(sp)
    room = await sp.rooms.create("before", chat=False)
    chat = await room.open_chat()
    titles: list[str] = []
    texts: list[str] = []
    stop = room.observe(lambda record: titles.append(record.title))

    async def follow() -> None:
        async for message in chat.watch():
            texts.append(message.text)

    following = asyncio.create_task(follow())
    await until(lambda: sp.realtime.state == "connected")
    with spnb.sandbox.faults(sp) as faults:
        faults.add("drop")  # nothing comes by MQTT any more
        await room.client.rooms.update(room.room_id, title="after")
        await until(lambda: titles == ["after"])
        theirs = await other.rooms.get(room.room_id)
        await theirs.chat.send("by webhook")
        await until(lambda: texts == ["by webhook"])
        end()
        end()
    stop()
    following.cancel()
    await other.aclose()


async def test_bodies_of_another_shape_are_news_all_the_same(sp: AsyncClient, receiver: AsyncReceiver) -> None:
    receiver.feed(sp)
    room = await sp.rooms.create("before", chat=False)
    titles: list[str] = []
    stop = room.observe(lambda record: titles.append(record.title))
    await until(lambda: sp.realtime.is_subscribed(f"{sp.network_id}/room/{room.room_id}"))
    with spnb.sandbox.faults(sp) as faults:
        faults.add("drop")
        bodies: list[Any] = [{"streamId": room.room_id}, {"roomId": room.room_id, "rooms": 7}]
        for number, data in enumerate(bodies):
            await sp.rooms.update(room.room_id, title=f"odd {number}")
            for name in ("message.didCreate", "stream.updated"):
                body = json.dumps({"event": name, "data": {**data, "messages": number}}).encode()
                headers = {"x-amity-signature": spnb.webhooks.signed(body, SECRET), "content-type": "application/json"}
                async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
                    assert (await http.post(receiver.url, content=body, headers=headers)).is_success
            await until(lambda number=number: titles[-1:] == [f"odd {number}"])  # type: ignore[misc]
    stop()


async def test_livekits_own_webhooks_are_a_reason_to_read_the_room(sp: AsyncClient, tmp_path: Path) -> None:
    from spnb.sandbox.media import MediaEvent
    from spnb.sandbox.media.webhook import WebhookSender

    pair = ("key", "a secret of livekit, over thirty-two bytes")
    async with AsyncReceiver(livekit=pair, path=tmp_path / "livekit.sqlite") as receiver:
        receiver.feed(sp)
        room = await sp.rooms.create("before", chat=False)
        titles: list[str] = []
        stop = room.observe(lambda record: titles.append(record.title))
        await until(lambda: sp.realtime.is_subscribed(f"{sp.network_id}/room/{room.room_id}"))
        sender = WebhookSender(receiver.url, *pair)
        with spnb.sandbox.faults(sp) as faults:
            faults.add("drop")
            await sp.rooms.update(room.room_id, title="after")
            sender(MediaEvent("track_published", room.room_id, "host", "PA_1", track_sid="TR_1", at=time.time()))
            await until(lambda: titles == ["after"])
        stop()
        await sender.aclose()
        (delivery,) = await receiver.deliveries()
        assert (delivery.source, delivery.name) == ("livekit", "livekit.track_published")
        assert delivery.data["participant"]["identity"] == "host"


def test_endpoints_are_few_and_on_loopback(hooked: RunningSandbox, hooks: Webhooks) -> None:
    for url in (
        "https://example.com/hook",
        "http://169.254.169.254/latest",
        "http://127.0.0.1.example.com/",
        "http://user:pass@127.0.0.1/",
        "file:///etc/passwd",
        "http://[::1",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:-1/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:x/",
    ):
        with pytest.raises(InvalidInput, match="loopback"):
            hooks.add(url, SECRET)
    with pytest.raises(InvalidInput, match="secret"):
        hooks.add("http://127.0.0.1:9/", "short")
    made = [hooks.add(f"http://localhost:9/{number}", SECRET) for number in range(9)]
    made.append(hooks.add("http://[::1]:9/", SECRET, style="guide"))
    with pytest.raises(InvalidInput, match="at most 10"):
        hooks.add("http://127.0.0.1:9/", SECRET)
    assert hooks.registered() == made
    told = httpx.get(
        f"{hooked.url}/sandbox/webhooks", headers={"X-API-Key": hooked.api_key}, trust_env=False, timeout=60
    )
    assert SECRET not in told.text
    assert httpx.get(f"{hooked.url}/sandbox/webhooks", trust_env=False, timeout=60).status_code == 401
    hooks.remove(made[0])
    with pytest.raises(InvalidInput, match="not found"):
        hooks.remove(made[0])


async def test_an_endpoint_that_nothing_can_be_sent_to_is_tried_on(tmp_path: Path, recorder: Recorder) -> None:
    """What is stored may be older than what the door lets in today: a port that is none, which no HTTP error tells."""
    first = start_sandbox(tmp_path)
    spnb.sandbox.webhooks(url=first.url, api_key=first.api_key).add(recorder.url, SECRET)
    first.stop()
    store = Store(tmp_path / "sandbox.sqlite")
    (good,) = store.webhooks.find({})
    store.webhooks.insert({**good, "webhookId": "bad", "url": "http://127.0.0.1:99999/", "retrySeconds": [0.05]})
    store.close()
    second = start_sandbox(tmp_path)
    async with (
        await spnb.connect_async("host", url=second.url, api_key=second.api_key) as client,
        httpx.AsyncClient(trust_env=False, headers={"X-API-Key": second.api_key}, timeout=60) as http,
    ):
        room = await client.rooms.create("one", chat=False)
        await room.update(title="two")
        await room.update(title="three")
        await until(lambda: len(recorder.signed) >= 2)
        tried: list[int] = []
        async with asyncio.timeout(60):
            while len(tried) < 2 or min(tried) < 2:
                answer = await http.get(f"{second.url}/sandbox/webhooks/bad/deliveries")
                tried = [delivery["attempts"] for delivery in answer.json()["deliveries"]]
                assert not any(delivery["delivered"] for delivery in answer.json()["deliveries"])
    second.stop()


async def test_endpoints_outlive_the_process(tmp_path: Path, recorder: Recorder) -> None:
    first = start_sandbox(tmp_path)
    spnb.sandbox.webhooks(url=first.url, api_key=first.api_key).add(recorder.url, SECRET)
    first.stop()
    second = start_sandbox(tmp_path)
    async with await spnb.connect_async("host", url=second.url, api_key=second.api_key) as client:
        room = await client.rooms.create("one", chat=False)
        await room.update(title="two")
        await until(lambda: recorder.signed)
    second.stop()


@pytest.mark.parametrize("how", ["ended", "killed"])
async def test_what_waits_outlives_the_process(tmp_path: Path, recorder: Recorder, how: str) -> None:
    """What an endpoint has not taken comes after the restart: first attempts in order, retries where they were."""
    first = start_sandbox(tmp_path, "--no-rate-limit")
    hooks = await spnb.sandbox.webhooks_async(url=first.url, api_key=first.api_key)
    slow = await hooks.add(recorder.url, SECRET, events=["room.didUpdate"], retry_seconds=[5.0] * 10)
    away = await hooks.add("http://127.0.0.1:9/", SECRET, events=["room.didUpdate"], retry_seconds=[3600.0])
    removed = await hooks.add("http://127.0.0.1:9/x", SECRET, events=["room.didUpdate"], retry_seconds=[3600.0])
    titles = [f"title {number}" for number in range(6)]
    async with await spnb.connect_async("host", url=first.url, api_key=first.api_key) as client:
        room = await client.rooms.create("one", chat=False)
        await room.update(title=titles[0])
        await until(lambda: len(recorder.requests) == 2)  # and its twin
        async with asyncio.timeout(60):
            while [one["delivered"] for one in await hooks.deliveries(slow)] != [True]:
                pass
            while [one["attempts"] for one in await hooks.deliveries(removed)] != [1]:
                pass
        await hooks.remove(removed)
        recorder.gate.clear()  # nobody is answered from here on
        for title in titles[1:]:
            await room.update(title=title)
        await until(lambda: len(recorder.requests) >= 3)
        async with asyncio.timeout(60):
            while [one["attempts"] for one in await hooks.deliveries(away)] != [1] * 6:
                pass
    first.stop(kill=how == "killed")
    recorder.requests.clear()
    # An hour has passed, or the endpoint of that time would be asked in one.
    store = Store(tmp_path / "sandbox.sqlite")
    (endpoint,) = store.webhooks.find({}, accept=lambda one: one["webhookId"] == away.webhook_id)
    store.webhooks.save({**endpoint, "url": f"{recorder.url}/away", "retrySeconds": [0.01, *[1.0] * 9]})
    assert not store.deliveries.find({"webhookId": removed.webhook_id})
    store.close()
    recorder.gate.set()

    second = start_sandbox(tmp_path, "--no-rate-limit")
    hooks = await spnb.sandbox.webhooks_async(url=second.url, api_key=second.api_key)

    async def left(webhook: Webhook) -> list[tuple[str, int, bool]]:
        told = await hooks.deliveries(webhook)
        return [(one["event"], one["attempts"], one["delivered"]) for one in told]

    async with asyncio.timeout(120):
        while not all(one[2] for one in [*await left(slow), *await left(away)]):
            pass
    assert all(one[1] >= 2 for one in await left(away)), "they went on where they were"
    # Those whose first attempt had not ended, in their order, whatever was already tried again.
    untried = [one for one in await left(slow) if one[1] == 1]
    told = [title_of(body) for headers, body in recorder.requests if is_signed(headers) and headers["path"] == "/hook"]
    assert len(untried) >= 3
    assert [title for title in told if title in titles[-len(untried) :]] == titles[-len(untried) :]
    assert set(told) == set(titles[1:]), "what was taken before is not sent again"
    assert {title_of(body) for headers, body in recorder.requests if headers["path"] == "/hook/away"} == set(titles)
    second.stop()
    store = Store(tmp_path / "sandbox.sqlite")
    assert not store.deliveries.find({}), "nothing is left"
    store.close()


def title_of(body: bytes) -> str:
    return str(json.loads(body)["data"]["rooms"][0]["title"])


def is_signed(headers: dict[str, str]) -> bool:
    return "x-amity-signature" in headers
