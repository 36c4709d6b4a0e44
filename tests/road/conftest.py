"""A page in a network namespace of its own, from which the port of the Jupyter server is all that can be reached."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from spnb.bench.lab import HUB, Lab, calm_camera, chromium, fine_camera, open_lab
from tests.certificates import fingerprint, write_certificate

SHOTS = Path(__file__).resolve().parents[2] / "test-output" / "screenshots"
RELAY = Path(__file__).with_name("relay.py")
PORT = 8888
"""Of the page's side."""
expect.set_options(timeout=60_000)


@contextmanager
def a_namespace() -> Iterator[str]:
    """A network namespace with a loopback and nothing else."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("a network namespace needs Linux, root and iproute2")
    name = f"spnb-road-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no network namespace can be made here: {made.stderr.strip()}")
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


@asynccontextmanager
async def seen_from(
    namespace: str,
    base: Path,
    server: Sequence[str] = (sys.executable,),
    flags: Sequence[str] = (),
    camera: Callable[[Path], None] = calm_camera,
) -> AsyncIterator[Lab]:
    """JupyterLab under a prefix, and a page of another name in the namespace, which reaches it by a relay only.

    Args:
        namespace: where the page is.
        base: an empty folder.
        server: how the Python that serves is started.
        flags: more of Chromium's.
        camera: makes what its camera shows.
    """
    out = base / "out.sock"
    relays: list[subprocess.Popen[str]] = []

    def relay(*command: str) -> None:
        process = subprocess.Popen(
            [*command, sys.executable, str(RELAY), *ends.pop(0)], stdout=subprocess.PIPE, text=True
        )
        relays.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

    ends: list[tuple[str, str]] = []

    async def reach(port: int) -> str:
        ends.extend([(str(out), str(port)), (str(PORT), str(out))])
        relay()
        relay("ip", "netns", "exec", namespace)
        return f"http://{HUB}:{PORT}"

    inside = base / "chromium"
    inside.write_text(f'#!/bin/sh\nexec ip netns exec {namespace} {chromium()} "$@"\n')
    inside.chmod(0o755)
    # As with https: cameras are for secure pages.
    secure = [f"--unsafely-treat-insecure-origin-as-secure=http://{HUB}:{PORT}"]
    try:
        async with open_lab(
            base,
            shots=SHOTS,
            camera=camera,
            reach=reach,
            browser_program=str(inside),
            browser_flags=[*secure, *flags],
            server=server,
        ) as lab:
            yield lab
    finally:
        for process in relays:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="package")
def namespace() -> Iterator[str]:
    """A network namespace with a loopback and nothing else."""
    with a_namespace() as name:
        yield name


@dataclass(frozen=True)
class Wall:
    """What lets no UDP out of a namespace, but TCP to this machine.

    Attributes:
        namespace: behind it.
        outside: this machine's address as it is seen from there.
        cable: its outer end.
    """

    namespace: str
    outside: str
    cable: str


@pytest.fixture(scope="package")
def wall(namespace: str) -> Iterator[Wall]:
    """A cable from this machine into the namespace, by which no UDP gets out."""
    net, cable = f"10.99.{os.getpid() % 250}", f"spnb{os.getpid()}"
    inside = ["ip", "-n", namespace]
    words = ["ip", "link", "add", cable, "type", "veth", "peer", "name", "cable", "netns", namespace]
    made = subprocess.run(words, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no cable can be laid into a network namespace here: {made.stderr.strip()}")
    try:
        for command in (
            ["ip", "addr", "add", f"{net}.1/30", "dev", cable],
            ["ip", "link", "set", cable, "up"],
            [*inside, "addr", "add", f"{net}.2/30", "dev", "cable"],
            [*inside, "link", "set", "cable", "up"],
            [*inside, "rule", "add", "pref", "1", "ipproto", "udp", "prohibit"],
        ):
            subprocess.run(command, check=True)
        yield Wall(namespace, f"{net}.1", cable)
    finally:
        subprocess.run(["ip", "link", "del", cable], check=True)


SECURE, CLOSED = "secure.example", "closed.example"
"""Names of one reverse proxy: as a hub's should be, and one that lets a WebSocket through for kernels only."""


@pytest.fixture(scope="package")
def certificate(wall: Wall, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the reverse proxy; the page believes it."""
    return write_certificate(tmp_path_factory.mktemp("house") / "certificate.pem", wall.outside, SECURE, CLOSED)


@pytest.fixture
def far_lab_in_hd(far_lab: Lab) -> Iterator[Lab]:
    """The same, and its camera shows 1280×720."""
    fine_camera(far_lab.home)
    yield far_lab
    calm_camera(far_lab.home)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def far_lab(wall: Wall, certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    """JupyterLab under a prefix, and a page in the namespace."""
    names = ",".join([f"MAP {HUB} 127.0.0.1", *(f"MAP {name} {wall.outside}" for name in (SECURE, CLOSED))])
    flags = [f"--host-resolver-rules={names}", f"--ignore-certificate-errors-spki-list={fingerprint(certificate)}"]
    async with seen_from(wall.namespace, tmp_path_factory.mktemp("far"), flags=flags) as lab:
        yield lab
