"""The gate before the broker: which packets of a client reach it at all (MQTT 3.1.1, OASIS standard).

A client logs in, follows topics, and says that it is there. Everything else ends its connection: a will or a retained
message would let a viewer speak in the sandbox's name, also to those who come later.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MOST_PACKET_BYTES", "Gate", "Login", "LoginRefused", "Violation", "read_login"]

MOST_PACKET_BYTES = 64 * 1024
MOST_LOGIN_BYTES = 8 * 1024
MOST_TOPIC_BYTES = 1024
MOST_TOPICS = 5000
"""Topics one connection may follow: a lobby of thousands of rooms has one connection."""

CONNECT, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT = 1, 8, 10, 12, 14
ACKNOWLEDGEMENTS = frozenset({4, 5, 6, 7})
"""Answers to events sent with a promise (QoS 1 and 2). The sandbox sends none such: they are passed over."""
WRONG_VERSION = bytes((0x20, 2, 0, 1))
WRONG_VERSION_5 = bytes((0x20, 3, 0, 0x84, 0))
WRONG_CLIENT_ID = bytes((0x20, 2, 0, 2))
NOT_AUTHORIZED = bytes((0x20, 2, 0, 5))


class Violation(Exception):
    """What came is no packet of MQTT 3.1.1, or none that a client may send: the connection ends without a word."""


class LoginRefused(Exception):
    """A login is refused with an answer.

    Args:
        answer: the CONNACK packet.
    """

    def __init__(self, answer: bytes) -> None:
        super().__init__(answer.hex())
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Login:
    """What a CONNECT packet asks for, without will: there is none here."""

    client_id: str
    username: str
    password: str
    keep_alive: int
    """Seconds; 0: never."""

    def packet(self, client_id: str) -> bytes:
        """The CONNECT packet the broker gets: always a clean session, under an id of the sandbox's choice."""
        fields = (_text(client_id), _text(self.username), _text(self.password))
        body = b"\0\4MQTT\4\xc2" + self.keep_alive.to_bytes(2, "big") + b"".join(fields)
        return bytes((CONNECT << 4,)) + _length(len(body)) + body


def read_login(head: int, body: bytes) -> Login:
    """The login of a connection's first packet.

    Args:
        head: its first byte.
        body: what follows its length.

    Raises:
        Violation: it is no CONNECT packet.
        LoginRefused: it is one that is not taken: another version, a will, an empty name.
    """
    if head != CONNECT << 4 or len(body) > MOST_LOGIN_BYTES:
        raise Violation("no CONNECT packet")
    fields = _Fields(body)
    name, level = fields.binary(), fields.number(1)
    if name != b"MQTT":
        raise LoginRefused(WRONG_VERSION) if name == b"MQIsdp" else Violation("no MQTT")
    if level != 4:
        raise LoginRefused(WRONG_VERSION_5 if level == 5 else WRONG_VERSION)
    flags, keep_alive, client_id = fields.number(1), fields.number(2), fields.text()
    will, named, with_password = flags & 0x04, flags & 0x80, flags & 0x40
    if flags & 0x01 or (flags & 0x38 and not will) or flags & 0x18 == 0x18 or (with_password and not named):
        raise Violation("reserved flags of CONNECT")
    if will:
        raise LoginRefused(NOT_AUTHORIZED)
    if not named or not with_password:
        raise LoginRefused(NOT_AUTHORIZED)
    if not client_id and not flags & 0x02:
        raise LoginRefused(WRONG_CLIENT_ID)
    username, password = fields.text(), fields.text()
    fields.end()
    return Login(client_id, username, password, keep_alive)


class Gate:
    """Cuts a client's bytes into whole packets, and lets through what a logged-in client may send.

    Raises (from every method):
        Violation: the connection is to end.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._topics: set[bytes] = set()

    def feed(self, data: bytes) -> None:
        """Take bytes that came in."""
        if len(self._buffer) + len(data) > 2 * MOST_PACKET_BYTES:
            raise Violation("more at once than a client has to say")
        self._buffer += data

    def next(self) -> tuple[int, bytes] | None:
        """The next whole packet, as its first byte and its body; None where more bytes are needed."""
        length = size = 0
        while True:
            if len(self._buffer) <= size + 1:
                return None
            digit = self._buffer[size + 1]
            length |= (digit & 0x7F) << (7 * size)
            size += 1
            if not digit & 0x80:
                break
            if size == 4:
                raise Violation("a length of more than four bytes")
        if length > MOST_PACKET_BYTES:
            raise Violation("a packet too large")
        end = 1 + size + length
        if len(self._buffer) < end:
            return None
        head, body = self._buffer[0], bytes(self._buffer[1 + size : end])
        del self._buffer[:end]
        return head, body

    def passed(self) -> bytes:
        """All whole packets that the broker may see, as bytes."""
        passed = bytearray()
        while (packet := self.next()) is not None:
            head, body = packet
            if self._lets(head, body):
                passed += bytes((head,)) + _length(len(body)) + body
        return bytes(passed)

    def _lets(self, head: int, body: bytes) -> bool:
        kind, flags = head >> 4, head & 0x0F
        if kind in (SUBSCRIBE, UNSUBSCRIBE) and flags == 2:
            self._follow(body, subscribes=kind == SUBSCRIBE)
            return True
        if kind in (PINGREQ, DISCONNECT) and flags == 0 and not body:
            return True
        if kind in ACKNOWLEDGEMENTS and flags == (2 if kind == 6 else 0) and len(body) == 2:
            return False
        raise Violation(f"a client sends no packet of kind {kind}")

    def _follow(self, body: bytes, *, subscribes: bool) -> None:
        fields = _Fields(body)
        if not fields.number(2):
            raise Violation("packet id 0")
        topics: list[bytes] = []
        while fields.left or not topics:
            topic = fields.text().encode()
            if not topic or len(topic) > MOST_TOPIC_BYTES or not _is_filter(topic):
                raise Violation("no topic filter")
            topics.append(topic)
            if subscribes and fields.number(1) > 2:
                raise Violation("no quality of service")
        if subscribes:
            self._topics.update(topics)
        else:
            self._topics.difference_update(topics)
        if len(self._topics) > MOST_TOPICS:
            raise Violation("too many topics")


def _is_filter(topic: bytes) -> bool:
    levels = topic.split(b"/")
    if b"#" in levels[:-1]:
        return False
    return all(level in (b"#", b"+") or not (b"#" in level or b"+" in level) for level in levels)


def _length(size: int) -> bytes:
    written = bytearray()
    while True:
        size, digit = divmod(size, 128)
        written.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(written)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded


class _Fields:
    """Reads a packet's body from front to end."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._body) - self._at

    def _take(self, size: int) -> bytes:
        if self.left < size:
            raise Violation("a packet that ends too soon")
        self._at += size
        return self._body[self._at - size : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def binary(self) -> bytes:
        return self._take(self.number(2))

    def text(self) -> str:
        try:
            text = self.binary().decode()
        except UnicodeDecodeError:
            raise Violation("text that is no UTF-8") from None
        if "\0" in text:
            raise Violation("text with a zero")
        return text

    def end(self) -> None:
        if self.left:
            raise Violation("a packet that goes on too long")
