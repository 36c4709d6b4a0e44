"""Annotations: what happened in streams, on their clock."""

from __future__ import annotations

from typing import Any

import pandas as pd

from spnb.errors import TableError

__all__ = ["checked_annotations"]

NEEDED = ("room_id", "at", "what")


def checked_annotations(annotations: Any) -> pd.DataFrame:
    """Annotations as a frame of `room_id, at, what`.

    Raises:
        TableError: they lack a column, or a zone.
    """
    marks = pd.DataFrame(annotations)
    if missing := [name for name in NEEDED if name not in marks.columns]:
        raise TableError(f"annotations lack {', '.join(missing)}: they need {', '.join(NEEDED)}")
    if not isinstance(marks["at"].dtype, pd.DatetimeTZDtype):
        raise TableError("annotations.at must be times with a zone: pandas.to_datetime(…, utc=True)")
    return marks
