"""Which tests go to which worker."""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

__all__ = ["LONGEST", "Modules", "longest_first"]

LONGEST = "tests/lab"
"""The folder that takes longest, which one worker begins with: its tests share a lab, a browser and a sandbox."""


def longest_first(items: list[pytest.Item]) -> None:
    """Put the longest folder before all others, which stay in their order."""
    items.sort(key=lambda item: not item.nodeid.startswith(f"{LONGEST}/"))


class Modules(LoadScopeScheduling):
    """A module goes to one worker, and all modules of the longest folder to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.split("::", 1)[0]
        return LONGEST if module.startswith(f"{LONGEST}/") else module
