"""Serves live playlists and recordings under signed addresses that expire.

Live is HLS with low latency: a playlist is asked for with what it shall hold, and a part before it is there; both
answers wait for it (draft-pantos-hls-rfc8216bis, 6.2.5.2). So does the first playlist of a room that has just gone
live: its address is told with the room, once, and whoever asks then gets the stream as soon as there is one. A
recording is HLS of byte ranges of the MP4 beside it.

The signature stands in the path, so the segments a playlist names relative to itself inherit it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import re
import time
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from spnb.sandbox.recorder.files import PLAYED, RecordedFile
from spnb.sandbox.recorder.playlist import master, media
from spnb.sandbox.recorder.recorder import Recorder
from spnb.sandbox.recorder.writer import LiveFiles

__all__ = ["Delivery"]

TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
}
LIST = re.compile(r"(copy\d-|)main\.m3u8")
PART = re.compile(r"(copy\d-|)part-(\d{1,9})-(\d{1,4})\.m4s")
SERVED = re.compile(r"(copy\d-)?(segment-\d{6,9}-\d{1,6}\.m4s|init-\d{1,6}\.mp4)|thumbnail\.jpg")
MOST_AHEAD, WAIT_SEGMENTS = 2, 3
"""How far ahead a playlist may be asked for, and how long the answer may wait, in segments."""
BEGIN_SECONDS = 25.0
"""How long the answer waits for a stream to begin: less than a page's kernel waits, and hls.js asks anew before."""
GRANULE_SECONDS = 300
"""Addresses made within five minutes are the same, so that players and caches see no new one at every reading."""


class Delivery:
    """Makes and serves signed addresses.

    Args:
        recorder: knows the files.
        secret: signs the addresses.
        lifetime: seconds an address is good for.
        on_air: whether a room is, so that a stream of it is there or comes.
        clock: Unix seconds.
    """

    def __init__(
        self,
        recorder: Recorder,
        secret: str,
        *,
        lifetime: float,
        on_air: Callable[[str], bool] = lambda _room_id: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._recorder = recorder
        self._secret = secret.encode()
        self._lifetime = lifetime
        self._on_air = on_air
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

    def recording_url(self, room_id: str, file: RecordedFile) -> str:
        """Path of a recording's playlist, beside which its file lies; of the file where there is no playlist."""
        return self._signed(room_id, file.playback_id, "index.m3u8" if file.playlist is not None else PLAYED)

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
        name = request.path_params["name"]
        if scope == "live":
            return await self._serve_live(request, room_id, name)
        path = self._find(room_id, scope, name)
        if path is None or not path.is_file():
            return _gone()
        return FileResponse(path, media_type=_type(path.name), headers=_headers(fixed=path.suffix != ".m3u8"))

    async def _serve_live(self, request: Request, room_id: str, name: str) -> Response:
        files = self._recorder.live_files(room_id)
        # Who follows the room not yet is told its address all the same, and no second time.
        if files is None and name == "index.m3u8" and self._on_air(room_id):
            files = await self._recorder.first_live_files(room_id, while_=self._on_air, timeout=BEGIN_SECONDS)
            if files is None and self._on_air(room_id):
                return _refusal(503, 500000, "The stream has not begun yet")
        if files is None:
            return _gone()
        if name == "index.m3u8":
            return Response(master(files), media_type=_type(name), headers=_headers(fixed=False))
        if wanted := LIST.fullmatch(name):
            return await self._serve_playlist(request, room_id, wanted[1], files)
        if part := PART.fullmatch(name):
            return await self._serve_part(room_id, part[1], int(part[2]), int(part[3]), files)
        path = files.folder / name
        if Path(name).name != name or not SERVED.fullmatch(name) or not path.is_file():
            return _gone()
        return FileResponse(path, media_type=_type(name), headers=_headers(fixed=path.suffix != ".jpg"))

    async def _serve_playlist(self, request: Request, room_id: str, quality: str, files: LiveFiles) -> Response:
        listing = files.listing_of(quality)
        if listing is None:
            return _gone()
        asked = [request.query_params.get(name) for name in ("_HLS_msn", "_HLS_part")]
        if any(number is not None and not (number.isdigit() and len(number) < 12) for number in asked):
            return _refusal(400, 400000, "_HLS_msn and _HLS_part are numbers")
        segment, part = (None if number is None else int(number) for number in asked)
        if segment is None and part is not None:
            return _refusal(400, 400000, "_HLS_part goes with _HLS_msn")
        if segment is not None:
            if segment > listing.count + MOST_AHEAD:
                return _refusal(400, 400000, "So far ahead nothing is waited for")
            found = await self._having(room_id, quality, segment, part, files.seconds)
            listing = found.listing_of(quality) if found is not None else None
            if found is None or listing is None:
                return _gone()
            if not listing.has(segment, part):
                return _refusal(503, 500000, "What was asked for did not come in time")
            files = found
        skip = request.query_params.get("_HLS_skip") in ("YES", "v2")
        return Response(media(files, listing, skip=skip), media_type=_type("main.m3u8"), headers=_headers(fixed=False))

    async def _having(
        self, room_id: str, quality: str, segment: int, part: int | None, seconds: float
    ) -> LiveFiles | None:
        timeout = WAIT_SEGMENTS * seconds
        return await self._recorder.live_files_with(room_id, segment, part, quality=quality, timeout=timeout)

    async def _serve_part(self, room_id: str, quality: str, segment: int, part: int, files: LiveFiles) -> Response:
        listing = files.listing_of(quality)
        if listing is None or segment > listing.count + 1 or (segment > listing.count and part):
            return _gone()
        found = await self._having(room_id, quality, segment, part, files.seconds)
        listing = found.listing_of(quality) if found is not None else None
        if found is None or listing is None or not listing.has(segment, part):
            return _gone()
        holder = listing.segments[segment] if segment < listing.count else listing.open
        if holder is None or part >= len(holder.parts) or holder.quality != quality:
            return _gone()  # its segment ended before it, or has become the best quality's
        wanted = holder.parts[part]
        for path in (found.folder / holder.name, found.folder / f"{holder.name}.part", found.folder / holder.name):
            # Its segment may be finished, and renamed, just now.
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                file.seek(wanted.offset)
                data = file.read(wanted.length)
                return Response(data, media_type=_type(holder.name), headers=_headers(fixed=True))
        return _gone()

    def _find(self, room_id: str, scope: str, name: str) -> Path | None:
        try:
            recorded = self._recorder.recorded(room_id)
        except ValueError:
            return None
        for file in recorded:
            if file.playback_id == scope:
                known = {
                    "index.m3u8": file.playlist,
                    PLAYED: file.path,
                    "watch": file.path,
                    "thumbnail": file.thumbnail,
                }
                return known.get(name)
        return None


def _type(name: str) -> str:
    return TYPES.get(Path(name).suffix, "application/octet-stream")


def _headers(*, fixed: bool) -> dict[str, str]:
    # A live playlist and thumbnail change under their name; segments and recordings never do.
    return {
        "Cache-Control": "private, max-age=3600" if fixed else "no-store",
        "X-Content-Type-Options": "nosniff",
    }


def _gone() -> Response:
    return _refusal(404, 400400, "There is no such file (any more)")


def _refusal(status: int, code: int, message: str) -> Response:
    return JSONResponse({"status": "error", "code": code, "message": message, "data": {}}, status_code=status)
