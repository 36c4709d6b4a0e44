"""Live HLS, thumbnails and recordings from encoded frames."""

from __future__ import annotations

from spnb.sandbox.recorder.delivery import Delivery
from spnb.sandbox.recorder.files import Interrupted, RecordedFile
from spnb.sandbox.recorder.recorder import Recorder, RecorderSettings
from spnb.sandbox.recorder.room import Gap
from spnb.sandbox.recorder.writer import LiveFiles

__all__ = ["Delivery", "Gap", "Interrupted", "LiveFiles", "RecordedFile", "Recorder", "RecorderSettings"]
