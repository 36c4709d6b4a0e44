"""Reading logs as they lie on disk: packed or not, a line at a time, a JSON document piece by piece."""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import orjson

from spnb.errors import TableError

__all__ = ["bytes_of", "head_of", "json_values", "text_lines"]

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
PIECE = 1 << 22
HEAD = 64 * 1024
BATCH = 1 << 16
"""More would be read faster than it is used: what is read is to stay in the processor's cache."""
SPACE = " \t\r\n"
ALIKE = re.compile(r'\s*,\s*\{\s*"[^"\\\n]*"')


def bytes_of(path: Path) -> IO[bytes]:
    """A file, unpacked where it is gzip or zstd; its first bytes tell, not its name.

    Raises:
        TableError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            mark = file.read(4)
        if mark.startswith(GZIP):
            return cast("IO[bytes]", gzip.open(path, "rb"))
        if mark == ZSTD:
            import pyarrow as pa

            return io.BufferedReader(pa.input_stream(str(path), compression="zstd"), PIECE)
        return path.open("rb", buffering=PIECE)
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror or error}") from error


def head_of(path: Path) -> str:
    """The first lines of a file, to tell what it is."""
    with bytes_of(path) as file:
        head = file.read(HEAD)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "ignore")
    return head.decode("utf-8-sig", "ignore")


def text_lines(path: Path) -> Iterator[tuple[str, bool]]:
    """Each line without its end, and whether it was UTF-8; others are read as Windows-1252, as old IRC clients wrote.

    Only a line feed ends a line: people write every other separator into chats.
    """
    with bytes_of(path) as file:
        for number, line in enumerate(file):
            bare = line.rstrip(b"\r\n")
            try:
                yield bare.decode("utf-8-sig" if number == 0 else "utf-8"), True
            except UnicodeDecodeError:
                yield bare.decode("cp1252", "replace"), False


def json_values(path: Path, torn: Any) -> Iterator[tuple[str, Any]]:
    """The values of a JSON document or of JSON lines, in little memory.

    Args:
        path: the file.
        torn: called for each piece that is no JSON, e.g. a line that was cut off.

    Yields:
        `("", value)` for each line or each element of a list; for a large object `(name, element)` for each element of
        a list in it, and `(name, value)` for the rest.
    """
    with bytes_of(path) as file:
        yield from _Walk(
            io.TextIOWrapper(cast("Any", file), encoding="utf-8-sig", newline="\n", errors="replace"), torn
        ).values()


class _Walk:
    def __init__(self, file: io.TextIOWrapper, torn: Any) -> None:
        self._file, self._torn = file, torn
        self._text, self._at, self._over = "", 0, False
        self._decode = json.JSONDecoder(strict=False).raw_decode

    def _more(self, size: int = PIECE) -> bool:
        """Have more of the file at hand; False at its end."""
        piece = "" if self._over else self._file.read(size)
        if not piece:
            self._over = True
            return False
        self._text, self._at = self._text[self._at :] + piece, 0
        return True

    def _peek(self) -> str:
        """The next character that is no space; nothing at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in SPACE:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _value(self) -> Any:
        """The value that begins here; `ValueError` where it is none, or only part of one."""
        size = PIECE
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except (ValueError, RecursionError):
                if not self._more(size):
                    raise ValueError("no JSON") from None
                size *= 2  # so that a large value is not tried again and again
                continue
            if end == len(self._text) and self._more():
                continue  # a number may go on
            self._at = end
            return value

    def values(self) -> Iterator[tuple[str, Any]]:
        first = self._peek()
        if first == "[":
            self._at += 1
            yield from self._elements("")
        elif first == "{" and not self._lines():
            self._at += 1
            yield from self._members()
        else:
            yield from self._each_line()

    def _lines(self) -> bool:
        """Whether the first line at hand is a value by itself."""
        end = self._text.find("\n", self._at)
        if end < 0 and len(self._text) - self._at >= PIECE:
            return False
        try:
            orjson.loads(self._text[self._at : end if end >= 0 else None])
        except ValueError:
            return False
        return True

    def _each_line(self) -> Iterator[tuple[str, Any]]:
        rest = self._text[self._at :]
        lines = io.StringIO(rest, newline="\n")
        tail = ""
        for line in lines:
            if not line.endswith("\n"):
                tail = line
                break
            yield from self._line(line)
        for line in self._file:
            line, tail = tail + line, ""
            yield from self._line(line)
        if tail:
            yield from self._line(tail)

    def _line(self, line: str) -> Iterator[tuple[str, Any]]:
        if not line.strip():
            return
        try:
            value = orjson.loads(line)
        except ValueError:
            self._torn()
        else:
            yield "", value

    def _elements(self, name: str) -> Iterator[tuple[str, Any]]:
        for value in self._in_batches():
            yield name, value
        while (here := self._peek()) not in ("]", ""):
            if here == ",":
                self._at += 1
                continue
            try:
                value = self._value()
            except ValueError:
                self._torn()
                self._text, self._at, self._over = "", 0, True
                return
            yield name, value
        if not here:
            self._torn()
        self._at += 1

    def _in_batches(self) -> Iterator[Any]:
        """Elements of a list that look alike, many at a time by a faster reader; whatever it does not take is left.

        Where the next one begins is told by what stood between the first two: `},{"id"`, with their spaces.
        """
        if self._peek() != "{":
            return
        try:
            yield self._value()
        except ValueError:
            return
        between = self._between()
        while between:
            end = self._text.rfind(between, self._at, self._at + BATCH)
            if end < 0:
                if len(self._text) - self._at >= BATCH or not self._more(BATCH):
                    return
                continue
            start = self._text.index("{", self._at)
            try:
                batch = orjson.loads(f"[{self._text[start : end + 1]}]")
            except ValueError:  # an element holds the like of it, or what only the other reader takes
                return
            self._at = end + 1
            yield from batch

    def _between(self) -> str:
        """From the end of one element to the end of the next one's first name, a brace first; nothing for none."""
        if len(self._text) - self._at < HEAD:
            self._more()
        found = ALIKE.match(self._text, self._at)
        return "}" + found[0] if found else ""

    def _members(self) -> Iterator[tuple[str, Any]]:
        try:
            while (here := self._peek()) not in ("}", ""):
                if here == ",":
                    self._at += 1
                    continue
                name = str(self._value())
                if self._peek() != ":":
                    raise ValueError("no JSON")
                self._at += 1
                if self._peek() == "[":
                    self._at += 1
                    yield from self._elements(name)
                else:
                    yield name, self._value()
        except ValueError:
            self._torn()
