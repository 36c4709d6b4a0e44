"""Datasets in stores of other makers: by fsspec's own file systems, and what is said where there are no keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
import pytest
from pyarrow import fs

from spnb import analytics
from spnb.analytics.objects import Objects
from spnb.errors import InvalidInput, TableError
from tests.analytics.season import season
from tests.analytics.test_saving import told


def on_disk(_: str) -> Any:
    return fsspec.filesystem("file")


@pytest.mark.parametrize(
    ("filesystem", "address"),
    [
        (fsspec.filesystem, "shop/season"),
        (fsspec.filesystem, "gs://shop/google"),
        (fsspec.filesystem, "abfs://shop@account.dfs.core.windows.net/azure"),
        (on_disk, "{folder}/season"),
        (lambda _: fs.LocalFileSystem(), "{folder}/season"),
    ],
    ids=["memory", "gs", "abfs", "fsspec's disk", "Arrow's disk"],
)
def test_a_dataset_comes_back_and_is_replaced(filesystem: Any, address: str, tmp_path: Path) -> None:
    store = filesystem("memory")
    getattr(store, "store", {}).clear()  # one for the whole process
    address = address.format(folder=tmp_path)
    dataset = analytics.load(season(streams=2, seed=4))
    assert dataset.save(address, filesystem=store) == address
    read = analytics.load(address, filesystem=store)
    assert told(read) == told(dataset)
    assert read.sql("select count(*) as n from views")["n"].tolist() == [dataset.rows("views")]
    with pytest.raises(TableError, match="replace=True"):
        dataset.save(address, filesystem=store)
    other = analytics.load(season(streams=1, seed=9))
    other.save(address, filesystem=store, replace=True)
    assert told(analytics.load(address, filesystem=store)) == told(other)
    read = analytics.load(address, filesystem=store)
    read.save(address, filesystem=store, replace=True)
    assert told(read) == told(other)  # the one that was saved onto itself goes on


def test_without_keys_words_say_where_they_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spnb.analytics.objects.CONNECT_SECONDS", 1.0)
    with pytest.raises(TableError, match=r"^gs://bucket/season: (there are no keys|it cannot be reached)"):
        analytics.load("gs://bucket/season?endpoint_override=127.0.0.1:9&scheme=http")
    said = OSError(
        "N5Azure4Core11Credentials23AuthenticationExceptionE: Failed to get token from DefaultAzureCredential"
    )
    with (
        pytest.raises(TableError, match=r"abfss://c@a/season: there are no keys.*AZURE_CLIENT_ID"),
        Objects("abfss://c@a/season", "c/season", None).told(),
    ):
        raise said


def test_options_that_a_source_has_not_are_refused(tmp_path: Path) -> None:
    tables = season(streams=1, seed=4)
    dataset = analytics.load(tables)
    place = dataset.save(tmp_path / "season")
    store = fsspec.filesystem("memory")
    for source in (tables, dataset):
        with pytest.raises(InvalidInput, match="takes no options, not filesystem"):
            analytics.load(source, filesystem=store)
    with pytest.raises(InvalidInput, match="takes no options, not room_id"):
        analytics.load(place, room_id="r")
    file = dataset.export(tmp_path / "views.csv", "views")
    with pytest.raises(InvalidInput, match="takes no options, not time_zone"):
        analytics.load(file, time_zone="UTC")
