"""A client that sends whatever bytes it likes over MQTT's WebSocket: what no library would send for us."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.rest.conftest import Caller


def text(value: str | bytes) -> bytes:
    encoded = value.encode() if isinstance(value, str) else value
    return len(encoded).to_bytes(2, "big") + encoded


def packet(head: int, body: bytes) -> bytes:
    size, length = len(body), bytearray()
    while True:
        size, digit = divmod(size, 128)
        length.append(digit | (0x80 if size else 0))
        if not size:
            return bytes((head,)) + bytes(length) + body


def connect_packet(
    client_id: str,
    username: str,
    password: str,
    *,
    level: int = 4,
    flags: int = 0xC2,
    will: tuple[str, bytes] = ("", b""),
) -> bytes:
    """A CONNECT packet; with flag 0x04 it has a will."""
    body = (
        text("MQTT")
        + bytes((level, flags))
        + (60).to_bytes(2, "big")
        + (b"\0" if level == 5 else b"")
        + text(client_id)
    )
    if flags & 0x04:
        body += text(will[0]) + text(will[1])
    return packet(0x10, body + text(username) + text(password))


def publish_packet(topic: str, payload: bytes, *, flags: int = 0) -> bytes:
    return packet(0x30 | flags, text(topic) + (b"\0\1" if flags & 0x06 else b"") + payload)


def subscribe_packet(*topics: str) -> bytes:
    return packet(0x82, b"\0\1" + b"".join(text(topic) + b"\0" for topic in topics))


class RawClient:
    """A WebSocket to the broker."""

    def __init__(self, url: str) -> None:
        self.socket: ClientConnection = connect(f"ws{url[4:]}/mqtt", subprotocols=["mqtt"], proxy=None)  # type: ignore[list-item]

    @classmethod
    def of(cls, caller: Caller, client_id: str = "") -> Self:
        """One that is logged in."""
        client = cls(caller.sandbox.url)
        client.send(connect_packet(client_id, caller.internal_id, caller.session["accessToken"]))
        assert client.receive() == bytes((0x20, 2, 0, 0))
        return client

    def send(self, data: bytes) -> None:
        self.socket.send(data)

    def receive(self) -> bytes | None:
        """The next packet; None when the connection has ended."""
        try:
            data = self.socket.recv(timeout=20)
        except ConnectionClosed:
            return None
        assert isinstance(data, bytes)
        return data

    def subscribe(self, *topics: str) -> None:
        self.send(subscribe_packet(*topics))
        granted = self.receive()
        assert granted is not None
        assert granted[0] == 0x90
        assert granted[-len(topics) :] == bytes(len(topics)), "a topic was refused"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()


class DeafClient:
    """A logged-in client that reads nothing any more, over a bare TCP connection with a small buffer."""

    def __init__(self, caller: Caller, topic: str) -> None:
        host, port = caller.sandbox.url.removeprefix("http://").split(":")
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(30)
        self.socket.connect((host, int(port)))
        lines = ("GET /mqtt HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade")
        keys = ("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13", "", "")
        self.socket.sendall("\r\n".join((*lines, *keys)).encode())
        assert b" 101 " in self.socket.recv(4096)
        self._send(connect_packet("deaf", caller.internal_id, caller.session["accessToken"]))
        assert self.socket.recv(4096).endswith(bytes((0x20, 2, 0, 0)))
        self._send(subscribe_packet(topic))
        assert self.socket.recv(4096).endswith(bytes((0x90, 3, 0, 1, 0)))

    def _send(self, data: bytes) -> None:
        head = bytes((0x82, 0x80 | len(data))) if len(data) < 126 else b"\x82\xfe" + len(data).to_bytes(2, "big")
        self.socket.sendall(head + bytes(4) + data)

    def has_been_put_out(self) -> bool:
        """Whether the connection has ended, after all that still lay in it."""
        try:
            while self.socket.recv(1 << 20):
                pass
        except ConnectionError:
            return True
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()
