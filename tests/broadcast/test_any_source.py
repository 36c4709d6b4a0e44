"""Sources of anybody's own: nothing that they are or do ends the process or the room, and viewers are told."""

from __future__ import annotations

import ctypes
import os
import re
import socket
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import spnb
from spnb._proxies import proxy_of, through, without_proxy
from spnb._push import Push
from spnb.broadcast import SourceLost, SourceRestored, go_live
from spnb.broadcast.publisher import ConnectionRefused
from spnb.broadcast.sources import Generator, MediaFile, TestCard
from spnb.cli import doctor
from spnb.errors import SourceError
from tests.broadcast.booth import SILENT, Booth, Listener
from tests.broadcast.films import film
from tests.live.conftest import until
from tests.media.conftest import LiveKit


class Odd:
    """A source of a user's own that gives what it likes."""

    def __init__(self, width: Any = 320, height: Any = 180, fps: float = 30) -> None:
        self.width, self.height, self.fps, self.has_audio = width, height, fps, True
        self.sink: Any = None

    def open(self) -> None:
        pass

    def start(self, sink: Any) -> None:
        self.sink = sink

    def close(self) -> None:
        pass


@pytest.mark.media
async def test_sizes_no_encoder_takes_are_refused_at_the_start_and_at_a_switch(embedded: LiveKit) -> None:
    for source in (Odd(2, 2), Odd(15, 15), Odd(320, 8), Odd(99_998, 180), Odd(320.0, 180), Odd(fps=float("nan"))):
        with pytest.raises(SourceError, match="cannot be sent"):
            await go_live(Booth(embedded, "tiny"), source)
    async with await go_live(Booth(embedded, "tiny"), TestCard(320, 180, 15)) as show:
        with pytest.raises(SourceError, match="cannot be sent"):
            await show.switch_source(Odd(8, 8))
        assert isinstance(show.source, TestCard)


@pytest.mark.media
async def test_pictures_and_sound_that_are_not_what_they_say_go_no_further(
    embedded: LiveKit, listener: Listener
) -> None:
    events: list[Any] = []
    odd, booth = Odd(), Booth(embedded, "odd")
    async with await go_live(booth, odd, on_event=events.append) as show:
        await listener.connect(embedded, booth.room_id)
        odd.sink.video(bytearray(10), 320, 180)
        await until(lambda: any(isinstance(event, SourceLost) for event in events))
        odd.sink.video(bytearray(6), 2, 2)
        odd.sink.audio(b"abc", 2)
        odd.sink.audio(b"abcd", 7)
        assert show.on_air
        await until(lambda: listener.brightness)  # the card
        assert "no I420 picture" in next(event.reason for event in events if isinstance(event, SourceLost))


@pytest.mark.media
async def test_a_function_that_ends_the_program_loses_its_source_only(embedded: LiveKit, listener: Listener) -> None:
    def quits(number: int, _second: float) -> Any:
        if number >= 20:  # a busy machine leaves numbers out
            sys.exit("enough")
        return np.full((180, 320, 3), 255, np.uint8)

    events: list[Any] = []
    booth = Booth(embedded, "quits")
    async with await go_live(booth, Generator(quits, 320, 180, 30), on_event=events.append) as show:
        await listener.connect(embedded, booth.room_id)
        await until(lambda: any(isinstance(event, SourceLost) for event in events))
        await until(lambda: listener.brightness and listener.brightness[-1][1] < 60)  # a dark card
        assert "SystemExit: enough" in next(event.reason for event in events if isinstance(event, SourceLost))
        await show.switch_source(TestCard(320, 180, 15))
        await listener.sees()
        assert any(isinstance(event, SourceRestored) for event in events)


@pytest.mark.media
async def test_a_silent_source_gives_way_to_one_with_sound(
    embedded: LiveKit, listener: Listener, tmp_path: Path
) -> None:
    booth = Booth(embedded, "silent-first")
    silent = MediaFile(film(tmp_path / "silent.mp4", sound=False), loop=True)
    async with await go_live(booth, silent) as show:
        await listener.connect(embedded, booth.room_id)
        await listener.sees()
        assert not [loud for _, loud in listener.loudness if loud > SILENT]
        await show.switch_source(MediaFile(film(tmp_path / "loud.mp4", seconds=3), loop=True))
        await listener.hears()


