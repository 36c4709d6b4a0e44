"""`LiveURL`: live streams of others by their address, come back when they break off, and from nowhere else."""

from __future__ import annotations

import contextlib
import http.server
import random
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spnb.broadcast.sources import LiveURL, srt
from spnb.errors import InvalidInput, SourceError
from tests.broadcast.films import Taken, film
from tests.conftest import ffmpeg
from tests.node import bundled

# What keeps time drops pictures that come too late: no test for a process that gives way.
pytestmark = pytest.mark.media


class Server(http.server.ThreadingHTTPServer):
    """Serves what a test says, and keeps what was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Answers(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = self.server.files.get(self.path.partition("?")[0])
        if body is not None and body.startswith(b"Location: "):
            self.send_response(302)
            self.send_header("Location", body.decode().removeprefix("Location: "))
            self.end_headers()
            return
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


def playlist(*segments: str, over: bool = True) -> bytes:
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:2", "#EXT-X-MEDIA-SEQUENCE:0"]
    lines += [line for segment in segments for line in ("#EXTINF:1.0,", segment)]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if over else []), ""]).encode()


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return film(tmp_path_factory.mktemp("live") / "second.ts", seconds=1).read_bytes()


def playing(url: str, *, private: bool = True) -> tuple[LiveURL, Taken]:
    source, taken = LiveURL(url, private=private), Taken()
    source.open()
    source.start(taken)
    return source, taken


def plays(source: LiveURL, sender: subprocess.Popen[bytes], taken: Taken) -> None:
    """Open what a program sends as soon as it listens, and take pictures and sound of it."""
    for _ in range(100):
        try:
            source.open()
            break
        except SourceError:
            assert sender.poll() is None
    source.start(taken)
    taken.until(lambda: len(taken.pictures) > 30 and taken.seconds_of_sound > 1)


def test_a_playlist_is_played_to_its_end(server: Server, second: bytes) -> None:
    server.files = {"/live.m3u8": playlist("a.ts", "b.ts"), "/a.ts": second, "/b.ts": second}
    source, taken = playing(f"{server.url}/live.m3u8")
    assert (source.width, source.height, source.has_audio) == (320, 180, True)
    taken.until(lambda: taken.ends)
    source.close()
    assert taken.reasons == []
    assert len(taken.pictures) > 30  # of both, though a busy machine leaves late ones out
    assert taken.seconds_of_sound > 1.8


def test_a_playlist_that_grows_is_followed_and_comes_back(server: Server, second: bytes) -> None:
    server.files = {"/live.m3u8": playlist("a.ts", over=False), "/a.ts": second}
    source, taken = playing(f"{server.url}/live.m3u8")
    taken.until(lambda: len(taken.pictures) >= 20)
    server.files = {"/live.m3u8": playlist("a.ts", "b.ts", over=False), "/b.ts": second}
    taken.until(lambda: len(taken.pictures) >= 40)
    assert taken.reasons == []
    server.files = {}
    taken.until(lambda: taken.reasons)
    before = len(taken.pictures)
    server.files = {"/live.m3u8": playlist("c.ts"), "/c.ts": second}
    taken.until(lambda: taken.ends)
    source.close()
    assert taken.reasons[1:] == ["restored"]
    assert len(taken.pictures) > before + 10


def test_what_breaks_off_is_asked_for_again(server: Server, second: bytes, tmp_path: Path) -> None:
    """And is fitted into what is on air, should it come back in another size."""
    server.files = {"/live.ts": second}
    source, taken = playing(f"{server.url}/live.ts?key=secret")
    server.files = {}  # a while of nothing
    count = len(server.asked)
    taken.until(lambda: taken.reasons)
    while len(server.asked) <= count:
        assert source._thread is not None
        source._thread.join(0.1)
    before = len(taken.pictures)
    server.files = {"/live.ts": film(tmp_path / "square.ts", seconds=1, size=(180, 180)).read_bytes()}
    taken.until(lambda: "restored" in taken.reasons and len(taken.pictures) > before, 40)
    source.close()
    assert {luma.shape for _, luma in taken.pictures} == {(180, 320)}
    assert "broken off" in taken.reasons[0]
    assert "secret" not in " ".join([*taken.reasons, repr(source)])


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}/live.ts", "rtmp://127.0.0.1:{port}/live/x"])
def test_this_machine_is_asked_only_where_that_is_meant(server: Server, second: bytes, address: str) -> None:
    server.files = {"/live.ts": second}
    with pytest.raises(SourceError, match="private or local"):
        LiveURL(address.format(port=server.server_port)).open()
    assert server.asked == []


def test_playlists_and_redirects_lead_nowhere_else(server: Server, second: bytes, tmp_path: Path) -> None:
    secret = tmp_path / "secret.ts"
    secret.write_bytes(second)
    server.files = {
        "/file.m3u8": playlist(f"file://{secret}"),
        "/link-local.m3u8": playlist("http://169.254.169.254/latest.ts"),
        "/away.ts": b"Location: http://169.254.169.254/latest.ts",
        "/gopher.ts": b"Location: gopher://127.0.0.1/x",
        "/list.ts": b"ffconcat version 1.0\nfile other.ts\n",
    }
    paths = [*server.files]
    server.files["/other.ts"] = second
    for path in paths:
        with pytest.raises(SourceError):
            LiveURL(f"{server.url}{path}", private=True).open()


@pytest.mark.parametrize("url", ["ftp://example.com/x", "live.m3u8", "http:///x", "http://[::1", "file:///etc/passwd"])
def test_other_addresses_are_no_live_streams(url: str) -> None:
    with pytest.raises(InvalidInput):
        LiveURL(url)


def test_what_is_not_there_is_told_without_its_key(server: Server) -> None:
    with pytest.raises(SourceError, match="answered 404") as told:
        LiveURL(f"{server.url}/none.m3u8?token=secret", private=True).open()
    assert "secret" not in str(told.value)


def test_srt_comes_is_asked_for_again_and_tells_no_passphrase(tmp_path: Path) -> None:
    """Debian's ffmpeg sends; another reads, since PyAV's has no SRT."""
    path = film(tmp_path / "sent.ts", seconds=3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"srt://127.0.0.1:{port}?passphrase=it's secret"
    loop = ["-re", "-stream_loop", "-1", "-i", str(path), "-c", "copy", "-f", "mpegts"]
    command = [ffmpeg(), "-v", "quiet", *loop, f"{url}&mode=listener"]
    with pytest.raises(SourceError, match="private or local"):
        LiveURL(url).open()
    with pytest.raises(SourceError, match="nothing came") as told:
        LiveURL(url, private=True).open()
    assert "secret" not in str(told.value)
    source, taken = LiveURL(url, private=True), Taken()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as sender:
        try:
            plays(source, sender, taken)
            reader = source._srt and source._srt._process
            assert reader is not None
            assert "secret" not in Path(f"/proc/{reader.pid}/cmdline").read_text()
        finally:
            sender.kill()
    taken.until(lambda: taken.reasons)
    before = len(taken.pictures)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as sender:
        try:
            taken.until(lambda: "restored" in taken.reasons and len(taken.pictures) > before + 10)
            last = source._srt and source._srt._process
            source.close()
        finally:
            sender.kill()
    assert "broken off" in taken.reasons[0]
    assert "secret" not in " ".join(taken.reasons)
    assert last is not None
    assert None not in (reader.poll(), last.poll()), "nothing is left behind"


def test_srt_is_refused_in_words_where_nothing_reads_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho srtp rtmp\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    srt.program.cache_clear()
    with pytest.raises(SourceError, match="install ffmpeg"):
        LiveURL("srt://127.0.0.1:1", private=True).open()
    srt.program.cache_clear()


def test_what_is_asked_directly_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setattr("spnb._proxies.is_loopback", lambda _url: False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        asked = threading.Event()

        def refuse() -> None:
            server.accept()[0].close()
            asked.set()

        threading.Thread(target=refuse, daemon=True).start()
        with pytest.raises(SourceError, match="cannot be opened: ") as told:
            LiveURL(f"rtmps://127.0.0.1:{server.getsockname()[1]}/live/x", private=True).open()
        assert asked.wait(60)
    assert "proxy" not in str(told.value)


def test_ffmpeg_is_watched_over_rtmp(tmp_path: Path) -> None:
    path = film(tmp_path / "sent.mp4", seconds=3)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"rtmp://127.0.0.1:{port}/live/film"
    command = [ffmpeg(), "-v", "error", "-re", "-i", str(path), "-c", "copy", "-f", "flv", "-listen", "1", url]
    with subprocess.Popen(command) as sender:
        try:
            source, taken = LiveURL(url, private=True), Taken()
            plays(source, sender, taken)
            source.close()
        finally:
            sender.kill()


class Camera:
    """A network camera: RTSP as RFC 2326 has it, a film as an MPEG transport stream in RTP between its answers."""

    def __init__(self, film: bytes) -> None:
        self._film = film
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtsp://127.0.0.1:{self._server.getsockname()[1]}/lens"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # closed, or the watcher has had enough
            while True:
                with self._server.accept()[0] as line, line.makefile("rb") as asked:
                    while head := self._head(asked):
                        self._answer(line, *head)

    @staticmethod
    def _head(asked: Any) -> tuple[str, str, str] | None:
        """What is asked for, with its number and the transport that is wished for."""
        lines = [line.decode().strip() for line in iter(asked.readline, b"\r\n") if line]
        told = dict(line.split(": ", 1) for line in lines[1:])
        return (lines[0].split()[0], told["CSeq"], told.get("Transport", "")) if lines else None

    def _answer(self, line: socket.socket, method: str, number: str, transport: str) -> None:
        status, told, body = "200 OK", {"CSeq": number, "Session": "1"}, ""
        if method == "DESCRIBE":
            body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=lens\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track1\r\n"
            told |= {"Content-Type": "application/sdp", "Content-Length": str(len(body))}
        elif method == "SETUP":
            if "TCP" not in transport:
                status = "461 Unsupported Transport"
            told["Transport"] = "RTP/AVP/TCP;unicast;interleaved=0-1"
        elif method == "OPTIONS":
            told["Public"] = "DESCRIBE, SETUP, PLAY, TEARDOWN"
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        line.sendall(f"RTSP/1.0 {status}\r\n{head}\r\n{body}".encode())
        if method == "PLAY":
            for count in range(0, len(self._film) // 188, 7):
                payload = self._film[count * 188 : (count + 7) * 188]
                packet = struct.pack(">BBHII", 0x80, 33, count // 7 & 0xFFFF, count * 100, 7) + payload
                line.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)

    def close(self) -> None:
        self._server.close()


def test_a_server_of_others_that_sends_by_udp_alone_is_watched_over_rtsp(tmp_path: Path) -> None:
    """Debian's ffmpeg announces a film to a server of npm's."""
    path = film(tmp_path / "sent.mp4", seconds=3)
    script = bundled(Path(__file__).parent / "rtsp") / "server.js"
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        into, out = one.getsockname()[1], other.getsockname()[1]
    node = ["node", str(script), str(into), str(out), str(random.randrange(20_000, 30_000, 100))]
    loop = ["-re", "-stream_loop", "-1", "-i", str(path), "-c", "copy"]
    send = [ffmpeg(), "-v", "error", *loop, "-f", "rtsp", f"rtsp://127.0.0.1:{into}/lens"]
    with contextlib.ExitStack() as running:
        server = running.enter_context(subprocess.Popen(node, stdout=subprocess.PIPE, text=True))
        running.callback(server.kill)
        assert server.stdout is not None
        assert any(line == "ready\n" for line in server.stdout)
        sender = running.enter_context(subprocess.Popen(send, stdin=subprocess.DEVNULL))
        running.callback(sender.kill)
        source, taken = LiveURL(f"rtsp://127.0.0.1:{out}/lens", private=True), Taken()
        patience = time.monotonic() + 60
        while True:  # until it is announced
            try:
                source.open()
                break
            except SourceError:
                assert sender.poll() is None
                assert time.monotonic() < patience
        source.start(taken)
        taken.until(lambda: len(taken.pictures) > 30 and taken.seconds_of_sound > 1)
        source.close()
    assert {luma.shape for _, luma in taken.pictures} == {(180, 320)}


def test_a_camera_is_watched_over_rtsp(tmp_path: Path) -> None:
    camera = Camera(film(tmp_path / "lens.ts", seconds=3).read_bytes())
    source, taken = playing(camera.url)
    taken.until(lambda: len(taken.pictures) > 30 and taken.seconds_of_sound > 1)
    source.close()
    camera.close()
    assert {luma.shape for _, luma in taken.pictures} == {(180, 320)}
