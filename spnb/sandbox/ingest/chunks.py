"""RTMP's chunk stream (Adobe's RTMP specification 1.0, part 5): messages in pieces, of several streams by turns."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass

__all__ = ["ChunkReader", "MalformedChunk", "Message", "chunked"]

SET_CHUNK_SIZE, ABORT = 1, 2
MOST_MESSAGE = 4 << 20
"""Bytes of a message: a key frame of the largest picture has less."""
MOST_STREAMS = 16
MOST_CHUNK = 1 << 20
EXTENDED = 0xFFFFFF
OUR_CHUNK = 4096


class MalformedChunk(ValueError):
    """What came is no chunk stream, or more than anybody needs."""


@dataclass(slots=True)
class Message:
    """One message: its kind, its time in milliseconds, the message stream it belongs to, its content."""

    kind: int
    time: int
    stream: int
    data: bytes


@dataclass(slots=True)
class _Stream:
    time: int = 0
    delta: int = 0
    length: int = 0
    kind: int = 0
    stream: int = 0
    extended: bool = False
    data: bytearray | None = None


class ChunkReader:
    """Reads messages from a connection.

    Args:
        reader: the connection.
    """

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._streams: dict[int, _Stream] = {}
        self._chunk = 128
        self.bytes = 0
        """How many have come."""

    async def _take(self, count: int) -> bytes:
        self.bytes += count
        return await self._reader.readexactly(count)

    async def next(self) -> Message:
        """The next message; those that concern the chunks themselves are taken here.

        Raises:
            MalformedChunk: the other side does not keep to the protocol.
            asyncio.IncompleteReadError: it has hung up.
        """
        while True:
            message = await self._chunk_read()
            if message is None:
                continue
            if message.kind == SET_CHUNK_SIZE and len(message.data) >= 4:
                self._chunk = int.from_bytes(message.data[:4])
                if not 1 <= self._chunk <= MOST_CHUNK:
                    raise MalformedChunk(f"chunks of {self._chunk} bytes")
            elif message.kind == ABORT and len(message.data) >= 4:
                self._streams.pop(int.from_bytes(message.data[:4]), None)
            else:
                return message

    async def _chunk_read(self) -> Message | None:
        first = (await self._take(1))[0]
        form, number = first >> 6, first & 63
        if number == 0:
            number = 64 + (await self._take(1))[0]
        elif number == 1:
            low, high = await self._take(2)
            number = 64 + low + 256 * high
        stream = self._streams.get(number)
        if stream is None:
            if form != 0 or len(self._streams) >= MOST_STREAMS:
                raise MalformedChunk("a stream that was not begun, or too many")
            stream = self._streams[number] = _Stream()
        await self._header(stream, form)
        if stream.data is None:
            stream.data = bytearray()
        stream.data += await self._take(min(self._chunk, stream.length - len(stream.data)))
        if len(stream.data) < stream.length:
            return None
        data, stream.data = bytes(stream.data), None
        return Message(stream.kind, stream.time, stream.stream, data)

    async def _header(self, stream: _Stream, form: int) -> None:
        if form < 3:
            if stream.data is not None:
                raise MalformedChunk("a message begins within another")
            header = await self._take((11, 7, 3)[form])
            stamp = int.from_bytes(header[:3])
            if form < 2:
                stream.length, stream.kind = int.from_bytes(header[3:6]), header[6]
                if stream.length > MOST_MESSAGE:
                    raise MalformedChunk(f"a message of {stream.length} bytes")
            if form == 0:
                stream.stream = int.from_bytes(header[7:11], "little")
            stream.extended = stamp == EXTENDED
            if stream.extended:
                stamp = int.from_bytes(await self._take(4))
            stream.delta = 0 if form == 0 else stamp
            stream.time = stamp if form == 0 else stream.time + stamp
            return
        if stream.extended:
            await self._take(4)
        if stream.data is None:
            stream.time += stream.delta


def chunked(kind: int, data: bytes, *, stream: int = 0, channel: int = 3) -> bytes:
    """A message as bytes, in chunks of 4096, which we announce."""
    out = bytes([channel]) + b"\0\0\0" + len(data).to_bytes(3) + bytes([kind]) + struct.pack("<I", stream)
    for at in range(0, max(1, len(data)), OUR_CHUNK):
        out += (bytes([0xC0 | channel]) if at else b"") + data[at : at + OUR_CHUNK]
    return out
