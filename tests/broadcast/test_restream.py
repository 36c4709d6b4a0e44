"""A stream goes to other services too: the packets of the room's, and nothing that becomes of them touches the room."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import ssl
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from spnb import _push
from spnb._push import Push
from spnb.broadcast import RestreamLost, RestreamReached, go_live
from spnb.broadcast.restream import reach, reason_of
from spnb.broadcast.sources import LiveURL, TestCard, read_counter
from spnb.broadcast.sources.base import Sink
from spnb.errors import BroadcastError, InvalidInput, SourceError
from spnb.models import BroadcasterData
from tests.broadcast.booth import SILENT, Booth, Listener
from tests.conftest import ffmpeg
from tests.live.conftest import until
from tests.media.conftest import LiveKit

pytestmark = pytest.mark.media

FPS = 15
KEY = "verysecretstreamkey"


class Service:
    """Another service: Debian's ffmpeg, which takes one stream at an address and keeps its packets as they are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"rtmp://127.0.0.1:{self.port}/live/{KEY}"
        self.files: list[Path] = []
        self._process: asyncio.subprocess.Process | None = None

    async def open(self) -> None:
        """Take the next stream."""
        self.files.append(self.folder / f"{self.port}-{len(self.files)}.flv")
        options = ["-v", "error", "-listen", "1", "-i", self.url, "-c", "copy", "-flush_packets", "1"]
        while self._process is None:
            process = await asyncio.create_subprocess_exec(
                ffmpeg(), *options, str(self.files[-1]), stdin=subprocess.DEVNULL
            )
            await until(lambda process=process: self._listens() or process.returncode is not None, 60)
            # What broke off a moment ago may hold the address still.
            self._process = process if process.returncode is None else None

    def _listens(self) -> bool:
        rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
        return any(row.split()[1].endswith(f":{self.port:04X}") and row.split()[3] == "0A" for row in rows)

    async def gets(self, more: int = 30_000) -> None:
        """Wait until so many bytes more have come."""
        path = self.files[-1]
        before = path.stat().st_size if path.exists() else 0
        await until(lambda: path.exists() and path.stat().st_size > before + more, 40)

    async def close(self, *, kill: bool = False) -> None:
        """Wait until the stream is over; or break off."""
        process, self._process = self._process, None
        if process is not None:
            if kill:
                process.kill()
            async with asyncio.timeout(60):
                await process.wait()


class Still(TestCard):
    """A source that gives nothing."""

    def __init__(self) -> None:
        super().__init__(320, 180, FPS)

    def start(self, sink: Sink) -> None:
        """Nothing comes."""


def packets(path: Path) -> list[bytes]:
    """Pictures as they were encoded; what was cut off in the middle of the last one is left out."""
    found = []
    with av.open(str(path)) as file, contextlib.suppress(av.FFmpegError):
        found += [bytes(packet) for packet in file.demux(video=0) if packet.size]
    return found


def numbers(path: Path) -> list[int]:
    found = []
    with av.open(str(path)) as file, contextlib.suppress(av.FFmpegError):
        for frame in file.decode(video=0):
            number = read_counter(frame.reformat(format="gray").to_ndarray())
            found += [number] if number is not None else []
    return found


def unbroken(shown: list[int]) -> None:
    """Pictures in their order, and never a second without any; a busy machine leaves single ones out."""
    assert len(shown) > 30
    assert all(0 < later - earlier < FPS for earlier, later in itertools.pairwise(shown))


