"""Settings of the sandbox's network that calls may change while it runs: webhooks on or off, moderation."""

from __future__ import annotations

import json
from collections.abc import Mapping

from spnb.sandbox.server.settings import Thresholds
from spnb.sandbox.store import Store

__all__ = ["NetworkSettings"]

WEBHOOKS, MODERATION = "webhooks-enabled", "moderation"


class NetworkSettings:
    """Reads and writes them; they are kept in the database.

    Args:
        store: keeps them.
        thresholds: of moderation, by category, until they are changed.
    """

    def __init__(self, store: Store, thresholds: Mapping[str, Thresholds]) -> None:
        self._store = store
        self._webhooks = store.fact(WEBHOOKS) != "off"
        kept = json.loads(store.fact(MODERATION) or "{}")
        self._moderated = bool(kept.get("enabled", True))
        changed = {name: Thresholds(**values) for name, values in kept.get("thresholds", {}).items()}
        self._thresholds = {**thresholds, **changed}

    @property
    def webhooks(self) -> bool:
        """Whether webhooks are sent. What happens while they are off is told by none later either."""
        return self._webhooks

    @webhooks.setter
    def webhooks(self, enabled: bool) -> None:
        self._webhooks = enabled
        self._store.keep_fact(WEBHOOKS, "on" if enabled else "off")

    @property
    def moderated(self) -> bool:
        """Whether streams are looked at."""
        return self._moderated

    @property
    def thresholds(self) -> Mapping[str, Thresholds]:
        """By category: how sure a finding must be to flag a stream, and to terminate it."""
        return self._thresholds

    def moderate(self, enabled: bool, thresholds: Mapping[str, Thresholds]) -> None:
        """Change moderation; categories that are not named stay as they are."""
        self._moderated = enabled
        self._thresholds = {**self._thresholds, **thresholds}
        kept = {name: each.model_dump() for name, each in self._thresholds.items()}
        self._store.keep_fact(MODERATION, json.dumps({"enabled": enabled, "thresholds": kept}))
