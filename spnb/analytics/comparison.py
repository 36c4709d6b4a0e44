"""Was it better, or luck? Two groups of streams, number by number, with intervals.

Retention is compared by the log-rank test (Mantel, 1966) on all viewers, who count as censored while they still watch.
Ratios are compared by the bootstrap (Efron, 1979): what is drawn anew are streams where both groups have at least
`MANY_STREAMS` of them, since the viewers of one stream saw the same show; else viewers, and the answer is about these
very streams only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spnb._arguments import checked
from spnb.analytics.dataset import Dataset
from spnb.analytics.metrics.retention import Retention, retention
from spnb.analytics.people import live_views
from spnb.errors import InvalidInput

__all__ = ["MANY_STREAMS", "Comparison", "LogRank", "compare", "log_rank"]

MANY_STREAMS = 8
MOST_UNITS = 5_000
"""More units than these are added up at random into as many, which leaves the variance of their sums."""
AT_ONCE = 200
RATIOS = {
    "minutes_per_viewer": ("minutes", "viewers"),
    "views_per_viewer": ("views", "viewers"),
    "chat_penetration": ("chatters", "viewers"),
    "messages_per_viewer": ("messages", "viewers"),
    "reactions_per_viewer": ("reactions", "viewers"),
    "messages_per_hour_watched": ("messages", "hours"),
}
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LogRank:
    """The log-rank test of two retention curves.

    Attributes:
        statistic: chi-squared, one degree of freedom; NaN where nobody left.
        p: the probability of such a difference, or a larger one, by chance.
        lost, expected: how many of the first group left, and how many would have if both were alike.
    """

    statistic: float
    p: float
    lost: int
    expected: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two groups of streams side by side.

    Attributes:
        table: a row for each number: `a`, `b`, `difference` (b − a), `low` to `high` its 95 % interval, and `p`, the
            probability of such a difference by chance. NaN where a group cannot tell it.
        retention: the log-rank test; None where a group has no viewers.
        unit: what was drawn anew: `streams` or `viewers`.
    """

    table: pd.DataFrame
    retention: LogRank | None
    unit: str

    def _repr_html_(self) -> str:
        told = "no viewers to compare" if self.retention is None else f"log-rank p = {self.retention.p:.3g}"
        numbers = self.table.to_html(float_format="{:.3g}".format)
        return f"{numbers}<p>Retention: {escape(told)}. Drawn anew: {self.unit}.</p>"


@checked
def compare(
    dataset: Dataset, a: Sequence[str], b: Sequence[str], *, resamples: int = 2_000, seed: int = 1
) -> Comparison:
    """Compare two groups of streams by what their live viewers did.

    Args:
        dataset: the audience.
        a: ids of the streams of one group, e.g. `numbers.index[numbers.creator_id == "ann"]`.
        b: those of the other.
        resamples: how often the groups are drawn anew.
        seed: the same seed gives the same intervals.

    Raises:
        InvalidInput: a group is empty, names an unknown stream, or shares one with the other.
    """
    groups = [list(dict.fromkeys(group)) for group in (a, b)]
    known = set(dataset.rooms["room_id"])
    for name, group in zip("ab", groups, strict=True):
        if not group:
            raise InvalidInput(f"group {name} has no streams")
        if unknown := [room for room in group if room not in known]:
            raise InvalidInput(f"group {name} names streams that are not there: {', '.join(map(str, unknown[:5]))}")
    if both := set(groups[0]) & set(groups[1]):
        raise InvalidInput(f"a stream cannot be in both groups: {', '.join(sorted(both)[:5])}")
    by_stream = min(map(len, groups)) >= MANY_STREAMS
    units = [_units(dataset, group, by_stream=by_stream) for group in groups]
    curves = [_curve(dataset, group) for group in groups]
    rng = np.random.default_rng(seed)
    drawn = [_drawn(unit, resamples, rng) for unit in units]
    rows = {name: _row(units, drawn, *parts) for name, parts in RATIOS.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["a", "b", "difference", "low", "high", "p"])
    test = log_rank(*curves) if all(curve.viewers for curve in curves) else None
    return Comparison(table, test, "streams" if by_stream else "viewers")


