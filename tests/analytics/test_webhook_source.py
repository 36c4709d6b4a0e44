"""What webhooks told as a dataset, from real deliveries of the sandbox."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

import spnb
from spnb import analytics
from spnb.errors import TableError
from spnb.webhooks import AsyncReceiver, Receiver, signed
from tests.conftest import RunningSandbox, start_sandbox
from tests.live.conftest import until
from tests.live.test_live import on_air

SECRET = "the secret of the webhook"


@pytest.fixture(scope="module")
def hooked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    running = start_sandbox(tmp_path_factory.mktemp("hooked"), "--no-rate-limit", "--grace", "3")
    yield running
    running.stop()


@pytest.mark.media
@pytest.mark.parametrize("style", ["room", "guide"])
async def test_what_deliveries_hold(hooked: RunningSandbox, tmp_path: Path, style: str) -> None:
    file = tmp_path / "webhooks.sqlite"
    sp = await spnb.connect_async("host", url=hooked.url, api_key=hooked.api_key)
    async with AsyncReceiver(SECRET, path=file) as receiver:
        hooks = spnb.sandbox.webhooks(sp)
        hook = hooks.add(receiver.url, SECRET, style=style)
        room = await sp.rooms.create("<b>Told</b>")
        first = await room.chat.send("hello")
        await sp.reactions.add(first.message_id, "message", "like")
        await sp.reactions.remove(first.message_id, "message", "like")
        await room.chat.edit(first, "hello there")
        await room.chat.delete(await room.chat.send("gone"))
        async with await on_air(room):
            await room.until("live", timeout=60)
        await room.stop()
        await room.until("recorded", timeout=60)
        names: list[str] = []

        async def arrived() -> None:
            while "room.recorded" not in names:
                names[:] = [delivery.name for delivery in await receiver.deliveries()]
                await asyncio.sleep(0.05)

        await asyncio.wait_for(arrived(), 60)
        await until(lambda: all(each["delivered"] for each in hooks.deliveries(hook)))
        hooks.remove(hook)
        alive = await asyncio.to_thread(analytics.load, receiver)
        with pytest.raises(TableError, match=r"a receiver has webhooks\.sqlite open: load the receiver itself"):
            await asyncio.to_thread(analytics.load, file)
    await sp.aclose()
    made = analytics.load(file)
    truth = analytics.load(hooked).of_rooms([room.room_id])
    row, true_row = made.rooms.iloc[0], truth.rooms.iloc[0]
    assert made.rooms["room_id"].tolist() == alive.rooms["room_id"].tolist() == [room.room_id]
    assert made.mended.rows("without watch sessions") == 1
    columns = ["message_id", "room_id", "user_id", "created_at", "deleted", "length"]
    by_id = made.messages.set_index("message_id").sort_index()
    assert by_id["deleted"].tolist() == truth.messages.set_index("message_id").sort_index()["deleted"].tolist()
    left, right = (
        frame[columns].sort_values("message_id").to_numpy().tolist() for frame in (made.messages, truth.messages)
    )
    assert left == right
    given = made.reactions.sort_values("added", ascending=False)
    assert given["added"].tolist() == [True, False]
    assert set(given["reaction_id"]) == set(truth.reactions["reaction_id"])
    assert row["title"] == true_row["title"]
    assert row["creator_id"] == "host"
    if style == "room":
        assert row["live_at"] == true_row["live_at"]
        assert set(zip(made.status["status"], made.status["at"], strict=True)) == set(
            zip(truth.status["status"], truth.status["at"], strict=True)
        )
    assert {"live", "ended", "recorded"} <= set(made.status["status"])


def test_a_room_of_which_only_its_id_is_told(tmp_path: Path) -> None:
    """The livestream guide's deliveries: no more than the stream's id, and when."""
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)  # older ones may be replayed
    with Receiver(SECRET, path=tmp_path / "w.sqlite") as receiver:
        for event, minutes in (("stream.ended", 30), ("stream.started", 0), ("user.didCreate", 0)):
            data = {"streamId": "s1"} if "stream" in event else {}
            at = (began + timedelta(minutes=minutes)).isoformat()
            body = json.dumps({"event": event, "timestamp": at, "data": data}).encode()
            headers = {"x-amity-signature": signed(body, SECRET), "content-type": "application/json"}
            answer = httpx.post(receiver.url, content=body, headers=headers, timeout=60)
            assert answer.status_code == 200, answer.text
        made = analytics.load(receiver)
    assert made.rooms["status"].tolist() == ["ended"]
    assert made.kpis.loc["s1", "duration_seconds"] == 1800
    assert sorted(made.status["status"]) == ["ended", "live"]
    assert made.mended.rows("known by events only") == 1
    assert made.mended.rows("delivery of another kind") == 1


def test_databases_of_others(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE notes (text TEXT)")
    with pytest.raises(TableError, match=r"other\.db holds no webhooks"):
        analytics.load(file)
    file.write_bytes(b"SQLite format 3\x00" + b"\x00" * 50)
    with pytest.raises(TableError, match="or is damaged"):
        analytics.load(file)
