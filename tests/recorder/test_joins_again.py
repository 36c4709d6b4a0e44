"""The recorder that joins a room as a participant: thrown out in mid-stream, by either server, it comes back."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import av
import pytest
from livekit import api

from spnb.broadcast.sources import read_counter
from spnb.sandbox.livekit.deployment import LiveKitDeployment
from spnb.sandbox.media.frames import EncodedFrame, TapTrack
from spnb.sandbox.recorder import Recorder
from spnb.sandbox.recorder.room import RoomRecording
from tests.broadcast.booth import Line
from tests.live.conftest import until
from tests.media.conftest import LiveKit, publisher
from tests.recorder.test_recorder import beeps_in, numbers_in

pytestmark = pytest.mark.media


class Counted:
    """A tap that hands everything on to the recorder, and counts."""

    def __init__(self, recording: RoomRecording) -> None:
        self.recording = recording
        self.frames = {"audio": 0, "video": 0}
        self.pictures: list[list[bytes]] = []
        """What was handed on while each stay in the room lasted, encoded."""
        self.started = {"audio": 0, "video": 0}
        self.there: set[str] = set()

    def track_started(self, track: TapTrack) -> None:
        self.started[track.kind] += 1
        self.there.add(track.kind)
        if track.kind == "video":
            self.pictures.append([])
        self.recording.track_started(track)

    def frame(self, track: TapTrack, frame: EncodedFrame) -> None:
        self.frames[track.kind] += 1
        if track.kind == "video":
            self.pictures[-1].append(frame.data)
        self.recording.frame(track, frame)

    def track_ended(self, track: TapTrack) -> None:
        self.there.discard(track.kind)
        self.recording.track_ended(track)

    def copy(self, track: TapTrack, rank: int, frame: EncodedFrame) -> None: ...

    def unreadable(self, reason: str) -> None:
        self.recording.unreadable(reason)

    async def more(self) -> None:
        """Wait for two seconds of pictures and sound from now on."""
        before = dict(self.frames)
        await until(lambda: all(self.frames[kind] >= before[kind] + 60 for kind in before), 60)


def numbers_of(pictures: list[bytes]) -> set[int | None]:
    """The test card's numbers in pictures as one encoder gave them."""
    decoder: Any = av.CodecContext.create("h264", "r")
    shown = [frame for data in pictures for frame in decoder.decode(av.Packet(data))] + decoder.decode(None)
    return {read_counter(frame.reformat(format="gray").to_ndarray()) for frame in shown} - {None}


async def test_a_recorder_that_is_thrown_out_goes_on_with_the_recording(
    livekit: LiveKit, line: Line, tmp_path: Path
) -> None:
    room = f"recorded-{secrets.token_hex(4)}"
    problems: list[Any] = []
    recorder = Recorder(tmp_path, on_ready=lambda _room: None, on_problem=lambda *told: problems.append(told))
    tap = Counted(recorder.record(room, host="host"))
    deployment = LiveKitDeployment(f"ws://127.0.0.1:{line.port}", livekit.key, livekit.secret)
    moderator = api.LiveKitAPI(livekit.url, livekit.key, livekit.secret)
    async with publisher(livekit, room, sound=True):
        end = deployment.record(room, tap)
        await tap.more()

        # Its line is cut, and the server knows it no more: the SDK joins and subscribes to everything anew.
        line.resumes = False
        before = dict(tap.started)
        await line.cut()
        line.mend()
        await until(lambda: all(tap.started[kind] > before[kind] for kind in before), 60)
        await tap.more()

        # It is put out: the SDK is done with it, and spnb joins anew.
        line.resumes = True
        before = dict(tap.started)
        who = await moderator.room.list_participants(api.ListParticipantsRequest(room=room))
        (identity,) = {one.identity for one in who.participants} - {"host"}
        await moderator.room.remove_participant(api.RoomParticipantIdentity(room=room, identity=identity))
        await until(lambda: all(tap.started[kind] > before[kind] for kind in before), 60)
        await tap.more()
        end()
    await until(lambda: not tap.there)  # no track is left over
    (file,) = await recorder.finish(room)
    # Whether frames are left out, and how many of each stay are recorded, is a matter of how busy the machine is.
    assert not [told for _, told in problems if "left out" not in told]
    numbers = [number for _, number in numbers_in(file.path) if number is not None]
    assert len(tap.pictures) == 3
    assert all(numbers_of(pictures) & set(numbers) for pictures in tap.pictures)
    assert numbers == sorted(numbers), "nothing comes back, nothing comes twice"
    assert beeps_in(file.path)
    await moderator.aclose()
    await deployment.aclose()
    await recorder.aclose()
