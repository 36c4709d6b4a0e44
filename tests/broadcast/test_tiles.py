"""A host whose connection is the kernel's sees the others on the stage, while somebody looks."""

from __future__ import annotations

import io
import random

import av
import pytest

from spnb.broadcast import go_live
from spnb.broadcast.sources import TestCard
from spnb.broadcast.tiles import Few, Tiles, tiles_of
from tests.broadcast.booth import Booth
from tests.live.conftest import until
from tests.media.conftest import LiveKit, publisher

pytestmark = pytest.mark.media


async def test_pictures_of_the_others_are_taken_while_somebody_looks(livekit: LiveKit) -> None:
    booth = Booth(livekit, "tiles")
    show = await go_live(booth, TestCard(320, 180, 10, tone=False))
    taken: list[tuple[str, bytes | None]] = []
    tiles = tiles_of(show)
    async with publisher(livekit, booth.room_id, "guest") as guest:
        await until(lambda: show.others == {"guest"})
        theirs = [each for who in tiles._room.remote_participants.values() for each in who.track_publications.values()]
        assert all(each.track is None for each in theirs), "nobody looks yet"
        tiles.show(lambda who, picture: taken.append((who, picture)))
        await until(lambda: len(taken) >= 10)
        who, picture = taken[-1]
        assert (who, bool(picture)) == ("guest", True)
        with av.open(io.BytesIO(picture or b""), format="mjpeg") as opened:
            shown = next(opened.decode(video=0))
        assert (shown.width, shown.height) == (320, 180)
        # Who hides the camera leaves no still picture behind; who shows it again is seen again.
        (camera,) = guest.local_participant.track_publications.values()
        camera.track.mute()
        await until(lambda: taken[-1] == ("guest", None))
        camera.track.unmute()
        await until(lambda: taken[-1][1] is not None)
        tiles.show(None)
        assert not tiles._reading
        tiles.show(lambda who, picture: taken.append((who, picture)))
        await until(lambda: bool(tiles._reading))
    await until(lambda: taken[-1] == ("guest", None))
    await show.stop()
    assert not tiles._reading


def test_who_has_had_enough_at_the_last_word_is_told_no_more() -> None:
    tiles = Tiles()
    tiles.show(lambda *_: tiles.show(None))
    tiles._reading = {"a": ("ann", _Ended()), "b": ("bob", _Ended())}  # type: ignore[dict-item]
    tiles._look()
    assert not tiles._reading


class _Ended:
    def cancel(self) -> None:
        """Nothing runs."""


@pytest.mark.parametrize("fps", [5, 8, 10, 12, 15, 24, 25, 30, 60])
def test_a_tile_has_at_least_five_pictures_a_second_of_any_camera_and_no_more_than_eight(fps: int) -> None:
    seconds, unsteady = 20, random.Random(fps)
    few = Few()
    came = [100 + (number + unsteady.uniform(-0.15, 0.15)) / fps for number in range(seconds * fps)]
    taken = sum(few.take(at) for at in came)
    assert 5 * seconds <= taken <= 8 * seconds + 1
