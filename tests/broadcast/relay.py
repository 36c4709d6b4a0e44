"""coturn, a relay that nobody here wrote: media that came by it stand in its log."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live.conftest import until

PASSWORD = "held-by-nobody-else"


@dataclass
class Relay:
    """A running relay on loopback."""

    port: int
    log: Path

    def url(self, user: str) -> str:
        """Its address for one of its users, `page`, `kernel` or `host`."""
        return f"turn:{user}:{PASSWORD}@127.0.0.1:{self.port}?transport=udp"

    def allocated(self, user: str) -> int:
        """How many relayed addresses this user has been given."""
        return len(re.findall(rf"user <{user}>: incoming packet ALLOCATE processed, success", self.log.read_text()))


@asynccontextmanager
async def relay(folder: Path) -> AsyncIterator[Relay]:
    """Run one; the test is skipped where there is none."""
    program = shutil.which("turnserver")
    if program is None:
        pytest.skip("needs turnserver (coturn): `python -m tests` installs it where it may")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "relay.log"
    words = ["-n", "--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--listening-port", str(port), "--no-tls"]
    words += ["--no-dtls", "--no-cli", "--allow-loopback-peers", "--lt-cred-mech", "--realm", "test", "--verbose"]
    words += [
        "--log-file",
        str(log),
        "--simple-log",
        "--pidfile",
        str(folder / "relay.pid"),
        "--db",
        str(folder / "db"),
    ]
    words += ["--db", str(folder / "db")]
    words += [word for user in ("page", "kernel", "host") for word in ("--user", f"{user}:{PASSWORD}")]
    process = subprocess.Popen([program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await until(lambda: log.exists() and "listener opened on : 127.0.0.1" in log.read_text())
        yield Relay(port, log)
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)
