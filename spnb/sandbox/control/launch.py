"""The way in: start or join this user's sandbox, hold it open, start a private one.

The running sandbox is found through a file that only its user may read, and asked to prove that it knows its key (see
`found`). Whoever uses it holds a lease, an open
connection that ends with its holder, also when that is killed; without leases the sandbox ends after some seconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import httpx
import psutil

from spnb._arguments import checked, checked_class
from spnb._patience import ON_THIS_MACHINE
from spnb._places import user_folder
from spnb._version import __version__
from spnb.config import VisitorSignature
from spnb.errors import ConfigError, SandboxError
from spnb.sandbox.control.asking import ask
from spnb.sandbox.control.found import FILE, check_ours, make_private_folder, read_running, shows_its_key

__all__ = ["SandboxInfo", "default_data_dir", "ensure", "home", "running", "start"]

STARTING = "start.lock"
"""Name of the file that is locked by who starts this user's sandbox, until it runs."""
START_SECONDS = ON_THIS_MACHINE
"""How long a sandbox that starts may say nothing. It may take longer: it tells its progress."""


@checked_class
@dataclass(frozen=True, slots=True)
class SandboxInfo:
    """A running sandbox: its addresses and key (kept out of the repr)."""

    url: str
    mqtt: str
    livekit: str
    api_key: str = field(repr=False)
    network_id: str
    pid: int
    data_dir: Path
    version: str

    @classmethod
    def read(cls, facts: dict[str, Any]) -> SandboxInfo:
        """From the JSON line a sandbox prints."""
        return cls(
            url=facts["url"],
            mqtt=facts["mqtt"],
            livekit=facts["livekit"],
            api_key=facts["apiKey"],
            network_id=facts["networkId"],
            pid=int(facts["pid"]),
            data_dir=Path(facts["dataDir"]),
            version=facts["version"],
        )

    def moderate(self, room_id: str, category: str, confidence: float) -> str:
        """Have the sandbox's moderation find something in a room on air.

        Args:
            category: `pornography`, `violence`, `prohibited`, `inappropriate` or `profanity`.
            confidence: how sure it is, 0 to 1; by default 0.4 flags the room and 0.75 terminates it.

        Returns:
            What it did: `pass`, `flag` or `terminate`.

        Raises:
            SandboxError: the sandbox refused, e.g. since the room is not on air, or does not run.
        """
        address = f"{self.url}/sandbox/rooms/{quote(room_id, safe='')}/moderation"
        try:
            answer = ask("POST", address, self.api_key, json={"category": category, "confidence": confidence})
            told = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise SandboxError(f"the sandbox at {self.url} does not answer: {type(error).__name__}") from None
        if not answer.is_success:
            raise SandboxError(f"the sandbox did not moderate the room: {told.get('message')}")
        return str(told["action"])

    def auth_token(self, user_id: str) -> str:
        """What a backend of one's own gives its users in secure mode (`spnb sandbox --secure`): an auth token.

        Args:
            user_id: who logs in with it, e.g. `connect("ann", sandbox=box, auth_token=lambda: box.auth_token("ann"))`.

        Raises:
            SandboxError: the sandbox refused, or does not run.
        """
        (token,) = self._given("auth-token", "authToken", userId=user_id)
        return token

    def visitor_signature(self, device_id: str) -> VisitorSignature:
        """What it gives a visitor's device in secure mode.

        Args:
            device_id: which one: `connect(kind="visitor", sandbox=box, visitor_signature=box.visitor_signature)`.

        Raises:
            SandboxError: the sandbox refused, or does not run.
        """
        names = ("authSignature", "authSignatureExpiresAt")
        return VisitorSignature(*self._given("visitor-signature", *names, deviceId=device_id))

    def _given(self, what: str, *names: str, **wish: str) -> list[str]:
        try:
            answer = ask("POST", f"{self.url}/sandbox/{what}", self.api_key, json=wish)
            told = answer.raise_for_status().json()
            return [str(told[name]) for name in names]
        except (httpx.HTTPError, ValueError, KeyError) as error:
            words = f"the sandbox at {self.url} gave no {what.replace('-', ' ')}"
            raise SandboxError(f"{words}: {type(error).__name__}") from None

    def __enter__(self) -> SandboxInfo:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End this sandbox cleanly and wait for it.

        Raises:
            SandboxError: it did not end within two minutes.
        """
        from spnb.sandbox.control.lease import let_go

        let_go(self.data_dir)
        try:
            process = psutil.Process(self.pid)
            process.terminate()
            process.wait(ON_THIS_MACHINE)
        except psutil.NoSuchProcess:
            return
        except psutil.TimeoutExpired:
            raise SandboxError(f"the sandbox (process {self.pid}) did not end within {ON_THIS_MACHINE:g} s") from None


def home() -> Path:
    """The folder of this user's sandbox: `SPNB_HOME`, else the platform's place for application data.

    Raises:
        SandboxError: there is none; says what to set.
    """
    try:
        return user_folder()
    except ConfigError as error:
        raise SandboxError(str(error)) from None


def default_data_dir() -> Path:
    """Where the shared sandbox keeps rooms and recordings."""
    return home() / "sandbox"


_guard = threading.Lock()
LEAST_BYTES = 8 << 20
"""What a new database and its first rooms need; a recording takes more."""


def _check_space(folder: Path, advice: str) -> None:
    free = shutil.disk_usage(folder).free
    if free < LEAST_BYTES:
        raise SandboxError(f"the disk of {folder} is full ({free >> 10} KiB are left): free some space, or {advice}")


def own_folder() -> Path:
    """`home()`, made where it is not there.

    Raises:
        SandboxError: it cannot be, or is another user's; says what to set.
    """
    folder = home()
    try:
        make_private_folder(folder)
        check_ours(folder)
        with (folder / STARTING).open("a+"):
            _check_space(folder, "set SPNB_HOME to a folder on another disk")
            return folder
    except OSError as error:
        raise SandboxError(
            f"the sandbox cannot write into {folder} ({error.strerror}): set SPNB_HOME to a folder of your own"
        ) from None


def ensure() -> SandboxInfo:
    """Join this user's sandbox, starting it where it does not run, and hold it until this process ends.

    Raises:
        SandboxError: it did not start; the message ends with what its log says.
    """
    from filelock import FileLock

    from spnb.sandbox.control.lease import hold

    folder = own_folder()
    # one process at a time looks for it and starts it
    with _guard, FileLock(folder / STARTING):
        info = _running(folder)
        if info is not None:
            try:
                hold(folder, info, lambda: _running(folder))
                return info
            except SandboxError:
                # It ends since nobody held it a moment ago; its folder is free once it is gone.
                with contextlib.suppress(psutil.Error):
                    psutil.Process(info.pid).wait(START_SECONDS)
        info = _started(default_data_dir(), 0, idle_exit=True, options=("--running-file", str(folder / FILE)))
        hold(folder, info, lambda: _running(folder))
        return info


def running() -> SandboxInfo:
    """This user's sandbox, as long as it runs; neither started nor held.

    Raises:
        SandboxError: it does not run.
    """
    info = _running(home())
    if info is None:
        raise SandboxError("your sandbox does not run: `spnb.connect()` or `spnb lab` starts it")
    return info


@checked
def start(data_dir: str | Path, *, port: int = 0, idle_exit: bool = True, options: tuple[str, ...] = ()) -> SandboxInfo:
    """Start a sandbox of its own in the background: `with start("folder") as box:` ends it too, and so does the end of
    this process, however it ends.

    Args:
        data_dir: where it keeps rooms and recordings.
        port: port on 127.0.0.1; 0 takes a free one.
        idle_exit: False leaves it running when this process has ended, until somebody stops it.
        options: further options of `python -m spnb.sandbox`.

    Raises:
        SandboxError: it did not become ready; the message ends with what its log says.
    """
    info = _started(Path(data_dir), port, idle_exit=idle_exit, options=options)
    if idle_exit:
        from spnb.sandbox.control.lease import hold

        hold(info.data_dir, info, lambda: None)
    return info


def _started(data_dir: Path, port: int, *, idle_exit: bool, options: tuple[str, ...]) -> SandboxInfo:
    try:
        make_private_folder(data_dir)
    except OSError as error:
        raise SandboxError(
            f"the sandbox cannot write into {data_dir} ({error.strerror}): name another folder"
        ) from None
    _check_space(data_dir, "name a folder on another disk")
    log_path = data_dir / "sandbox.log"
    command = [
        sys.executable,
        "-m",
        "spnb.sandbox",
        "--json",
        "--tell-progress",
        "--port",
        str(port),
        "--data-dir",
        str(data_dir),
    ]
    if idle_exit:
        command.append("--idle-exit")
    try:
        descriptor = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise SandboxError(
            f"the sandbox cannot write into {data_dir} ({error.strerror}): name another folder"
        ) from None
    with os.fdopen(descriptor, "ab") as log:
        # A session of its own: interrupting a cell or closing a terminal must not end the sandbox under others.
        process = subprocess.Popen(
            [*command, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            text=True,
        )
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    facts = _ready(process, process.stdout)
    if facts is None:
        tail = log_path.read_text(errors="replace").strip().splitlines()[-5:]
        told = "\n  ".join(tail) or f"(nothing: it ended, or said nothing for {START_SECONDS:g} s, and was ended)"
        raise SandboxError(f"the sandbox did not start; {log_path} ends with:\n  {told}")
    return SandboxInfo.read(facts)


def _ready(process: subprocess.Popen[str], stdout: IO[str]) -> dict[str, Any] | None:
    """What a sandbox says when it is ready; None where it ended before, or said nothing for too long."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in stdout:
            lines.put(line)
            if not line.startswith('{"starting"'):
                return
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    with contextlib.suppress(queue.Empty, ValueError):
        while line := lines.get(timeout=START_SECONDS):
            facts: dict[str, Any] = json.loads(line)
            if "starting" not in facts:
                return facts
    process.kill()
    process.wait()
    return None


def _running(folder: Path) -> SandboxInfo | None:
    """The sandbox the file tells of, if it still answers, proves to be the one, and is of this version."""
    try:
        told = read_running(folder)
        if told is None:
            return None
        info = SandboxInfo.read(told)
        if not shows_its_key(info.url, info.api_key):
            return None
        answer = ask("GET", f"{info.url}/sandbox/info", info.api_key)
        if answer.status_code != 200 or answer.json()["pid"] != info.pid:
            return None
    except (OSError, ValueError, KeyError, httpx.HTTPError):
        return None
    if info.version != __version__:
        if answer.json()["leases"] or answer.json()["busy"]:
            raise SandboxError(
                f"a sandbox of spnb {info.version} is in use; this is spnb {__version__}:"
                " close the notebooks that use it"
            )
        info.stop()
        return None
    return info
