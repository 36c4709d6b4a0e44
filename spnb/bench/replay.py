"""Recordings as a user fetches them, hooks as they are called, and how quickly moderation ends a stream."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from spnb.bench.figures import Figure, at_least, at_most, quantile
from spnb.bench.planted import film, plant
from spnb.bench.sandboxed import own_sandbox

__all__ = ["hooks", "recordings"]

LARGE_BYTES = 256 << 20
MESSAGES = 200


class Peak:
    """The most memory this process takes while it is watched, above what it took before (MB)."""

    def __enter__(self) -> Peak:
        self._process = psutil.Process()
        self._before = self.most = self._process.memory_info().rss
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.most = max(self.most, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def megabytes(self) -> float:
        """How much it grew."""
        return (self.most - self._before) / 2**20


def recordings() -> Iterator[Figure]:
    """A large file to disk; two films of a minute each looked through, cut and shown, without downloading them."""
    with own_sandbox() as sandbox, sandbox.connect() as client, tempfile.TemporaryDirectory() as folder:
        data, place = Path(sandbox.info["dataDir"]), Path(folder)
        minute = film(place / "minute.mp4", 60, size=(640, 360))
        talk = client.rooms.create("Two minutes")
        plant(data, talk.room_id, [minute, minute])
        began = time.perf_counter()
        recording = talk.recording(timeout=30)
        took = time.perf_counter() - began
        yield at_most("recording(): two files with size, length, thumbnail", took, 1, "s")
        began = time.perf_counter()
        recording.contact_sheet(count=12)
        yield at_most("contact sheet of 12 pictures, not downloaded", time.perf_counter() - began, 2, "s")
        began = time.perf_counter()
        recording.clip(55, 65, place / "clip.mp4")
        yield at_most("clip of 10 s over two files, copied", time.perf_counter() - began, 2, "s")

        large = client.rooms.create("Large")
        plant(data, large.room_id, [minute])
        with (data / "recordings" / large.room_id / "recording-1.mp4").open("r+b") as file:
            file.seek(0, os.SEEK_END)
            # What lies behind the film is skipped by players and is as good as film to a download.
            rest = LARGE_BYTES - file.tell()
            file.write(rest.to_bytes(4, "big") + b"free" + os.urandom(1 << 20))
            file.truncate(LARGE_BYTES)
        fetched = large.recording(timeout=30)
        with Peak() as peak:
            began = time.perf_counter()
            [path] = fetched.download(place / "large")
            took = time.perf_counter() - began
        assert path.stat().st_size == LARGE_BYTES  # noqa: S101 - a benchmark of half a file would be worthless
        yield at_least("download, sandbox to disk", LARGE_BYTES / 2**20 / took, 60, "MB/s", "256 MB, synced to disk")
        yield at_most("memory a download takes", peak.megabytes, 48, "MB", "256 MB file")


def hooks() -> Iterator[Figure]:
    """From a message sent to the hook called, in a room on air; and from a finding to the host off the air."""
    import spnb
    from spnb.sandbox import SandboxInfo

    with own_sandbox() as sandbox, sandbox.connect() as client:
        room = client.rooms.create("Hooked")
        chat = room.open_chat()
        arrived: dict[str, float] = {}
        news = threading.Event()

        def heard(message: Any) -> None:
            arrived[message.text] = time.perf_counter()
            news.set()

        end = spnb.on("chat.message", heard)
        delays = []
        with room.go_live(spnb.TestCard(320, 180)) as broadcast:
            room.until("live", timeout=30)
            for number in range(MESSAGES):
                news.clear()
                sent = time.perf_counter()
                chat.send(f"message {number}")
                while f"message {number}" not in arrived and news.wait(5):
                    news.clear()
                delays.append(arrived[f"message {number}"] - sent)
            end()
            began = time.perf_counter()
            SandboxInfo.read(sandbox.info).moderate(room.room_id, "violence", 1.0)
            broadcast.wait_ended(30)
            took = time.perf_counter() - began
    yield at_most("message sent → hook called, p95", quantile(delays, 0.95) * 1000, 150, "ms", f"{MESSAGES} messages")
    yield at_most("moderation finds → host off the air", took, 3, "s")
