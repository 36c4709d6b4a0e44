"""Audiences for the sandbox: simulated viewers of a live room, and a back-filled past."""

from __future__ import annotations

from spnb.sandbox.audience.past import Past, backfill

__all__ = ["Past", "backfill"]
