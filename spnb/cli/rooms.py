"""`spnb rooms`: the rooms of the connected service as a table or as JSON lines."""

from __future__ import annotations

import itertools
import json
import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["list_rooms"]


def list_rooms(*, statuses: list[str], limit: int, as_json: bool) -> int:
    """Print up to `limit` rooms, newest first."""
    import spnb
    from spnb.errors import InvalidInput

    if limit < 1:
        raise InvalidInput(f"--limit {limit} lists nothing: give a number above 0")
    with spnb.connect() as client:
        found = [
            live.record
            for live in itertools.islice(
                client.rooms.query(statuses=statuses or None, page_size=min(limit, 100)), limit
            )
        ]
        where = repr(client)
    if as_json:
        secret = {"live_playback_url", "live_thumbnail_url", "recorded_playback_infos"}
        for room in found:
            row = room.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=secret)
            sys.stdout.write(json.dumps(row) + "\n")
        return 0
    table = Table(title=f"{len(found)} rooms · {where}")
    # Where a terminal is narrow, titles are cut, never the ids that commands take.
    widest = max((len(room.room_id) for room in found), default=0)
    table.add_column("room id", no_wrap=True, min_width=widest)
    for column in ("title", "status", "creator", "created", "duration"):
        table.add_column(column)
    for room in found:
        created = room.created_at.strftime("%Y-%m-%d %H:%M") if room.created_at else ""
        duration = "" if room.duration_seconds is None else f"{room.duration_seconds:g} s"
        cells = (room.room_id, room.title, room.label, room.created_by or "", created, duration)
        # Text, not markup: titles are user content.
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)
    return 0
