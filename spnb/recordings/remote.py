"""A file on a server as a file object: only what is read of it is fetched."""

from __future__ import annotations

import io
from collections import OrderedDict

from spnb._loop import is_background, spawn
from spnb.client.reach import Reach
from spnb.errors import Unreachable
from spnb.recordings.fetching import Address, asked

__all__ = ["RemoteFile"]

BLOCK_BYTES = 1 << 18
MOST_BLOCKS = 32
"""At most 8 MB are kept, whatever the size of the file."""


class RemoteFile(io.RawIOBase):
    """Reads a remote file in blocks, by HTTP ranges. To be used on a thread of its own, never on the event loop.

    Args:
        reach, address: where it is.
        size: its length in bytes.
    """

    def __init__(self, reach: Reach, address: Address, size: int) -> None:
        self._reach = reach
        self._address = address
        self._size = size
        self._at = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = self._size - self._at
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted <= 0:
            return b""
        # At most to the end of the block: whoever wants more reads again.
        number, offset = divmod(self._at, BLOCK_BYTES)
        data = self._block(number)[offset : offset + wanted]
        self._at += len(data)
        return data

    def _block(self, number: int) -> bytes:
        if number in self._blocks:
            self._blocks.move_to_end(number)
            return self._blocks[number]
        if is_background():
            raise RuntimeError("a remote file was read on spnb's own event loop, which would wait for itself")
        data = spawn(self._fetch(number)).result()
        self._blocks[number] = data
        if len(self._blocks) > MOST_BLOCKS:
            self._blocks.popitem(last=False)
        return data

    async def _fetch(self, number: int) -> bytes:
        first = number * BLOCK_BYTES
        last = min(first + BLOCK_BYTES, self._size) - 1
        async with asked(self._reach, self._address, {"Range": f"bytes={first}-{last}"}) as answer:
            if answer.status != 206:
                raise Unreachable(f"a part of the recording could not be fetched: the server answered {answer.status}")
            data = b"".join([chunk async for chunk in answer.body])
        if len(data) != last - first + 1:
            raise Unreachable("a part of the recording came short")
        return data
