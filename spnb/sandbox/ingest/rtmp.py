"""An RTMP server for encoders (Adobe's RTMP specification 1.0): they publish, nobody plays.

Nothing of a stranger is waited for long or kept much of: who does not say within seconds what stream key it has, and
then send media, is put out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from spnb.sandbox.ingest.amf import MalformedAmf, decoded, encoded
from spnb.sandbox.ingest.chunks import OUR_CHUNK, ChunkReader, MalformedChunk, Message, chunked
from spnb.sandbox.ingest.flv import AUDIO, VIDEO, Coded, MalformedTag, read_audio, read_video

__all__ = ["Denied", "RtmpServer", "Taker"]

log = logging.getLogger(__name__)

HANDSHAKE_BYTES = 1536
VERSION = 3
KNOCK_SECONDS = 10.0
"""From the connection to the stream key."""
SILENT_SECONDS = 15.0
"""Without a message, or without media from the beginning on."""
MOST_CONNECTIONS = 64
WINDOW = 2_500_000
SET_CHUNK_SIZE, ACKNOWLEDGE, USER_CONTROL, WINDOW_SIZE, PEER_BANDWIDTH = 1, 3, 4, 5, 6
COMMAND_AMF3, COMMAND = 17, 20


class Denied(Exception):
    """Whoever knocks is not let in; the message is told to the encoder, and never holds the key."""


class Taker(Protocol):
    """Where what an encoder sends goes."""

    gone: asyncio.Event
    problem: str

    def take(self, packet: Coded) -> None: ...

    async def aclose(self) -> None: ...


class RtmpServer:
    """Listens on 127.0.0.1 for encoders.

    Args:
        admit: given a stream key, gives where its media go; raises `Denied`.
    """

    def __init__(self, admit: Callable[[str], Awaitable[Taker]]) -> None:
        self._admit = admit
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._strangers: dict[asyncio.StreamWriter, None] = {}
        """Those who have not said yet what stream key they have, the longest there first."""
        self.port = 0

    async def start(self, port: int) -> None:
        """Listen, on this port where it is free."""
        try:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", port, limit=1 << 20)
        except OSError:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= MOST_CONNECTIONS:
            # An encoder says at once what it wants: who has taken longest goes first.
            oldest = next(iter(self._strangers), writer)
            self._strangers.pop(oldest, None)
            oldest.transport.abort()
            if oldest is writer:
                return
        self._strangers[writer] = None
        task = asyncio.create_task(self._serve(reader, writer), name="rtmp encoder")
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        encoder = _Encoder(reader, writer)
        taker: Taker | None = None
        try:
            async with asyncio.timeout(KNOCK_SECONDS):
                await encoder.shake_hands()
                key = await encoder.knock()
                self._strangers.pop(writer, None)
                try:
                    taker = await self._admit(key)
                except Denied as error:
                    await encoder.refuse(str(error))
                    return
                await encoder.begin()
            await encoder.pass_on(taker)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
            log.debug("an encoder has gone: %s", type(error).__name__)
        except (MalformedChunk, MalformedAmf, MalformedTag) as error:
            log.info("an encoder was put out: %s", error)
        finally:
            self._strangers.pop(writer, None)
            writer.transport.abort() if taker is None else writer.close()
            if taker is not None:
                await taker.aclose()

    async def aclose(self) -> None:
        """Put everybody out."""
        if self._server is not None:
            self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


class _Encoder:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._chunks = ChunkReader(reader)
        self._acknowledged = 0
        self._publish_number: float = 0

    async def shake_hands(self) -> None:
        """The handshake, in its plain form."""
        if (await self._reader.readexactly(1))[0] != VERSION:
            raise MalformedChunk("no RTMP handshake")
        theirs = await self._reader.readexactly(HANDSHAKE_BYTES)
        ours = bytes(8) + secrets.token_bytes(HANDSHAKE_BYTES - 8)
        self._writer.write(bytes([VERSION]) + ours + theirs)
        self._hurry()
        await self._reader.readexactly(HANDSHAKE_BYTES)

    def _hurry(self) -> None:
        """Have what has come acknowledged at once: encoders send one small message after the other (Nagle), and Linux
        keeps each waiting for 40 ms."""
        if hasattr(socket, "TCP_QUICKACK"):
            with contextlib.suppress(OSError):  # it has gone meanwhile
                self._writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    async def _send(self, kind: int, data: bytes, *, stream: int = 0, channel: int = 3) -> None:
        self._writer.write(chunked(kind, data, stream=stream, channel=channel))
        await self._writer.drain()

    async def _command(self, *values: Any, stream: int = 0) -> None:
        await self._send(COMMAND, encoded(*values), stream=stream)

    async def _next(self) -> Message:
        message = await self._chunks.next()
        if self._chunks.bytes - self._acknowledged > WINDOW:
            self._acknowledged = self._chunks.bytes
            await self._send(ACKNOWLEDGE, (self._acknowledged & 0xFFFFFFFF).to_bytes(4), channel=2)
        return message

    async def knock(self) -> str:
        """Answer what comes before publishing; the stream key."""
        while True:
            self._hurry()
            message = await self._next()
            if message.kind not in (COMMAND, COMMAND_AMF3):
                continue
            name, number, *rest = [*decoded(message.data[message.kind == COMMAND_AMF3 :]), None, None]
            if name == "connect":
                await self._send(WINDOW_SIZE, WINDOW.to_bytes(4), channel=2)
                await self._send(PEER_BANDWIDTH, WINDOW.to_bytes(4) + b"\2", channel=2)
                await self._send(SET_CHUNK_SIZE, OUR_CHUNK.to_bytes(4), channel=2)
                status = {"level": "status", "code": "NetConnection.Connect.Success", "description": "Connected"}
                await self._command("_result", number or 0, {"fmsVer": "FMS/3,5,3", "capabilities": 31}, status)
            elif name == "createStream":
                await self._command("_result", number or 0, None, 1)
            elif name == "publish":
                self._publish_number = number or 0
                key = str(next((value for value in rest if isinstance(value, str)), ""))
                return key.partition("?")[0]
            elif name == "play":
                await self.refuse("nothing is played here: viewers have the room's playback address")
                raise MalformedChunk("it wants to play")
            elif isinstance(number, (int, float)) and number:
                await self._command("_result", number, None, None)

    async def _status(self, level: str, code: str, description: str) -> None:
        await self._command("onStatus", 0, None, {"level": level, "code": code, "description": description}, stream=1)

    async def refuse(self, why: str) -> None:
        """Tell the encoder that it may not publish."""
        await self._status("error", "NetStream.Publish.BadName", why)

    async def begin(self) -> None:
        """Tell the encoder to go on."""
        await self._send(USER_CONTROL, (0).to_bytes(2) + (1).to_bytes(4), channel=2)
        await self._status("status", "NetStream.Publish.Start", "Publishing")

    async def pass_on(self, taker: Taker) -> None:
        """Hand media on until the encoder leaves, or is put out."""
        ended = asyncio.create_task(taker.gone.wait())
        media = asyncio.create_task(self._media(taker))
        try:
            await asyncio.wait([ended, media], return_when=asyncio.FIRST_COMPLETED)
            if media.done():
                await media
            else:
                await self._status("error", "NetStream.Publish.Failed", "The room has ended, or the key was revoked")
        finally:
            for task in (ended, media):
                task.cancel()
            await asyncio.gather(ended, media, return_exceptions=True)

    async def _media(self, taker: Taker) -> None:
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while True:
            async with asyncio.timeout_at(heard + SILENT_SECONDS):
                message = await self._next()
            if message.kind in (AUDIO, VIDEO):
                packet = (read_video if message.kind == VIDEO else read_audio)(message.data, message.time)
                if packet is not None:
                    heard = loop.time()
                    taker.take(packet)
                if taker.problem:
                    await self._status("error", "NetStream.Publish.Rejected", taker.problem)
                    return
            elif message.kind in (COMMAND, COMMAND_AMF3):
                with contextlib.suppress(MalformedAmf):
                    name = (decoded(message.data[message.kind == COMMAND_AMF3 :]) or [None])[0]
                    if name in ("deleteStream", "closeStream", "FCUnpublish"):
                        return
