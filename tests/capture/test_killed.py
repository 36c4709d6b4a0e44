"""Killed at any moment, a capture has what it said it has, once, and goes on."""

from __future__ import annotations

import asyncio
import json
import os
import random
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from spnb import analytics
from spnb import sandbox as spnb_sandbox
from spnb.analytics.capture.disk import CaptureFolder
from spnb.analytics.tables import TABLES
from spnb.errors import ConfigError, TableError
from spnb.sandbox import SandboxInfo
from tests.capture.conftest import exact, same
from tests.conftest import RunningSandbox
from tests.live.test_live import on_air


def lines_until_killed(process: subprocess.Popen[bytes], seconds: float) -> list[str]:
    """What a process says until it is killed that many seconds after its first line."""
    assert process.stdout is not None
    first = process.stdout.readline()
    killed_at = time.monotonic() + seconds
    said = first
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        while (left := killed_at - time.monotonic()) > 0:
            if ready.select(left):
                said += os.read(process.stdout.fileno(), 1 << 16)
    process.send_signal(signal.SIGKILL)
    said += process.stdout.read()
    process.wait(60)
    process.stdout.close()
    return said.decode().splitlines()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(3))
def test_what_was_said_to_be_on_disk_is(tmp_path: Path, seed: int) -> None:
    """Writing, turning journals into Parquet and compacting, each killed at random moments, over and over."""
    draw = random.Random(seed)
    told = 0
    for kill in range(4):
        command = [sys.executable, "-m", "tests.capture.keeper", str(tmp_path), str(100 * seed + kill)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        said = lines_until_killed(process, draw.uniform(0, 0.5))
        assert said[0].startswith("ready")
        assert int(said[0].split()[1]) >= told  # it knows all of it again
        told = max([told, *(int(line) for line in said[1:] if line.isdigit())])
        dataset = analytics.load(tmp_path)
        numbers = sorted(int(name[1:]) for name in dataset.messages["message_id"])
        assert numbers == list(range(len(numbers)))  # none twice, none missing
        assert len(numbers) >= told
        said_by = dataset.messages.set_index("message_id")["text"]
        assert all(said_by[f"m{number}"] == f"says {number}" for number in numbers)
        assert not dataset.mended.rows("double")
    assert told > 0


CHILD = """
import json, sys, spnb
from spnb.analytics.tables import TABLES

key, url, folder, *rooms = sys.argv[1:]
sp = spnb.connect("recorder", url=url, api_key=key)
capture = spnb.capture(rooms or "all live rooms", folder, client=sp)
def told(batch):
    batch.pop("gaps", None)
    keys = {name: [[row[part] for part in TABLES[name].key] for row in rows] for name, rows in batch.items()}
    print(json.dumps(keys), flush=True)
capture.observe(told)
with capture:
    print("{}", flush=True)
    sys.stdin.read()
"""


def child(sandbox: RunningSandbox, folder: Path, *rooms: str) -> subprocess.Popen[bytes]:
    """A capture in a process of its own, which tells each row that is on disk; it ends with its standard input."""
    command = [sys.executable, "-c", CHILD, sandbox.api_key, sandbox.url, str(folder), *rooms]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def in_a_gap(folder: Path, table: str, at: pd.Timestamp) -> bool:
    """Whether a capture says that it knows nothing of a moment."""
    gaps = pd.read_parquet(folder / "gaps.parquet")
    return bool(((gaps["table"] == table) & (gaps["start"] <= at) & (at <= gaps["end"])).any())


@pytest.mark.media
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_stream_captured_by_processes_that_are_killed(
    sandbox: RunningSandbox, sp: Any, tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    room = await sp.rooms.create("Killed and killed again")
    told: list[dict[str, list[list[Any]]]] = []
    async with await on_air(room):
        await room.until("live", timeout=60)
        info = SandboxInfo.read(sandbox.info)
        simulation = await asyncio.to_thread(
            spnb_sandbox.simulate, room, viewers=40, seconds=20, seed=seed, chattiness=30, sandbox=info
        )
        kills = 0
        while simulation.running and kills < 4:
            process = child(sandbox, tmp_path, room.room_id)
            said = await asyncio.to_thread(lines_until_killed, process, draw.uniform(0.2, 3))
            told += [json.loads(line) for line in said]
            kills += 1
        assert kills >= 2
        process = child(sandbox, tmp_path, room.room_id)
        assert process.stdout is not None
        await asyncio.to_thread(process.stdout.readline)
        await asyncio.to_thread(simulation.wait, 60)
    await room.stop()
    await room.until("recorded", timeout=60)
    said, _ = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0
    told += [json.loads(line) for line in said.splitlines()]

    made = analytics.load(tmp_path)
    acknowledged = 0
    for name in ("messages", "reactions", "status", "presence", "rooms"):
        keys = list(made.table(name)[list(TABLES[name].key)].itertuples(index=False, name=None))
        kept = {tuple(_plain(part) for part in key) for key in keys}
        assert len(kept) == len(keys)
        said_of = {tuple(key) for batch in told for key in batch.get(name, [])}
        acknowledged += len(said_of)
        assert said_of <= kept, name
    assert acknowledged > 50
    same(made, sandbox, room.room_id, "messages", "rooms")

    # A pause of the publisher between two runs is told by nobody, and that is said.
    told_of = set(zip(made.status["status"], made.status["at"], strict=True))
    true_changes = exact(sandbox, room.room_id).status
    for status, at in zip(true_changes["status"], true_changes["at"], strict=True):
        assert (status, at) in told_of or in_a_gap(tmp_path, "status", at), status

    # Reactions with an id are read again; floating ones of the time between two runs are gone, and that is said.
    truth = exact(sandbox, room.room_id).reactions
    ours = set(zip(made.reactions["user_id"], made.reactions["name"], made.reactions["at"], strict=True))
    missing = [row.at for row in truth.itertuples() if (row.user_id, row.name, row.at) not in ours]
    assert len(ours) + len(missing) == len(truth)
    for at in missing:
        assert in_a_gap(tmp_path, "reactions", at), at
    assert made.quality.rows("gap in the capture") >= kills
    assert any("the capture did not run" in step.action for step in made.quality)


def _plain(part: Any) -> Any:
    return part.value // 1_000_000 if isinstance(part, pd.Timestamp) else part


def test_two_captures_do_not_share_a_folder(tmp_path: Path) -> None:
    first = CaptureFolder(tmp_path / "c")
    with pytest.raises(ConfigError, match="another capture writes to"):
        CaptureFolder(tmp_path / "c")
    first.close()
    CaptureFolder(tmp_path / "c").close()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds something that is no capture"):
        CaptureFolder(tmp_path / "other")


def test_a_folder_of_a_newer_kind_or_without_its_card(tmp_path: Path) -> None:
    CaptureFolder(tmp_path).close()
    card = tmp_path / "capture.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "format": 9}))
    with pytest.raises(TableError, match="newer spnb"):
        analytics.load(tmp_path)
    card.write_text("{")
    with pytest.raises(TableError, match=r"no readable capture\.json"):
        analytics.load(tmp_path)
