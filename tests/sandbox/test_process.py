"""The sandbox as a process and as a shared service: start, sharing, ends, kills, bad starts."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from spnb import sandbox as spnb_sandbox
from spnb.errors import SandboxError
from tests.conftest import start_sandbox

JOIN = (
    "import sys\nfrom spnb import sandbox\ninfo = sandbox.ensure()\n"
    "print(info.pid, info.url, flush=True)\nsys.stdin.readline()\n"
)


def joiner(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", JOIN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "SPNB_HOME": str(home)},
    )


def line_of(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def test_it_says_where_it_is_and_ends_cleanly(tmp_path: Path) -> None:
    running = start_sandbox(tmp_path)
    assert {"url", "mqtt", "livekit", "apiKey", "networkId", "pid", "dataDir", "version"} == running.info.keys()
    assert running.url.startswith("http://127.0.0.1:")
    for connection in psutil.Process(running.process.pid).net_connections():
        assert connection.laddr.ip in ("127.0.0.1", ""), "it listens beyond loopback"
    assert (tmp_path.stat().st_mode & 0o077) == 0
    running.stop()
    assert running.process.returncode == 0
    again = start_sandbox(tmp_path)
    assert again.api_key == running.api_key, "the key belongs to the data folder"
    again.stop()


def test_a_taken_port_and_a_used_folder_are_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "spnb.sandbox", "--data-dir"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        told = subprocess.run([*command, str(tmp_path / "a"), "--port", port], capture_output=True, text=True)
    assert told.returncode == 2
    assert told.stderr.strip() == f"error: port {port} is taken: choose another, or 0 for a free one"
    running = start_sandbox(tmp_path / "b")
    told = subprocess.run([*command, str(tmp_path / "b")], capture_output=True, text=True)
    assert told.returncode == 2
    assert "another sandbox is using" in told.stderr
    assert "Traceback" not in told.stderr
    running.stop()


def test_text_for_people_names_everything(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "spnb.sandbox", "--data-dir", str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    text = "".join(process.stdout.readline() for _ in range(7))
    for word in ("REST", "MQTT", "LiveKit", "API key", "ready"):
        assert word in text
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0


def test_rooms_survive_a_killed_sandbox(tmp_path: Path) -> None:
    from tests.rest.conftest import Caller

    first = start_sandbox(tmp_path)
    room = Caller(first, "host").room("Still here")
    first.stop(kill=True)
    second = start_sandbox(tmp_path)
    assert Caller(second, "host").get(f"/api/v1/rooms/{room['roomId']}")["rooms"][0]["title"] == "Still here"
    second.stop()


def test_its_own_calls_need_the_key(tmp_path: Path) -> None:
    running = start_sandbox(tmp_path)
    with httpx.Client(base_url=running.url, trust_env=False, timeout=60) as client:
        assert client.get("/sandbox/info").status_code == 401
        assert client.post("/sandbox/livekit-token", json={}).status_code == 401
        told = client.get("/sandbox/info", headers={"X-API-Key": running.api_key}).json()
    assert told["pid"] == running.process.pid
    assert running.api_key not in json.dumps(told)
    running.stop()


def test_processes_of_a_user_share_one_that_ends_with_the_last(tmp_path: Path) -> None:
    together = [joiner(tmp_path) for _ in range(3)]
    told = [line_of(process) for process in together]
    assert len({tuple(line) for line in told}) == 1, "three processes at once started more than one"
    shared = psutil.Process(int(told[0][0]))
    state = tmp_path / "running.json"
    assert (state.stat().st_mode & 0o077) == 0
    os.kill(together[0].pid, signal.SIGKILL)
    late = joiner(tmp_path)
    assert line_of(late) == told[0]
    for process in (*together[1:], late):
        assert process.stdin is not None
        process.stdin.close()
    for process in (*together, late):
        process.wait(60)
    assert shared.wait(60) is None or not shared.is_running()


def test_who_connects_while_it_starts_in_the_foreground_joins_it(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "spnb", "sandbox", "--json"]
    environment = {**os.environ, "SPNB_HOME": str(tmp_path)}
    starting = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
    taken = tmp_path / "sandbox" / "lock"
    while not taken.exists():
        assert starting.poll() is None
        time.sleep(0.01)
    starting.send_signal(signal.SIGSTOP)
    late = joiner(tmp_path)
    asking = psutil.Process(late.pid)
    while not any(file.path == str(tmp_path / "start.lock") for file in asking.open_files()):
        assert late.poll() is None, "it did not wait for the one that starts"
        time.sleep(0.01)
    starting.send_signal(signal.SIGCONT)
    assert line_of(late)[:1] == [str(starting.pid)]
    assert late.stdin is not None
    late.stdin.close()
    late.wait(60)
    assert starting.poll() is None, "who runs it in the foreground ends it"
    starting.terminate()
    assert starting.wait(60) == 0


def test_a_killed_shared_sandbox_is_replaced(tmp_path: Path) -> None:
    first = joiner(tmp_path)
    pid, _ = line_of(first)
    os.kill(int(pid), signal.SIGKILL)
    second = joiner(tmp_path)
    other, _ = line_of(second)
    assert other != pid
    for process in (first, second):
        assert process.stdin is not None
        process.stdin.close()
        process.wait(60)
    psutil.Process(int(other)).terminate()


def test_a_private_one_starts_and_stops(tmp_path: Path) -> None:
    info = spnb_sandbox.start(tmp_path, options=("--grace", "1"))
    assert info.api_key not in repr(info)
    assert httpx.get(f"{info.url}/api/v3/sessions", trust_env=False, timeout=60).status_code == 401
    with pytest.raises(SandboxError, match="another sandbox is using"):
        spnb_sandbox.start(tmp_path)
    info.stop()
    info.stop()
    assert not psutil.pid_exists(info.pid)


def test_the_home_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPNB_HOME", str(tmp_path))
    assert spnb_sandbox.default_data_dir() == tmp_path / "sandbox"
    monkeypatch.delenv("SPNB_HOME")
    assert spnb_sandbox.home().name == "spnb"


def test_another_version_is_not_joined(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPNB_HOME", str(tmp_path))
    first = joiner(tmp_path)
    pid, _ = line_of(first)
    state = tmp_path / "running.json"
    facts = json.loads(state.read_text())
    state.write_text(json.dumps({**facts, "version": "0.0.1"}))
    with pytest.raises(SandboxError, match=r"spnb 0\.0\.1 is in use"):
        spnb_sandbox.ensure()
    assert first.stdin is not None
    first.stdin.close()
    first.wait(60)
    psutil.Process(int(pid)).terminate()
