"""Tables as files of other tools: own exports come back, and what is no table says what would be one."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from spnb import analytics
from spnb.errors import TableError
from tests.analytics.season import season

TABLES = ("rooms", "views", "presence", "messages", "reactions")


@pytest.fixture(scope="module")
def dataset() -> analytics.Dataset:
    return analytics.Dataset.of(season(streams=4, viewers=40, seed=5))


def same(one: analytics.Dataset, other: analytics.Dataset) -> None:
    pd.testing.assert_frame_equal(one.kpis, other.kpis, check_dtype=False)


def test_a_folder_of_csv_comes_back(dataset: analytics.Dataset, tmp_path: Path) -> None:
    for name in TABLES:
        dataset.export(tmp_path / f"{name}.csv", name)
    same(analytics.load(tmp_path, as_of=dataset.as_of), dataset)


def test_a_workbook_comes_back(dataset: analytics.Dataset, tmp_path: Path) -> None:
    dataset.export(tmp_path / "season.xlsx", *TABLES)
    same(analytics.load(tmp_path / "season.xlsx", as_of=dataset.as_of), dataset)


def test_json_lines_come_back(dataset: analytics.Dataset, tmp_path: Path) -> None:
    for name in TABLES:
        table = getattr(dataset, name)
        (tmp_path / f"{name}.jsonl").write_text(table.to_json(orient="records", lines=True, date_format="iso"))
    same(analytics.load(tmp_path, as_of=dataset.as_of), dataset)


def test_the_numbers_of_streams_come_back_as_columns_of_rooms(dataset: analytics.Dataset, tmp_path: Path) -> None:
    dataset.export(tmp_path / "streams.csv")
    made = analytics.load(tmp_path / "streams.csv")
    told = made.rooms.set_index("room_id")["exported_peak_viewers"]
    pd.testing.assert_series_equal(
        told.sort_index(), dataset.kpis["peak_viewers"].sort_index(), check_names=False, check_dtype=False
    )


def test_a_table_is_known_by_its_columns_and_units_by_their_size(tmp_path: Path) -> None:
    text = "room_id;user_id;start;end;country\nsoup;12;1772474400;1772474460;DE\nsoup;13;1772474400;;\n"
    path = tmp_path / "dump.csv.gz"
    path.write_bytes(gzip.compress(text.encode("utf-8-sig")))
    made = analytics.load(path)
    assert list(made.views["user_id"]) == ["12", "13"]
    assert made.views["start"].iloc[0] == pd.Timestamp("2026-03-02 18:00", tz="UTC")
    assert pd.isna(made.views["end"].iloc[1])
    assert made.quality.rows("time read as seconds") == 3


def test_formulas_and_their_apostrophes(tmp_path: Path) -> None:
    rooms = pd.DataFrame({"room_id": ["a"], "title": ["=1+1"], "created_at": [pd.Timestamp("2026-03-02", tz="UTC")]})
    analytics.Dataset.of({"rooms": rooms}).export(tmp_path / "rooms.csv", "rooms")
    assert analytics.load(tmp_path / "rooms.csv").rooms["title"].iloc[0] == "=1+1"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name,score\nann,3\n", r"make no table.*times with a zone, durations in seconds.*\{'views': frame\}"),
        ("room_id,user_id,start\nsoup,ann,2026-03-02 18:00\n", "without a zone"),
        ("room_id,user_id,start,watch_seconds\nsoup,ann,2026-03-02T18:00Z,1:30\n", "watch_seconds must be numbers"),
        ("room_id,user_id,start,replay\nsoup,ann,2026-03-02T18:00Z,perhaps\n", "True or False"),
        ("", r"odd\.csv is empty"),
    ],
)
def test_what_is_no_table_says_what_would_be(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(content)
    with pytest.raises(TableError, match=words):
        analytics.load(path)
