"""More than one quality live, as the publisher sends them: a playlist each, with the same segments."""

from __future__ import annotations

import asyncio
import io
import itertools
import re
from pathlib import Path

import av
import httpx
import numpy as np
import pytest

import spnb
from spnb.broadcast import VideoOptions
from spnb.broadcast.sources import read_counter
from spnb.sandbox.media.frames import EncodedFrame, TapTrack
from tests.conftest import RunningSandbox
from tests.recorder.test_recorder import FPS, OPUS_SECONDS, Feeder, Studio, encoded_pictures, encoded_sound, studio
from tests.recorder.viewer import Playlist, check, parse, served

__all__ = ["studio"]

SECONDS = 14
AWAY = range(5 * FPS, 9 * FPS)
"""When the publisher does not send the smaller layer."""


def play(feeder: Feeder, *, late: int) -> None:
    """A publisher with two layers; the smaller one's key frames come some pictures after (before) the larger one's."""
    video, audio = feeder.track("video", "h264"), feeder.track("audio", "opus")
    moments: list[tuple[float, TapTrack, int, EncodedFrame]] = []
    large = encoded_pictures(SECONDS, size=(640, 360))
    small = encoded_pictures(SECONDS, size=(320, 180), first=late)
    for number, (data, key) in enumerate(large):
        at = 1000 + number / FPS
        moments.append((at, video, 0, EncodedFrame(data, 7_000_000 + number * 3000, key, at)))
    for number, (data, key) in enumerate(small):
        at = 1000 + (number + late) / FPS + 0.002
        if at >= 1000 and number not in AWAY:
            moments.append((at, video, 1, EncodedFrame(data, 55 + number * 3000, key, at)))
    for number, data in enumerate(encoded_sound(SECONDS)):
        at = 1000 + number * OPUS_SECONDS
        moments.append((at, audio, 0, EncodedFrame(data, 123 + number * 960, True, at)))
    for _, track, rank, frame in sorted(moments, key=lambda moment: moment[0]):
        if rank:
            feeder.tap.copy(track, rank, frame)
        else:
            feeder.tap.frame(track, frame)


async def both(studio: Studio, count: int) -> tuple[str, Playlist, Playlist, dict[str, bytes]]:
    """The master, both lists with so many segments, and what their segments hold, each with what it needs."""
    async with served(studio) as viewer:
        await viewer.until(lambda playlist: len(playlist.segments) >= count)
        master = (await viewer.get("index.m3u8")).text
        lists = []
        for name in re.findall(r"^\S+main\.m3u8$|^main\.m3u8$", master, re.MULTILINE):
            lists.append(parse((await viewer.get(name, _HLS_msn=count - 1)).raise_for_status().text))
        best, copy = lists
        files = {}
        for one in copy.segments:
            for part in one.parts:
                assert (await viewer.get(part["URI"])).status_code == 200
            for name in (one.map, one.uri):
                files[name] = (await viewer.get(name)).raise_for_status().content
        told = (await viewer.get("copy1-main.m3u8")).text.splitlines()
        ended = told[: told.index(copy.segments[-1].uri) + 1]
        kept = [line for line in ended if not line.startswith(("#EXT-X-PART", "#EXT-X-SERVER"))]
        files["copy1-main.m3u8"] = "\n".join([*kept, "#EXT-X-ENDLIST", ""]).encode()
        assert (await viewer.get("copy3-main.m3u8")).status_code == 404
        async with httpx.AsyncClient(trust_env=False, timeout=60) as other:
            assert (await other.get(viewer.address("copy1-init-9.mp4"))).status_code == 404
    return master, best, copy, files


