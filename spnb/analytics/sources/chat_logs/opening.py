"""Reading logs as they lie on disk: packed or not, a line at a time, a JSON document piece by piece."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import orjson

from spnb.errors import TableError

__all__ = ["TORN", "bytes_of", "columns_of", "csv_items", "head_of", "json_values", "text_lines"]

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
UTF16 = (b"\xff\xfe", b"\xfe\xff")
TORN = "end of the file, torn"
PIECE = 1 << 22
HEAD = 64 * 1024
BATCH = 1 << 16
"""More would be read faster than it is used: what is read is to stay in the processor's cache."""
SMALL = 1 << 12
"""Where what was cut off is lost with all that is read at once."""
SPACE = " \t\r\n"
CALLED = {"AuthorID": "author.id", "Author": "author.name", "Date": "timestamp", "Content": "content"}
"""Columns of DiscordChatExporter, by its names in JSON."""
ALIKE = re.compile(r'\s*,\s*\{\s*"[^"\\\n]*"')


def bytes_of(path: Path, torn: Callable[[], None] | None = None) -> IO[bytes]:
    """A file, unpacked where it is gzip or zstd, and in UTF-8 where it is UTF-16; its first bytes tell, not its name.

    Args:
        path: the file.
        torn: called where what is packed was cut off, and then ends; an error without it.

    Raises:
        TableError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            mark = file.read(4)
        if mark.startswith(GZIP):
            return io.BufferedReader(_Torn(gzip.open(path, "rb").read1, path, torn), PIECE)
        if mark == ZSTD:
            import pyarrow as pa

            unpacked = pa.input_stream(str(path), compression="zstd")
            return io.BufferedReader(_Torn(lambda size: unpacked.read(min(size, SMALL)), path, torn), PIECE)
        if mark.startswith(UTF16):
            return io.BufferedReader(_Recoded(path.open(encoding="utf-16", newline="")), PIECE)
        return path.open("rb", buffering=PIECE)
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror or error}") from error


class _Torn(io.RawIOBase):
    """What is packed, as far as it goes: who records a chat is stopped in the middle."""

    def __init__(self, read: Callable[[int], bytes], path: Path, torn: Callable[[], None] | None) -> None:
        self._read, self._path, self._torn, self._ended = read, path, torn, False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._ended:
            return 0
        try:
            piece = self._read(min(len(buffer), BATCH))
        except (EOFError, OSError, zlib.error) as error:
            if self._torn is None:
                raise TableError(f"{self._path.name} is packed, and torn: {error}") from error
            self._ended = True
            self._torn()
            return 0
        buffer[: len(piece)] = piece
        return len(piece)


class _Recoded(io.RawIOBase):
    """A text file of another encoding, as UTF-8."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            piece = self._text.read(max(1, len(buffer) // 4)).encode("utf-8", "replace")
        except UnicodeDecodeError:  # torn in the middle of a character
            return 0
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._text.close()
        super().close()


def head_of(path: Path) -> str:
    """The first lines of a file, to tell what it is."""
    with bytes_of(path, lambda: None) as file:
        head = file.read(HEAD)
    return head.decode("utf-8-sig", "ignore")


def text_lines(path: Path, torn: Callable[[], None]) -> Iterator[tuple[str, bool]]:
    """Each line without its end, and whether it was UTF-8; others are read as Windows-1252, as old IRC clients wrote.

    Only a line feed ends a line: people write every other separator into chats. What is packed may be `torn`.
    """
    with bytes_of(path, torn) as file:
        for number, line in enumerate(file):
            bare = line.rstrip(b"\r\n")
            try:
                yield bare.decode("utf-8-sig" if number == 0 else "utf-8"), True
            except UnicodeDecodeError:
                yield bare.decode("cp1252", "replace"), False


def columns_of(head: str) -> set[str]:
    """The columns of a table in CSV, by its first line."""
    return set(next(csv.reader([head.split("\n", 1)[0].rstrip("\r")]), []))


def csv_items(path: Path, torn: Callable[[], None]) -> Iterator[dict[str, Any]]:
    """The rows of a CSV as the objects that were flattened into it: `author.id` is the id of its author."""
    with bytes_of(path, torn) as file:
        lines = io.TextIOWrapper(cast("Any", file), encoding="utf-8-sig", newline="", errors="replace")
        for row in csv.DictReader(lines):
            made: dict[str, Any] = {}
            for name, value in row.items():
                if isinstance(name, str) and value:
                    of, _, within = CALLED.get(name, name).partition(".")
                    if within:
                        made.setdefault(of, {})[within] = value
                    else:
                        made[of] = value
            yield made


def json_values(path: Path, torn: Callable[[], None]) -> Iterator[tuple[str, Any]]:
    """The values of a JSON document or of JSON lines, in little memory.

    Args:
        path: the file.
        torn: called for each piece that is no JSON, e.g. a line that was cut off.

    Yields:
        `("", value)` for each line or each element of a list; for a large object `(name, element)` for each element of
        a list in it, and `(name, value)` for the rest.
    """
    with bytes_of(path, torn) as file:
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
