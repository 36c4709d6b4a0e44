"""Who is who on a machine with other users: no key leaves before the other side has proved that it knows it."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from spnb import sandbox as spnb_sandbox
from spnb.errors import SandboxError
from spnb.sandbox.control.found import FILE, shows_its_key
from spnb.sandbox.proof import challenge, proof
from tests.conftest import RunningSandbox, start_sandbox
from tests.security.strangers import SQUATTER, STRANGER, as_stranger, needs_root

ENSURE = "import sys\nfrom spnb import sandbox\nprint(sandbox.ensure().url, flush=True)\nsys.stdin.readline()\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "home"
    place.mkdir(mode=0o700)
    monkeypatch.setenv("SPNB_HOME", str(place))
    return place


@pytest.fixture
def shared(home: Path) -> Iterator[dict[str, Any]]:
    """What the file tells of a shared sandbox that another notebook holds open."""
    notebook = subprocess.Popen(
        [sys.executable, "-c", ENSURE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert notebook.stdin is not None
    assert notebook.stdout is not None
    assert notebook.stdout.readline().startswith("http://127.0.0.1:")
    told = json.loads((home / FILE).read_text())
    yield told
    notebook.stdin.close()
    notebook.wait(60)
    if psutil.pid_exists(told["pid"]):
        os.kill(told["pid"], signal.SIGTERM)


def wait_ended(pid: int) -> None:
    """Wait until a process has ended; the notebook that started it may not have noticed yet."""
    descriptor = os.pidfd_open(pid)
    try:
        assert select.select([descriptor], [], [], 30)[0]
    finally:
        os.close(descriptor)


def test_the_one_that_runs_is_found_and_leaves_no_file_behind(home: Path, shared: dict[str, Any]) -> None:
    assert spnb_sandbox.running().api_key == shared["apiKey"]
    assert (home / FILE).stat().st_mode & 0o077 == 0
    os.kill(shared["pid"], signal.SIGTERM)
    wait_ended(shared["pid"])
    assert not (home / FILE).exists()
    with pytest.raises(SandboxError, match="does not run"):
        spnb_sandbox.running()


def test_the_port_of_a_killed_sandbox_gets_no_key(home: Path, shared: dict[str, Any]) -> None:
    os.kill(shared["pid"], signal.SIGKILL)
    wait_ended(shared["pid"])
    assert (home / FILE).exists(), "nobody was left to take it away"
    port = shared["url"].rsplit(":", 1)[1]
    for pid in (shared["pid"], os.getpid()):
        (home / FILE).write_text(json.dumps({**shared, "pid": pid}))
        squatter = subprocess.Popen(
            [sys.executable, "-c", f"import json, sys, http.server\n{SQUATTER}", port, str(pid)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert squatter.stdout is not None
        assert squatter.stdout.readline() == "ready\n"
        try:
            with pytest.raises(SandboxError, match="does not run"):
                spnb_sandbox.running()
            # Even where the process is ours and holds the port, it must know the key.
            (home / FILE).write_text(json.dumps({**shared, "pid": squatter.pid}))
            with pytest.raises(SandboxError, match="does not run"):
                spnb_sandbox.running()
        finally:
            squatter.terminate()
            heard, _ = squatter.communicate(timeout=20)
        assert shared["apiKey"] not in heard
        assert "/sandbox/info" not in heard, "nothing is asked before the proof"


def test_a_proof_cannot_be_fetched_from_the_true_one(shared: dict[str, Any]) -> None:
    url, key = shared["url"], shared["apiKey"]
    assert shows_its_key(url, key)
    assert not shows_its_key(url, "another key, of another sandbox")
    asked = challenge()
    relayed = httpx.get(f"{url}/sandbox/proof", params={"challenge": asked}, trust_env=False, timeout=60).json()[
        "proof"
    ]
    assert relayed == proof(key, asked, url)
    assert relayed != proof(key, asked, "http://127.0.0.1:1")
    for odd in ("", "x", "é" * 32, "0" * 33):
        assert (
            httpx.get(f"{url}/sandbox/proof", params={"challenge": odd}, trust_env=False, timeout=60).status_code == 422
        )


def test_a_file_that_others_can_read_or_put_there_is_not_believed(home: Path, shared: dict[str, Any]) -> None:
    path = home / FILE
    path.chmod(0o644)
    with pytest.raises(SandboxError, match="does not run"):
        spnb_sandbox.running()
    path.chmod(0o600)
    elsewhere = home / "elsewhere.json"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    with pytest.raises(SandboxError, match="does not run"):
        spnb_sandbox.running()
    path.unlink()
    elsewhere.rename(path)
    assert spnb_sandbox.running().url == shared["url"]
    home.chmod(0o777)
    with pytest.raises(SandboxError, match="others may write"):
        spnb_sandbox.running()
    home.chmod(0o700)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", "null", '{"url": 1}', '{"url": "http://127.0.0.1:x", "pid": 1}', "\0"]
)
def test_a_file_of_nonsense_is_none(home: Path, content: str) -> None:
    (home / FILE).write_text(content)
    (home / FILE).chmod(0o600)
    with pytest.raises(SandboxError, match="does not run"):
        spnb_sandbox.running()


def test_an_address_elsewhere_is_not_asked(home: Path, shared: dict[str, Any]) -> None:
    for url in ("http://192.0.2.1:80", "https://127.0.0.1:1", "http://127.0.0.1@192.0.2.1:80", "file:///etc/passwd"):
        (home / FILE).write_text(json.dumps({**shared, "url": url}))
        with pytest.raises(SandboxError, match="does not run"):
            spnb_sandbox.running()
    (home / FILE).write_text(json.dumps(shared))


@needs_root
def test_another_user_on_the_port_gets_nothing(home: Path, shared: dict[str, Any]) -> None:
    os.kill(shared["pid"], signal.SIGKILL)
    wait_ended(shared["pid"])
    squatter = as_stranger(SQUATTER, shared["url"].rsplit(":", 1)[1], str(shared["pid"]))
    assert squatter.stdout is not None
    assert squatter.stdout.readline() == "ready\n"
    try:
        (home / FILE).write_text(json.dumps({**shared, "pid": squatter.pid}))
        with pytest.raises(SandboxError, match="does not run"):
            spnb_sandbox.running()
    finally:
        squatter.terminate()
        heard, _ = squatter.communicate(timeout=20)
    assert heard == "", "another user's process is not even asked"


@needs_root
def test_another_users_home_is_not_ours(home: Path, shared: dict[str, Any]) -> None:
    os.chown(home / FILE, STRANGER, STRANGER)
    with pytest.raises(SandboxError, match="does not run"):
        spnb_sandbox.running()
    os.chown(home, STRANGER, STRANGER)
    for look in (spnb_sandbox.running, spnb_sandbox.ensure):
        with pytest.raises(SandboxError, match="belongs to another user"):
            look()
    os.chown(home, 0, 0)
    os.chown(home / FILE, 0, 0)


@needs_root
def test_another_user_reads_nothing_of_a_data_folder() -> None:
    # Folders of pytest are closed to others as a whole: this one lies beside them.
    place = Path(tempfile.mkdtemp(prefix="spnb-open-"))
    place.chmod(0o755)
    running = start_sandbox(place)
    try:
        program = """
