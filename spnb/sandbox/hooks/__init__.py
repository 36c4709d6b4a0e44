"""Webhooks as the service sends them: signed, in time or retried, to loopback addresses only."""

from __future__ import annotations

from spnb.sandbox.hooks.announcer import Announcer
from spnb.sandbox.hooks.endpoints import HookRoutes
from spnb.sandbox.hooks.sender import WebhookSender

__all__ = ["Announcer", "HookRoutes", "WebhookSender"]
