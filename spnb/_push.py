"""A line to an RTMP server, in a process of its own: FLV goes in, and comes out at the server.

FFmpeg as PyAV brings it connects while no other thread of its process runs, for as long as a server takes to answer;
and only as a slave of its `tee` is it told to look at a server's certificate.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import certifi

from spnb._proxies import NAMES, proxy_of

__all__ = ["Push", "look", "proof"]

REACH_SECONDS = 20.0
"""For a server to answer."""
END_SECONDS = 3.0
"""For what is on its way to go out."""
PROOF_SECONDS = 10.0
"""For a server to show its certificate."""
REACHED = "reached"


class Push:
    """A file to write FLV to.

    Args:
        url: `rtmp(s)://…` with the stream key, which no command line shows.

    Raises:
        OSError: the address is not reachable, refuses, or shows a certificate that is not one to believe.
    """

    def __init__(self, url: str) -> None:
        self.name = "push.flv"
        known = {name: value for name, value in os.environ.items() if name not in NAMES}
        if proxy := proxy_of(url):
            known["http_proxy"] = proxy  # by this name alone FFmpeg asks for one, also where TLS goes through it
        self._process = subprocess.Popen(
            [sys.executable, "-m", "spnb._push"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=known,
            start_new_session=True,
        )
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        self._into = self._process.stdin
        try:
            self.write(url.encode() + b"\n")
            told = self._told(REACH_SECONDS)
        except BaseException:
            self._end(0)
            raise
        if told != REACHED:
            self._end(0)
            raise OSError(0, told or "it did not answer")

    def _told(self, seconds: float) -> str:
        """What it says next; empty where it says nothing."""
        patience = threading.Timer(seconds, self._process.kill)
        patience.start()
        try:
            assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
            return self._process.stdout.readline().decode().strip()
        finally:
            patience.cancel()

    def write(self, data: bytes) -> int:
        """Write; waits where the line is slow.

        Raises:
            OSError: the line broke.
        """
        try:
            left = memoryview(data)
            while left:
                left = left[self._into.write(left) :]
        except (OSError, ValueError):
            raise OSError(0, self._told(END_SECONDS) or "Broken pipe") from None
        return len(data)

    def kill(self) -> None:
        """Break the line, from any thread: whoever waits to write is told."""
        self._process.kill()

    def close(self) -> None:
        """End the line, after what is on its way; FLV's end is written by then."""
        self._end(END_SECONDS)

    def _end(self, seconds: float) -> None:
        with contextlib.suppress(OSError):  # broken already
            self._into.close()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        self._process.stdout.close()


def proof() -> dict[str, str]:
    """FFmpeg's options by which a server's certificate is looked at; it looks at none unless told to."""
    return {"tls_verify": "1", "ca_file": os.environ.get("SSL_CERT_FILE") or certifi.where()}


def look(host: str, port: int) -> None:
    """Look at a server's certificate, which gives better words than FFmpeg, who looks at it again on its own line.

    Raises:
        OSError: there is none, or it is not one to believe (`ssl.SSLCertVerificationError`).
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    with socket.create_connection((host, port), PROOF_SECONDS) as line:
        context.wrap_socket(line, server_hostname=host).close()


def _slave(url: str) -> str:
    """The address as `tee` reads it, with what it is to look at."""
    options = ["f=data", "rw_timeout=20000000"]
    if urlsplit(url).scheme == "rtmps":
        options += [f"{name}={_escaped(value, ':]')}" for name, value in proof().items()]
    return f"[{':'.join(options)}]{_escaped(url, '|')}"


def _escaped(text: str, ends: str) -> str:
    return "".join(f"\\{each}" if each in f"\\'{ends}" else each for each in text)


def main() -> None:
    """Read an address, then FLV; say `reached`, or why not."""
    import av

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a cell is interrupted, not the stream
    flv = io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False))
    url = flv.readline().decode().rstrip("\n")
    try:
        with av.open(_slave(url), "w", format="tee") as container:
            stream = container.add_data_stream()
            container.start_encoding()
            print(REACHED, flush=True)  # noqa: T201 - who started this process reads it
            count = 0
            while data := flv.read1(1 << 16):
                packet = av.Packet(data)
                packet.stream, packet.pts, packet.dts = stream, count, count
                container.mux(packet)
                count += 1
    except (av.FFmpegError, OSError, ValueError) as error:
        print(getattr(error, "strerror", None) or type(error).__name__, flush=True)  # noqa: T201 - the same
        sys.exit(1)


if __name__ == "__main__":
    main()
