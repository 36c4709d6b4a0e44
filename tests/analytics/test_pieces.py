"""What lies in files is filtered and written piece by piece, and comes to the same as in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from spnb import analytics
from spnb.analytics import export, folder
from spnb.analytics.tables import TABLES
from spnb.errors import InvalidInput, TableError
from tests.analytics.season import season


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[analytics.Dataset, analytics.Dataset]:
    """A season with a dimension, in memory and in files, of which small pieces are held."""
    tables = season(streams=6, seed=11)
    views = tables["views"]
    views["country"] = np.array(["DE", "FR", None], dtype=object)[np.arange(len(views)) % 3]
    whole = analytics.load(tables)
    saved = analytics.load(whole.save(tmp_path / "saved"))
    monkeypatch.setattr(folder, "PIECE_ROWS", 50)
    return whole, saved


def sorted_rows(frame: pd.DataFrame) -> list[str]:
    return sorted(map(str, frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None)))


def never_whole(*_: Any, **__: Any) -> Any:
    raise AssertionError("a whole table was read")


@pytest.mark.parametrize("wanted", [{"country": "DE"}, {"country": ["DE", "FR"], "room_id": ["s0", "s3"]}])
def test_a_part_of_the_audience_is_the_same(both: Any, wanted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, saved = both
    expected = whole.where(**wanted)
    read = type(saved.store).frame

    def only_some(self: Any, name: str, room_ids: Any = None) -> pd.DataFrame:
        return read(self, name, room_ids) if name == "rooms" or room_ids is not None else never_whole()

    monkeypatch.setattr(type(saved.store), "frame", only_some)
    made = saved.where(**wanted)
    assert 0 < made.rows("views") < whole.rows("views")
    for name in TABLES:
        assert list(made.table(name).columns) == list(expected.table(name).columns), name
        assert sorted_rows(made.table(name)) == sorted_rows(expected.table(name)), name
    pd.testing.assert_frame_equal(made.kpis, expected.kpis)
    assert saved.where(country="XX").rows("views") == 0
    monkeypatch.undo()
    with pytest.raises(InvalidInput, match="country"):
        saved.where(device="tv")


def test_a_csv_is_the_same_and_no_table_is_read_whole(
    both: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, saved = both
    for name in ("views", "messages", "rooms", "health"):
        expected = export.write_csv(saved.table(name), tmp_path / "expected.csv").read_bytes()
        with monkeypatch.context() as patched:
            patched.setattr(type(saved.store), "frame", never_whole)
            made = Path(saved.export(tmp_path / f"{name}.csv", name)).read_bytes()
        assert made == expected, name
        assert made.count(b"\r\n") == saved.rows(name) + 1


def test_what_no_sheet_holds_is_refused_before_it_is_read(
    both: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, saved = both
    monkeypatch.setattr(export, "MOST_ROWS", 10)
    monkeypatch.setattr(type(saved.store), "frame", never_whole)
    with pytest.raises(TableError, match="a sheet holds 9"):
        saved.export(tmp_path / "views.xlsx", "views")
