"""Exact rows from whoever serves tables as Arrow streams under `/sandbox/tables/{name}`."""

from __future__ import annotations

from typing import Any

import httpx
import pandas as pd
import pyarrow as pa

from spnb._loop import on_loop
from spnb.analytics.dataset import Dataset
from spnb.analytics.tables import TABLES
from spnb.client.clock import ServiceClock
from spnb.client.errors import error_of
from spnb.config import is_loopback
from spnb.errors import TableError, Unauthorized, Unreachable

__all__ = ["load_exact", "load_views"]


@on_loop
async def load_exact(url: str, api_key: str) -> Dataset:
    """All tables, every row.

    Args:
        url: where they are served.
        api_key: the key of whoever serves them.

    Raises:
        Unreachable: nobody answers there.
        Unauthorized: it is another's key.
        ServiceError: it refuses, or fails, now.
        TableError: what answers there serves no tables.
    """
    clock = ServiceClock()
    tables: dict[str, Any] = {}
    async with httpx.AsyncClient(
        base_url=url, headers={"X-API-Key": api_key}, timeout=120, trust_env=not is_loopback(url)
    ) as web:
        for name in TABLES:
            content = await _read(web, name, clock)
            if content is not None:
                tables[name] = table_of(name, content)
    if not tables:
        raise TableError(f"{url} serves no tables: give a client instead, for what the service gives by REST")
    # Rows are of the clock that wrote them; ours may be behind it.
    now = pd.Timestamp(clock.now())
    return Dataset.of(tables, as_of=now, now=now)


@on_loop
async def load_views(url: str, api_key: str, room_id: str) -> list[dict[str, Any]]:
    """The watch sessions of one room.

    Raises:
        Unreachable, Unauthorized, ServiceError, TableError: as `load_exact`.
    """
    async with httpx.AsyncClient(
        base_url=url, headers={"X-API-Key": api_key}, timeout=120, trust_env=not is_loopback(url)
    ) as web:
        content = await _read(web, "views", ServiceClock(), room_id=room_id)
    if content is None:
        raise TableError(f"{url} serves no watch sessions")
    rows: list[dict[str, Any]] = table_of("views", content).to_pylist()
    return rows


async def _read(web: httpx.AsyncClient, name: str, clock: ServiceClock, **only: str) -> bytes | None:
    """A table's stream; None where it is not served.

    Raises:
        Unreachable, Unauthorized, ServiceError: it was not to be had now.
    """
    try:
        answer = await web.get(f"/sandbox/tables/{name}", params=only)
        clock.answered(answer.headers.get("date"), answer.elapsed)
    except httpx.HTTPError as error:
        raise Unreachable(f"cannot read the table {name}: no answer from {web.base_url}") from error
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise Unauthorized("cannot read the tables: the API key is another's", status=401)
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    if answer.status_code != httpx.codes.OK:
        raise error_of(answer, f"read the table {name}")
    return answer.content


def table_of(name: str, stream: bytes) -> pa.Table:
    """A table out of an Arrow stream.

    Raises:
        TableError: the stream breaks off.
    """
    try:
        return pa.ipc.open_stream(stream).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"the table {name} arrived damaged: load it again") from error
