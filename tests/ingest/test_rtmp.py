"""ffmpeg, as OBS, goes live in a room over RTMP: the same lifecycle, recording and viewers as of any other host."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from spnb.errors import ConfigError
from spnb.sandbox.ingest import Ingest
from spnb.sandbox.ingest.amf import MalformedAmf, decoded, encoded
from spnb.sandbox.ingest.chunks import ChunkReader, MalformedChunk, chunked
from spnb.sandbox.ingest.flv import MalformedTag, read_audio, read_video
from spnb.sandbox.ingest.rtmp import MOST_CONNECTIONS
from tests.broadcast.films import film
from tests.ingest.conftest import HOOKS, Studio
from tests.live.conftest import until

if TYPE_CHECKING:
    from spnb.sandbox.store import Store


@pytest.mark.media
@pytest.mark.parametrize("kind", ["directStreaming", "coHosts"])
async def test_ffmpeg_goes_live(each_studio: Studio, clip: Path, kind: Any) -> None:
    studio = each_studio
    room = await studio.sp.rooms.create("From OBS", type=kind)
    if kind == "directStreaming":
        into = await room.ingest()
        assert into.stream_key not in repr(into) + repr(await room.broadcaster_data())
        address = f"{into.server}/{into.stream_key}"
    else:
        with pytest.raises(ConfigError, match="directStreaming"):
            await room.ingest()
        told = await studio.ask("POST", room)
        address = f"{told['rtmpUrl']}/{told['streamKey']}"
    async with studio.webhooks(room) as told_of:
        encoder = await studio.encoder(clip, address)
        await room.until("live", timeout=60)
        viewer = await studio.viewer(room)
        await viewer.sees()
        await viewer.hears()
        encoder.kill()
        await room.until("waitingReconnect", timeout=40)
        encoder = await studio.encoder(clip, address)  # the same key, again
        await room.until("live", timeout=60)
        await viewer.sees()
        room.observe(lambda _record: None)  # the address is told as soon as there is a first segment
        await until(lambda: room.record.live_playback_url, 60)
        await room.stop()
        assert await asyncio.wait_for(encoder.wait(), 60) != 0  # put out
        await room.until("recorded", timeout=60)
        recording = await room.recording()
        assert recording.urls
        await until(lambda: told_of[-1:] == ["room.recordedAvailable"], 60)
    assert told_of == [*HOOKS[:2], *HOOKS[:1], *HOOKS[2:]]
    await viewer.leave()


@pytest.mark.media
async def test_a_key_is_for_one_room_and_one_encoder_and_can_be_revoked(studio: Studio, clip: Path) -> None:
    room = await studio.sp.rooms.create("Keys", type="directStreaming")
    first, second = [str((await room.broadcaster_data()).direct_stream_url) for _ in range(2)]
    assert first != second
    assert second.rsplit("/", 1)[1] not in repr(await room.broadcaster_data())
    encoder = await studio.encoder(clip, first)
    await room.until("live", timeout=60)
    other = await studio.encoder(clip, second)
    assert await asyncio.wait_for(other.wait(), 60) != 0
    forged = await studio.encoder(clip, first[:-1] + ("A" if first[-1] != "A" else "B"))
    assert await asyncio.wait_for(forged.wait(), 60) != 0
    assert encoder.returncode is None
    await studio.ask("DELETE", room)
    assert await asyncio.wait_for(encoder.wait(), 60) != 0
    late = await studio.encoder(clip, second)
    assert await asyncio.wait_for(late.wait(), 60) != 0
    await room.until("waitingReconnect", timeout=60)
    fresh = await studio.encoder(clip, str((await room.broadcaster_data()).direct_stream_url))
    await room.until("live", timeout=60)
    assert fresh.returncode is None
    await room.stop()
    over = await studio.encoder(clip, str(first))
    assert await asyncio.wait_for(over.wait(), 60) != 0


@pytest.mark.media
async def test_pictures_of_any_size_are_bounded(studio: Studio, tmp_path: Path) -> None:
    """4K at 60 is made smaller; what no encoder takes is refused in words; neither harms the sandbox."""
    room = await studio.sp.rooms.create("Large", type="directStreaming")
    address = str((await room.broadcaster_data()).direct_stream_url)
    coding = {"g": "15", "preset": "ultrafast"}
    large = film(tmp_path / "large.mp4", seconds=0.25, fps=60, size=(3840, 2160), options=coding)
    await studio.encoder(large, address)
    await room.until("live", timeout=60)
    viewer = await studio.viewer(room)
    await until(lambda: any((width, height) == (1920, 1080) for *_, width, height in viewer.pictures), 60)
    await viewer.leave()
    await room.stop()
    tiny = film(tmp_path / "tiny.mp4", seconds=1, size=(8, 8), sound=False, pictures=lambda _number: _black(8, 8))
    other = await studio.sp.rooms.create("Tiny", type="directStreaming")
    encoder = await studio.encoder(tiny, str((await other.broadcaster_data()).direct_stream_url))
    assert await asyncio.wait_for(encoder.wait(), 60) != 0
    assert (await other.refresh()).status == "idle"


def _black(width: int, height: int) -> Any:
    import av

    return av.VideoFrame(width, height, "yuv420p")


async def knocked(studio: Studio, *pieces: bytes) -> bytes:
    """What is answered to bytes until the connection is closed."""
    room = await studio.sp.rooms.create("Knock", type="directStreaming")
    port = int(str((await room.broadcaster_data()).direct_stream_url).split(":")[2].split("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = b""
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(60):
            heard = await reader.read()
    except ConnectionError:
        pass
    finally:
        writer.close()
    return heard


HANDSHAKE = b"\x03" + bytes(1536) + bytes(1536)
CONNECT = chunked(20, encoded("connect", 1, {"app": "live"}))


@pytest.mark.media
@pytest.mark.parametrize(
    "pieces",
    [
        (secrets.token_bytes(5000),),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",),
        (b"\x03" + bytes(100),),  # and then nothing: put out after ten seconds
        (HANDSHAKE, b"\x03\0\0\0\xff\xff\xff\x14\0\0\0\0"),  # a message of 16 MB
        (HANDSHAKE, chunked(1, (2**31 - 1).to_bytes(4))),
        (HANDSHAKE, b"".join(bytes([number]) + b"\0\0\0\0\0\x09\x14\0\0\0\0A" for number in range(3, 40))),
        (HANDSHAKE, chunked(20, b"\x08" + b"\xff" * 100)),
        (HANDSHAKE, CONNECT, chunked(20, encoded("publish", 5, None, "nonsense", "live"))),
        (HANDSHAKE, CONNECT, chunked(20, encoded("play", 5, None, "x"))),
    ],
    ids=["noise", "http", "slow", "large message", "large chunks", "many streams", "bad amf", "bad key", "plays"],
)
async def test_strangers_are_put_out(studio: Studio, pieces: tuple[bytes, ...]) -> None:
    heard = await knocked(studio, *pieces)
    assert b"Publish.Start" not in heard
    assert (await studio.sp.rooms.create("still there")).room_id


async def drip(port: int, told: asyncio.Event) -> None:
    """Say a handshake byte by byte until the line is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    closed = asyncio.create_task(reader.read())
    writer.write(b"\x03")
    told.set()
    while not (await asyncio.wait([closed], timeout=0.5))[0]:
        writer.write(b"x")
    with contextlib.suppress(ConnectionError):
        assert await closed == b""
    writer.close()


