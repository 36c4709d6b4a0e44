"""social.plus over REST: `AsyncClient` and its blocking twin `Client`."""

from __future__ import annotations

from spnb.client.client import AsyncClient
from spnb.client.products import ProductActivity, Shelf
from spnb.client.records import LivePost, Records
from spnb.client.settings import ModerationSettings, Thresholds
from spnb.client.sync import Client

__all__ = [
    "AsyncClient",
    "Client",
    "LivePost",
    "ModerationSettings",
    "ProductActivity",
    "Records",
    "Shelf",
    "Thresholds",
]
