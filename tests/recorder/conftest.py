"""LiveKit servers and the line to them are the media and broadcast tests' own."""

from __future__ import annotations

from tests.broadcast.conftest import embedded, line, livekit, real

__all__ = ["embedded", "line", "livekit", "real"]
