"""`GET /sandbox/tables/{name}`: a table as a stream, for whoever holds the API key.

As Arrow's IPC stream without more words (times are `timestamp[ms, UTC]`), or as JSON lines with `?format=json` (times
are milliseconds since 1970). `?room_id=` takes one room's rows only. The columns are told in `rows`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from spnb.sandbox.exact_rows.process import Readers
from spnb.sandbox.exact_rows.rows import SCHEMAS
from spnb.sandbox.rest.refused import Refused, envelope

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
        self._readers = Readers(path)
        self._has_key = has_key

    def routes(self) -> list[BaseRoute]:
        """The one route."""
        return [Route("/sandbox/tables/{name}", self._table, methods=["GET"])]

    async def _table(self, request: Request) -> Response:
        if not self._has_key(request):
            return envelope(Refused.unauthorized("The API key is not this sandbox's: check X-API-Key"))
        name, room_id = request.path_params["name"], request.query_params.get("room_id")
        if name not in SCHEMAS:
            return envelope(Refused.not_found(f"Table {name!r} (there are {', '.join(SCHEMAS)})"))
        kind = request.query_params.get("format", "arrow")
        if kind == "json":
            return StreamingResponse(self._readers.pieces(name, "json", room_id), media_type=JSON_LINES)
        if kind == "arrow":
            return StreamingResponse(self._readers.pieces(name, "arrow", room_id), media_type=ARROW)
        return envelope(Refused.invalid([f"format: arrow or json, got {kind!r}"]))

    async def aclose(self) -> None:
        """End the process that reads."""
        await self._readers.aclose()
