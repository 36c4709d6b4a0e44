"""A client with a wire that can be cut, and comparisons with what the sandbox says is exact."""

from __future__ import annotations

from typing import Any

import pandas as pd

from spnb import analytics
from spnb.analytics.tables import TABLES
from tests.conftest import RunningSandbox
from tests.live.conftest import sp as sp
from tests.live.conftest import wire as wire


def exact(sandbox: RunningSandbox, room_id: str) -> analytics.Dataset:
    """What the sandbox itself says about one room."""
    return analytics.load(sandbox).of_rooms([room_id])


def rows(dataset: Any, name: str, room_id: str, ids: set[str] | None = None) -> list[tuple[Any, ...]]:
    """A room's rows of a table, comparable; of reactions only these ids are kept."""
    frame: pd.DataFrame = dataset.table(name, [room_id])
    columns = list(TABLES[name].names)
    if name == "reactions" and ids is not None:
        frame = frame.assign(reaction_id=frame["reaction_id"].where(frame["reaction_id"].isin(ids), "floating"))
    return sorted(frame[columns].astype(object).where(frame[columns].notna(), None).itertuples(index=False, name=None))


def same(captured: Any, sandbox: RunningSandbox, room_id: str, *names: str) -> None:
    """The captured rows are exactly the sandbox's. Floating reactions have no id on the wire: theirs differ."""
    truth = exact(sandbox, room_id)
    given = captured.table("reactions", [room_id])["reaction_id"]
    ids = set(given[~given.str.startswith("live-")])
    for name in names:
        assert rows(captured, name, room_id, ids) == rows(truth, name, room_id, ids), name
