"""What a sandbox that was killed under long streams leaves to the next one's start."""

from __future__ import annotations

import functools
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spnb._loop import run
from spnb.bench.figures import Figure, at_most
from spnb.bench.growth import linear
from spnb.bench.recorder_load import FPS, pictures, sounds
from spnb.bench.sandboxed import OwnSandbox, own_sandbox

__all__ = ["left_over"]

HOURS = (1, 2, 4)
ROOM_SECONDS = 120
SCENE_SECONDS = 10
"""Encoded once, and shown again and again."""


def left_over() -> Iterator[Figure]:
    """Start of a sandbox beside hours of recording that are not made into files yet, and how long it makes them."""
    started: dict[int, float] = {}
    made = 0.0
    with own_sandbox() as sandbox:
        cold = sandbox.ready_after
    for hours in HOURS:
        with own_sandbox(filled=functools.partial(_fill, hours=hours)) as sandbox:
            started[hours] = sandbox.ready_after
            if hours == HOURS[0]:
                made = _until_made(sandbox)
    note = f"cold {cold:.2f} s; hours: {linear(started, 's')}"
    yield at_most(
        f"start beside {HOURS[-1]} h of unfinished recording", started[HOURS[-1]], round(cold + 1, 1), "s", note
    )
    yield at_most("… an hour of it, 720p30, made behind", made, 120, "s", f"{HOURS[0] * 3600 // ROOM_SECONDS} rooms")


def _until_made(sandbox: OwnSandbox) -> float:
    began = time.perf_counter()
    with sandbox.connect() as client:
        for room in client.rooms.query(page_size=100):
            client.rooms.get(room.room_id).until("recorded", timeout=600)
    return time.perf_counter() - began


def _fill(folder: Path, *, hours: int) -> None:
    """Rooms that were on air when their sandbox was killed, all of one recording."""
    from spnb.sandbox.store import Store

    part = run(_part(folder / "made"))
    store = Store(folder / "sandbox.sqlite")
    user = store.ensure_user("bench")
    with store.bulk():
        for number in range(hours * 3600 // ROOM_SECONDS):
            room_id = f"{number:024x}"
            room: dict[str, Any] = {
                "roomId": room_id,
                "_id": room_id,
                "type": "coHosts",
                "status": "idle",
                "title": f"Room {number}",
            }
            room |= {"createdBy": "bench", "creatorInternalId": user["_id"], "participants": [], "childRoomIds": []}
            room |= {"isDeleted": False, "path": f"sandbox/room/{room_id}", "createdAt": store.now()}
            store.rooms.insert({**room, "updatedAt": store.now()})
            store.transition(room_id, "live")
            store.transition(room_id, "ended")
            shutil.copytree(part, folder / "recordings" / room_id / "part-1", copy_function=os.link)
    store.close()


async def _part(folder: Path) -> Path:
    """The segments of a room whose recorder ended before it made a file of them."""
    from spnb.sandbox.media.frames import EncodedFrame, TapTrack
    from spnb.sandbox.recorder import Recorder, RecorderSettings

    told: list[str] = []
    recorder = Recorder(
        folder,
        on_ready=told.append,
        on_problem=lambda _room, problem: told.append(problem),
        settings=RecorderSettings(most_waiting=ROOM_SECONDS * 100),
        clock=lambda: 0.0,  # time is what arrivals tell
    )
    tap = recorder.start("room")
    video = TapTrack("v", "host", "video", "h264", 90_000, "camera")
    audio = TapTrack("a", "host", "audio", "opus", 48_000, "microphone")
    seen, heard = pictures("h264", SCENE_SECONDS), sounds(SCENE_SECONDS)
    for track in (video, audio):
        tap.track_started(track)
    for number in range(ROOM_SECONDS * FPS):
        data, keyframe = seen[number % len(seen)]
        tap.frame(video, EncodedFrame(data, number * 3000, keyframe, number / FPS))
        for tick in range(number * 50 // FPS, (number + 1) * 50 // FPS):
            tap.frame(audio, EncodedFrame(heard[tick % len(heard)], tick * 960, True, number / FPS))
    await recorder.aclose()
    return folder / "room" / "part-1"
