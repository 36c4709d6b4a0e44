"""`GET /sandbox/tables/{name}`: a table as a stream, for whoever holds the API key.

As Arrow's IPC stream without more words (times are `timestamp[ms, UTC]`), or as JSON lines with `?format=json` (times
are milliseconds since 1970). `?room_id=` takes one room's rows only. The columns are told in `rows`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from spnb.sandbox.exact_rows.rows import SCHEMAS, Columns, Tables
from spnb.sandbox.rest.refused import Refused, envelope

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TableExport"]

ARROW = "application/vnd.apache.arrow.stream"
JSON_LINES = "application/x-ndjson"


class TableExport:
    """The route.

    Args:
        path: the store's file.
        has_key: whether a request bears the API key.
    """

    def __init__(self, path: Path, has_key: Callable[[HTTPConnection], bool]) -> None:
        self._path = path
        self._has_key = has_key

    def routes(self) -> list[BaseRoute]:
        """The one route."""
        return [Route("/sandbox/tables/{name}", self._table, methods=["GET"])]

    async def _table(self, request: Request) -> Response:
        if not self._has_key(request):
            return envelope(Refused.unauthorized("The API key is not this sandbox's: check X-API-Key"))
        name = request.path_params["name"]
        if name not in SCHEMAS:
            return envelope(Refused.not_found(f"Table {name!r} (there are {', '.join(SCHEMAS)})"))
        batches = Tables(self._path, request.query_params.get("room_id")).batches(name)
        kind = request.query_params.get("format", "arrow")
        if kind == "json":
            return StreamingResponse(_lines(batches), media_type=JSON_LINES)
        if kind == "arrow":
            return StreamingResponse(_arrow(name, batches), media_type=ARROW)
        return envelope(Refused.invalid([f"format: arrow or json, got {kind!r}"]))


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
