"""Lines between a page in a network namespace and a Jupyter server: Debian's nginx with TLS, and an SSH tunnel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from spnb.bench.lab import BASE, free_port
from tests.road.conftest import CLOSED, RELAY, SECURE, Wall

__all__ = ["Line", "Tunnel", "reverse_proxy", "tunnel"]

PROXY = """
daemon off;
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    ssl_certificate {certificate};
    ssl_certificate_key {certificate};
    client_max_body_size 0;
    proxy_http_version 1.1;
    proxy_read_timeout 600s;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name {secure};
        location / {{
            proxy_pass http://127.0.0.1:{jupyter};
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }}
    }}
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name {closed};
        location / {{
            proxy_pass http://127.0.0.1:{jupyter};
            proxy_set_header Host $http_host;
        }}
        location {base}api/kernels/ {{
            proxy_pass http://127.0.0.1:{jupyter};
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }}
    }}
}}
"""


def needs(program: str) -> str:
    """Where a program is; the test is skipped where it is not."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"needs {program}: `python -m tests` installs it where it may")
    return found


@dataclass
class Line:
    """The line to a reverse proxy.

    Attributes:
        port: of the proxy, as the page sees it.
    """

    port: int
    _wall: Wall
    _relay: subprocess.Popen[str]

    @contextmanager
    def shaped(self, seconds: float, kilobits: int | None) -> Iterator[None]:
        """Let everything take so long, and no more pass in a second, each way; None for all there is."""
        self._late(seconds)
        ends = (["tc"], self._wall.cable), (["tc", "-n", self._wall.namespace], "cable")
        shape = ["root", "tbf", "rate", f"{kilobits}kbit", "burst", "16kb", "latency", "300ms"]
        try:
            for tc, cable in ends if kilobits else ():
                subprocess.run([*tc, "qdisc", "add", "dev", cable, *shape], check=True)
            yield
        finally:
            self._late(0)
            for tc, cable in ends if kilobits else ():
                subprocess.run([*tc, "qdisc", "del", "dev", cable, "root"], check=True)

    def _late(self, seconds: float) -> None:
        assert self._relay.stdin is not None
        self._relay.stdin.write(f"{seconds}\n")
        self._relay.stdin.flush()


@contextmanager
def reverse_proxy(wall: Wall, jupyter: int, certificate: Path, folder: Path) -> Iterator[Line]:
    """nginx before a Jupyter server, and the line to it.

    Args:
        wall: between it and the page.
        jupyter: the server's port.
        certificate: of nginx, with its key.
        folder: for its files.
    """
    nginx, inner, outer = needs("nginx"), free_port(), free_port()
    names = {"secure": SECURE, "closed": CLOSED, "base": BASE, "port": inner, "jupyter": jupyter}
    (folder / "nginx.conf").write_text(PROXY.format(folder=folder, certificate=certificate, **names))
    command = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "nginx.log")]
    ends = [f"{wall.outside}:{outer}", str(inner)]
    proxy = subprocess.Popen(command)
    relay = subprocess.Popen(
        [sys.executable, str(RELAY), *ends], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert relay.stdout is not None
        assert relay.stdout.readline() == "ready\n"
        assert proxy.poll() is None, (folder / "nginx.log").read_text()
        yield Line(outer, wall, relay)
    finally:
        for process in (relay, proxy):
            process.terminate()
            process.wait(60)


SSHD = """
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
StrictModes no
UsePAM no
PidFile none
"""


@dataclass
class Tunnel:
    """An SSH tunnel: ports of a far machine as `localhost` of the namespace."""

    _command: list[str]

    def open(self, here: int, there: int) -> None:
        """One more port; once it is there."""
        ends = f"127.0.0.1:{here}:127.0.0.1:{there}"
        subprocess.run([*self._command, "-O", "forward", "-L", ends, "far"], check=True)


@contextmanager
def tunnel(namespace: str, folder: Path) -> Iterator[Tunnel]:
    """OpenSSH's client in the namespace, and its server outside, which the client starts by itself.

    Args:
        namespace: where the page is.
        folder: for keys.
    """
    sshd = needs("sshd")
    Path("/run/sshd").mkdir(exist_ok=True)  # what it does without rights is done there
    for key in ("host", "user"):
        subprocess.run([needs("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
    (folder / "sshd.conf").write_text(SSHD.format(folder=folder))
    out = f"nsenter --net=/proc/{os.getpid()}/ns/net {sshd} -i -f {folder}/sshd.conf"
    inside = ["ip", "netns", "exec", namespace]
    ssh = [needs("ssh"), "-F", "none", "-S", str(folder / "control")]
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", f"ProxyCommand={out}", "LogLevel=ERROR"]
    words = [word for option in options for word in ("-o", option)]
    subprocess.run([*inside, *ssh, "-M", "-f", "-N", "-i", str(folder / "user"), *words, "root@far"], check=True)
    try:
        yield Tunnel(ssh)
    finally:
        subprocess.run([*ssh, "-q", "-O", "exit", "far"], check=True)