def log_rank(one: Retention, other: Retention) -> LogRank:
    """Whether two groups of viewers leave alike."""
    times = np.union1d(one.frame["seconds"], other.frame["seconds"])
    risk, lost = zip(*(_steps(curve, times) for curve in (one, other)), strict=True)
    all_risk, all_lost = risk[0] + risk[1], lost[0] + lost[1]
    some = all_risk > 0
    share = np.divide(risk[0], all_risk, out=np.zeros(len(times)), where=some)
    expected = float((all_lost * share).sum())
    rest = np.divide(all_risk - all_lost, all_risk - 1, out=np.zeros(len(times)), where=all_risk > 1)
    variance = float((all_lost * share * (1 - share) * rest).sum())
    left = int(lost[0].sum())
    if variance == 0:
        return LogRank(float("nan"), float("nan"), left, expected)
    statistic = (left - expected) ** 2 / variance
    return LogRank(statistic, math.erfc(math.sqrt(statistic / 2)), left, expected)


def _steps(curve: Retention, times: Numbers) -> tuple[Numbers, Numbers]:
    """At each time how many could leave, and how many did."""
    own = curve.frame["seconds"].to_numpy()
    place = np.searchsorted(own, times, side="left")
    risk = np.append(curve.frame["at_risk"].to_numpy(dtype=np.float64), 0.0)[place]
    lost = np.zeros(len(times))
    lost[np.searchsorted(times, own)] = curve.frame["lost"].to_numpy()
    return risk, lost


def _curve(dataset: Dataset, rooms: list[str]) -> Retention:
    part = dataset.of_rooms(rooms)
    return retention(part.views, part.windows)


def _units(dataset: Dataset, rooms: list[str], *, by_stream: bool) -> pd.DataFrame:
    """What each viewer of each stream did, or each stream: the sums that ratios are made of."""
    part = dataset.of_rooms(rooms)
    key = ["room_id", "user_id"]
    watched = (
        live_views(part).groupby(key, observed=True).agg(seconds=("watch_seconds", "sum"), views=("start", "size"))
    )
    watched["viewers"] = 1.0
    said = part.messages[~part.messages["deleted"]].groupby(key, observed=True).size().rename("messages")
    given = part.reactions.assign(sign=np.where(part.reactions["added"], 1, -1))
    reacted = given.groupby(key, observed=True)["sign"].sum().clip(lower=0).rename("reactions")
    # acts of people who did not watch live are no acts of live viewers
    units = watched.join([said, reacted], how="left").fillna(0.0)
    units["chatters"] = (units["messages"] > 0).astype(float)
    units["minutes"], units["hours"] = units["seconds"] / 60, units["seconds"] / 3600
    units["views"] = units["views"].astype(float)
    if by_stream:
        units = units.groupby(level="room_id").sum().reindex(rooms, fill_value=0.0)
    return units.reset_index(drop=True)


def _drawn(units: pd.DataFrame, resamples: int, rng: np.random.Generator) -> pd.DataFrame:
    """The sums of each new draw."""
    values = units.to_numpy(dtype=np.float64)
    if len(values) > MOST_UNITS:
        place = rng.permutation(len(values)) % MOST_UNITS
        gathered = np.zeros((MOST_UNITS, values.shape[1]))
        np.add.at(gathered, place, values)
        values = gathered
    count = len(values)
    made = []
    for begin in range(0, resamples if count else 0, AT_ONCE):
        often = min(AT_ONCE, resamples - begin)
        weights = rng.multinomial(count, np.full(count, 1 / count), size=often)
        made.append(weights @ values)
    sums = np.concatenate(made) if made else np.full((resamples, values.shape[1]), np.nan)
    return pd.DataFrame(sums, columns=units.columns)


def _row(units: list[pd.DataFrame], drawn: list[pd.DataFrame], above: str, below: str) -> list[float]:
    a, b = (_ratio(unit[above].sum(), unit[below].sum()) for unit in units)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = drawn[1][above].to_numpy() / drawn[1][below].to_numpy() - (
            drawn[0][above].to_numpy() / drawn[0][below].to_numpy()
        )
    spread = spread[np.isfinite(spread)]
    if not (math.isfinite(a) and math.isfinite(b)) or not len(spread):
        return [a, b, b - a, math.nan, math.nan, math.nan]
    low, high = np.quantile(spread, [0.025, 0.975])
    # the share of draws on the other side of no difference; never quite 0, since draws are few
    beyond = (1 + min(int((spread <= 0).sum()), int((spread >= 0).sum()))) / (1 + len(spread))
    return [a, b, b - a, float(low), float(high), min(1.0, 2 * beyond)]


def _ratio(above: Any, below: Any) -> float:
    return float(above) / float(below) if below else math.nan
