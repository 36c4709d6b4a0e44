"""What was saved stays whole until what replaces it stands, whoever fails or is killed in between."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from spnb import analytics
from spnb.analytics.dataset import Dataset
from spnb.analytics.folder import CAPTURE_CARD, CARD
from spnb.analytics.swap import recovered, replacing
from spnb.analytics.tables import TABLES, table_named
from spnb.bench.analytics import make_views
from spnb.errors import TableError
from tests.analytics.season import season


def told(dataset: Dataset) -> str:
    """All its numbers, to six digits: sums do not depend on what is read first."""
    return str(dataset.kpis.sort_index().to_csv(float_format="%.6f"))


def numbers(folder: Path) -> str:
    return told(analytics.load(folder))


def test_a_dataset_is_saved_onto_the_folder_it_was_read_from(tmp_path: Path) -> None:
    place = analytics.load(season(streams=3, seed=4)).save(tmp_path / "season")
    (place / "notes.txt").write_text("mine")
    before = numbers(place)
    read = analytics.load(place)
    assert read.save(place, replace=True) == place
    assert numbers(place) == before
    assert told(read) == before  # and the one that was read goes on
    assert (place / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["season"]


def test_a_part_of_it_may_replace_the_whole(tmp_path: Path) -> None:
    place = analytics.load(season(streams=3, seed=4)).save(tmp_path / "season")
    read = analytics.load(place)
    first = read.rooms["room_id"].iloc[0]
    read.of_rooms([first]).save(place, replace=True)
    assert list(analytics.load(place).kpis.index) == [first]


def test_a_save_that_fails_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = analytics.load(season(streams=2, seed=4)).save(tmp_path / "season")
    before = numbers(place)
    broken = analytics.load(season(streams=2, seed=9))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("spnb.analytics.dataset.write_card", full)
    with pytest.raises(OSError, match="No space left"):
        broken.save(place, replace=True)
    assert numbers(place) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["season"]


def test_a_capture_is_not_written_over(tmp_path: Path) -> None:
    dataset = analytics.load(season(streams=1, seed=4))
    place = dataset.save(tmp_path / "season")
    (place / CAPTURE_CARD).write_text("{}")
    with pytest.raises(TableError, match="is a capture"):
        dataset.save(place, replace=True)


KILLED = """
import os, signal, sys
from pathlib import Path
from spnb import analytics
from tests.analytics.season import season

place, at = Path(sys.argv[1]), int(sys.argv[2])
dataset = analytics.load(season(streams=1, seed=9))
steps = 0


def killed(event, arguments):
    global steps
    if event in ("os.rename", "shutil.rmtree"):
        steps += 1
        if steps == at:
            os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(killed)
dataset.save(place, replace=True)
print(steps)
"""


def test_killed_at_any_step_one_whole_dataset_is_there(tmp_path: Path) -> None:
    """The process is killed before its first change of a folder, and before each of those by which folders change
    places."""
    old = analytics.load(season(streams=1, seed=4))
    new = told(analytics.load(season(streams=1, seed=9)))

    def save(name: str, at: int) -> tuple[subprocess.CompletedProcess[str], Path]:
        place = old.save(tmp_path / name / "season")
        words = [sys.executable, "-c", KILLED, str(place), str(at)]
        return subprocess.run(words, env=os.environ, text=True, capture_output=True), place

    whole, place = save("whole", 0)
    assert numbers(place) == new, whole.stderr
    steps = int(whole.stdout)
    for at in (1, *range(steps - 3, steps + 1)):
        ended, place = save(str(at), at)
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        assert numbers(place) in (told(old), new), f"step {at} of {steps}"
        old.save(place, replace=True)
        assert [path.name for path in place.parent.iterdir()] == ["season"]


def test_an_export_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = analytics.load(season(streams=2, seed=4))
    for name in ("season.csv", "season.xlsx"):
        dataset.export(tmp_path / name)
        before = (tmp_path / name).read_bytes()

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr("spnb.analytics.export._pieces", full)
            with pytest.raises(OSError, match="No space left"):
                dataset.export(tmp_path / name)
        assert (tmp_path / name).read_bytes() == before
        with pytest.raises(TableError, match="make it first"):
            dataset.export(tmp_path / "missing" / name)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("numbered", [True, False])
def test_what_lies_in_files_is_saved_piece_by_piece(
    numbered: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same dataset, with its own columns and words, also where pieces have nothing in them."""
    tables = season(streams=5, seed=4)
    tables["views"]["country"] = [None] * 50 + ["DE"] * (len(tables["views"]) - 50)
    tables["messages"]["text"] = "hello"
    dataset = analytics.load(tables, text=True)
    place = dataset.save(tmp_path / "season")
    if not numbered:
        card = json.loads((place / CARD).read_text())
        (place / CARD).write_text(json.dumps({**card, "users": None}))
    monkeypatch.setattr("spnb.analytics.folder.PIECE_ROWS", 7)
    again = analytics.load(analytics.load(place).save(tmp_path / "again"))
    assert len(list((tmp_path / "again" / "views").rglob("*.parquet"))) > 5
    assert told(again) == told(dataset)
    for name in TABLES:
        frames = [
            one.table(name).sort_values(list(table_named(name).key), ignore_index=True) for one in (again, dataset)
        ]
        pd.testing.assert_frame_equal(*frames, check_dtype=False)
    assert json.loads((tmp_path / "again" / CARD).read_text())["text"]
    assert again.sql('select count(distinct "user") as n from views')["n"][0] == dataset.views["user_id"].nunique()


