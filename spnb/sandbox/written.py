"""JSON out: what is stored or told is always written, also where a record of an earlier version holds what none can."""

from __future__ import annotations

import math
from typing import Any

import orjson

__all__ = ["written"]

MOST_DEPTH = 64


def written(content: Any) -> bytes:
    """`content` as JSON.

    What JSON or its readers cannot take (nesting without end, a number of over 64 bits, half a character) is left out
    or made into what comes next to it: one odd record must not take the others along.
    """
    try:
        return orjson.dumps(content)
    except TypeError:
        return orjson.dumps(_plain(content, 0))


def _plain(value: Any, depth: int) -> Any:
    if depth > MOST_DEPTH:
        return None
    if isinstance(value, dict):
        return {_text(str(name)): _plain(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner, depth + 1) for inner in value]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        return float(value) if abs(value) < 10**300 else None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _text(text: str) -> str:
    return text.encode(errors="replace").decode()
