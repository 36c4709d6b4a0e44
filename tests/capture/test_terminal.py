"""Capture from the terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import spnb
from spnb import analytics
from spnb.cli.app import main
from tests.conftest import RunningSandbox


@pytest.fixture
def environment(sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shared sandbox, named by the environment."""
    monkeypatch.setenv("SOCIALPLUS_API_KEY", sandbox.api_key)
    monkeypatch.setenv("SOCIALPLUS_USER_ID", "terminal")
    monkeypatch.setenv("SOCIALPLUS_URL", sandbox.url)
    monkeypatch.setenv("COLUMNS", "200")


def test_a_room_is_captured_and_told(environment: None, capsys: Any, tmp_path: Path) -> None:
    with spnb.connect() as sp:
        room = sp.rooms.create("[bold]From the terminal[/]")
        room.chat.send("hello")
    words = ["capture", room.room_id, "--folder", str(tmp_path / "c"), "--seconds", "1"]
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert not ended.value.code
    out = capsys.readouterr().out
    assert "Dataset(1 rooms, 1 messages, 1 status" in out
    assert "reads it" in out
    with pytest.raises(SystemExit) as ended:
        main([*words, "--json"])
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told[-1]["ended"]
    assert told[-1]["rows"] == {"rooms": 1, "messages": 1, "status": 1}  # once more is no more
    assert analytics.load(tmp_path / "c").rooms["title"].tolist() == ["[bold]From the terminal[/]"]


def test_a_service_manager_ends_it_properly(environment: None, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "spnb", "capture", "--json", "--folder", str(tmp_path / "c")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ.copy())
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["write_error"] is None
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(out.splitlines()[-1])["ended"]
    assert (tmp_path / "c" / "dataset.json").exists()


def test_a_folder_of_something_else(environment: None, capsys: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("not a capture")
    with pytest.raises(SystemExit) as ended:
        main(["capture", "--folder", str(tmp_path)])
    assert ended.value.code == 1
    assert "holds something that is no capture" in capsys.readouterr().err
