"""What players of this process met: rows of the table `playback`, until a capture takes them."""

from __future__ import annotations

from collections import deque
from typing import Any

__all__ = ["Played", "played"]

MOST = 100_000
"""Events that are kept; of more, the oldest go."""


class Played:
    """Events by number, so that several readers take each once."""

    def __init__(self, most: int = MOST) -> None:
        self._rows: deque[dict[str, Any]] = deque(maxlen=most)
        self._count = 0

    def tell(self, row: dict[str, Any]) -> None:
        """Something happened."""
        self._rows.append(row)
        self._count += 1

    def since(self, number: int) -> tuple[list[dict[str, Any]], int]:
        """Events from a number on, and the number of the next one."""
        fresh = max(0, min(self._count - number, len(self._rows)))
        # From its end, where a deque is quick: it is asked all the time, and seldom has much to tell.
        return [self._rows[place] for place in range(-fresh, 0)], self._count


played = Played()
"""Those of this process."""
