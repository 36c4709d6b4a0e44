"""What a co-host costs: the way onto the stage, and two in one recording."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator

import orjson

from spnb.bench.figures import Figure, at_least, at_most, quantile
from spnb.bench.sandboxed import own_sandbox

__all__ = ["co_hosts"]

ROUNDS = 5
SECONDS = 10


def co_hosts() -> Iterator[Figure]:
    """Invitation, stage and composition."""
    yield from _stage()
    yield from _composition()


def _stage() -> Iterator[Figure]:
    from spnb.broadcast.sources import TestCard
    from spnb.live import LiveInvitations, LiveRoom
    from spnb.live.stage import Broadcaster

    class Seat:
        """Whether the co-host is on the stage, as the host sees it."""

        def __init__(self, room: LiveRoom) -> None:
            self.there, self.gone = threading.Event(), threading.Event()
            self.end = room.stage.observe(self._changed)

        def _changed(self, people: list[Broadcaster]) -> None:
            on_stage = any(person.role == "coHost" and person.on_stage for person in people)
            (self.there if on_stage else self.gone).set()
            (self.gone if on_stage else self.there).clear()

    invited, joined, left = [], [], []
    with own_sandbox() as sandbox, sandbox.connect("host") as sp, sandbox.connect("guest") as guest:
        room = sp.rooms.create("co-hosts")
        with room.go_live(TestCard(640, 360)):
            room.until("live", timeout=20)
            seat = Seat(room)
            arrivals = LiveInvitations(guest).watch()
            # The first makes the real-time connection; it is not counted.
            room.invite("guest")
            next(arrivals).reject()
            for _ in range(ROUNDS):
                began = time.perf_counter()
                room.invite("guest")
                arrived = next(arrivals)
                invited.append(time.perf_counter() - began)
                there = arrived.accept()
                began = time.perf_counter()
                broadcast = there.join_stage(TestCard(640, 360))
                seat.there.wait(20)
                joined.append(time.perf_counter() - began)
                began = time.perf_counter()
                broadcast.stop()
                seat.gone.wait(20)
                left.append(time.perf_counter() - began)
                there.leave_stage()
            seat.end()
    how = "test card, kernel path"
    yield at_most("invited → the guest knows, slowest", quantile(invited, 1) * 1000, 150, "ms", "by event, then read")
    yield at_most("join_stage() → the host sees them, median", statistics.median(joined) * 1000, 1000, "ms", how)
    yield at_most("stop() → the host sees them gone, median", statistics.median(left) * 1000, 500, "ms", how)


def _composition() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="spnb-bench-") as folder:
        command = [sys.executable, "-m", "spnb.bench.recorder_load", "h264", str(SECONDS), folder, "2"]
        told = orjson.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    note = f"2 × 720p30 for {SECONDS} s, composed to 720p30"
    yield at_most("recorder with two publishers", told["share"] * 100, 60, "% of a core", note)
    yield at_least("… pictures kept", told["kept"] / told["sent"] * 100, 98, "%", note)
