"""What a capture says is on disk is, and nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from spnb import analytics
from spnb._loop import on_loop
from spnb.analytics.capture.disk import CaptureFolder
from spnb.analytics.capture.writer import CaptureWriter
from spnb.analytics.words import search
from spnb.errors import ConfigError, TableError

AT = datetime(2026, 3, 1, 18, tzinfo=UTC)


@on_loop
async def written(folder: Path, told: list[str]) -> CaptureWriter:
    writer = CaptureWriter(folder)
    await writer.open()
    writer.observe(lambda batch: told.extend(str(row["message_id"]) for row in batch.get("messages", ())))
    for message_id, length in (("first", 1), ("broken", 2**70), ("last", 3)):
        row: dict[str, Any] = {"message_id": message_id, "room_id": "r", "channel_id": "c", "user_id": "u"}
        writer.put("messages", {**row, "created_at": AT, "deleted": False, "length": length})
        await writer.flush()
    await writer.close()
    return writer


async def test_a_row_that_cannot_be_written_is_lost_and_not_acknowledged(tmp_path: Path) -> None:
    told: list[str] = []
    writer = await written(tmp_path / "c", told)
    assert told == ["first", "last"]
    assert (writer.lost, writer.rows["messages"]) == (1, 2)
    assert sorted(analytics.load(tmp_path / "c").messages["message_id"]) == ["first", "last"]


@on_loop
async def speaking(folder: Path, *said: str, text: bool) -> None:
    writer = CaptureWriter(folder, text=text)
    await writer.open()
    for words in said:
        row = {"message_id": words, "room_id": "r", "channel_id": "c", "user_id": "ada", "length": len(words)}
        writer.put("messages", {**row, "created_at": AT, "deleted": False, "text": words})
    await writer.flush()
    await writer.close(compact=AT)


async def test_words_are_kept_where_they_were_asked_for_and_told_in_the_cards(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    await speaking(folder, "hi @ada", "ünï\ncode", text=True)
    for card in ("capture.json", "dataset.json"):
        assert json.loads((folder / card).read_text())["text"] is True
    going = CaptureFolder(folder, text=True)  # goes on: not all of it is Parquet
    going.append([("messages", ("third", "r", "c", "bo", 1_772_388_000_500, False, False, 3, "new"))])
    running = analytics.load(folder, text=True)
    assert sorted(running.messages["text"]) == ["hi @ada", "new", "ünï\ncode"]
    going.seal()
    assert sorted(analytics.load(folder, text=True).messages["text"]) == ["hi @ada", "new", "ünï\ncode"]
    going.close()
    await speaking(folder, text=True)
    made = analytics.load(folder, text=True)
    assert list(search(made, "new")["user_id"]) == ["bo"]
    hidden = made.redacted().messages
    assert "ada" not in set(hidden["user_id"])
    assert "hi @somebody" in set(hidden["text"])
    with pytest.raises(ConfigError, match="keeps what people write"):
        CaptureFolder(folder)
    CaptureFolder(folder, text=True).close()  # who was refused holds no lock


async def test_a_capture_without_words_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    await speaking(folder, "secret", text=False)
    assert "text" not in analytics.load(folder).messages.columns
    assert json.loads((folder / "capture.json").read_text())["text"] is False
    with pytest.raises(TableError, match=r"capture\(…, text=True\)"):
        analytics.load(folder, text=True)
    with pytest.raises(ConfigError, match="without what people write"):
        CaptureFolder(folder, text=True)
    journal = CaptureFolder(folder)
    journal.append([("messages", ("m", "r", "c", "bo", 1_772_388_000_500, False, False, 3))])
    with pytest.raises(TableError, match="what people wrote is not in it"):
        analytics.load(folder, text=True)  # while it is being captured
    journal.close()