def of(events: list[Any], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


async def test_another_service_gets_the_rooms_own_packets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room, other = Service(tmp_path), Service(tmp_path)
    await room.open()
    await other.open()
    mine = certificate(tmp_path / "mine.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(mine))
    front, beyond = Front(mine, room.port), Front(mine, other.port)
    booth = Booth(LiveKit("ws://127.0.0.1:9", "key", "s" * 32, embedded=False), "pushed")

    async def data() -> BroadcasterData:
        return BroadcasterData(direct_stream_url=front.url)

    monkeypatch.setattr(booth, "broadcaster_data", data)
    events: list[Any] = []
    show = await go_live(booth, TestCard(320, 180, FPS), on_event=events.append)
    await room.gets()
    restream = await show.also_to(beyond.url)
    assert restream.state == "live"
    await other.gets()

    # It breaks off, which is told in words, and is there again as soon as somebody listens.
    await other.close(kill=True)
    await until(lambda: of(events, RestreamLost), 40)
    await room.gets()
    await other.open()
    await until(lambda: len(of(events, RestreamReached)) == 2, 60)
    await other.gets()
    assert KEY not in repr(restream) + repr(events)

    # Ended by itself; the room goes on to the end of the broadcast.
    restream.stop()
    await other.close()
    await room.gets()
    await show.stop()
    await room.close()
    whole = packets(room.files[0])
    for path in other.files:
        copied = packets(path)
        begin = whole.index(copied[0])
        assert len(copied) > 15
        other = [number for number, packet in enumerate(copied) if whole[begin + number] != packet]
        assert not other
    unbroken(numbers(room.files[0]))
    front.close()
    beyond.close()


def certificate(path: Path) -> Path:
    """Of `localhost`, signed by itself, with its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string("CN=localhost")
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
    named = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    signed = named.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(
        signed.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, *plain)
    )
    return path


class Front:
    """TLS in front of an RTMP server."""

    def __init__(self, mine: Path, to: int) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(mine)
        self._to = to
        self.heard = bytearray()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtmps://localhost:{self._server.getsockname()[1]}/live/{KEY}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                threading.Thread(target=self._lead, args=(self._server.accept()[0],), daemon=True).start()

    def _lead(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError), self._context.wrap_socket(line, server_side=True) as inside:
            first = inside.recv(1 << 16)
            self.heard += first
            if not first:
                return  # looked at the certificate
            with socket.create_connection(("127.0.0.1", self._to)) as outside:
                outside.sendall(first)
                threading.Thread(target=self._pour, args=(outside, inside), daemon=True).start()
                self._pour(inside, outside)

    @staticmethod
    def _pour(of: socket.socket, into: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := of.recv(1 << 16):
                into.sendall(data)
        with contextlib.suppress(OSError):
            into.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._server.close()


def test_who_serves_rtmps_is_believed_by_its_certificate_before_the_key_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, others = certificate(tmp_path / "mine.pem"), certificate(tmp_path / "others.pem")
    front = Front(mine, to=9)
    for trusted in (None, others):
        if trusted is not None:
            monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        with pytest.raises(ssl.SSLCertVerificationError) as refused:
            reach(front.url)
        assert KEY not in reason_of(refused.value)
        # Nor is it told to who takes the place of one that was looked at.
        with pytest.raises(OSError, match="Input/output"):
            Push(front.url)
        with pytest.raises(SourceError, match="certificate"):
            LiveURL(front.url, private=True).open()
    assert not front.heard
    monkeypatch.setenv("SSL_CERT_FILE", str(mine))
    with pytest.raises(SourceError, match="cannot be opened"):
        LiveURL(front.url, private=True).open()
    assert front.heard, "who is believed is asked for the stream"
    front.close()


def test_a_server_that_says_nothing_holds_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_push, "REACH_SECONDS", 3)
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(1) as other:
        reaching = other.submit(reach, f"rtmp://127.0.0.1:{silent.getsockname()[1]}/live/{KEY}")
        with silent.accept()[0] as line:  # this thread goes on
            line.recv(1)
            with pytest.raises(OSError, match="did not answer"):
                reaching.result()


async def test_beside_a_livekit_room_too(embedded: LiveKit, listener: Listener, tmp_path: Path) -> None:
    booth = Booth(embedded, "beside")
    events: list[Any] = []
    show = await go_live(booth, TestCard(320, 180, FPS), on_event=events.append)
    await listener.connect(embedded, booth.room_id)
    await listener.sees()
    service = Service(tmp_path)
    for refused, kind in (
        (service.url, BroadcastError),
        ("http://there/live", InvalidInput),
        ("rtmp://x", InvalidInput),
    ):
        with pytest.raises(kind) as told:
            await show.also_to(refused)
        assert KEY not in str(told.value)
    await service.open()
    await show.also_to(service.url)
    await service.gets()
    await show.mute()
    muted = listener.seen_since(0)[-1]
    await until(lambda: listener.seen_since(0)[-1] > muted + 45, 40)
    await service.gets()
    await listener.sees()

    # A source of which nothing comes here, as of a page that sends by itself: whoever sent it on is told.
    await show.switch_source(Still())
    await until(lambda: any("gets nothing" in lost.reason for lost in of(events, RestreamLost)), 90)
    await show.stop()
    await service.close()
    unbroken(numbers(service.files[0]))
    with av.open(str(service.files[0])) as file:
        loud = [
            float(np.sqrt((frame.to_ndarray().astype(float) ** 2).mean())) * 32768 for frame in file.decode(audio=0)
        ]
    assert max(loud[: len(loud) // 4]) > SILENT
    assert max(loud[-47:]) < SILENT, "the last second was muted"
