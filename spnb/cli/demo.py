"""`spnb demo`: the whole story in the terminal, from an idle room to a playable recording."""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from spnb.errors import ConfigError, InvalidInput

if TYPE_CHECKING:
    from spnb.broadcast.sources import Source

__all__ = ["run_demo", "source_named"]


def source_named(name: str) -> Source:
    """The media source a command-line word stands for.

    Raises:
        InvalidInput: the word is neither a known source nor an existing file.
    """
    from spnb.broadcast import sources

    if name == "test-card":
        return sources.TestCard()
    if name == "camera":
        return sources.Camera()
    if name == "screen":
        return sources.Screen()
    if Path(name).is_file():
        return sources.MediaFile(name)
    raise InvalidInput(f"no source {name!r}: choose test-card, camera, screen, or the path of a media file")


def run_demo(*, seconds: float, source: str, out: Path | None, title: str) -> int:
    """Run the seed flow and print where the recording lies and how long it is.

    Returns:
        0 when the recording is on disk and holds video, else 1 (errors of spnb are raised).
    """
    import spnb
    from spnb.recordings import probe

    if not 0 < seconds < math.inf:
        raise InvalidInput(f"--seconds {seconds:g} is no time on air: give a number above 0")
    console = Console()
    media = source_named(source)

    def say(done: str, what: str = "") -> None:
        console.print(Text.assemble(("✓ ", "green"), done, (f"  {what}", "dim")))

    with spnb.connect() as client:
        say("connected", repr(client))
        room = client.rooms.create(title, description="Made by spnb demo", chat=True)
        for step, made in room.steps.items():
            say(f"{step} made", made or "")
        went_live = threading.Event()
        forget = room.observe(lambda record: went_live.set() if record.status == "live" else None)
        started = time.monotonic()
        with room.go_live(media) as broadcast:
            room.until("live", timeout=30)
            say("live", f"{time.monotonic() - started:.2f} s after go_live()")
            room.chat.send("We are live!")
            on_air = {live.room_id for live in client.rooms.live()}
            say("listed in live now", f"{len(on_air)} on air, ours {'among them' if room.room_id in on_air else 'NOT'}")
            with Progress(
                SpinnerColumn("point"),
                TextColumn("[bold red]LIVE[/]"),
                BarColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[health]}"),
                console=console,
                transient=True,
            ) as progress:
                task = progress.add_task("on air", total=seconds, health="")
                until = time.monotonic() + seconds
                while (left := until - time.monotonic()) > 0 and not broadcast.wait_ended(min(left, 0.5)):
                    stats = broadcast.stats
                    health = f"{stats.fps:.0f} fps  {stats.bitrate_kbps:.0f} kb/s" if stats else ""
                    progress.update(task, completed=seconds - max(0.0, until - time.monotonic()), health=health)
        say("left the air, room stopped", "disconnected first")
        forget()
        recording = room.recording(timeout=120)
        say("recorded", f"{len(recording.urls)} file(s)")
        paths = recording.download(out or _videos_folder()) if recording.files else []
    for path in paths:
        facts = probe(path)
        console.print(Text.assemble(("▶ ", "bold green"), (str(path.resolve()), "bold"), f"  {facts}"), soft_wrap=True)
        if facts.video_frames == 0:
            return 1
    return 0 if paths else 1


def _videos_folder() -> Path:
    from platformdirs import user_videos_path

    try:
        return user_videos_path() / "spnb"
    except RuntimeError:
        raise ConfigError("this user has no home folder: name where to put the recording with --out") from None
