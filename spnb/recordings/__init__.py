"""Recordings: the files of a recorded room, fetched safely, cut, looked at."""

from __future__ import annotations

from spnb.recordings.media import MediaFacts, probe
from spnb.recordings.progress import Progress, ProgressWish
from spnb.recordings.recording import AsyncRecording, RecordedFile
from spnb.recordings.single import download
from spnb.recordings.sync import Recording

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
