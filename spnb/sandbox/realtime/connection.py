"""A client's WebSocket as the broker sees it: bytes that passed the gate, and packets that never make it wait."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any

from amqtt.adapters import ReaderAdapter, WriterAdapter
from starlette.websockets import WebSocket, WebSocketDisconnect

from spnb.sandbox.realtime.gate import Gate, Login, Violation, read_login

__all__ = ["Reader", "Writer"]

log = logging.getLogger(__name__)

MOST_UNREAD_BYTES = 1 << 20
"""What may wait for a client that reads slowly."""


class Reader(ReaderAdapter):
    """Bytes of a WebSocket's binary messages, as far as the gate lets them through."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._gate = Gate()
        self._buffer = bytearray()
        self._ended = False
        self._receiving: asyncio.Future[bytes] | None = None
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def login(self) -> Login:
        """What the client's first packet asks for.

        Raises:
            Violation, LoginRefused: see `read_login`.
        """
        while (packet := self._gate.next()) is None:
            if not await self._receive():
                raise Violation("gone before it logged in")
        return read_login(*packet)

    def admit(self, connect: bytes) -> None:
        """Begin what the broker reads with this CONNECT packet."""
        self._buffer += connect

    async def read(self, n: int = -1) -> bytes:
        while not self._ended and (n < 0 or len(self._buffer) < n):
            try:
                self._buffer += self._gate.passed()
                if n >= 0 and len(self._buffer) >= n:
                    break
                await self._receive()
            except Violation as violation:
                log.info("an MQTT client was put out: %s", violation)
                self._ended = True
        taken = bytes(self._buffer if n < 0 else self._buffer[:n])
        del self._buffer[: len(taken)]
        return taken

    async def _receive(self) -> bool:
        if self._receiving is None:
            self._receiving = asyncio.ensure_future(self._socket.receive_bytes())
        # Whoever waits may be cancelled, by the broker's keep-alive: what comes then is not lost.
        either: set[asyncio.Future[Any]] = {self._receiving, self._over}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._over.done():
            self._ended = True
            return False
        receiving, self._receiving = self._receiving, None
        try:
            data = receiving.result()
        except (WebSocketDisconnect, RuntimeError, KeyError):
            self._ended = True  # closed, or a text message, which MQTT has not
        else:
            self._gate.feed(data)
        return not self._ended

    def feed_eof(self) -> None:
        """End it: the broker reads no more."""
        if not self._over.done():
            self._over.set_result(None)
        if self._receiving is not None:
            self._receiving.cancel()


class Writer(WriterAdapter):
    """Packets out as binary messages, by a task of its own: who does not read holds nobody else up, and is put out when
    too much waits for it. It comes back, and reads the service anew."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._buffer = bytearray()
        self._waiting = asyncio.Event()
        self._sender = asyncio.create_task(self._send(), name="mqtt-writer")
        self.closed = False
        self.on_overflow: Callable[[], None] = lambda: None

    def write(self, data: bytes) -> None:
        if self.closed:
            return
        self._buffer += data
        if len(self._buffer) > MOST_UNREAD_BYTES:
            log.info("an MQTT client that does not read was put out")
            self._buffer.clear()
            self.abort()
            self.on_overflow()
        self._waiting.set()

    def abort(self) -> None:
        """Write no more; the socket's owner closes it."""
        self.closed = True
        self._sender.cancel()

    async def drain(self) -> None:
        """What is written leaves by itself."""

    async def _send(self) -> None:
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            data, self._buffer = bytes(self._buffer), bytearray()
            try:
                if data:
                    await self._socket.send_bytes(data)
            except (WebSocketDisconnect, RuntimeError):
                self.closed = True
                return

    async def flush(self) -> None:
        """Wait, a moment at most, until all is sent."""
        if not self.closed and self._buffer:
            data, self._buffer = bytes(self._buffer), bytearray()
            try:
                async with asyncio.timeout(1):
                    await self._socket.send_bytes(data)
            except (WebSocketDisconnect, RuntimeError, TimeoutError):
                self.closed = True

    def get_peer_info(self) -> tuple[str, int] | None:
        client = self._socket.client
        return (client.host, client.port) if client else ("127.0.0.1", 0)

    def get_ssl_info(self) -> ssl.SSLObject | None:
        return None

    async def close(self) -> None:
        await self.flush()
        self.abort()
        await _shut(self._socket)


async def _shut(socket: WebSocket) -> None:
    try:
        # Who does not read takes no close either: the server drops the connection when its handler returns.
        async with asyncio.timeout(1):
            await socket.close()
    except (WebSocketDisconnect, RuntimeError, TimeoutError):
        log.debug("an MQTT socket was closed by the client first")
