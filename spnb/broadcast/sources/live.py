"""What others send right now, by its address: a camera on the network, another service's stream."""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
from typing import Any
from urllib.parse import SplitResult, urlsplit

from spnb._arguments import checked_class
from spnb._loop import background_loop, run
from spnb._proxies import directly, through
from spnb._push import look, proof
from spnb.broadcast.sources.base import Pace, Sink
from spnb.broadcast.sources.decoded import Decoded
from spnb.broadcast.sources.srt import SrtLine
from spnb.client.reach import Reach
from spnb.errors import DownloadError, InvalidInput, SourceError, Unreachable

__all__ = ["LiveURL"]

log = logging.getLogger(__name__)

SCHEMES = ("http", "https", "rtsp", "rtmp", "rtmps", "srt")
OPEN_SECONDS, READ_SECONDS = 15.0, 10.0
FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0
STREAMS = "hls,mpegts,flv,live_flv,mov,mp4,m4a,matroska,webm,mp3,aac,ogg,wav"
"""FFmpeg's demuxers of what comes over HTTP; others are instructions that open what they like."""


@checked_class
class LiveURL(Decoded):
    """A live stream at an address; where it breaks off, it is asked for again until it comes.

    Meanwhile viewers see a card, and the broadcast tells `SourceLost`, then `SourceRestored`. A playlist that says it
    is complete ends the source.

    Args:
        url: `http(s)://…` (HLS or a plain stream), `rtsp://`, `rtmp(s)://` or `srt://`. Never shown: it may hold a key.
            `srt://` is read by an `ffmpeg` program with SRT, as Debian's is, or `imageio-ffmpeg` where its own has it;
            behind a `?` stands what ffmpeg takes there (`passphrase=…&mode=listener`). Proxies are asked for
            `http(s)://` alone.
        private: whether it may lead to this machine or the local network, as a camera's address does. Without, only
            public addresses are asked, as for downloads, wherever a playlist or a redirect leads.
    """

    threads = "SLICE"
    ahead = 0.5

    def __init__(self, url: str, *, private: bool = False) -> None:
        super().__init__()
        if not isinstance(url, str):
            raise InvalidInput(f"the address of a live stream is a text, not a {type(url).__name__}")
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise InvalidInput("the address of the live stream is malformed") from None
        if parts.scheme not in SCHEMES or not host:
            raise InvalidInput(f"a live stream's address begins with one of {', '.join(SCHEMES)}, and names a host")
        self.private = private
        self._url, self._parts = url, parts
        self._reach: Reach | None = None
        self._srt: SrtLine | None = None

    def _name(self) -> str:
        return f"the live stream at {self._parts.scheme}://{self._parts.hostname}"

    def _open(self) -> Any:
        import av

        options = {"rw_timeout": str(int(READ_SECONDS * 1e6))}
        timeout = (OPEN_SECONDS, READ_SECONDS)
        try:
            if self._parts.scheme in ("http", "https"):
                self._reach = Reach(loopback=self.private, private=self.private, what="live stream")
                # FFmpeg opens nothing by itself: playlist, keys and segments alike are fetched as downloads are.
                allowed = {
                    "format_whitelist": STREAMS,
                    "protocol_whitelist": "http,https,crypto",
                    "http_persistent": "0",
                }
                return av.open(self._url, options=allowed, io_open=self._fetch, timeout=timeout)
            if self._parts.scheme == "srt":
                self._srt = SrtLine(self._pinned(), silence=READ_SECONDS)
                return av.open(self._srt, format="mpegts")
            if self._parts.scheme == "rtsp":
                # Some servers send by UDP alone.
                options = {"rtsp_flags": "prefer_tcp", "timeout": options["rw_timeout"]}
            if self._parts.scheme == "rtmps":
                look(self._parts.hostname or "", self._parts.port or 443)
                options |= proof()
            with directly():  # FFmpeg would find a proxy for `rtmps://` by the name of another
                return av.open(self._pinned(), options=options, timeout=timeout)
        except (DownloadError, Unreachable) as error:
            raise SourceError(str(error)) from error
        except (av.FFmpegError, OSError, ValueError) as error:
            # FFmpeg's own errors name the whole address.
            reason = error.strerror if isinstance(error, av.FFmpegError) else str(error)
            if self._srt is not None:
                reason = "nothing came: does it send, is this its passphrase, and does one side listen?"
            way = through(self._url) if self._parts.scheme in ("http", "https") else ""
            raise SourceError(f"{self._name()} cannot be opened{way}: {reason}") from None

    def _fetch(self, url: str, _flags: int, _options: dict[str, str]) -> Any:
        assert self._reach is not None  # noqa: S101 - made before the container is opened
        return _Fetched(self._reach, url)

    def _pinned(self) -> str:
        """The address with the network address that was checked in its name's place, so that none comes between."""
        parts, reach = self._parts, Reach(loopback=self.private, private=self.private, what="live stream")
        try:
            found = socket.getaddrinfo(parts.hostname, parts.port or 0, type=socket.SOCK_STREAM)
        except OSError:
            raise SourceError(f"{self._name()}: the name is not known") from None
        addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        allowed = [address for address in addresses if reach.allows(address)]
        if not allowed:
            raise SourceError(
                f"the live stream's address leads to {addresses[0]}, which is private or local: give "
                "private=True where that is meant"
            )
        if parts.scheme == "rtmps":
            return self._url  # its certificate is for the name
        return _at(parts, str(allowed[0]))

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Push for as long as there is something; ask again where it breaks off."""
        wait, lost = FIRST_WAIT, False
        size = (self.width, self.height)
        while not stop.is_set():
            try:
                if self._reader is None:
                    self.open()
                    if self._fitter is not None and size != (0, 0):
                        # Fitted into what is on air already.
                        self._fitter.width, self._fitter.height = self.width, self.height = size
                size = (self.width, self.height)
                finite = self._container.duration is not None and self._container.format.name == "hls"
                if lost:
                    lost = False
                    sink.restored()
                wait = FIRST_WAIT
                self._push_all(sink, Pace(stop), 0.0)
                if finite and not stop.is_set():
                    sink.ended()
                    return
                reason = f"{self._name()} has broken off"
            except (SourceError, DownloadError, Unreachable) as error:
                reason = str(error)
            except OSError as error:  # its words may hold the whole address
                reason = f"{self._name()} has broken off: {type(error).__name__}"
            self._release()
            if not stop.is_set() and not lost:
                lost = True
                sink.lost(reason)
            stop.wait(wait)
            wait = min(LONGEST_WAIT, wait * 2)

    def close(self) -> None:
        """Stop pushing and let go of the connection."""
        srt = self._srt
        if srt is not None:
            srt.end()  # whoever reads from it waits no longer
        super().close()

    def _release(self) -> None:
        super()._release()
        srt, self._srt = self._srt, None
        if srt is not None:
            srt.close()
        reach, self._reach = self._reach, None
        if reach is not None and not background_loop().is_closed():
            run(reach.aclose())

    def __repr__(self) -> str:
        return f"LiveURL({self._parts.scheme}://{self._parts.hostname})"


def _at(parts: SplitResult, address: str) -> str:
    host = f"[{address}]" if ":" in address else address
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    return parts._replace(netloc=f"{user}{host}" + (f":{parts.port}" if parts.port else "")).geturl()


class _Fetched:
    """What is at an address, as a file that FFmpeg reads."""

    def __init__(self, reach: Reach, url: str) -> None:
        self._reach = reach
        self.name = "live"
        self._waiting = b""
        self._over = False
        self._context: Any = reach.ask(url)
        answer = run(self._context.__aenter__())
        if answer.status not in (200, 206):
            self.close()
            raise SourceError(f"the live stream's server answered {answer.status}")
        self._body = aiter(answer.body)

    def read(self, size: int) -> bytes:
        """At most so many bytes; empty at the end."""
        if not self._waiting and not self._over:
            piece = run(self._next())
            self._over, self._waiting = piece is None, piece or b""
        given, self._waiting = self._waiting[:size], self._waiting[size:]
        return given

    async def _next(self) -> bytes | None:
        async for piece in self._body:
            if piece:
                return bytes(piece)
        return None

    def close(self) -> None:
        """Let go of the connection."""
        context, self._context = self._context, None
        if context is not None:
            run(context.__aexit__(None, None, None))
