"""What a capture says is on disk is, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spnb import analytics
from spnb._loop import on_loop
from spnb.analytics.capture.writer import CaptureWriter

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
