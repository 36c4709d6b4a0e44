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

from tests.certificates import write_certificate
from tests.live.conftest import until

PASSWORD = "held-by-nobody-else"
LOOPBACK = "127.0.0.1"


@dataclass
class Relay:
    """A running relay: where it is, and the certificate it shows where it speaks TLS."""

    place: str
    log: Path
    way: str
    certificate: Path

    def url(self, user: str, way: str = "") -> str:
        """Its address for one of its users, `page`, `kernel` or `host`."""
        scheme, _, transport = (way or self.way).partition(" ")
        return f"{scheme}:{user}:{PASSWORD}@{self.place}?transport={transport}"

    @property
    def port(self) -> int:
        return int(self.place.rpartition(":")[2])

    def allocated(self, user: str) -> int:
        """How many relayed addresses this user has been given."""
        return len(re.findall(rf"user <{user}>: incoming packet ALLOCATE processed, success", self.log.read_text()))

    def passed(self, user: str) -> int:
        """Packets that had come from this user when it was last told: at each 2048."""
        told = re.findall(rf"user <{user}>, rp=(\d+)", self.log.read_text())
        return sum(map(int, told))


@asynccontextmanager
async def relay(folder: Path, address: str = LOOPBACK, *, tls: bool = False) -> AsyncIterator[Relay]:
    """Run one; the test is skipped where there is none.

    Args:
        folder: for its log and the like.
        address: where it listens.
        tls: take TCP only, with TLS and without; else UDP, without.
    """
    program = shutil.which("turnserver")
    if program is None:
        pytest.skip("needs turnserver (coturn): `python -m tests` installs it where it may")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if tls else socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        port = probe.getsockname()[1]
    log, certificate = folder / "relay.log", folder / "relay.pem"
    words = ["-n", "--listening-ip", address, "--relay-ip", address, "--listening-port", str(port), "--no-dtls"]
    words += ["--no-cli", "--allow-loopback-peers", "--lt-cred-mech", "--realm", "test", "--verbose"]
    words += ["--log-file", str(log), "--simple-log", "--pidfile", str(folder / "relay.pid")]
    words += ["--db", str(folder / "db")]
    if tls:
        # Of one port it takes both.
        write_certificate(certificate, address)
        words += ["--no-udp", "--tls-listening-port", str(port), "--cert", str(certificate), "--pkey", str(certificate)]
    else:
        words += ["--no-tls"]
    words += [word for user in ("page", "kernel", "host") for word in ("--user", f"{user}:{PASSWORD}")]
    process = subprocess.Popen([program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await until(lambda: log.exists() and f"listener opened on : {address}" in log.read_text())
        yield Relay(f"{address}:{port}", log, "turns tcp" if tls else "turn udp", certificate)
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)
