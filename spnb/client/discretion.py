"""What the libraries underneath log of our requests: nothing that is secret.

httpx logs every address at INFO, and addresses of thumbnails and recordings are signed; httpcore logs the headers of
answers at DEBUG, where a redirect names such an address. Only what is logged on spnb's own event loop is touched:
whatever else in the process uses these libraries logs as before.
"""

from __future__ import annotations

import logging

import httpx

from spnb._loop import is_background

__all__ = ["be_discreet", "without_secrets"]


def without_secrets(url: httpx.URL) -> str:
    """An address as it may be logged: without its query, and without its path where that is no call of the API, since
    a signature may be anywhere in it."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    port = f":{url.port}" if url.port is not None else ""
    path = url.path if url.path.startswith("/api/") else "/…"
    return f"{url.scheme}://{host}{port}{path}"


def _address(record: logging.LogRecord) -> bool:
    if is_background() and isinstance(record.args, tuple):
        record.args = tuple(without_secrets(each) if isinstance(each, httpx.URL) else each for each in record.args)
    return True


def _headers(record: logging.LogRecord) -> bool:
    if is_background() and "return_value=" in (text := record.getMessage()):
        record.msg, record.args = text.partition(" return_value=")[0], None
    return True


def be_discreet() -> None:
    """Have it so from now on; calling it again changes nothing."""
    logging.getLogger("httpx").addFilter(_address)
    for name in ("httpcore.http11", "httpcore.http2"):
        logging.getLogger(name).addFilter(_headers)
