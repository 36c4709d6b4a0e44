"""Retention by Kaplan and Meier: the share of those who could have watched x seconds who did.

Somebody still watching when the stream ends was not lost: how long they would have stayed is unknown (censored). The
band is Greenwood's variance on the log-log scale, which keeps it between 0 and 1 (Kalbfleisch and Prentice, 1980).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spnb._arguments import checked
from spnb.analytics.sessions import sessions_of
from spnb.errors import InvalidInput

__all__ = ["HIDDEN_BELOW", "Retention", "churn", "retention"]

HIDDEN_BELOW = 20
"""Drop-off of fewer viewers is chance."""
Z_95 = 1.959963984540054

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Retention:
    """The retention curve of one stream, or of several together.

    Attributes:
        frame: `seconds, retention, at_risk, lost, low, high`: after so many seconds `lost` of the `at_risk` viewers
            left; `retention` is the share that watched longer, `low` to `high` its 95 % confidence band. The first
            row is 0 s.
        viewers: how many viewers it rests on.
        censored: how many of them were still watching at the end.
        duration: live duration in seconds; of several streams the longest.
    """

    frame: pd.DataFrame
    viewers: int
    censored: int
    duration: float

    def at(self, seconds: float) -> float:
        """The share who watched at least so many seconds; NaN without viewers, or where nobody could have."""
        steps = self.frame["seconds"].to_numpy()
        share = self.frame["retention"].to_numpy()
        if self.viewers == 0 or (seconds > steps[-1] and share[-1] > 0):
            return float("nan")
        # whoever left at exactly this second did watch it
        place = int(np.searchsorted(steps, seconds, side="left")) - 1
        return float(share[place]) if place >= 0 else 1.0

    @property
    def marks(self) -> pd.DataFrame:
        """The marks to compare streams by: `mark, seconds, retention` at 30 s, 5 min and 25 % of the duration."""
        marks = [("30 s", 30.0), ("5 min", 300.0), ("25 % of the stream", 0.25 * self.duration)]
        rows = [(name, seconds, self.at(seconds)) for name, seconds in marks]
        return pd.DataFrame(rows, columns=["mark", "seconds", "retention"])


@checked
def retention(sessions: Any, rooms: Any = None, *, as_of: Any = None, tolerance_seconds: float = 0.0) -> Retention:
    """How long live viewers stayed.

    Args:
        sessions: the views table; with several streams in it, each viewer of each stream counts.
        rooms: the rooms table, for the live windows.
        as_of: end of the window of rooms still on air.
        tolerance_seconds: who left at most this long before the end counts as still watching (where ends are only known
            to the beat of a heartbeat).
    """
    made = sessions_of(sessions, rooms, as_of=as_of)
    windows = made.windows
    live = ~made.replay
    lengths = windows.seconds[made.room[live]]
    duration = float(np.nanmax(lengths)) if live.any() else 0.0
    room, user, start, end = made.islands()
    # A view of no length is a viewer who watched 0 s: they stand in the sessions, not among the stretches.
    pair = np.stack((made.room[live & made.first], made.user[live & made.first]))
    users = int(made.user.max()) + 1 if len(made) else 1
    keys = pair[0] * users + pair[1]
    place = np.searchsorted(keys, room * users + user)
    watched = np.rint(np.bincount(place, end - start, len(keys)))
    last = np.zeros(len(keys), dtype=np.int64)
    np.maximum.at(last, place, end)
    stayed = (watched > 0) & (last >= windows.finish[pair[0]] - round(tolerance_seconds * 1000))
    return Retention(_kaplan_meier(watched / 1000.0, stayed), len(keys), int(stayed.sum()), duration)


def _kaplan_meier(watched: Numbers, censored: NDArray[np.bool_]) -> pd.DataFrame:
    times, inverse = np.unique(watched, return_inverse=True)
    ended = np.bincount(inverse, minlength=len(times))
    lost = np.bincount(inverse[~censored], minlength=len(times))
    at_risk = (
        len(watched) - np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(ended)[:-1])) if len(times) else ended
    )
    share = np.cumprod(1.0 - lost / np.maximum(at_risk, 1))
    low, high = _band(share, lost, at_risk)
    if len(times) == 0 or times[0] > 0:
        times = np.concatenate((np.zeros(1), times))
        head = np.zeros(1, dtype=np.int64)
        lost, at_risk = np.concatenate((head, lost)), np.concatenate((head + len(watched), at_risk))
        share, low, high = (np.concatenate((np.ones(1), column)) for column in (share, low, high))
    return pd.DataFrame(
        {"seconds": times, "retention": share, "at_risk": at_risk, "lost": lost, "low": low, "high": high}
    )


def _band(share: NDArray[Any], lost: NDArray[np.int64], at_risk: NDArray[np.int64]) -> tuple[Numbers, Numbers]:
    """The 95 % band; where everybody stayed or nobody did the scale has no width, and the band is the value."""
    left = at_risk - lost
    terms = np.divide(lost, at_risk * left, out=np.zeros(len(lost)), where=left > 0)
    inside = (share > 0) & (share < 1)
    safe = np.where(inside, share, 0.5)
    log = np.log(safe)
    width = Z_95 * np.sqrt(np.cumsum(terms)) / np.abs(log)
    low = np.where(inside, safe ** np.exp(width), share)
    high = np.where(inside, safe ** np.exp(-width), share)
    return low, high


@checked
def churn(curve: Retention, *, bin_seconds: float = 60.0) -> pd.DataFrame:
    """Drop-off: how much retention falls in each bin of watching time.

    Args:
        curve: a stream's retention.
        bin_seconds: length of a bin.

    Returns:
        `seconds, drop_off, at_risk`: −Δ retention from `seconds` to the next bin, and viewers at its beginning. Empty
        below 20 viewers, where a single person would be a cliff.
    """
    if not bin_seconds > 0:
        raise InvalidInput(f"bins must be longer than 0 s, not {bin_seconds!r}")
    steps = curve.frame["seconds"].to_numpy()
    if curve.viewers < HIDDEN_BELOW:
        return pd.DataFrame({"seconds": np.zeros(0), "drop_off": np.zeros(0), "at_risk": np.zeros(0, dtype=np.int64)})
    edges = np.arange(int(np.floor(steps[-1] / bin_seconds)) + 2) * bin_seconds
    share = np.concatenate((np.ones(1), curve.frame["retention"].to_numpy()))
    # the share who watched at least each edge: leaving at exactly the edge is the next bin's
    held = share[np.searchsorted(steps, edges, side="left")]
    risk = curve.frame["at_risk"].to_numpy()
    standing = np.searchsorted(steps, edges[:-1], side="left")
    return pd.DataFrame(
        {"seconds": edges[:-1], "drop_off": held[:-1] - held[1:], "at_risk": risk[np.minimum(standing, len(risk) - 1)]}
    )
