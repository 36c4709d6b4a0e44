"""Recordings: the files of a recorded room, fetched safely, cut, looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import late_names
from spnb.recordings.media import MediaFacts, probe
from spnb.recordings.progress import Progress, ProgressWish
from spnb.recordings.recording import AsyncRecording, RecordedFile
from spnb.recordings.single import download

if TYPE_CHECKING:
    from spnb.sync.recordings.recording import Recording

__all__ = [
    "AsyncRecording",
    "MediaFacts",
    "Progress",
    "ProgressWish",
    "RecordedFile",
    "Recording",
    "download",
    "probe",
]

__getattr__, __dir__ = late_names(__name__, {"Recording": "spnb.sync.recordings.recording"})
