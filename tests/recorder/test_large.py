"""A publisher that sends 4K at 60: taken as it is, whole, at the cost of copying it."""

from __future__ import annotations

import asyncio
import resource
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest
from livekit import rtc

import spnb
from spnb.sandbox.media.frames import EncodedFrame
from spnb.sandbox.recorder import Recorder, RecorderSettings
from tests.conftest import RunningSandbox
from tests.recorder.test_recorder import Feeder

WIDTH, HEIGHT, FPS, SECONDS = 3840, 2160, 60, 10
MEGABYTE = 1 << 20


def second_of_4k(moves: int = 2) -> list[bytes]:
    """A second, which begins with a key frame: of each picture one part in so many moves. Of half of it, that is some
    25 Mb/s."""
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.bit_rate = Fraction(1, FPS), Fraction(FPS), 40_000_000
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "g": str(FPS)}
    snow = np.random.default_rng(4).integers(96, 160, (4, HEIGHT // 8, WIDTH // 8)).astype(np.uint8)
    planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    found: list[bytes] = []
    for number in range(FPS):
        moved = snow[number // 15, : HEIGHT // moves // 8].repeat(8, axis=0).repeat(8, axis=1)
        planes[: len(moved)] = moved
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        found += [bytes(packet) for packet in encoder.encode(frame)]
    return found


async def test_4k_at_60_is_recorded_whole(tmp_path: Path) -> None:
    problems: list[str] = []
    recorder = Recorder(
        tmp_path,
        on_ready=lambda _room: None,
        on_problem=lambda _room, text: problems.append(text),
        settings=RecorderSettings(),
        clock=lambda: 0.0,
    )
    tap = recorder.start("room", host="host")
    frames = second_of_4k()
    video = Feeder(tap).track("video", "h264")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    for number in range(SECONDS * FPS):
        at = 1000 + number / FPS
        data = frames[number % FPS]
        tap.frame(video, EncodedFrame(data, 9 + number * 1500, number % FPS == 0, at))
    (file,) = await recorder.finish("room")
    await recorder.aclose()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 - before < 200
    assert not problems
    assert (file.width, file.height) == (WIDTH, HEIGHT)
    assert abs(file.duration_seconds - SECONDS) < 0.1
    with av.open(str(file.path)) as made:
        sizes = [packet.size for packet in made.demux(video=0) if packet.size]
    # Between two pictures that lie further apart than a part lasts the one before is shown again: here none do.
    assert len(sizes) == SECONDS * FPS, "every picture"
    assert sum(sizes) > 0.98 * SECONDS * sum(map(len, frames)), "with all that was sent of it"
    assert sum(sizes) > 5 * MEGABYTE


def spent(process: psutil.Process) -> float:
    """Seconds of processor time of a process and its children."""
    return sum(sum(one.cpu_times()[:2]) for one in (process, *process.children(recursive=True)))


def seconds_to_decode(frames: list[bytes]) -> float:
    decoder: Any = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    began = time.process_time()
    for data in frames:
        decoder.decode(av.Packet(data))
    return time.process_time() - began


async def sent_of(track: Any) -> tuple[int, int]:
    """Pictures that left the SDK, and their bytes."""
    for report in await track.get_stats():
        if report.WhichOneof("stats") == "outbound_rtp":
            told = report.outbound_rtp
            again = told.outbound.retransmitted_bytes_sent
            return int(told.outbound.frames_sent), int(told.sent.bytes_sent - again)
    return 0, 0


@pytest.mark.media
async def test_4k_at_60_goes_through_the_media_server_for_less_than_it_takes_to_see_it(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """Sent as it is encoded, so that nothing but the server has work: it takes, forwards and records every picture."""
    frames = second_of_4k(20)  # so little that the SDK's estimate of its line leaves nothing out
    async with await spnb.connect_async("large", url=sandbox.url, api_key=sandbox.api_key) as sp:
        room = await sp.rooms.create("4K at 60")
        data = await room.broadcaster_data()
        host = rtc.Room()
        await host.connect(str(data.co_host_url), str(data.co_host_token), rtc.RoomOptions(auto_subscribe=False))
        source: Any = rtc.EncodedVideoSource(WIDTH, HEIGHT)
        track = rtc.LocalVideoTrack.create_video_track("camera", source)
        options = rtc.TrackPublishOptions(
            source=rtc.TrackSource.SOURCE_CAMERA,
            video_codec=rtc.VideoCodec.H264,
            video_encoder=rtc.VideoEncoderBackend.ENCODER_BACKEND_PRE_ENCODED,
            simulcast=False,
            video_encoding=rtc.VideoEncoding(max_bitrate=20_000_000, max_framerate=FPS),
        )
        await host.local_participant.publish_track(track, options)
        process = psutil.Process(sandbox.process.pid)

        def send(number: int) -> None:
            first = number % FPS == 0
            kind = rtc.EncodedFrameType.ENCODED_FRAME_KEY if first else rtc.EncodedFrameType.ENCODED_FRAME_DELTA
            at = number * 1_000_000 // FPS + 1
            source.capture_frame(
                rtc.EncodedVideoFrame(frames[number % FPS], WIDTH, HEIGHT, rtc.VideoCodec.H264, kind, at)
            )

        before, began = spent(process), time.monotonic()
        for number in range(SECONDS * FPS):
            send(number)
            await asyncio.sleep(max(0.0, began + (number + 1) / FPS - time.monotonic()))
        sent, earlier = await sent_of(track), (0, 0)
        async with asyncio.timeout(60):
            while sent != earlier:
                await asyncio.sleep(0.5)
                sent, earlier = await sent_of(track), sent
        cost = spent(process) - before
        assert (await room.until("live", timeout=60)).status == "live"
        await host.disconnect()
        await room.stop()
        (path,) = await room.download(tmp_path, timeout=60, progress=False)
    with av.open(str(path)) as made:
        stream = made.streams.video[0]
        assert (stream.width, stream.height) == (WIDTH, HEIGHT)
        sizes = [packet.size for packet in made.demux(stream) if packet.size]
    pictures, octets = sent
    assert pictures > 2 * FPS, "the SDK leaves some out"
    assert len(sizes) >= pictures, "every picture that was sent"
    assert sum(sizes) > 0.97 * octets, "with all that was sent of it"
    assert cost < seconds_to_decode(frames) * pictures / FPS, "nothing is decoded on the way"
