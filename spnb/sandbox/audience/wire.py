"""Lean HTTP/1.1 for thousands of viewers in one process: keep-alive connections, JSON both ways, nothing else."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import orjson

from spnb._patience import patience

__all__ = ["Connection", "NoAnswer"]


class NoAnswer(Exception):
    """The sandbox did not answer, or ended the connection for good."""


class Connection:
    """One connection; requests go over it one at a time.

    Args:
        url: the sandbox's address, `http://host:port`.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._netloc = parts.netloc
        self._patience = patience(url)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, method: str, path: str, headers: str, body: Any = None) -> tuple[int, Any]:
        """Send a request and wait for the answer.

        Args:
            headers: further header lines, each ended by CRLF.
            body: sent as JSON, if not None.

        Returns:
            The HTTP status and the answer's JSON (None where it has none).

        Raises:
            NoAnswer: after a second attempt, since the server may have ended an idle connection at the same moment.
        """
        content = b"" if body is None else orjson.dumps(body)
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._netloc}\r\n{headers}"
        if content:
            head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        request = f"{head}\r\n".encode() + content
        for attempt in range(2):
            try:
                async with asyncio.timeout(self._patience):
                    return await self._exchange(request)
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                self.close()
                if attempt or isinstance(error, TimeoutError):
                    raise NoAnswer(f"{method} {path}: {type(error).__name__}") from None
        raise AssertionError("unreachable")

    async def _exchange(self, request: bytes) -> tuple[int, Any]:
        if self._streams is None or self._streams[0].at_eof():
            self.close()
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        start = head.lower().find(b"content-length:")
        length = 0 if start < 0 else int(head[start + 15 : head.index(b"\r", start)])
        content = await reader.readexactly(length) if length else b""
        return status, orjson.loads(content) if content else None

    def close(self) -> None:
        """Let the connection go."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
