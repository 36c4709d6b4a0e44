"""The blocking faces of the client."""

from __future__ import annotations

from spnb.client.sync.client import Client

__all__ = ["Client"]
