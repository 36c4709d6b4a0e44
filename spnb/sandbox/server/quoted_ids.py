"""Ids with a slash in them: quoted in a path, they are one part of it.

Starlette routes the path as it reads unquoted, where a quoted slash is a slash like the others. Here it passes the
routes as a mark that nobody may send, and is a slash again where the part is handed on.
"""

from __future__ import annotations

from urllib.parse import unquote

from starlette.convertors import StringConvertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["quoted_ids"]

MARK = "\ue000"


class Part(StringConvertor):
    """A part of a path, its slashes back."""

    def convert(self, value: str) -> str:
        """What the route's call gets."""
        return value.replace(MARK, "/")


register_url_convertor("str", Part())


def quoted_ids(app: ASGIApp) -> ASGIApp:
    """ASGI middleware: `app` with quoted slashes kept apart from those between parts."""

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        raw = scope.get("raw_path") or b""
        if scope["type"] == "http" and b"%2f" in raw.lower() and MARK not in scope["path"]:
            parts = raw.decode("ascii", "replace").replace("%2f", "%2F").split("%2F")
            scope = {**scope, "path": MARK.join(unquote(part) for part in parts)}
        await app(scope, receive, send)

    return routed