MEASURED = """
import sys
from spnb import analytics
from spnb.bench.analytics import _peak_megabytes

dataset = analytics.load(sys.argv[1])
dataset.kpis  # what is needed to look at it at all
before = _peak_megabytes()
dataset.save(sys.argv[2])
print(_peak_megabytes() - before)
"""


@pytest.mark.slow
def test_saving_takes_no_more_memory_than_a_piece(tmp_path: Path) -> None:
    """Two million sessions, half a gigabyte as frames, from files to files in a process of its own."""
    make_views(tmp_path / "season", 2_000_000, streams=400)
    words = [sys.executable, "-c", MEASURED, str(tmp_path / "season"), str(tmp_path / "again")]
    ended = subprocess.run(words, env=os.environ, text=True, capture_output=True)
    assert ended.returncode == 0, ended.stderr
    assert float(ended.stdout) < 150  # megabytes
    assert analytics.load(tmp_path / "again").rows("views") == analytics.load(tmp_path / "season").rows("views")


def test_a_column_named_as_that_of_saved_files_is_told(tmp_path: Path) -> None:
    views = {"room_id": ["r"], "user_id": ["ada"], "start": ["2026-03-01T18:00Z"], "end": ["2026-03-01T18:10Z"]}
    made = analytics.load({"views": pd.DataFrame({**views, "user": ["Ada L."], "country": ["DE"]})})
    assert made.mended.rows("column user") == 1
    again = analytics.load(made.save(tmp_path / "saved"))
    assert again.views["country"].tolist() == ["DE"]
    assert "user" not in again.views.columns
    parts = pd.read_parquet(next((tmp_path / "saved" / "views").rglob("*.parquet")))
    assert not analytics.load({"views": parts}).mended.rows("column user")  # our own number
    dated = analytics.load({"views": pd.DataFrame({**views, "day": ["Sunday"]})})
    assert dated.mended.rows("column day") == 1
    assert "day" not in dated.views.columns


def test_a_column_named_as_a_number_of_ours_is_kept_and_told() -> None:
    views = {"room_id": ["r"], "user_id": ["ada"], "start": ["2026-03-01T18:00Z"], "end": ["2026-03-01T18:10Z"]}
    rooms = pd.DataFrame({"room_id": ["r"], "hour": ["late"], "views": [7], "topic": ["talk"]})
    made = analytics.load({"rooms": rooms, "views": pd.DataFrame({**views, "type": ["phone"], "topic": ["x"]})})
    told = {(step.table, step.name) for step in made.mended if step.name.startswith("column ")}
    assert told == {("rooms", "column hour"), ("rooms", "column views"), ("views", "column type"),
                    ("views", "column topic")}  # fmt: skip
    assert made.rooms["hour"].tolist() == ["late"]
    assert made.views["type"].tolist() == ["phone"]
    assert made.kpis.loc["r", "views"] == 1  # the number, not what was brought
    with pytest.raises(TableError, match="numbers called minutes_live"):
        made.joined(pd.DataFrame({"user_id": ["ada"], "minutes_live": [3]}))


def test_a_swap_that_was_cut_off_is_finished_by_who_comes_next(tmp_path: Path) -> None:
    place, draft, former = (tmp_path / name for name in ("season", ".season.saving", ".season.replaced"))

    def cut_off() -> None:
        for folder, words in ((draft, "new"), (former, "old")):
            folder.mkdir()
            (folder / "rooms.parquet").write_text(words)
        (former / "views").mkdir()
        (former / "notes.md").write_text("mine")

    cut_off()
    recovered(place)
    assert sorted(path.name for path in place.iterdir()) == ["notes.md", "rooms.parquet"]  # no old table beside the new
    assert (place / "rooms.parquet").read_text() == "new"
    assert not draft.exists()
    assert not former.exists()
    shutil.rmtree(place)
    cut_off()
    with replacing(place) as folder:  # a writer finishes it first: what fails now leaves the newer one
        assert (place / "rooms.parquet").read_text() == "new"
        (folder / "rooms.parquet").write_text("newest")
    assert (place / "rooms.parquet").read_text() == "newest"
    assert (place / "notes.md").read_text() == "mine"


def test_a_swap_that_the_system_refuses_leaves_all_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "season"
    place.mkdir()
    (place / "rooms.parquet").write_text("old")
    rename = Path.rename

    def refused(self: Path, target: Path) -> Path:
        if self.name == ".season.saving":
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(TableError, match="it is as it was"), replacing(place) as folder:
        (folder / "rooms.parquet").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["season"]
    assert (place / "rooms.parquet").read_text() == "old"
