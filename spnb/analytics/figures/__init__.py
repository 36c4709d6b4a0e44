"""Figures: pure functions on metrics, in one template for light and dark."""

from spnb.analytics.figures.experience import experience_strip
from spnb.analytics.figures.images import save_image, save_images
from spnb.analytics.figures.portfolio import (
    cohort_grid,
    funnel_steps,
    kpi_cards,
    leaderboard,
    streams_compared,
    weekday_hours,
)
from spnb.analytics.figures.stream import (
    health_strip,
    joins_and_leaves,
    retention_curve,
    stream_stack,
    viewers_curve,
)

__all__ = [
    "cohort_grid",
    "experience_strip",
    "funnel_steps",
    "health_strip",
    "joins_and_leaves",
    "kpi_cards",
    "leaderboard",
    "retention_curve",
    "save_image",
    "save_images",
    "stream_stack",
    "streams_compared",
    "viewers_curve",
    "weekday_hours",
]