async def test_layers_are_qualities_with_the_same_segments(studio: Studio, tmp_path: Path) -> None:
    for late in (3, -3):
        feeder = Feeder(studio.recorder.start("room"))
        play(feeder, late=late)
        master, best, copy, files = await both(studio, 7)
        assert re.findall(r"RESOLUTION=(\S+)", master) == ["640x360", "320x180"], "the best first"
        rates = [int(rate) for rate in re.findall(r"[:,]BANDWIDTH=(\d+)", master)]
        assert rates[0] > rates[1] > 0
        check(best)
        assert [(one.seconds, one.at) for one in copy.segments] == [(one.seconds, one.at) for one in best.segments]
        assert [one.changed for one in copy.segments] == [one.changed for one in best.segments]

        own = [one.uri.startswith("copy1-") for one in copy.segments]
        assert own[1], own
        assert own[-1], own
        assert not all(own), "what is not sent is the best quality's"
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
        with av.open(str(tmp_path / "copy1-main.m3u8")) as playing:
            played = [(frame.width, float(frame.time or 0)) for frame in playing.decode(video=0)]
        assert {width for width, _ in played} == {320, 640}, "FFmpeg plays it through"
        assert all(0 < later[1] - earlier[1] < 0.4 for earlier, later in itertools.pairwise(played))
        assert played[-1][1] > 12.9
        path, heard = tmp_path / "one.mp4", 0.0
        for one, better in zip(copy.segments, best.segments, strict=True):
            path.write_bytes(files[one.map] + files[one.uri])
            with av.open(str(path)) as made:
                pictures = list(made.decode(video=0))
            assert (pictures[0].width, pictures[0].height) == ((320, 180) if "copy" in one.uri else (640, 360))
            assert pictures[0].key_frame, "each begins by itself"
            shown = read_counter(np.asarray(pictures[-1].reformat(format="gray").to_ndarray(), np.uint8))
            at = float(pictures[-1].time or 0)
            if one.uri.startswith("copy1-") and copy.segments.index(one) != 2:
                assert shown is not None
                assert abs(shown / FPS - at) < 0.11, "and is in time"
            with av.open(str(path)) as made:
                sounds = [
                    float(packet.pts * packet.time_base) for packet in made.demux(audio=0) if packet.pts is not None
                ]
            assert heard == 0.0 or abs(sounds[0] - heard) < 0.03, "nothing of the sound is missing, nor there twice"
            heard = sounds[-1] + 1024 / 48_000
            assert better.uri.startswith("segment-")
        (file,) = await studio.recorder.finish("room")
        assert (file.width, file.height) == (640, 360)
        with av.open(str(file.path)) as made:
            assert {(frame.width, frame.height) for frame in made.decode(video=0)} == {(640, 360)}
        assert not studio.problems
        await studio.recorder.discard("room")


@pytest.mark.media
async def test_a_host_who_sends_layers_is_seen_in_each(sandbox: RunningSandbox) -> None:
    async with await spnb.connect_async("layered", url=sandbox.url, api_key=sandbox.api_key) as sp:
        room = await sp.rooms.create("In layers")
        show = await room.go_live(spnb.TestCard(1280, 720), video=VideoOptions(simulcast=True))
        await room.until("live", timeout=60)
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client, asyncio.timeout(60):
            while (await room.refresh()).live_playback_url is None:
                await asyncio.sleep(0.1)
            address = str(room.record.live_playback_url)
            lists: list[str] = []
            while len(lists) < 2:
                await asyncio.sleep(0.1)
                told = (await client.get(address)).text
                lists = re.findall(r"^\S*main\.m3u8$", told, re.MULTILINE)
            sizes = re.findall(r"RESOLUTION=(\d+)x", told)
            assert sizes == sorted(sizes, key=int, reverse=True)
            base = address.rsplit("/", 1)[0]
            parts: list[str] = []
            while not parts:
                copy = parse((await client.get(f"{base}/{lists[1]}")).text)
                parts = [one.uri for one in copy.segments if one.uri.startswith("copy")]
            needed = next(one.map for one in copy.segments if one.uri == parts[-1])
            data = [(await client.get(f"{base}/{name}")).raise_for_status().content for name in (needed, parts[-1])]
        with av.open(io.BytesIO(b"".join(data)), "r") as made:
            assert str(next(made.decode(video=0)).width) == sizes[1]
        await show.stop()
