"""The servers to test against: the embedded one and, where there is a binary of it, an unmodified livekit-server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import pytest_asyncio
from livekit import api, rtc

from spnb.broadcast.sources import TestCard, read_counter
from spnb.sandbox.livekit.choice import find_binary
from spnb.sandbox.livekit.own_server import LiveKitServer
from spnb.sandbox.media.tokens import Grants, mint

WIDTH, HEIGHT, FPS = 640, 360, 30


@dataclass(frozen=True)
class LiveKit:
    """Where the server is and what its tokens are signed with."""

    url: str
    key: str
    secret: str
    embedded: bool

    def token(self, room: str, identity: str, *, ttl: float = 600, **grants: Any) -> str:
        return mint(
            self.key,
            self.secret,
            identity=identity,
            ttl=ttl,
            grants=Grants(room=room, **{"room_join": True, **grants}),
        )

    def admin(self, room: str) -> str:
        return self.token(room, "admin", room_admin=True, room_list=True, room_create=True)


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKit]:
    """The embedded server in a process of its own; whatever clients do in these tests, no traceback is on its log, and
    nothing of a WebSocket that was refused."""
    secret = "s" * 40
    log_path = tmp_path_factory.mktemp("embedded") / "media.log"
    with log_path.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "spnb.sandbox.media"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "LIVEKIT_API_SECRET": secret},
        )
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    yield LiveKit(told["url"], told["apiKey"], secret, embedded=True)
    process.terminate()
    process.wait(60)
    said = log_path.read_text()
    assert "Traceback" not in said, said
    assert "handshake" not in said, said


def livekit_binary() -> Path:
    """The livekit-server of this machine, once it is built; skips the test where there is none."""
    if building := os.environ.get("SPNB_LIVEKIT_BUILD"):
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(int(building)).wait()
    named = os.environ.get("SPNB_LIVEKIT_SERVER", "")
    found = None if building and not Path(named).exists() else find_binary(os.environ)
    if found is None:
        pytest.skip("no livekit-server here: `python -m tests` builds one where Go is, or set SPNB_LIVEKIT_SERVER")
    return found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def real(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveKit]:
    """An unmodified livekit-server, started as the sandbox starts it."""
    key, secret = "real", "r" * 40
    log_path = tmp_path_factory.mktemp("livekit") / "livekit.log"
    server = LiveKitServer(livekit_binary(), key, secret, webhook=None, log_path=log_path)
    await server.start()
    yield LiveKit(server.url, key, secret, embedded=False)
    await server.aclose()


@pytest.fixture(scope="session", params=["embedded", "real"])
def livekit(request: pytest.FixtureRequest) -> LiveKit:
    """Both servers in turn: what a client sees of one it must see of the other."""
    served: LiveKit = request.getfixturevalue(request.param)
    return served


@asynccontextmanager
async def publisher(
    livekit: LiveKit,
    room_name: str,
    identity: str = "host",
    *,
    codec: str = "H264",
    simulcast: bool = False,
    sound: bool = False,
    busy: bool = False,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> AsyncIterator[rtc.Room]:
    """A participant of the official SDK that sends test cards (`busy` ones take all the bitrate), and a tone."""
    room = rtc.Room()
    await room.connect(livekit.url, livekit.token(room_name, identity), rtc.RoomOptions(auto_subscribe=False))
    feeding = await feed(room, codec=codec, simulcast=simulcast, sound=sound, size=size, busy=busy)
    try:
        yield room
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        await room.disconnect()


async def feed(
    room: rtc.Room,
    *,
    codec: str,
    simulcast: bool,
    sound: bool,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    busy: bool = False,
) -> asyncio.Task[None]:
    width, height = size
    source = rtc.VideoSource(width, height)
    track = rtc.LocalVideoTrack.create_video_track("card", source)
    options = rtc.TrackPublishOptions(
        source=rtc.TrackSource.SOURCE_CAMERA,
        video_codec=getattr(rtc.VideoCodec, codec),
        simulcast=simulcast,
        video_encoding=rtc.VideoEncoding(max_bitrate=1_500_000, max_framerate=FPS),
    )
    await room.local_participant.publish_track(track, options)
    audio = rtc.AudioSource(48_000, 1)
    if sound:
        microphone = rtc.LocalAudioTrack.create_audio_track("tone", audio)
        await room.local_participant.publish_track(
            microphone, rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        )
    card = TestCard(width, height, FPS)
    snow = np.random.default_rng(1).integers(110, 146, (16, height // 32, width // 8)).astype(np.uint8)
    snow = snow.repeat(8, axis=1).repeat(8, axis=2)

    def picture(number: int) -> bytearray:
        drawn = card.picture(number)
        if busy:
            luma = np.frombuffer(drawn, np.uint8, width * height).reshape(height, width)
            luma[height // 2 : height // 2 + snow.shape[1]] = snow[number % len(snow)]
        return drawn

    async def tone() -> None:
        phase = 0
        while True:
            wave = np.sin(2 * np.pi * 440 * (np.arange(480) + phase) / 48_000) * 12_000
            phase += 480
            await audio.capture_frame(rtc.AudioFrame(wave.astype(np.int16).tobytes(), 48_000, 1, 480))

    async def run() -> None:
        ringing = asyncio.create_task(tone()) if sound else None
        began, number = time.monotonic(), 0
        try:
            while True:
                source.capture_frame(rtc.VideoFrame(width, height, rtc.VideoBufferType.I420, picture(number)))
                number += 1
                await asyncio.sleep(max(0.0, began + number / FPS - time.monotonic()))
        finally:
            if ringing is not None:
                ringing.cancel()

    return asyncio.create_task(run())


class Viewer:
    """A subscriber of the official SDK, with what it sees and hears."""

    def __init__(self) -> None:
        self.room = rtc.Room()
        self.tracks: dict[Any, asyncio.Queue[tuple[Any, str]]] = {
            kind: asyncio.Queue() for kind in (rtc.TrackKind.KIND_VIDEO, rtc.TrackKind.KIND_AUDIO)
        }
        self.data: asyncio.Queue[rtc.DataPacket] = asyncio.Queue()
        self.events: list[str] = []
        self.room.on(
            "track_subscribed", lambda track, _, who: self.tracks[track.kind].put_nowait((track, who.identity))
        )
        self.room.on("data_received", self.data.put_nowait)
        for name in ("track_muted", "track_unmuted", "participant_connected", "participant_disconnected"):
            self.room.on(name, lambda *_, name=name: self.events.append(name))
        for name in ("reconnecting", "reconnected", "disconnected", "track_unsubscribed"):
            self.room.on(name, lambda *_, name=name: self.events.append(name))

    async def connect(self, livekit: LiveKit, room: str, identity: str = "viewer", **grants: Any) -> None:
        await self.room.connect(livekit.url, livekit.token(room, identity, can_publish=False, **grants))

    async def track(self, kind: str = "video") -> tuple[Any, str]:
        """The next track of a kind, and whose it is."""
        wanted = rtc.TrackKind.KIND_VIDEO if kind == "video" else rtc.TrackKind.KIND_AUDIO
        async with asyncio.timeout(60):
            return await self.tracks[wanted].get()

    async def words(self) -> rtc.DataPacket:
        """The next packet that is no knock."""
        while (packet := await asyncio.wait_for(self.data.get(), 60)).topic == "knock":
            pass
        return packet

    async def counters(self, track: Any, count: int) -> list[int]:
        """The numbers in the next `count` pictures."""
        stream = rtc.VideoStream(track, format=rtc.VideoBufferType.I420)
        found: list[int] = []
        try:
            async with asyncio.timeout(60):
                async for event in stream:
                    frame = event.frame
                    luma = np.frombuffer(frame.data, np.uint8, frame.width * frame.height)
                    number = read_counter(luma.reshape(frame.height, frame.width))
                    if number is not None:
                        found.append(number)
                    if len(found) >= count:
                        break
        finally:
            await stream.aclose()
        return found

    async def loudest(self, track: Any, seconds: float = 1.0) -> float:
        """The strongest frequency of the next second of sound, in Hz."""
        stream = rtc.AudioStream(track, sample_rate=48_000, num_channels=1)
        parts: list[Any] = []
        try:
            async with asyncio.timeout(60):
                async for event in stream:
                    part = np.frombuffer(event.frame.data, np.int16)
                    if parts or np.abs(part).max() > 500:
                        parts.append(part)
                    if sum(len(part) for part in parts) >= 48_000 * seconds:
                        break
        finally:
            await stream.aclose()
        wave = np.concatenate(parts).astype(float)
        spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
        return float(np.fft.rfftfreq(len(wave), 1 / 48_000)[spectrum.argmax()])


@asynccontextmanager
async def viewer(livekit: LiveKit, room: str, identity: str = "viewer", **grants: Any) -> AsyncIterator[Viewer]:
    """A connected viewer."""
    made = Viewer()
    await made.connect(livekit, room, identity, **grants)
    try:
        yield made
    finally:
        await made.room.disconnect()


@pytest.fixture
def room() -> str:
    return f"room-{uuid.uuid4().hex[:8]}"


@pytest_asyncio.fixture
async def service(livekit: LiveKit) -> AsyncIterator[Any]:
    made = api.LiveKitAPI(livekit.url.replace("ws", "http", 1), livekit.key, livekit.secret)
    yield made.room
    await made.aclose()
