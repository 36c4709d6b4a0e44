"""Audiences for the sandbox: simulated viewers of a live room, and a back-filled past."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import late_names
from spnb.sandbox.audience.past import Past, backfill_async
from spnb.sandbox.audience.plan import AudiencePlan
from spnb.sandbox.audience.simulation import AsyncSimulation, Progress, simulate_async

if TYPE_CHECKING:
    from spnb.sync.sandbox.audience.past import backfill
    from spnb.sync.sandbox.audience.simulation import Simulation, simulate

__all__ = [
    "AsyncSimulation",
    "AudiencePlan",
    "Past",
    "Progress",
    "Simulation",
    "backfill",
    "backfill_async",
    "simulate",
    "simulate_async",
]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "Simulation": "spnb.sync.sandbox.audience.simulation",
        "backfill": "spnb.sync.sandbox.audience.past",
        "simulate": "spnb.sync.sandbox.audience.simulation",
    },
)
