"""Capture: an audience recorded while it is there, to Parquet, so that nothing acknowledged is ever lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import late_names
from spnb.analytics.capture.capture import AsyncCapture
from spnb.analytics.capture.reading import captured, is_capture

if TYPE_CHECKING:
    from spnb.sync.analytics.capture.capture import Capture

__all__ = ["AsyncCapture", "Capture", "captured", "is_capture"]

__getattr__, __dir__ = late_names(__name__, {"Capture": "spnb.sync.analytics.capture.capture"})
