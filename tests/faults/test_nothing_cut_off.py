"""Where there are more rooms than are read: all are read, or it is told what was left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import spnb
from spnb.analytics import load
from spnb.sandbox.store import Store
from tests.conftest import RunningSandbox, start_sandbox
from tests.live.conftest import until

NEWER = 1_200
KEY = "the show of 2024"


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """A sandbox with a room that more than a thousand have followed."""
    folder: Path = tmp_path_factory.mktemp("crowded")
    first = start_sandbox(folder, "--no-rate-limit")
    sp = spnb.connect("host", url=first.url, api_key=first.api_key)
    sp.rooms.create("The first", key=KEY)
    example = sp.rooms.create("Others").room_id
    sp.close()
    first.stop()
    store = Store(folder / "sandbox.sqlite")
    room = store.rooms.get(example)
    assert room is not None
    with store.bulk():
        for number in range(NEWER - 1):
            store.rooms.insert({**room, "roomId": f"{number:024x}", "_id": f"{number:024x}", "metadata": {}})
    store.close()
    running = start_sandbox(folder, "--no-rate-limit")
    yield running
    running.stop()


@pytest.fixture
def sp(crowded: RunningSandbox) -> Iterator[spnb.Client[spnb.LiveRoom]]:
    client = spnb.connect("host", url=crowded.url, api_key=crowded.api_key)
    yield client
    client.close()


def test_a_key_gives_the_same_room_however_many_came_after_it(sp: spnb.Client[spnb.LiveRoom]) -> None:
    assert sp.rooms.create("The first", key=KEY).room_id == sp.rooms.create("The first", key=KEY).room_id
    assert len(list(sp.rooms.query(page_size=100))) == NEWER + 1, "it made a twin"


def test_what_is_not_loaded_is_named(sp: spnb.Client[spnb.LiveRoom]) -> None:
    with pytest.warns(UserWarning, match=f"the newest 20 rooms are loaded, {NEWER - 19} older ones are left out"):
        dataset = load(sp, most=20)
    assert f"{NEWER - 19} × older" in str(dataset.mended)


async def test_a_list_says_that_there_are_older_ones(sp: spnb.Client[spnb.LiveRoom]) -> None:
    table = spnb.RoomTable(sp)
    await until(lambda: len(table.rooms) == 1000)
    assert not table.complete
    assert table._as_text().startswith("Rooms: 1000 (the newest: older ones are left out")
    table.close()
    whole = spnb.RoomTable(sp, most=2_000)
    await until(lambda: len(whole.rooms) == NEWER + 1)
    assert whole.complete
    whole.close()
