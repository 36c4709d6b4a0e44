"""Capture: an audience recorded while it is there, to Parquet, so that nothing acknowledged is ever lost."""

from spnb.analytics.capture.capture import AsyncCapture, Capture
from spnb.analytics.capture.reading import captured, is_capture

__all__ = ["AsyncCapture", "Capture", "captured", "is_capture"]
