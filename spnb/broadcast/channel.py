"""The way to a page: commands to it, and their answers."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["PageChannel"]


class PageChannel(Protocol):
    """The way to the page that holds the camera."""

    async def ask(self, command: str, *, timeout: float, **content: Any) -> dict[str, Any]:
        """Send a command and wait for its answer, and before that for a page, if there is none.

        Raises:
            TimeoutError: no page, or no answer.
        """
        ...

    def tell(self, command: str, **content: Any) -> None:
        """Send a command, if there is a page."""
        ...
