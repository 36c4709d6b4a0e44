"""AMF0, in which RTMP's commands are written (Adobe's AMF 0 specification): numbers, texts, objects, nothing else."""

from __future__ import annotations

import struct
from typing import Any

__all__ = ["MalformedAmf", "decoded", "encoded"]

NUMBER, BOOLEAN, STRING, OBJECT, NULL, UNDEFINED, ECMA_ARRAY, END, STRICT_ARRAY, LONG_STRING = (
    0, 1, 2, 3, 5, 6, 8, 9, 10, 12,
)  # fmt: skip
MOST_VALUES, MOST_DEPTH = 500, 8


class MalformedAmf(ValueError):
    """Bytes that are no AMF0, or more of it than a command needs."""


def encoded(*values: Any) -> bytes:
    """Values one after the other; dictionaries become objects, None null."""
    out = b""
    for value in values:
        if value is None:
            out += bytes([NULL])
        elif isinstance(value, bool):
            out += bytes([BOOLEAN, value])
        elif isinstance(value, (int, float)):
            out += bytes([NUMBER]) + struct.pack(">d", value)
        elif isinstance(value, str):
            out += bytes([STRING]) + _name(value)
        else:
            out += bytes([OBJECT]) + b"".join(_name(key) + encoded(item) for key, item in value.items())
            out += b"\0\0" + bytes([END])
    return out


def _name(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def decoded(data: bytes) -> list[Any]:
    """All values of a command.

    Raises:
        MalformedAmf: it cannot be read.
    """
    reader = _Reader(data)
    values = []
    try:
        while reader.at < len(data):
            values.append(reader.value(0))
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise MalformedAmf(str(error)) from None
    return values


class _Reader:
    """A place in bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0
        self._count = 0

    def _take(self, count: int) -> bytes:
        taken = self._data[self.at : self.at + count]
        if len(taken) < count:
            raise MalformedAmf("it is cut off")
        self.at += count
        return taken

    def _text(self, size: int) -> str:
        return self._take(int.from_bytes(self._take(size))).decode()

    def value(self, depth: int) -> Any:
        """The next value."""
        self._count += 1
        if depth > MOST_DEPTH or self._count > MOST_VALUES:
            raise MalformedAmf("it is too large")
        kind = self._take(1)[0]
        if kind == NUMBER:
            return struct.unpack(">d", self._take(8))[0]
        if kind == BOOLEAN:
            return bool(self._take(1)[0])
        if kind in (STRING, LONG_STRING):
            return self._text(2 if kind == STRING else 4)
        if kind in (NULL, UNDEFINED):
            return None
        if kind == STRICT_ARRAY:
            return [self.value(depth + 1) for _ in range(int.from_bytes(self._take(4)))]
        if kind not in (OBJECT, ECMA_ARRAY):
            raise MalformedAmf(f"type {kind} is not read")
        if kind == ECMA_ARRAY:
            self._take(4)
        found = {}
        while (name := self._text(2)) or self._data[self.at] != END:
            found[name] = self.value(depth + 1)
        self.at += 1
        return found
