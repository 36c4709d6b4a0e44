"""How encoders come into a room without an SDK: over WHIP and over RTMP, as OBS, phones and ffmpeg do."""

from spnb.sandbox.ingest.door import Ingest

__all__ = ["Ingest"]
