"""The wire that can be cut is the live tests' one."""

from __future__ import annotations

from tests.live.conftest import wire

__all__ = ["wire"]
