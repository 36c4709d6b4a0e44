"""Which tests go to which worker."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

__all__ = ["Modules"]

LONGEST = "tests/lab"
"""The folder that takes longest: its tests share a lab, a browser and a sandbox."""


class Modules(LoadScopeScheduling):
    """A module goes to one worker, and all modules of the longest folder to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.split("::", 1)[0]
        return LONGEST if module.startswith(f"{LONGEST}/") else module
