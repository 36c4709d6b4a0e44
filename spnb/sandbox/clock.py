"""Time and ids as the service writes them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime

__all__ = ["Clock", "moment", "new_id", "stamp", "system_clock"]

Clock = Callable[[], datetime]
"""Gives the present moment in UTC; tests hand in their own."""


def system_clock() -> datetime:
    """The machine's clock, in UTC."""
    return datetime.now(UTC)


def stamp(at: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`: the wire's timestamps."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def moment(text: str) -> datetime:
    """The moment a wire timestamp names."""
    return datetime.fromisoformat(text)


def new_id() -> str:
    """A fresh internal id: 24 lower-case hex digits."""
    return secrets.token_hex(12)
