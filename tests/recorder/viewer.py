"""A viewer of a recorder's live files: over real HTTP, with checks that come from the HLS draft, not from our code."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import av
import httpx
import uvicorn
from starlette.applications import Starlette

from spnb.sandbox.recorder import Delivery

if TYPE_CHECKING:
    from tests.recorder.test_recorder import Studio

__all__ = ["Playlist", "Viewer", "check", "parse", "served"]


@dataclass
class Listed:
    """A segment of a playlist as a reader of the draft sees it."""

    uri: str = ""
    seconds: float = 0.0
    at: datetime | None = None
    map: str = ""
    changed: bool = False
    parts: list[dict[str, str]] = field(default_factory=list)
    range: str = ""


@dataclass
class Playlist:
    """A media playlist."""

    tags: dict[str, str]
    segments: list[Listed]
    open: Listed
    hint: dict[str, str]
    ended: bool
    skipped: int

    @property
    def target(self) -> int:
        return int(self.tags["EXT-X-TARGETDURATION"])

    @property
    def end(self) -> tuple[int, int]:
        """The number of the segment being written, and how many parts it has."""
        return int(self.tags.get("EXT-X-MEDIA-SEQUENCE", "0")) + self.skipped + len(self.segments), len(self.open.parts)


def _attributes(text: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in re.findall(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)', text)}


def parse(text: str) -> Playlist:
    """Read a media playlist."""
    lines = text.splitlines()
    assert lines[0] == "#EXTM3U"
    tags: dict[str, str] = {}
    segments: list[Listed] = []
    current, skipped, ended = Listed(), 0, False
    hint: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.removeprefix("#").partition(":")
        if not line.startswith("#"):
            current.uri = line
            segments.append(current)
            current = Listed(map=current.map)
        elif name == "EXTINF":
            current.seconds = float(value.rstrip(","))
        elif name == "EXT-X-PROGRAM-DATE-TIME":
            current.at = datetime.fromisoformat(value.replace("Z", "+00:00"))
        elif name == "EXT-X-MAP":
            current.map = _attributes(value)["URI"] + _attributes(value).get("BYTERANGE", "")
        elif name == "EXT-X-DISCONTINUITY":
            current.changed = True
        elif name == "EXT-X-BYTERANGE":
            current.range = value
        elif name == "EXT-X-PART":
            current.parts.append(_attributes(value))
        elif name == "EXT-X-PRELOAD-HINT":
            hint = _attributes(value)
        elif name == "EXT-X-SKIP":
            skipped = int(_attributes(value)["SKIPPED-SEGMENTS"])
        elif name == "EXT-X-ENDLIST":
            ended = True
        else:
            tags[name] = value
    return Playlist(tags, segments, current, hint, ended, skipped)


def check(playlist: Playlist, *, steady: bool = True) -> None:
    """What the draft demands, and that segments are as long as they should be.

    Args:
        steady: whether each segment is within a tenth of the target: but the first, which is short so that players can
            begin, and the last of what has ended.
    """
    target = playlist.target
    for number, segment in enumerate(playlist.segments):
        assert round(segment.seconds) <= target, "EXTINF, rounded, must not be above the target (4.4.3.1)"
        last = playlist.ended and number == len(playlist.segments) - 1
        if steady and not last:
            first = playlist.end[0] == len(playlist.segments) and number == 0
            least = 0.45 if first else 0.9 * target
            assert least - 0.002 <= segment.seconds <= 1.1 * target + 0.002, (number, segment.seconds)
        assert segment.at is not None
        assert segment.map, "fragmented MP4 needs an EXT-X-MAP (3.3)"
    for before, after in zip(playlist.segments, playlist.segments[1:], strict=False):
        assert before.at is not None
        assert after.at is not None
        assert abs((after.at - before.at).total_seconds() - before.seconds) < 0.005, "dates follow durations"
        assert after.changed or after.map == before.map
    if "EXT-X-PART-INF" in playlist.tags:
        longest = float(_attributes(playlist.tags["EXT-X-PART-INF"])["PART-TARGET"])
        control = _attributes(playlist.tags["EXT-X-SERVER-CONTROL"])
        assert control["CAN-BLOCK-RELOAD"] == "YES"
        assert float(control["PART-HOLD-BACK"]) >= 2 * longest - 0.01
        assert float(control["HOLD-BACK"]) >= 3 * target
        assert float(control["CAN-SKIP-UNTIL"]) >= 6 * target
        for segment in [*playlist.segments, playlist.open]:
            for number, part in enumerate(segment.parts):
                assert float(part["DURATION"]) <= longest + 0.0005, "a part must not be longer than PART-TARGET"
                if segment is playlist.open or number < len(segment.parts) - 1:
                    assert float(part["DURATION"]) >= 0.85 * longest - 0.002, (
                        "nor shorter than 85 % of it, but the last"
                    )
            if segment.parts and segment is not playlist.open:
                assert abs(sum(float(part["DURATION"]) for part in segment.parts) - segment.seconds) < 0.002
                assert segment.parts[0].get("INDEPENDENT") == "YES"


class Viewer:
    """Reads playlists of one room.

    Args:
        url: of the master playlist.
        client: a connection.
    """

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self.url = url
        self.client = client

    def address(self, name: str) -> str:
        return self.url.rsplit("/", 1)[0] + "/" + name

    async def get(self, name: str, **query: Any) -> httpx.Response:
        return await self.client.get(self.address(name), params=query)

    async def playlist(self, **query: Any) -> Playlist:
        return parse((await self.get("main.m3u8", **query)).raise_for_status().text)

    async def decoded(self, count: int) -> list[tuple[int, int]]:
        """The sizes of the first pictures, decoded by FFmpeg."""

        def play() -> list[tuple[int, int]]:
            with av.open(self.url, options={"live_start_index": "0"}) as playing:
                decoded = zip(playing.decode(video=0), range(count), strict=False)
                return [(frame.width, frame.height) for frame, _ in decoded]

        return await asyncio.to_thread(play)

    async def until(self, there: Callable[[Playlist], bool]) -> Playlist:
        """The first playlist of which something holds; each next one is asked for with what it shall have."""
        async with asyncio.timeout(60):
            while (answer := await self.get("main.m3u8")).status_code == 404:
                await asyncio.sleep(0.02)
            playlist = parse(answer.raise_for_status().text)
            while not there(playlist):
                segment, part = playlist.end
                playlist = await self.playlist(_HLS_msn=segment, _HLS_part=part)
        return playlist


@asynccontextmanager
async def served(studio: Studio, room: str = "room") -> AsyncIterator[Viewer]:
    """A recorder's files over HTTP, and a viewer of one of its rooms."""
    delivery = Delivery(studio.recorder, "secret", lifetime=600)
    config = uvicorn.Config(Starlette(routes=delivery.routes()), port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            yield Viewer(f"http://127.0.0.1:{port}{delivery.live_url(room)}", client)
    finally:
        server.should_exit = True
        await serving
