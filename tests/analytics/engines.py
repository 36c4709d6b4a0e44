"""What a stream's page and a season are by the embedded engine, and another engine's answers held against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from spnb import analytics
from spnb.analytics import metrics, portable
from spnb.analytics.dataset import Dataset
from spnb.analytics.portable.watching import Audience
from spnb.analytics.portfolio import CARDS
from spnb.analytics.windows import milliseconds

Collected = Callable[[Any], pd.DataFrame]
"""Makes a pandas frame of an engine's answer."""
BIN = 20.0
ZONE = "Europe/Berlin"


def same(made: pd.DataFrame, expected: pd.DataFrame, key: list[str]) -> None:
    """The same rows by their key, the same numbers."""
    columns = list(expected.columns)
    # one engine divides by a thousand, another multiplies by a thousandth
    made, expected = (
        frame[columns].assign(**{name: frame[name].round(3) for name in key if name == "seconds"})
        for frame in (made, expected)
    )
    made, expected = (frame.sort_values(key, ignore_index=True) for frame in (made, expected))
    assert made[key].astype(object).to_numpy().tolist() == expected[key].astype(object).to_numpy().tolist()
    for name in columns:
        if name not in key:
            ours, theirs = (np.asarray(frame[name].astype("float64")) for frame in (expected, made))
            np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-12, err_msg=name)


def _until(tables: Mapping[str, Any] | Audience, dataset: Dataset) -> dict[str, Any]:
    return {} if isinstance(tables, Audience) else {"as_of": dataset.as_of}


def page_agrees(tables: Mapping[str, Any] | Audience, dataset: Dataset, collected: Collected) -> None:
    """Steps, retention and bins of all streams."""
    steps = metrics.concurrency(dataset.views, dataset.windows)
    steps["at_ms"] = milliseconds(steps["at"])
    begin = dict(zip(dataset.windows.names, dataset.windows.begin, strict=True))
    steps["seconds"] = (steps["at_ms"] - steps["room_id"].map(begin).astype("int64")) / 1000
    made = collected(portable.concurrency(tables, **_until(tables, dataset)))
    same(made, steps[["room_id", "at_ms", "seconds", "viewers"]], ["room_id", "at_ms"])

    nobody = pd.DataFrame(columns=["room_id", "seconds", "retention", "at_risk", "lost", "low", "high"])
    curves = [nobody.astype({"seconds": "float64"})]
    for room_id in dataset.rooms["room_id"]:
        one = dataset.of_rooms([room_id])
        curve = metrics.retention(one.views, dataset.windows.chosen(one.rooms["room_id"]), tolerance_seconds=2.0)
        if curve.viewers:
            curves.append(curve.frame.assign(room_id=room_id))
    made = collected(portable.retention(tables, **_until(tables, dataset), tolerance_seconds=2.0))
    same(made, pd.concat(curves), ["room_id", "seconds"])

    bars = metrics.joins_leaves(dataset.views, dataset.windows, bin_seconds=BIN)
    chat = metrics.chat_rate(dataset.messages, dataset.windows, bin_seconds=BIN)
    bars = bars.merge(chat[["room_id", "seconds", "messages", "deleted_messages"]], on=["room_id", "seconds"])
    emoji = metrics.reactions(dataset.reactions, dataset.windows, bin_seconds=BIN)
    emoji = emoji.groupby(["room_id", "seconds"], as_index=False)[["given", "taken_back"]].sum()
    bars = bars.merge(emoji, on=["room_id", "seconds"], how="left").fillna({"given": 0, "taken_back": 0})
    counts = ["joins", "leaves", "messages", "deleted_messages", "given", "taken_back"]
    bars = bars[bars[counts].sum(axis=1) > 0].drop(columns="at")
    bars["number"] = (bars["seconds"] / BIN).round().astype("int64")
    bars["chatters"] = _chatters(dataset, bars)
    made = collected(portable.bins(tables, bin_seconds=BIN, **_until(tables, dataset)))
    same(made, bars, ["room_id", "number"])


def _chatters(dataset: Dataset, bars: pd.DataFrame) -> list[int]:
    """Distinct writers of each bin, one after the other."""
    windows = dataset.windows
    span = {name: (begin, end) for name, begin, end in zip(windows.names, windows.begin, windows.finish, strict=True)}
    wrote: dict[tuple[str, int], set[str]] = {}
    standing = dataset.messages[~dataset.messages["deleted"]]
    for room_id, user_id, at in zip(
        standing["room_id"], standing["user_id"], milliseconds(standing["created_at"]), strict=True
    ):
        begin, finish = span[room_id]
        if begin <= at <= finish:
            last = max(0, -(-(finish - begin) // round(BIN * 1000)) - 1)
            wrote.setdefault((room_id, min((at - begin) // round(BIN * 1000), last)), set()).add(user_id)
    return [len(wrote.get(key, ())) for key in zip(bars["room_id"], bars["number"], strict=True)]


def season_agrees(
    tables: Mapping[str, Any] | Audience,
    dataset: Dataset,
    collected: Collected,
    periods: Sequence[str] = ("D", "W", "M"),
) -> None:
    """The cards of a period, of the one before it and of its days; and the cohorts."""
    live = dataset.rooms["live_at"].dropna()
    start = (live.min() + (live.max() - live.min()) / 2).tz_convert(ZONE).floor("D")
    end = start + pd.Timedelta(days=9)
    expected = analytics.overview(dataset, start, end, time_zone=ZONE)
    cards = list(CARDS)
    made = collected(portable.overview(tables, start, end, time_zone=ZONE, **_until(tables, dataset)))
    for period, column in (("now", "now"), ("before", "before")):
        row = made[made["period"] == period][cards].astype("float64").iloc[0]
        np.testing.assert_allclose(row, expected.cards.loc[cards, column].astype("float64"), rtol=1e-9, err_msg=period)
    days = expected.trend.assign(
        from_ms=milliseconds(expected.trend["day"].dt.tz_convert("UTC").astype("datetime64[ms, UTC]"))
    )
    happened = days[["streams", "views", "messages", "reactions"]].sum(axis=1) > 0
    told = made[made["period"] == "day"].copy()
    told = told[told[["streams", "views", "messages", "reactions"]].sum(axis=1) > 0]
    same(told, days.loc[happened, ["from_ms", *cards]], ["from_ms"])

    for period in periods:
        cohorts_agree(tables, dataset, collected, period, None)
    for by in ("creator_id", "country"):
        cohorts_agree(tables, dataset, collected, periods[-1], by)


def cohorts_agree(
    tables: Mapping[str, Any] | Audience, dataset: Dataset, collected: Collected, period: str, by: str | None
) -> None:
    key = ["first_ms", "later"] if by is None else ["value", "first_ms", "later"]
    grid = analytics.cohorts(dataset, by=by, period=period, time_zone=ZONE)
    later = [column for column in grid.columns if column != "viewers"]
    long = grid.melt(value_vars=later, var_name="later", value_name="share", ignore_index=False).reset_index()
    long = long[long["share"] > 0].rename(columns={by: "value"})
    local = long["first watched"].dt.tz_localize(ZONE).dt.tz_convert("UTC").astype("datetime64[ms, UTC]")
    long["first_ms"] = milliseconds(local)
    made = collected(portable.cohorts(tables, by=by, period=period, time_zone=ZONE, **_until(tables, dataset)))
    made = made.astype({"later": "int64", "first_ms": "int64"})
    long = long.astype({"later": "int64"})
    same(made, long[[*key, "share"]], key)
    assert len(made)