@pytest.mark.media
async def test_strangers_that_drip_are_put_out_and_keep_nobody_out(studio: Studio, clip: Path) -> None:
    room = await studio.sp.rooms.create("Slow strangers", type="directStreaming")
    address = str((await room.broadcaster_data()).direct_stream_url)
    there = [asyncio.Event() for _ in range(MOST_CONNECTIONS)]
    strangers = [asyncio.create_task(drip(int(address.split(":")[2].split("/")[0]), one)) for one in there]
    await asyncio.gather(*(one.wait() for one in there))
    encoder = await studio.encoder(clip, address)
    await room.until("live", timeout=60)
    await asyncio.wait_for(asyncio.gather(*strangers), 60)
    assert encoder.returncode is None
    await room.stop()


@pytest.mark.media
async def test_one_that_sends_no_media_is_put_out(studio: Studio) -> None:
    """Let in by its key, it begins a message that does not come."""
    room = await studio.sp.rooms.create("Nothing", type="directStreaming")
    key = (await room.ingest()).stream_key
    publish = chunked(20, encoded("publish", 5, None, key, "live"))
    heard = await knocked(studio, HANDSHAKE, CONNECT, publish, chunked(9, bytes(100))[:50])
    assert b"Publish.Start" in heard
    assert (await room.refresh()).status == "idle"


