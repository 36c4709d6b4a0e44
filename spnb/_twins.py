"""`sync` of the async classes. What it gives for which class stands, for type checkers, in the stub beside it, which
`tests/blocking` writes."""

from __future__ import annotations

from typing import Any

from spnb._faces import blocking

__all__ = ["Blocking"]


class Blocking:
    """The blocking face of an async object, on the same connection, with the same words."""

    def __get__(self, twin: Any, owner: type | None = None) -> Any:
        return self if twin is None else blocking(twin)
