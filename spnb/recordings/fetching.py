"""Fetching a file: into `.part`, resumed where it broke off, checked for length and hash, renamed when whole."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from spnb._loop import on_loop
from spnb.client.reach import Answer, Reach
from spnb.errors import DownloadError, InvalidInput, Unreachable
from spnb.recordings.digest import Digest, promised
from spnb.recordings.places import part_of, place_in, tag_of

__all__ = ["Address", "Meter", "Remote", "fetch", "look"]

log = logging.getLogger(__name__)

EXPIRED = (401, 403, 410)
"""What servers answer when a signed address has expired."""
TRIES = 4
FIRST_WAIT = 0.2
WRITE_BYTES = 1 << 20

Meter = Callable[[int, int | None], None]
"""Told how many bytes there are, and how many there will be (None where the server does not say)."""


class Address:
    """A signed address and how to get a fresh one, once: the one it starts with may be old.

    Args:
        url: secret.
        renew: fetches it again.
    """

    def __init__(self, url: str, renew: Callable[[], Awaitable[str]] | None = None) -> None:
        self.url = url
        self._renew = renew

    async def renewed(self) -> bool:
        """Take a fresh address; False where that was done already or cannot be."""
        renew, self._renew = self._renew, None
        if renew is None:
            return False
        self.url = await renew()
        return True

    def __repr__(self) -> str:
        return "Address(hidden)"


@dataclass(frozen=True, slots=True)
class Remote:
    """What a server says of a file."""

    size: int | None
    content_type: str
    tag: str
    """What tells versions of the file apart (a strong ETag, else a date); empty where nothing does."""
    ranges: bool


@asynccontextmanager
async def asked(reach: Reach, address: Address, headers: dict[str, str]) -> AsyncIterator[Answer]:
    """Ask for a file; where its address has expired, with a fresh one."""
    while True:
        async with reach.ask(address.url, headers) as answer:
            if answer.status not in EXPIRED or not await address.renewed():
                yield answer
                return


async def look(reach: Reach, address: Address) -> Remote:
    """What there is to fetch. Asks for the first byte: a signed address often allows GET and nothing else.

    Raises:
        Unreachable: the server does not give the file.
    """
    async with asked(reach, address, {"Range": "bytes=0-0"}) as answer:
        if answer.status not in (200, 206):
            raise Unreachable(f"the recording could not be fetched: the server answered {answer.status}")
        _, total = _content_range(answer) if answer.status == 206 else (0, _length(answer))
        kind = answer.headers.get("content-type", "")
        return Remote(total, kind, _tag(answer), answer.status == 206)


@on_loop
async def fetch(
    reach: Reach,
    address: Address,
    folder: Path,
    name: str,
    *,
    most_bytes: int | None = None,
    overwrite: bool = False,
    meter: Meter | None = None,
) -> Path:
    """Fetch a file into `folder`.

    Args:
        name: a plain file name.
        most_bytes: refuse what is larger.
        overwrite: whether another file of this name may be replaced. One of the same length is taken for this one,
            and nothing is fetched.
        meter: told how it goes on.

    Returns:
        The absolute path of the whole file.

    Raises:
        InvalidInput: the name does not stay in the folder, or is taken.
        DownloadError: an unsafe redirect, a file beyond `most_bytes`, a full disk.
        Unreachable: the server failed, again and again; the `.part` file is kept and the next call goes on there.
    """
    target = place_in(folder, name)
    if target in _under_way:
        raise DownloadError(f"{target.name} is being downloaded already")
    _under_way.add(target)
    try:
        return await _Download(reach, address, target, most_bytes, overwrite, meter or (lambda *_: None)).run()
    finally:
        _under_way.discard(target)


_under_way: set[Path] = set()


class _Broken(Exception):
    """The transfer broke off; what came is kept."""


class _Refused(Exception):
    """The server does not give the file; asking again changes nothing."""


class _Download:
    def __init__(
        self, reach: Reach, address: Address, target: Path, most_bytes: int | None, overwrite: bool, meter: Meter
    ) -> None:
        self._reach = reach
        self._address = address
        self._target = target
        self._part, self._tag = part_of(target), tag_of(target)
        self._most = most_bytes
        self._overwrite = overwrite
        self._meter = meter
        self._have = 0
        self._digest: Digest | None = None

    async def run(self) -> Path:
        wait, reason = FIRST_WAIT, ""
        left = TRIES
        while left:
            before = self._have
            try:
                there = await self._once()
            except (Unreachable, _Broken) as error:
                reason = str(error)
                # As long as something arrives, it goes on.
                left = TRIES if self._have > before else left - 1
                if left:
                    log.info("a download broke off and goes on: %s", reason)
                    await asyncio.sleep(wait)
                    wait = FIRST_WAIT if self._have > before else wait * 2
                continue
            except _Refused as error:
                raise Unreachable(str(error)) from None
            except OSError as error:
                raise DownloadError(
                    f"{self._part} cannot be written ({error.strerror}): {self._have} bytes are kept in it,"
                    " make room and download again, it goes on there"
                ) from error
            if not there:
                await asyncio.to_thread(self._finish)
            return self._target
        kept = f"; {self._have} bytes are kept in {self._part}, the next download goes on there" if self._have else ""
        raise Unreachable(f"{reason}{kept}")

    def _finish(self) -> None:
        if self._digest is not None and not self._digest.fits(self._part):
            # Going on from damage leads nowhere.
            self._part.unlink()
            self._tag.unlink(missing_ok=True)
            raise DownloadError("the recording arrived damaged: its hash is not what the server said; download again")
        self._part.replace(self._target)
        self._tag.unlink(missing_ok=True)

    async def _once(self) -> bool:
        """One request. False when the part is whole, True when the target was there already."""
        known = self._tag.read_text() if self._tag.is_file() else ""
        self._have = self._part.stat().st_size if known and self._part.is_file() else 0
        headers = {"Range": f"bytes={self._have}-", "If-Range": known} if self._have else {}
        async with asked(self._reach, self._address, headers) as answer:
            if answer.status == 416:
                # Nothing is left of it, or it is another file by now.
                if _whole(answer) == self._have:
                    return False
                self._start_anew()
                raise _Broken("the file has changed on the server")
            if answer.status not in (200, 206):
                said = f"the recording could not be fetched: the server answered {answer.status}"
                if answer.status in (408, 425, 429) or answer.status >= 500:
                    raise _Broken(said)
                raise _Refused(said)
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise DownloadError("the server sends the recording compressed, so its length cannot be checked")
            self._digest = promised(answer.headers)
            start, total = _content_range(answer) if answer.status == 206 else (0, _length(answer))
            if start != self._have:
                if answer.status == 206:
                    self._start_anew()
                    raise _Broken("the server sent another part than was asked for")
                self._have = 0
            if self._is_there(total):
                return True
            self._check(total)
            await self._receive(answer, total)
        return False

    def _start_anew(self) -> None:
        self._tag.unlink(missing_ok=True)
        self._have = 0

    def _is_there(self, total: int | None) -> bool:
        if not self._target.is_file() or self._overwrite:
            return False
        if total is not None and self._target.stat().st_size == total:
            return True
        raise InvalidInput(f"{self._target} is there already and is another file: remove it, or pass overwrite=True")

    def _check(self, total: int | None) -> None:
        if total is None:
            return
        if self._most is not None and total > self._most:
            raise DownloadError(f"the recording has {total} bytes, more than the {self._most} that were allowed")
        free = shutil.disk_usage(self._target.parent).free
        if total - self._have > free:
            raise DownloadError(
                f"the recording needs {total - self._have} more bytes, and {self._target.parent} has {free} free:"
                " make room and download again"
            )

    async def _receive(self, answer: Answer, total: int | None) -> None:
        file = await asyncio.to_thread(self._open, _tag(answer))
        waiting: list[bytes] = []
        size = 0
        try:
            try:
                async for chunk in answer.body:
                    waiting.append(chunk)
                    size += len(chunk)
                    if size >= WRITE_BYTES:
                        await self._write(file, b"".join(waiting), total)
                        waiting, size = [], 0
            finally:
                # What has come is kept, also when the connection broke or the cell was interrupted.
                if waiting:
                    await self._write(file, b"".join(waiting), total)
            await asyncio.to_thread(os.fsync, file.fileno())
        finally:
            await asyncio.to_thread(file.close)
        if total is not None and self._have < total:
            raise _Broken(f"the recording came short: {self._have} of {total} bytes")
        if total is not None and self._have > total:
            self._start_anew()
            raise _Broken("the server sent more than it had said")

    async def _write(self, file: IO[bytes], data: bytes, total: int | None) -> None:
        if self._most is not None and self._have + len(data) > self._most:
            raise DownloadError(f"the recording has more than the {self._most} bytes that were allowed")
        written = 0
        try:
            # Unbuffered, so that what counts as kept is kept.
            while written < len(data):
                written += await asyncio.to_thread(file.write, memoryview(data)[written:])
        finally:
            self._have += written
        self._meter(self._have, total)

    def _open(self, tag: str) -> IO[bytes]:
        flags = os.O_WRONLY | os.O_CREAT | (0 if self._have else os.O_TRUNC) | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(self._part, flags | getattr(os, "O_BINARY", 0), 0o666)
        if not self._have:
            # Without anything that tells versions apart, the next download has to begin anew.
            if tag:
                self._tag.write_text(tag)
            else:
                self._tag.unlink(missing_ok=True)
        os.lseek(descriptor, self._have, os.SEEK_SET)
        return os.fdopen(descriptor, "wb", buffering=0)


def _tag(answer: Answer) -> str:
    etag = answer.headers.get("etag", "")
    return etag if etag and not etag.startswith("W/") else answer.headers.get("last-modified", "")


def _length(answer: Answer) -> int | None:
    text = answer.headers.get("content-length", "")
    return int(text) if text.isdigit() else None


def _content_range(answer: Answer) -> tuple[int, int | None]:
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("content-range", "").strip())
    if found is None:
        return -1, None
    return int(found[1]), int(found[2]) if found[2] != "*" else None


def _whole(answer: Answer) -> int:
    found = re.fullmatch(r"bytes \*/(\d+)", answer.headers.get("content-range", "").strip())
    return int(found[1]) if found else -1
