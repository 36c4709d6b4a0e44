"""social.plus over REST: `AsyncClient` and its blocking twin `Client`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import late_names
from spnb.client.client import AsyncClient
from spnb.client.products import ProductActivity, ProductTags
from spnb.client.records import LivePost, Records
from spnb.client.settings import ModerationSettings, Thresholds
from spnb.config import VisitorSignature

if TYPE_CHECKING:
    from spnb.sync.client.client import Client

__all__ = [
    "AsyncClient",
    "Client",
    "LivePost",
    "ModerationSettings",
    "ProductActivity",
    "ProductTags",
    "Records",
    "Thresholds",
    "VisitorSignature",
]

__getattr__, __dir__ = late_names(__name__, {"Client": "spnb.sync.client.client"})
