"""`spnb simulate` and `spnb backfill`: audiences for the sandbox, from the terminal."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

import spnb.sandbox

__all__ = ["fill_past", "send_audience"]


def send_audience(
    room: str, *, viewers: int, seed: int, seconds: float, chattiness: float, as_json: bool = False
) -> int:
    """Send viewers into a room, show how it goes, and wait for the end; Ctrl-C sends them home."""
    console = Console(stderr=as_json)
    columns = (SpinnerColumn("point"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with (
        spnb.sandbox.simulate(room, viewers=viewers, seed=seed, seconds=seconds, chattiness=chattiness) as simulation,
        Progress(*columns, console=console, transient=True) as bar,
    ):
        task = bar.add_task("logging in", total=seconds)
        while simulation.running:
            try:
                simulation.wait(0.5)
            except TimeoutError:
                now = simulation.progress
                said = f"{now.watching} watching · {now.messages} messages · {now.reactions} reactions"
                bar.update(
                    task, completed=now.elapsed, description=said if now.elapsed else f"{now.prepared} logged in"
                )
        end = simulation.wait(0)
    if as_json:
        moments = [asdict(moment) for moment in simulation.plan.moments]
        began = simulation.began.isoformat() if simulation.began else None
        told = {**asdict(end), "began": began, "peak": simulation.plan.peak, "moments": moments}
        sys.stdout.write(json.dumps(told) + "\n")
        return 0
    console.print(
        f"{viewers} viewers, {simulation.plan.peak} at once · {end.sessions} watch sessions · {end.messages} messages"
        f" · {end.reactions} reactions · {end.refused} refused · {end.failed} without answer"
        f" · at most {end.worst:.2f} s late",
        highlight=False,
    )
    for moment in simulation.plan.moments:
        console.print(f"  planted: {moment.kind} at {moment.at:.0f} s", highlight=False)
    return 0


def fill_past(
    *,
    days: int,
    streams: int,
    seed: int,
    views: int | None,
    messages: int | None,
    data_dir: Path | None,
    as_json: bool = False,
) -> int:
    """Write a past and say what is in it and where its truth lies."""
    console = Console(stderr=as_json)
    columns = (SpinnerColumn("point"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.completed} streams"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=streams)
        past = spnb.sandbox.backfill(
            days=days,
            streams=streams,
            seed=seed,
            views=views,
            messages=messages,
            data_dir=data_dir,
            progress=lambda done, _of: bar.update(task, completed=done),
        )
    if as_json:
        told = {**asdict(past), "start": past.start.isoformat(), "until": past.until.isoformat()}
        sys.stdout.write(json.dumps({**told, "path": str(past.path)}) + "\n")
        return 0
    console.print(
        f"{past.streams} streams from {past.start:%Y-%m-%d} to {past.until:%Y-%m-%d} · {past.views} watch sessions"
        f" · {past.messages} messages · {past.reactions + past.live_reactions} reactions\n"
        f"  what was planted: {past.path}",
        highlight=False,
        soft_wrap=True,
    )
    return 0
