"""What the sandbox remembers: SQLite on disk, documents in wire shape."""

from __future__ import annotations

from spnb.sandbox.store.collection import Accept, Collection, Page
from spnb.sandbox.store.lifecycle import TRANSITIONS, may_follow
from spnb.sandbox.store.store import Store

__all__ = ["TRANSITIONS", "Accept", "Collection", "Page", "Store", "may_follow"]
