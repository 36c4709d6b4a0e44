"""The embedded LiveKit-compatible media server of the sandbox.

It forwards RTP packets and never decodes them. What proved to hold, and the traps, were learnt on the official SDKs.
"""

from __future__ import annotations

from spnb.sandbox.media.frames import EncodedFrame, MediaEvent, Tap, TapTrack
from spnb.sandbox.media.server import MediaServer, MediaSettings

__all__ = ["EncodedFrame", "MediaEvent", "MediaServer", "MediaSettings", "Tap", "TapTrack"]
