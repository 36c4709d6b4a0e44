"""WebSockets that are refused: the denial says all, so nothing is logged of it."""

from __future__ import annotations

import logging

__all__ = ["deny_quietly"]


class _NoFalseAlarm(logging.Filter):
    """Drops uvicorn's complaint about a denied WebSocket: the denial (404, 401) is the complete answer."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "without completing handshake" not in record.getMessage()


def deny_quietly() -> None:
    """Have nothing logged of a WebSocket that is refused."""
    logging.getLogger("uvicorn.error").addFilter(_NoFalseAlarm())
