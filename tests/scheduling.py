"""Which tests go to which worker, and in which order."""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

__all__ = ["Modules", "share", "shares_first"]

LAB, FRONT_ENDS = "tests/lab/", "tests/frontends/"
LAST = "tests/widgets/test_widgets.py"
"""The last module by its name, one of whose tests takes so long that a worker would do it while the others have done
all."""


def share(nodeid: str) -> tuple[int, str]:
    """Where a test stands in the order, and what it shares with others: they go to one worker.

    The tests of a lab share a lab, a browser and a sandbox, and take longest: they begin at once, and the other front
    ends come behind them. The busier a machine is the more a page computes while it waits: two labs at a time, or a
    lab beside another front end, take longer than one after the other. All else is shared by the tests of a module.
    """
    if nodeid.startswith((LAB, FRONT_ENDS)):
        return int(nodeid.startswith(FRONT_ENDS)), LAB
    module = nodeid.split("::", 1)[0]
    return (2 if module == LAST else 3), module


def shares_first(items: list[pytest.Item]) -> None:
    """Put what takes longest first, and last the modules that need a livekit-server, which is built meanwhile; all
    else stays in its order."""
    waiting = {item.path for item in items if "livekit" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: (share(item.nodeid)[0], item.path in waiting))


class Modules(LoadScopeScheduling):
    """What is shared stays on one worker."""

    def _split_scope(self, nodeid: str) -> str:
        return share(nodeid)[1]
