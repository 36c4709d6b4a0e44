"""Where tables are read: a process of its own, so that what that takes (Arrow alone is 100 MB) goes away with it.

A line of JSON in asks for a table; out come its pieces, each led by its length in four bytes, and a length of zero at
the end. The process takes one table after the other, and ends when its input does: with the sandbox, however that ends.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import struct
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import orjson

from spnb._loop import end_process
from spnb.sandbox.exact_rows.rows import SCHEMAS, Columns, Tables

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Format", "Readers", "serve"]

log = logging.getLogger(__name__)

Format = Literal["arrow", "json"]
IDLE_SECONDS = 20.0
"""How long a process is kept for the next table: a dataset asks for six in a row."""
LENGTH = struct.Struct("!I")


class Readers:
    """The processes that read tables, as many as tables are asked for at a time; one is kept for a while.

    Args:
        path: the store's file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: Process | None = None
        self._ending: asyncio.TimerHandle | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def pieces(self, name: str, kind: Format, room_id: str | None) -> AsyncIterator[bytes]:
        """A table's bytes, as they are read.

        Raises:
            OSError: the process cannot be started, or ended in the middle.
        """
        process = await self._ready()
        assert process.stdin is not None  # noqa: S101 - pipes were asked for
        assert process.stdout is not None  # noqa: S101
        whole = False
        try:
            process.stdin.write(json.dumps([name, kind, room_id]).encode() + b"\n")
            while size := LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))[0]:
                yield await process.stdout.readexactly(size)
            whole = True
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise OSError("the process that reads tables has ended; the sandbox's log tells more") from error
        finally:
            self._take_back(process, whole)

    async def _ready(self) -> Process:
        if self._ending is not None:
            self._ending.cancel()
        idle, self._idle = self._idle, None
        if idle is not None and idle.returncode is None:
            return idle
        command = (sys.executable, "-m", "spnb.sandbox.exact_rows", str(self._path))
        return await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)

    def _take_back(self, process: Process, whole: bool) -> None:
        if not whole or self._idle is not None:
            # Whoever asked has left in the middle: what is still to come is nobody's.
            self._end(process)
            return
        self._idle = process
        self._ending = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._end_idle)

    def _end_idle(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        if self._idle is not None:
            self._end(self._idle)
            self._idle = None

    def _end(self, process: Process) -> None:
        end_process(process)
        task = asyncio.create_task(_gone(process), name="table reader ends")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def aclose(self) -> None:
        """End them."""
        self._end_idle()
        await asyncio.gather(*self._leaving, return_exceptions=True)


async def _gone(process: Process) -> None:
    await process.wait()


def serve(path: Path) -> None:
    """The work of the process."""
    out = sys.stdout.buffer
    for line in sys.stdin.buffer:
        name, kind, room_id = json.loads(line)
        batches = Tables(path, room_id).batches(name)
        for piece in _lines(batches) if kind == "json" else _arrow(name, batches):
            if piece:
                out.write(LENGTH.pack(len(piece)))
                out.write(piece)
        out.write(LENGTH.pack(0))
        out.flush()
    os._exit(0)  # nothing is to be tidied up


def _lines(batches: Iterator[Columns]) -> Iterator[bytes]:
    for columns in batches:
        names = tuple(columns)
        rows = zip(*columns.values(), strict=True)
        yield b"".join(
            orjson.dumps(dict(zip(names, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE) for row in rows
        )


def _schema(name: str) -> pa.Schema:
    import pyarrow as pa

    kinds = {
        "text": pa.string(),
        "time": pa.timestamp("ms", tz="UTC"),
        "number": pa.float64(),
        "count": pa.int64(),
        "flag": pa.bool_(),
    }
    return pa.schema([(column, kinds[kind]) for column, kind in SCHEMAS[name].items()])


def _arrow(name: str, batches: Iterator[Columns]) -> Iterator[bytes]:
    import pyarrow as pa

    schema = _schema(name)
    sink = io.BytesIO()

    def taken() -> bytes:
        data = sink.getvalue()
        sink.seek(0)
        sink.truncate()
        return data

    with pa.ipc.new_stream(sink, schema) as writer:
        yield taken()
        for columns in batches:
            arrays = [pa.array(columns[field.name], type=field.type) for field in schema]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            yield taken()
    yield taken()
