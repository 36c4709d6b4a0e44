"""Metrics: pure functions on tables, each by its one written definition."""

from spnb.analytics.metrics.audience import (
    joins_leaves,
    returning,
    unique_viewers,
    view_duration,
    views,
    watch_time,
)
from spnb.analytics.metrics.chat import chat, chat_penetration, chat_rate, chatters
from spnb.analytics.metrics.concurrency import average, concurrency, peak
from spnb.analytics.metrics.engagement import FORMULAS, engagement
from spnb.analytics.metrics.experience import EXPERIENCE, experience, experience_rate, experience_summary
from spnb.analytics.metrics.health import health, health_summary
from spnb.analytics.metrics.moments import moments
from spnb.analytics.metrics.reactions import reactions
from spnb.analytics.metrics.retention import Retention, churn, retention
from spnb.analytics.metrics.trust import quality
from spnb.analytics.metrics.usual import usual_viewers

__all__ = [
    "EXPERIENCE",
    "FORMULAS",
    "Retention",
    "average",
    "chat",
    "chat_penetration",
    "chat_rate",
    "chatters",
    "churn",
    "concurrency",
    "engagement",
    "experience",
    "experience_rate",
    "experience_summary",
    "health",
    "health_summary",
    "joins_leaves",
    "moments",
    "peak",
    "quality",
    "reactions",
    "retention",
    "returning",
    "unique_viewers",
    "usual_viewers",
    "view_duration",
    "views",
    "watch_time",
]
