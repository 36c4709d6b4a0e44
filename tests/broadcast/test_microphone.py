"""A microphone that is pulled out comes back by itself."""

from __future__ import annotations

import threading
import wave
from pathlib import Path

import pytest

from spnb.broadcast.sources import microphone
from spnb.broadcast.sources.microphone import Microphone


class Heard:
    """A sink that counts sound."""

    def __init__(self) -> None:
        self.pieces = 0
        self.more = threading.Condition()

    def audio(self, _samples: bytes, _channels: int) -> None:
        with self.more:
            self.pieces += 1
            self.more.notify_all()


def test_it_is_opened_again_until_it_gives_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The device is a file here, which FFmpeg reads to its end as it reads a device until it is pulled out."""
    device = tmp_path / "device.wav"

    def plug_in() -> None:
        with wave.open(str(tmp_path / "new.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(48_000)
            file.writeframes(bytes(9600))
        (tmp_path / "new.wav").replace(device)

    monkeypatch.setattr(microphone, "AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(microphone, "_driver", lambda name: ("wav", name))
    plug_in()
    source, heard = Microphone(str(device)), Heard()
    source.open()
    device.unlink()
    source.start(heard)  # type: ignore[arg-type]
    with heard.more:
        assert heard.more.wait_for(lambda: heard.pieces > 0, 60)
        before = heard.pieces
    plug_in()
    with heard.more:
        assert heard.more.wait_for(lambda: heard.pieces > before + 1, 60)
    source.close()
    assert "gives no more sound" in caplog.text
    assert not [thread for thread in threading.enumerate() if thread.name == "spnb-microphone"]
