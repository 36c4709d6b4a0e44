"""Capture against the real sandbox: what was there is what is in the files."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import spnb
from spnb import analytics
from spnb import sandbox as spnb_sandbox
from spnb.errors import ConfigError, InvalidInput, NotFound
from spnb.sandbox import SandboxInfo
from tests.analytics.season import quiet_past
from tests.capture.conftest import exact, same
from tests.conftest import RunningSandbox
from tests.live.conftest import Wire, until
from tests.live.test_live import on_air

pytestmark = pytest.mark.media


async def test_captured_rows_are_the_sandboxs_own(sandbox: RunningSandbox, sp: Any, tmp_path: Path) -> None:
    room = await sp.rooms.create("Captured <b>whole</b>")
    rules = analytics.AlertRules(fewest_messages=5, burst_score=0.5)
    alerts = analytics.Alerts(usual=quiet_past(room.record.created_by), rules=rules)
    async with spnb.capture(room, tmp_path / "c", exact=sandbox, alerts=alerts) as c:
        async with await on_air(room):
            await room.until("live", timeout=60)
            simulation = await asyncio.to_thread(
                spnb_sandbox.simulate,
                room,
                viewers=30,
                seconds=6,
                seed=7,
                chattiness=20,
                sandbox=SandboxInfo.read(sandbox.info),
            )
            await asyncio.to_thread(simulation.wait, 60)
            await until(lambda: c.rows.get("presence", 0) >= 2)
            running = await asyncio.to_thread(analytics.load, tmp_path / "c")
            assert running.rows("messages") > 0
        await room.stop()
        assert await c.wait(60)
    made = await c.dataset()
    same(made, sandbox, room.room_id, "messages", "reactions", "status", "views", "rooms")
    assert not made.quality.rows("gap in the capture")
    assert (tmp_path / "c" / "dataset.json").exists()  # closed: a saved dataset, for any tool
    assert not list((tmp_path / "c" / "journal").iterdir())
    assert made.sql("select count(*) as n from messages")["n"][0] == len(made.messages)
    assert "ended; on disk: " in repr(c)
    assert "Capture of 1 room to" in c._repr_html_()
    assert made.presence["viewers"].max() > 0
    assert [(alert.room_id, alert.kind) for alert in alerts.told] == [(room.room_id, "chat burst")]


async def reacted(sp: Any, room: Any, name: str) -> None:
    """A floating reaction and one on the post."""
    await room.react(name)
    await room.reactions.flush()
    await sp.reactions.add(room.reference_id, "post", name)


async def test_what_real_time_does_not_bring_is_read_again_or_named(
    sandbox: RunningSandbox, sp: Any, wire: Wire, tmp_path: Path
) -> None:
    speaker = await spnb.connect_async("speaker", url=sandbox.url, api_key=sandbox.api_key)
    room = await sp.rooms.create("Cut off")
    there = await speaker.rooms.get(room.room_id)
    async with spnb.capture(room, tmp_path / "c", text=True) as c, await on_air(room):
        await room.until("live", timeout=60)
        first, gone = [await there.chat.send(words) for words in ("before", "goes")]
        await sp.reactions.add(first.message_id, "message", "like")
        await reacted(speaker, there, "heart")
        await until(lambda: c.rows.get("messages") == 2 and c.rows.get("reactions") == 3)
        assert c.gaps == 0

        await wire.cut()
        await until(lambda: c.gaps == 2)
        await there.chat.send("meanwhile")
        await there.chat.delete(gone)
        await there.chat.delete(await there.chat.send("came and went"))
        await reacted(speaker, there, "fire")
        await sp.reactions.add(first.message_id, "message", "love")
        await speaker.reactions.remove(room.reference_id, "post", "heart")
        wire.mend()
        sp.realtime.reconnect_now()
        await until(lambda: c.gaps == 0)
        await reacted(speaker, there, "after")
        await room.stop()
        assert await c.wait(60)
    await speaker.aclose()
    made = await c.dataset()
    same(made, sandbox, room.room_id, "messages", "status", "rooms")
    assert sorted(made.messages["deleted"]) == [False, False, True, True]
    assert sorted(made.messages["text"]) == ["", "", "before", "meanwhile"]  # of deleted ones they are gone
    truth = exact(sandbox, room.room_id).reactions
    ours = made.reactions
    has_id = ~ours["reaction_id"].str.startswith("live-")
    kept = set(zip(ours["reaction_id"][has_id], ours["added"][has_id], strict=True))
    assert kept <= set(zip(truth["reaction_id"], truth["added"], strict=True))
    assert sorted(ours["name"][has_id]) == ["after", "fire", "heart", "heart", "like", "love"]
    # What floated while real time was away is told by nobody: that is named, and it is all that is missing.
    assert sorted(ours["name"][~has_id]) == ["after", "heart"]
    assert len(truth) == len(ours) + 1
    steps = [(step.table, step.action.partition(":")[0]) for step in made.quality if step.name == "gap in the capture"]
    assert steps == [("reactions", "real time was away"), ("status", "real time was away")]


async def test_a_pause_that_is_told_late_is_a_pause(
    sandbox: RunningSandbox, sp: Any, wire: Wire, tmp_path: Path
) -> None:
    """A reading that tells of the end already overtakes the event of the pause before it."""
    elsewhere = await spnb.connect_async("live-host", url=sandbox.url, api_key=sandbox.api_key)
    room = await sp.rooms.create("Told late")
    async with spnb.capture(room, tmp_path / "c") as c:
        async with await on_air(room):
            await room.until("live", timeout=60)
            await until(lambda: c.rows.get("status", 0) >= 2)
            await wire.hold()
        there = await elsewhere.rooms.get(room.room_id)
        await there.until("waitingReconnect", timeout=60)
        followed = getattr(c, "_twin", c)._rooms[room.room_id].room
        assert followed.status == "live"
        await there.stop()
        assert (await followed.refresh()).status in ("ended", "recorded")
        await wire.release()
        assert await c.wait(60)
    await elsewhere.aclose()
    made = await c.dataset()
    assert "waitingReconnect" in set(made.status["status"])
    same(made, sandbox, room.room_id, "status", "rooms")


async def test_all_live_rooms_and_those_that_come(sandbox: RunningSandbox, sp: Any, tmp_path: Path) -> None:
    early = await sp.rooms.create("On air before")
    async with await on_air(early):
        await early.until("live", timeout=60)
        async with spnb.capture("all live rooms", tmp_path / "c", client=sp) as c:
            assert "all live rooms" in c._repr_html_()
            late = await sp.rooms.create("Comes later")
            await until(lambda: early.room_id in {room.room_id for room in c.rooms})
            assert late.room_id not in {room.room_id for room in c.rooms}
            async with await on_air(late):
                await late.until("live", timeout=60)
                await late.chat.send("hello")
                await until(lambda: c.rows.get("messages", 0) >= 1)
            await late.stop()
            await late.until("recorded", timeout=60)
            await until(lambda: late.room_id not in {room.room_id for room in c.rooms})
            assert not await c.wait(0.01)  # more may come
    made = await c.dataset()
    same(made, sandbox, late.room_id, "messages", "status", "rooms")
    with pytest.raises(ConfigError, match="runs once"):
        await c.start()

    # While nobody looked a room came and went: its chat is read, and what nobody can tell is named.
    missed = await sp.rooms.create("Nobody looked")
    async with await on_air(missed):
        await missed.until("live", timeout=60)
        await missed.chat.send("anybody?")
    await missed.stop()
    await missed.until("recorded", timeout=60)
    read: set[str] = set()
    again = spnb.capture("all live rooms", tmp_path / "c", client=sp)
    again.observe(lambda batch: read.update(str(row["room_id"]) for row in batch.get("messages", ())))
    async with again as c:
        await until(lambda: missed.room_id in read - {room.room_id for room in c.rooms})
    made = await c.dataset()
    steps = {step.table for step in made.quality if step.action.startswith("on air before the capture")}
    assert {"presence", "status"} <= steps
    same(made, sandbox, missed.room_id, "messages", "rooms")
    unseen = set(exact(sandbox, missed.room_id).status["status"]) - set(
        made.table("status", [missed.room_id])["status"]
    )
    assert unseen <= {"waitingReconnect"}  # the one change that a room's own times do not tell
    same(made, sandbox, late.room_id, "messages", "status", "rooms")


async def test_health_of_a_broadcast_and_no_secret(sandbox: RunningSandbox, tmp_path: Path) -> None:
    sp = await spnb.connect_async("captured-host", url=sandbox.url, api_key=sandbox.api_key)
    room = await sp.rooms.create("Measured")
    async with spnb.capture(room, tmp_path / "c") as c:
        async with await room.go_live(spnb.TestCard(width=320, height=180)):
            await until(lambda: c.rows.get("health", 0) >= 2)
        assert await c.wait(60)
    token = await sp.access_token()
    made = await c.dataset()
    health = made.health.sort_values("at")
    assert (health["target_fps"] == 30).all()
    assert health["packets_received"].is_monotonic_increasing
    assert health["packets_received"].min() > 0
    assert analytics.metrics.health(health)["loss"].notna().all()
    assert made.mended.rows("counted by polling only") == (1 if made.rows("presence") else 0)
    data = (await room.broadcaster_data()).co_host_token if not room.is_over else None
    for file in (tmp_path / "c").rglob("*"):
        if file.is_file():
            held = file.read_bytes()
            for secret in (token, sandbox.api_key, data):
                assert secret is None or secret.encode() not in held
    await sp.aclose()


async def test_what_the_service_refuses_is_a_gap(sandbox: RunningSandbox, sp: Any, tmp_path: Path) -> None:
    """Viewers that cannot be counted for a while, and watch sessions that nobody serves."""
    room = await sp.rooms.create("Not to be counted")
    faults = spnb.sandbox.faults(url=sandbox.url, api_key=sandbox.api_key)
    async with spnb.capture(room.room_id, tmp_path / "c", client=sp, exact=NoTables()) as c:
        async with await on_air(room):
            await room.until("live", timeout=60)
            await until(lambda: c.rows.get("presence", 0) >= 1 and c.gaps == 0)
            with faults:
                faults.add("server-error", match="GET /api/v1/presence/rooms/*")
                await until(lambda: c.gaps == 1, 40)
                assert "1 gap open" in repr(c)
                before = c.rows["presence"]
            await until(lambda: c.gaps == 0, 40)
            assert c.rows["presence"] >= before
        await room.stop()
        assert await c.wait(60)
    made = await c.dataset()
    gaps = {(step.table, step.action.partition(":")[0]) for step in made.quality if step.name == "gap in the capture"}
    assert ("views", "watch sessions could not be read") in gaps
    assert made.mended.rows("counted by polling only") == 1


class NoTables:
    """Nobody is there."""

    url = "http://127.0.0.1:9"
    api_key = "none"


def test_what_is_no_room(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="int is no room"):
        spnb.capture(42, tmp_path)
    with pytest.raises(InvalidInput, match="name at least one room"):
        spnb.capture([], tmp_path)
    never = spnb.capture("some id", tmp_path / "c")
    assert "not started: start() it" in repr(never)
    never.stop()
    assert never.state == "ended"
    assert not (tmp_path / "c").exists()


def test_a_room_that_is_not_there(sandbox: RunningSandbox, tmp_path: Path) -> None:
    with spnb.connect("captured-host", url=sandbox.url, api_key=sandbox.api_key) as sp:
        capture = spnb.capture("nowhere", tmp_path / "c", client=sp)
        with pytest.raises(NotFound):
            capture.start()
        assert capture.state == "ended"
        assert capture.wait(0)


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """The system takes no more bytes, says so, and takes them again later: what was acknowledged is there, once."""
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path / "c")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "rows cannot be written: File too large" in done.stdout
    made = analytics.load(tmp_path / "c")
    assert made.messages["message_id"].tolist() == [f"m{number}" for number in range(2000)]
    assert not made.mended


FULL_DISK = """
import asyncio, resource, sys
from datetime import UTC, datetime
from pathlib import Path
from spnb._loop import run
from spnb.analytics.capture.writer import CaptureWriter

async def main():
    writer = CaptureWriter(Path(sys.argv[1]))
    await writer.open()
    def put(numbers):
        for n in numbers:
            row = {"message_id": f"m{n}", "room_id": "r", "user_id": "u", "created_at": 1772366400000 + n}
            writer.put("messages", row)
    put(range(100))
    await writer.flush()
    assert writer.rows["messages"] == 100
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    put(range(100, 2000))
    while not writer.write_error:
        await asyncio.sleep(0.01)
    print(writer.write_error)
    assert writer.rows["messages"] == 100
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await writer.flush()
    assert writer.rows["messages"] == 2000 and writer.write_error is None
    await writer.close(compact=datetime.now(UTC))

run(main())
"""
