"""Serves live playlists and recordings under signed addresses that expire.

The signature stands in the path, so the segments a playlist names relative to itself inherit it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from spnb.sandbox.recorder.recorder import Recorder

__all__ = ["Delivery"]

TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".ts": "video/mp2t",
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
}
GRANULE_SECONDS = 300
"""Addresses made within five minutes are the same, so that players and caches see no new one at every reading."""


class Delivery:
    """Makes and serves signed addresses.

    Args:
        recorder: knows the files.
        secret: signs the addresses.
        lifetime: seconds an address is good for.
        clock: Unix seconds.
    """

    def __init__(
        self, recorder: Recorder, secret: str, *, lifetime: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._recorder = recorder
        self._secret = secret.encode()
        self._lifetime = lifetime
        self._clock = clock

    def expiry(self) -> int:
        """When an address made now ends, Unix seconds."""
        return int((self._clock() + self._lifetime) // GRANULE_SECONDS + 1) * GRANULE_SECONDS

    def live_url(self, room_id: str) -> str:
        """Path of the live playlist."""
        return self._signed(room_id, "live", "index.m3u8")

    def live_thumbnail_url(self, room_id: str) -> str:
        """Path of the live thumbnail."""
        return self._signed(room_id, "live", "thumbnail.jpg")

    def recording_url(self, room_id: str, playback_id: str) -> str:
        """Path of a recorded file."""
        return self._signed(room_id, playback_id, "watch")

    def recording_thumbnail_url(self, room_id: str, playback_id: str) -> str:
        """Path of a recording's thumbnail."""
        return self._signed(room_id, playback_id, "thumbnail")

    def _signed(self, room_id: str, scope: str, name: str) -> str:
        expires = self.expiry()
        return f"/media/{expires}.{self._signature(room_id, scope, expires)}/{room_id}/{scope}/{name}"

    def _signature(self, room_id: str, scope: str, expires: int) -> str:
        digest = hmac.new(self._secret, f"{room_id}/{scope}/{expires}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest[:18]).decode()

    def routes(self) -> list[BaseRoute]:
        """The one route, with HTTP ranges."""
        return [Route("/media/{ticket}/{room_id}/{scope}/{name}", self._serve, methods=["GET", "HEAD"])]

    async def _serve(self, request: Request) -> Response:
        room_id, scope = request.path_params["room_id"], request.path_params["scope"]
        expires, _, signature = request.path_params["ticket"].partition(".")
        # Digits of other scripts are digits too, for Python; a time of more than twelve is none.
        ends = int(expires) if expires.isascii() and expires.isdigit() and len(expires) <= 12 else 0
        good = hmac.compare_digest(signature.encode(), self._signature(room_id, scope, ends).encode())
        if not good or self._clock() >= ends:
            return _refusal(403, 400300, "The address has expired or was changed: fetch a new one")
        path = self._find(room_id, scope, request.path_params["name"])
        if path is None or not path.is_file():
            return _refusal(404, 400400, "There is no such file (any more)")
        # A live playlist and thumbnail change under their name; segments and recordings never do.
        fixed = path.suffix in (".ts", ".mp4")
        headers = {
            "Cache-Control": "private, max-age=3600" if fixed else "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return FileResponse(path, media_type=TYPES.get(path.suffix, "application/octet-stream"), headers=headers)

    def _find(self, room_id: str, scope: str, name: str) -> Path | None:
        try:
            if scope == "live":
                files = self._recorder.live_files(room_id)
                if files is None or Path(name).name != name or Path(name).suffix not in TYPES:
                    return None
                return files.playlist.parent / name
            for file in self._recorder.recorded(room_id):
                if file.playback_id == scope:
                    return file.thumbnail if name == "thumbnail" else file.path
        except ValueError:
            return None
        return None


def _refusal(status: int, code: int, message: str) -> Response:
    return JSONResponse({"status": "error", "code": code, "message": message, "data": {}}, status_code=status)
