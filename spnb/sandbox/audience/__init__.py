"""Audiences for the sandbox: simulated viewers of a live room, and a back-filled past."""

from __future__ import annotations

from spnb.sandbox.audience.past import Past, backfill_async
from spnb.sandbox.audience.plan import AudiencePlan
from spnb.sandbox.audience.simulation import AsyncSimulation, Progress, simulate_async
from spnb.sandbox.audience.sync import Simulation, backfill, simulate

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