async def test_a_media_server_that_does_not_answer_locks_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await over.wait()
        writer.close()

    over = asyncio.Event()
    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        media = SimpleNamespace(url=f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", follow=lambda _room: None)
        door: Any = Ingest(cast("Store", None), "key", media, "http://127.0.0.1:9")
        monkeypatch.setattr(door, "_token", lambda _key: ("room", "token"))
        for _ in range(2):
            asked.clear()
            entering = asyncio.create_task(door._admit("key"))
            await asyncio.wait_for(asked.wait(), 60)
            entering.cancel()  # as after ten seconds
            with pytest.raises(asyncio.CancelledError):
                await entering
        over.set()


def test_commands_are_read_back() -> None:
    values = ["connect", 1.0, {"app": "live", "flag": True, "nothing": None, "in": {"deep": "x"}}, None]
    assert decoded(encoded(*values)) == values
    for data in (b"\x02\0\x05ab", b"\x63", b"\x03" * 100, b"\x0a\xff\xff\xff\xff"):
        with pytest.raises(MalformedAmf):
            decoded(data)


async def test_messages_are_put_together_from_chunks_of_several_streams() -> None:
    reader = asyncio.StreamReader()
    chunks = ChunkReader(reader)
    first = chunked(9, bytes(range(200)), stream=1, channel=4)
    reader.feed_data(chunked(1, (4096).to_bytes(4), channel=2) + first)
    message = await chunks.next()
    assert (message.kind, message.stream, message.data) == (9, 1, bytes(range(200)))
    # Time in 32 bits, and a message in two halves with another between them.
    reader.feed_data(b"\x05\xff\xff\xff\0\x13\x88\x09\x01\0\0\0\x01\0\0\0" + bytes(4096))
    reader.feed_data(b"\x06\0\0\x07\0\0\x01\x08\x01\0\0\0A")
    reader.feed_data(b"\xc5\x01\0\0\0" + bytes(904))
    assert (await chunks.next()).time == 7
    late = await chunks.next()
    assert (late.time, len(late.data)) == (0x01000000, 5000)
    reader.feed_data(b"\xc9")
    with pytest.raises(MalformedChunk):
        await chunks.next()


def test_tags_are_read_in_both_dialects() -> None:
    coded = read_video(b"\x17\x01\xff\xff\xfeDATA", 40)
    assert coded is not None
    assert (coded.codec, coded.data, coded.keyframe, coded.shown_after) == ("h264", b"DATA", True, -2)
    hevc = read_video(b"\x91hvc1\0\0\x05DATA", 40)
    assert hevc is not None
    assert (hevc.codec, hevc.data, hevc.shown_after) == ("hevc", b"DATA", 5)
    av1 = read_video(b"\x90av01CONF", 0)
    assert av1 is not None
    assert (av1.codec, av1.data, av1.configures) == ("av1", b"CONF", True)
    aac = read_audio(b"\xaf\x00\x12\x10", 0)
    assert aac is not None
    assert (aac.codec, aac.configures) == ("aac", True)
    opus = read_audio(b"\x91OpusDATA", 3)
    assert opus is not None
    assert (opus.codec, opus.data) == ("opus", b"DATA")
    for broken in (b"\x12\0\0\0\0\0", b"\x90abcdX"):
        with pytest.raises(MalformedTag):
            read_video(broken, 0)
    assert read_video(b"\x57\0", 0) is None