@pytest.mark.media
async def test_a_proxy_of_the_environment_is_passed_by_or_named(
    embedded: LiveKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://someone:secret@127.0.0.1:9")
    async with await go_live(Booth(embedded, "proxied"), TestCard(320, 180, 15)) as show:
        assert show.on_air
    assert os.environ["HTTP_PROXY"].endswith(":9")
    away = Booth(LiveKit("ws://livekit.invalid:7880", "key", "s" * 32, embedded=False), "away")
    with pytest.raises(ConnectionRefused, match=r"through the proxy http://127\.0\.0\.1:9 ") as refused:
        await go_live(away, TestCard(320, 180, 15))
    assert "secret" not in str(refused.value)


def native(name: str) -> bytes | None:
    """A word of the environment as native code finds it."""
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    found: bytes | None = getenv(name.encode())
    return found


def test_no_proxy_is_honoured_where_native_code_knows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    assert proxy_of("wss://livekit.example.com") is None
    monkeypatch.setenv("https_proxy", "http://user:secret@proxy.example.com:3128")
    monkeypatch.setenv("NO_PROXY", "example.com,.internal")
    assert proxy_of("wss://livekit.example.com") is None
    assert proxy_of("wss://127.0.0.1:7880") is None
    with without_proxy("wss://livekit.example.com"):
        assert native("https_proxy") is None
        with without_proxy("wss://127.0.0.1"):
            pass
        assert native("https_proxy") is None, "the first is still at it"
        assert "https_proxy" in os.environ, "Python knows exceptions by itself"
    with without_proxy("wss://livekit.elsewhere.org"):
        assert native("https_proxy")
    assert through("wss://livekit.elsewhere.org") == (
        " through the proxy http://proxy.example.com:3128 (NO_PROXY names exceptions)"
    )
    assert str(native("https_proxy")).startswith("b'http://user")


def test_a_stream_is_pushed_through_the_proxy_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of `HTTPS_PROXY`, as Python has it, where FFmpeg asks for another word; but not of what is left out."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with socket.create_server(("127.0.0.1", 0)) as proxy, ThreadPoolExecutor(1) as other:
        address = f"127.0.0.1:{proxy.getsockname()[1]}"
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret@{address}")
        assert through("rtmps://live.invalid/app/key").startswith(f" through the proxy http://{address} ")
        pushing = other.submit(Push, "rtmps://live.invalid/app/streamkey")
        with proxy.accept()[0] as line:
            asked = line.recv(4096)
            line.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        assert asked.startswith(b"CONNECT live.invalid:443 ")
        assert b"streamkey" not in asked
        with pytest.raises(OSError, match=r"\w") as refused:
            pushing.result(60)
        assert "streamkey" not in str(refused.value)
        monkeypatch.setenv("NO_PROXY", "live.invalid")
        for direct in ("rtmps://live.invalid/app/key", "rtmp://elsewhere.invalid/app/key", "rtsp://lens.invalid/1"):
            assert through(direct) == ""
            with pytest.raises(OSError, match=r"\w"):
                Push(direct) if direct.startswith("rtmp") else av.open("rtsp://lens.invalid/1", timeout=5)
        proxy.settimeout(0)
        with pytest.raises(BlockingIOError):
            proxy.accept()


def test_the_doctor_names_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://someone:secret@127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    found = doctor._livekit("ws://livekit.invalid:7880?access_token=secret", "token")
    assert found.state == "fail"
    assert "ws://livekit.invalid:7880 through the proxy http://127.0.0.1:9 " in found.text
    assert "secret" not in found.text


FORKED = """
    import os, sys
    import spnb
    sp = spnb.connect()
    room = sp.rooms.create("forked")
    with room.go_live(spnb.TestCard(320, 180, 15)) as show:
        room.until("live", timeout=60)
        for end in (sys.exit, os._exit):
            child = os.fork()
            if not child:
                end(0)
            print("child", os.waitpid(child, 0)[1], flush=True)
        print("on air", show.on_air, room.refresh().status, flush=True)
    print("over", room.until("recorded", timeout=60).status, flush=True)
"""


@pytest.mark.media
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_that_ends_leaves_everything_to_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "forked.py"
    script.write_text(textwrap.dedent(FORKED))
    told = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "SPNB_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert told.stdout.splitlines() == ["child 0", "child 0", "on air True live", "over recorded"], told.stderr


PASSING = """
    import os, sys
    from spnb._places import PassingFolder
    held, let_go = PassingFolder("spnb-forked-"), PassingFolder("spnb-forked-")
    child = os.fork()
    if not child:
        del let_go
        sys.exit()
    os.waitpid(child, 0)
    print(os.path.isdir(held.name), os.path.isdir(let_go.name), held.name, let_go.name)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_folder_goes_with_its_own_process_and_no_child_of_it() -> None:
    command = [sys.executable, "-c", textwrap.dedent(PASSING)]
    *there, held, let_go = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert there == ["True", "True"]
    assert not Path(held).exists()
    assert not Path(let_go).exists()


def test_what_is_done_at_a_programs_end_asks_whose_end_it_is() -> None:
    package = Path(str(spnb.__file__)).parent
    for path in package.rglob("*.py"):
        text = path.read_text()
        if re.search(r"atexit\.register|weakref\.finalize", text):
            assert re.search(r"register_at_fork|os\.getpid", text), path
        if "bench" not in path.parts:
            made = re.findall(r"^.*\bTemporaryDirectory\(.*$", text, re.MULTILINE)
            assert all("with " in line for line in made), path
