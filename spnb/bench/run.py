"""Which benchmarks there are, and the table they end in."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from importlib import import_module

from rich.console import Console
from rich.table import Table

from spnb.bench.figures import Figure
from spnb.errors import InvalidInput

__all__ = ["BENCHMARKS", "run_benchmarks"]

BENCHMARKS: dict[str, str] = {
    "import": "spnb.bench.startup:importing",
    "sandbox-start": "spnb.bench.startup:sandbox_start",
    "rest": "spnb.bench.service:rest_load",
    "status": "spnb.bench.service:status_latency",
    "go-live": "spnb.bench.media:time_to_first_frame",
    "on-air": "spnb.bench.on_air:host_on_air",
    "late-viewer": "spnb.bench.media:late_viewer",
    "subscribers": "spnb.bench.media:fifty_subscribers",
    "lines": "spnb.bench.lines:bad_lines",
    "forwarding": "spnb.bench.forwarding:forwarding",
    "recorder": "spnb.bench.recording:recorder_cost",
    "ingest": "spnb.bench.ingest:ingest",
    "live-delay": "spnb.bench.playback:live_delay",
    "in-step": "spnb.bench.in_step:sound_and_picture",
    "viewing": "spnb.bench.viewing:viewing",
    "co-hosts": "spnb.bench.co_hosts:co_hosts",
    "preview": "spnb.bench.studio:preview",
    "studio": "spnb.bench.studio:studio",
    "recordings": "spnb.bench.replay:recordings",
    "hooks": "spnb.bench.replay:hooks",
    "roads": "spnb.bench.roads:roads",
    "rooms": "spnb.bench.studio:rooms_list",
    "webhooks": "spnb.bench.webhooks:webhook_receiver",
    "viewers": "spnb.bench.audience:simulated_viewers",
    "back-fill": "spnb.bench.audience:back_fill",
    "reactions": "spnb.bench.engagement:reactions",
    "presence": "spnb.bench.engagement:presence",
    "chat": "spnb.bench.chat:chat_widget",
    "chat-history": "spnb.bench.chat:chat_history",
    "capture": "spnb.bench.capture:capture",
    "live-dashboard": "spnb.bench.dashboards:live_dashboard",
    "dashboard": "spnb.bench.dashboards:dashboard",
    "analytics-import": "spnb.bench.analytics:analytics_import",
    "analytics-season": "spnb.bench.analytics:season",
    "analytics-messages": "spnb.bench.analytics:messages",
    "analytics-page": "spnb.bench.analytics:stream_page",
    "analytics-dimensions": "spnb.bench.analytics:dimensions",
    "analytics-chat-log": "spnb.bench.analytics:chat_log",
    "analytics-beyond-memory": "spnb.bench.analytics:beyond_memory",
    "analytics-growth": "spnb.bench.analytics:growth",
    "observers": "spnb.bench.growth:observers",
    "budget": "spnb.bench.growth:one_budget",
    "large-network": "spnb.bench.growth:rooms_and_messages",
    "left-over": "spnb.bench.left_over:left_over",
    "floods": "spnb.bench.floods:floods",
    "soak": "spnb.bench.growth:soak",
}
"""Name → module and function; a function takes nothing and yields figures."""
ON_REQUEST = frozenset({"analytics-beyond-memory", "soak"})
"""What is only run where it is named: it takes long."""


def run_benchmarks(names: Iterable[str], *, as_json: bool = False) -> int:
    """Run the named benchmarks (without names all but those `ON_REQUEST`) and print a table.

    Returns:
        0 when every figure holds, else 1.

    Raises:
        InvalidInput: a name is unknown.
    """
    chosen = list(names) or [name for name in BENCHMARKS if name not in ON_REQUEST]
    console = Console(stderr=as_json)
    if chosen == ["list"]:
        for name in BENCHMARKS:
            console.print(name)
        return 0
    if unknown := [name for name in chosen if name not in BENCHMARKS]:
        raise InvalidInput(f"no benchmark {', '.join(unknown)}: choose from {', '.join(BENCHMARKS)}")
    figures: list[Figure] = []
    for name in chosen:
        with console.status(f"measuring {name} …"):
            fresh = list(_load(name)())
        figures += fresh
        if as_json:
            for figure in fresh:
                sys.stdout.write(json.dumps({**asdict(figure), "holds": figure.holds}, ensure_ascii=False) + "\n")
    if not as_json:
        console.print(_table(figures))
    return 0 if all(figure.holds for figure in figures) else 1


def _load(name: str) -> Callable[[], Iterable[Figure]]:
    module, function = BENCHMARKS[name].split(":")
    benchmark: Callable[[], Iterable[Figure]] = getattr(import_module(module), function)
    return benchmark


def _table(figures: list[Figure]) -> Table:
    table = Table(title="spnb bench")
    table.add_column("what")
    table.add_column("measured", justify="right")
    table.add_column("must be", justify="right")
    table.add_column("")
    table.add_column("how")
    for figure in figures:
        table.add_row(
            figure.name,
            f"{figure.value:.3g} {figure.unit}",
            f"{figure.sense} {figure.bar:g} {figure.unit}",
            "[green]holds[/]" if figure.holds else "[bold red]misses[/]",
            figure.note,
        )
    return table
