"""Who may talk to the sandbox at all: loopback hosts, pages from loopback, nobody else.

Another user of the machine, or a page in the browser (CSRF, DNS rebinding), can reach 127.0.0.1; so the host asked for
must be a loopback one, a page's origin too, and every call needs a token besides.

Played media is the exception for hosts: its signed address is the secret itself, which a rebinding page cannot know,
and on a hub it is fetched through the Jupyter server, which hands on the host name of the hub.

What comes over the sandbox's own socket has been let in by the Jupyter server, which asks for its own login, and is
asked for by any host name; a page there must be of that very host, as for Jupyter's own WebSockets.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spnb.sandbox.rest.refused import Refused, envelope

__all__ = ["LoopbackOnly", "is_loopback_host", "is_loopback_origin"]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})
METHODS = "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"
HEADERS = b"authorization, content-type, x-api-key, x-admin-token, set-access-token-cookie, range"


def is_loopback_host(host: str) -> bool:
    """Whether a `Host` header names this machine's loopback, any port."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") and ":" in host else host
    return name.lower() in LOOPBACK


def is_loopback_origin(origin: str) -> bool:
    """Whether an `Origin` header is a page served from loopback over http or https."""
    try:
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and (parts.hostname or "").lower() in LOOPBACK
    except ValueError:
        return False


def came_by_road(scope: Scope) -> bool:
    """Whether a request came over the sandbox's Unix socket rather than its port."""
    server = scope.get("server")
    return server is not None and server[1] is None


class LoopbackOnly:
    """ASGI middleware: checks host and origin of every request and WebSocket, and answers CORS for loopback pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        host = origin = wanted = asked = b""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
            elif name == b"origin":
                origin = value
            elif name == b"access-control-request-method":
                wanted = value
            elif name == b"access-control-request-headers":
                asked = value
        if came_by_road(scope):
            if origin and urlsplit(origin.decode("latin-1")).netloc.lower() != host.decode("latin-1").lower():
                await _refuse(scope, receive, send, "The sandbox answers pages of this Jupyter server only")
                return
            await self._app(scope, receive, send)
            return
        signed = scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and scope["path"].startswith("/media/")
        if not signed and not is_loopback_host(host.decode("latin-1")):
            await _refuse(scope, receive, send, "The sandbox answers on loopback host names only")
            return
        if not origin:
            await self._app(scope, receive, send)
            return
        if not is_loopback_origin(origin.decode("latin-1")):
            await _refuse(scope, receive, send, "The sandbox answers pages from loopback only")
            return
        if scope["type"] == "http" and scope["method"] == "OPTIONS" and wanted:
            await send({"type": "http.response.start", "status": 204, "headers": [*_cors(origin), *_preflight(asked)]})
            await send({"type": "http.response.body", "body": b""})
            return

        async def with_cors(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_cors(origin)]
            await send(message)

        await self._app(scope, receive, with_cors if scope["type"] == "http" else send)


def _cors(origin: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", b"content-length, content-range, etag, location, retry-after"),
        (b"vary", b"Origin"),
    ]


def _preflight(asked: bytes) -> list[tuple[bytes, bytes]]:
    # The page is a loopback one: it may send what it asks for. Apps have headers of their own (`x-no-cache`).
    return [
        (b"access-control-allow-methods", METHODS.encode()),
        (b"access-control-allow-headers", asked or HEADERS),
        (b"access-control-max-age", b"600"),
    ]


async def _refuse(scope: Scope, receive: Receive, send: Send, message: str) -> None:
    if scope["type"] == "websocket":
        # Before the accept, a close is an HTTP 403 to the client.
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": message})
        return
    await envelope(Refused(403, 400300, message))(scope, receive, send)
