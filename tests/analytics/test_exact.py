"""A back-filled sandbox: what is loaded is exactly what was planted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pandas as pd
import pytest

from spnb import analytics
from spnb import sandbox as spnb_sandbox
from spnb.analytics.tables import TABLES
from spnb.errors import Unauthorized
from spnb.sandbox import Past, SandboxInfo
from tests.conftest import RunningSandbox, start_sandbox


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningSandbox, Past]]:
    running = start_sandbox(tmp_path_factory.mktemp("planted"), "--no-rate-limit")
    sizes = {"days": 20, "streams": 15, "seed": 9, "views": 2_000, "messages": 3_000}
    until = datetime(2026, 6, 1, tzinfo=UTC)
    yield running, spnb_sandbox.backfill(**sizes, until=until, sandbox=SandboxInfo.read(running.info))  # type: ignore[arg-type]
    running.stop()


def test_every_row_is_there_as_it_was_served(filled: tuple[RunningSandbox, Past]) -> None:
    """Against the other format of the same tables, JSON lines, read by hand."""
    sandbox, past = filled
    made = analytics.load(sandbox)
    assert not made.mended
    for name, table in TABLES.items():
        if name in ("health", "playback"):
            assert made.rows(name) == 0  # the sandbox neither publishes nor plays
            continue
        answer = httpx.get(
            f"{sandbox.url}/sandbox/tables/{name}",
            params={"format": "json"},
            headers={"X-API-Key": sandbox.api_key},
            timeout=60,
        )
        served = [json.loads(line) for line in answer.text.splitlines()]
        frame = made.table(name)[list(table.names)]
        for column in table.columns:
            if column.kind == "time":
                numbers = frame[column.name].astype("datetime64[ms, UTC]").astype("int64")
                frame[column.name] = numbers.astype(object).where(frame[column.name].notna(), None)
        rows = frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None)
        assert sorted(rows, key=str) == sorted((tuple(row[c] for c in table.names) for row in served), key=str), name
    assert (made.rows("views"), made.rows("messages")) == (past.views, past.messages)
    assert made.rows("reactions") == past.reactions + past.live_reactions


def test_the_numbers_are_those_that_were_planted(filled: tuple[RunningSandbox, Past]) -> None:
    sandbox, past = filled
    kpis = analytics.load(sandbox).kpis
    planted = pd.DataFrame(past.truth["streams"]).set_index("roomId").loc[kpis.index]
    assert kpis["replay_views"].tolist() == planted["replays"].tolist()
    assert kpis["unique_viewers"].tolist() == planted["uniqueViewers"].tolist()
    assert kpis["watch_seconds"].tolist() == pytest.approx(planted["watchSeconds"].tolist(), abs=0.5)
    assert kpis["deleted_messages"].tolist() == planted["deletedMessages"].tolist()
    assert (kpis["messages"] + kpis["deleted_messages"] <= planted["messages"]).all()  # some come after the end
    assert (kpis["peak_viewers"] <= planted["peakViewers"]).all()  # planted sessions overlap, people do not
    assert (kpis["views"] <= planted["views"]).all()  # quick reconnects are no views


def test_a_key_of_another(filled: tuple[RunningSandbox, Past]) -> None:
    with pytest.raises(Unauthorized, match="the API key is another's"):
        analytics.load(SandboxInfo.read({**filled[0].info, "apiKey": "wrong"}))
