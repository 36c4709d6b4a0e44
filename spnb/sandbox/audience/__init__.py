"""Audiences for the sandbox: simulated viewers of a live room, and a back-filled past."""

from __future__ import annotations

from spnb.sandbox.audience.past import Past, backfill
from spnb.sandbox.audience.plan import AudiencePlan
from spnb.sandbox.audience.simulation import Progress, Simulation, simulate

__all__ = ["AudiencePlan", "Past", "Progress", "Simulation", "backfill", "simulate"]