for where, folders, files in os.walk(sys.argv[1]):
    for name in files:
        try:
            open(os.path.join(where, name), "rb").close()
            print("READ", name)
        except OSError:
            print("refused", name)
"""
        told, wrong = as_stranger(program, str(place)).communicate(timeout=60)
        assert not wrong
        assert "refused sandbox.sqlite" in told
        assert "READ" not in told
        assert place.stat().st_mode & 0o777 == 0o755, "a folder that was there stays as it was"
    finally:
        running.stop()
        shutil.rmtree(place)


def test_folders_that_are_there_stay_as_they_are(tmp_path: Path) -> None:
    there = tmp_path / "project"
    there.mkdir(mode=0o755)
    start_sandbox(there).stop()
    assert there.stat().st_mode & 0o777 == 0o755
    info = spnb_sandbox.start(there)
    info.stop()
    assert there.stat().st_mode & 0o777 == 0o755
    for file in there.rglob("*"):
        assert file.stat().st_mode & 0o077 == 0, file
    start_sandbox(tmp_path / "new").stop()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def key_works(running: RunningSandbox, key: str) -> bool:
    answer = httpx.get(f"{running.url}/sandbox/info", headers={"X-API-Key": key}, trust_env=False, timeout=60)
    return answer.status_code == 200


def test_a_key_can_be_given_and_stays_the_same(tmp_path: Path) -> None:
    given = "a-key-that-an-app-has-built-in"
    by_option = start_sandbox(tmp_path, "--api-key", given)
    assert by_option.api_key == given
    assert key_works(by_option, given)
    by_option.stop()
    by_environment = start_sandbox(tmp_path, env={"SPNB_SANDBOX_API_KEY": given})
    assert by_environment.api_key == given
    by_environment.stop()
    own = start_sandbox(tmp_path)
    assert own.api_key != given
    assert not key_works(own, given)
    own.stop()
    again = start_sandbox(tmp_path)
    assert again.api_key == own.api_key
    again.stop()


@pytest.mark.parametrize("odd", ["short", "with a space in it, and long", "ключ" * 10, "x" * 201])
def test_an_odd_key_is_told_and_not_repeated(tmp_path: Path, odd: str) -> None:
    command = [sys.executable, "-m", "spnb.sandbox", "--data-dir", str(tmp_path), "--api-key", odd]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert told.returncode == 2
    assert "api_key" in told.stderr
    assert odd not in told.stderr
    assert "Traceback" not in told.stderr
