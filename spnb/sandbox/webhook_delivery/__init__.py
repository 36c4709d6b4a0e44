"""Webhooks as the service sends them: signed, in time or retried, to loopback addresses only."""

from __future__ import annotations

from spnb.sandbox.webhook_delivery.announcer import Announcer
from spnb.sandbox.webhook_delivery.endpoints import HookRoutes
from spnb.sandbox.webhook_delivery.sender import WebhookSender

__all__ = ["Announcer", "HookRoutes", "WebhookSender"]
