"""Faults on demand: rules that make the sandbox misbehave, and the places where they strike."""

from __future__ import annotations

from spnb.sandbox.fault_injection.events import Disturbance
from spnb.sandbox.fault_injection.requests import FaultyRequests
from spnb.sandbox.fault_injection.routes import Cut, FaultRoutes
from spnb.sandbox.fault_injection.rules import EVENT_KINDS, REQUEST_KINDS, Faults, FaultWish

__all__ = ["EVENT_KINDS", "REQUEST_KINDS", "Cut", "Disturbance", "FaultRoutes", "FaultWish", "Faults", "FaultyRequests"]
