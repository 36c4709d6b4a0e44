"""Writes numbered rows to a capture's folder and says of each batch that it is on disk: to be killed at any moment."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pandas as pd

from spnb.analytics.capture.disk import CaptureFolder
from spnb.analytics.capture.lines import line_of

ZERO = 1_772_366_400_000


def main(folder: str, seed: int) -> None:
    draw = random.Random(seed)
    place = CaptureFolder(Path(folder), text=True)
    number = len(place.tables()["messages"])
    place.append([line_of("rooms", {"room_id": "r", "created_at": ZERO, "live_at": ZERO})])
    print("ready", number, flush=True)  # noqa: T201
    while True:
        several = draw.randrange(1, 400)
        rows = [
            {"message_id": f"m{n}", "room_id": "r", "user_id": f"u{n % 7}", "created_at": ZERO + n, "text": f"says {n}"}
            for n in range(number, number + several)
        ]
        again = [{**rows[0], "length": 1}] if number else []
        place.append([line_of("messages", row, text=True) for row in [*rows, *again]])
        number += several
        print(number, flush=True)  # noqa: T201
        if draw.random() < 0.3:
            place.seal()
        if draw.random() < 0.1:
            place.compact(pd.Timestamp("2026-03-02T00:00Z"))


main(sys.argv[1], int(sys.argv[2]))
