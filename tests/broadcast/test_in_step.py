"""Sound that was held up is brought back to its picture; sound that comes unevenly is left as it is."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import spnb
from spnb._in_step import CUSHION_SECONDS, HEARD_SECONDS, MOST_HELD, MOST_SECONDS, InStep, SoundLag
from spnb.bench import in_step
from tests.conftest import RunningSandbox

PIECE = 0.01


def lag_at_end(pieces: Iterable[tuple[float, float]]) -> tuple[float, int]:
    """How late the last piece is played, and how many were left out, of pieces that were made and given so."""
    lag, played, late, left_out = SoundLag(), 0.0, 0.0, 0
    for came, taken in pieces:
        if lag.leaves_out(taken, PIECE):
            left_out += 1
            continue
        played = max(played, taken) + PIECE
        late = played - PIECE - came
    return late, left_out


@pytest.mark.parametrize("size", [1, 2, 4, 10])
def test_pieces_in_their_time_are_all_played(size: int) -> None:
    times = [(number // size * size * PIECE,) * 2 for number in range(1000)]
    assert lag_at_end(times) == (pytest.approx((size - 1) * PIECE), 0)


def test_what_a_busy_moment_held_up_is_late_no_more() -> None:
    held = [
        (number * PIECE, max(number * PIECE, 3.0) if 2.0 < number * PIECE < 3.0 else number * PIECE)
        for number in range(1000)
    ]
    late, left_out = lag_at_end(held)
    assert late <= MOST_SECONDS
    assert 0.9 <= left_out * PIECE <= 1.1


def test_pictures_are_as_late_as_their_sound_and_stay_in_order() -> None:
    lag, piece = SoundLag(), b"\1\0" * 480
    assert lag.shown_at(99.0) == 99.0, "there is no sound to wait for"
    cushion = bytes(len(piece)) * 4
    assert lag.kept(100.0, piece * 16, 96_000) == cushion + piece * 16, "so that the next may come late"
    assert lag.shown_at(100.0) == pytest.approx(100.2 + HEARD_SECONDS), "what is handed in now is heard behind that"
    before = lag.shown_at(100.1)
    assert before == pytest.approx(100.2 + HEARD_SECONDS)
    assert lag.shown_at(100.15) > before
    assert lag.shown_at(100.15, 0.06) == pytest.approx(100.26 + HEARD_SECONDS), "some is not in the queue yet"
    assert lag.kept(100.19, piece, 96_000) == piece, "there is sound still"
    assert lag.shown_at(100.5) == pytest.approx(100.5 + HEARD_SECONDS), "nothing waits any more"
    assert lag.shown_at(103.0) == 103.0, "the sound has ended"
    lag.kept(104.0, piece * 300, 96_000)
    assert lag.shown_at(104.0) == pytest.approx(104.0 + MOST_HELD), "whatever sound does, the picture goes on"


def test_what_waits_for_good_is_cut_off_in_whole_pieces() -> None:
    lag, piece, handed = SoundLag(), b"\1\0" * 480, 0
    for number in range(100):
        at = number / 30
        sound = piece * (20 if number == 0 else 4 if number % 3 == 0 else 3)
        handed += len(sound) - len(lag.kept(at, sound, 96_000))
    assert handed % len(piece) == 0
    assert 0.14 - CUSHION_SECONDS < handed / 96_000 < 0.22


class Queue:
    """LiveKit's queue of sound; it is slow to take the first ones."""

    def __init__(self, slow: int) -> None:
        self.heard: list[bytes] = []
        self.cleared = 0
        self._slow = slow

    async def capture_frame(self, frame: Any) -> None:
        if self._slow:
            self._slow -= 1
            await asyncio.sleep(0.02)
        self.heard.append(bytes(frame.data.cast("b")))

    def clear_queue(self) -> None:
        self.cleared += 1
        self.heard.clear()


async def test_when_sound_begins_is_found_out_with_silence() -> None:
    """What is said meanwhile would be late for good; its pictures are not seen either."""
    queue, together, piece = Queue(slow=2), InStep(asyncio.get_running_loop()), b"\1\0" * 480
    shown: list[int] = []
    together.say(piece, 1)
    playing = asyncio.create_task(together.play(queue, 2))
    while queue.cleared < 2:
        await asyncio.sleep(0)
    together.say(piece, 1)
    while not (queue.heard and queue.cleared >= 3):
        await asyncio.sleep(0)
    assert not any(b"".join(queue.heard)), "silence alone"
    for _ in range(3):
        together.say(piece, 1)
    while len(queue.heard) < 2:
        await asyncio.sleep(0)
    assert b"".join(queue.heard).strip(b"\0") == (piece * 6).strip(b"\0"), "in one go, for both sides"
    together.say(piece, 1)
    together.hush(queue)
    together.show(shown.append)
    together.let_go()
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)
    assert (queue.heard, shown) == ([], [])


@pytest.mark.media
async def test_what_goes_live_is_in_step_in_its_recording(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How near is measured by `spnb bench in-step`; here, that nothing is out of step on whatever machine this is."""
    monkeypatch.setattr(in_step, "SECONDS", 6.0)
    client = await spnb.connect_async("in-step", url=sandbox.url, api_key=sandbox.api_key)
    apart = await in_step._recorded(await client.rooms.create("In step"), tmp_path, loaded=False)
    await client.aclose()
    assert len(apart) > 2
    assert abs(statistics.median(apart)) < 0.15, apart
