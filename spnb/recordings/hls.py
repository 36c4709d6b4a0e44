"""Recordings that are playlists (HLS, RFC 8216): what they consist of, and their media as files to read.

A playlist of byte ranges of one file is that file. One of many files is read in runs: segments that follow each other
and need the same initialisation segment make one file, put together when somebody reads it, of what is needed only.
"""

from __future__ import annotations

import asyncio
import io
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

from spnb._loop import is_background, spawn
from spnb.errors import DownloadError, InvalidInput, Unreachable
from spnb.recordings.fetching import Address, asked
from spnb.recordings.pieces import Source, pieces
from spnb.recordings.places import place_in

__all__ = ["Playlist", "clip_last", "is_playlist", "joined", "read_playlist"]

MOST_BYTES = 16 << 20
"""Of a playlist; a day of segments of two seconds has some five."""
KEPT_BYTES = 32 << 20
"""What is put together stays in memory up to so many bytes, then it goes to disk."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes of a file: all, or so many from a place on."""

    url: str
    offset: int = 0
    length: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        if self.length is None:
            return {}
        return {"Range": f"bytes={self.offset}-{self.offset + self.length - 1}"}

    def __repr__(self) -> str:
        return f"Stretch(hidden, {self.offset}, {self.length})"


@dataclass(frozen=True, slots=True)
class HlsSegment:
    """A segment: its bytes, its length in seconds, the bytes it needs before it, and its run's number."""

    media: Stretch
    seconds: float
    initialisation: Stretch | None
    run: int


@dataclass(frozen=True)
class Playlist:
    """A finished media playlist."""

    segments: tuple[HlsSegment, ...]

    @property
    def duration_seconds(self) -> float:
        """Length of all segments."""
        return sum(segment.seconds for segment in self.segments)

    @property
    def single(self) -> str | None:
        """The address of the one file whose parts are listed; None where there are several."""
        urls = {segment.media.url for segment in self.segments}
        whole = len(urls) == 1 and all(segment.media.length is not None for segment in self.segments)
        beside = {segment.initialisation.url for segment in self.segments if segment.initialisation}
        return urls.pop() if whole and beside <= urls else None

    def sources(self, reach: Any, start: float = 0.0, end: float = float("inf")) -> Iterator[Source]:
        """Its runs as files, of which only what lies between two moments (seconds) will be fetched."""
        at = 0.0
        for _, run in _grouped(self.segments):
            for needed, group in _grouped_by_need(run, at, start, end):
                seconds = sum(segment.seconds for segment in group)
                yield Source(_Joined(reach, group) if needed else None, seconds)
                at += seconds

    def each(self, reach: Any) -> Iterator[Source]:
        """Every segment as a file."""
        for segment in self.segments:
            yield Source(_Joined(reach, [segment]), segment.seconds)


def _grouped(segments: Sequence[HlsSegment]) -> Iterator[tuple[int, list[HlsSegment]]]:
    group: list[HlsSegment] = []
    for segment in segments:
        if group and segment.run != group[-1].run:
            yield group[-1].run, group
            group = []
        group.append(segment)
    if group:
        yield group[-1].run, group


def _grouped_by_need(
    segments: Sequence[HlsSegment], at: float, start: float, end: float
) -> Iterator[tuple[bool, list[HlsSegment]]]:
    group: list[HlsSegment] = []
    before = False
    for segment in segments:
        needed = at < end and at + segment.seconds > start
        if group and needed != before:
            yield before, group
            group = []
        group.append(segment)
        before, at = needed, at + segment.seconds
    if group:
        yield before, group


def is_playlist(url: str) -> bool:
    """Whether an address is a playlist's, by its name."""
    return urlsplit(url).path.lower().endswith((".m3u8", ".m3u"))


async def read_playlist(reach: Any, address: Address, *, live: bool = False) -> Playlist:
    """Fetch a playlist; of several qualities the best.

    Args:
        reach, address: where it is.
        live: whether one of a stream that goes on is taken, as far as it goes, with the parts of its last segment.

    Raises:
        Unreachable: the server does not give it.
        DownloadError: it is none, has not ended, or is of a kind that cannot be put into a file.
    """
    text = await _text(reach, address)
    url = address.url
    variants = re.findall(r"#EXT-X-STREAM-INF:([^\n]*)\n(?:#[^\n]*\n)*([^#\n][^\n]*)", text)
    if variants:
        if re.search(r"#EXT-X-MEDIA:(?=[^\n]*TYPE=AUDIO)(?=[^\n]*URI=)", text):
            raise DownloadError("the recording has its sound in a playlist of its own, which cannot be read yet")

        def bandwidth(variant: tuple[str, str]) -> int:
            found = re.search(r"(?:^|,)BANDWIDTH=(\d+)", variant[0])
            return int(found[1]) if found else 0

        url = urljoin(url, max(variants, key=bandwidth)[1].strip())
        text = await _text(reach, Address(url))
    return _parsed(text, url, live=live)


async def joined(reach: Any, playlist: Playlist, folder: Path, name: str, *, overwrite: bool = False) -> Path:
    """Write all segments into one MP4 file, as they are.

    Raises:
        InvalidInput: the name does not stay in the folder or is taken; segments of different kinds follow each other.
    """
    from spnb.recordings.clip import cut

    target = place_in(folder, name)
    if target.exists() and not overwrite:
        raise InvalidInput(f"{target} is there already: choose another name, or pass overwrite=True")
    parts = list(pieces(list(playlist.sources(reach)), 0.0, playlist.duration_seconds))
    return await asyncio.to_thread(cut, parts, target, exact=False)


async def clip_last(
    reach: Any, address: Address, seconds: float, path: Path, *, exact: bool = False, overwrite: bool = False
) -> Path:
    """Write the last seconds of a stream that is on air into an MP4 file; `AsyncLiveRoom.clip_last` does it.

    Raises:
        InvalidInput: no such length, or the name is taken.
    """
    from spnb.recordings.clip import cut

    if not 0 < seconds < float("inf"):
        raise InvalidInput(f"the last {seconds!r} seconds are no length of time: give seconds above 0")
    target = place_in(path.parent, path.name)
    if target.exists() and not overwrite:
        raise InvalidInput(f"{target} is there already: choose another name, or pass overwrite=True")
    playlist = await read_playlist(reach, address, live=True)
    end = playlist.duration_seconds
    start = max(0.0, end - seconds)
    parts = list(pieces(list(playlist.sources(reach, start, end)), start, end))
    return await asyncio.to_thread(cut, parts, target, exact=exact)


async def _text(reach: Any, address: Address) -> str:
    data = b""
    async with asked(reach, address, {}) as answer:
        if answer.status != 200:
            raise Unreachable(f"the recording could not be fetched: the server answered {answer.status}")
        async for chunk in answer.body:
            data += chunk
            if len(data) > MOST_BYTES:
                raise DownloadError("the recording's playlist is too large: it was not read")
    text = data.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n")
    if not text.startswith("#EXTM3U"):
        raise DownloadError("the recording's playlist is none: nothing was fetched")
    return text


def _parsed(text: str, url: str, *, live: bool) -> Playlist:
    segments: list[HlsSegment] = []
    parts: list[HlsSegment] = []
    seconds, run = 0.0, 0
    span: str | None = None
    initialisation: Stretch | None = None
    ends: dict[str, int] = {}
    for line in text.splitlines():
        name, _, value = line.strip().partition(":")
        if not name:
            continue
        if name == "#EXTINF":
            seconds = _number(value.partition(",")[0])
        elif name == "#EXT-X-BYTERANGE":
            span = value
        elif name == "#EXT-X-DISCONTINUITY":
            run += 1
        elif name == "#EXT-X-MAP":
            told = dict(re.findall(r'([A-Z-]+)=("[^"]*"|[^,]*)', value))
            stretch = _stretch(urljoin(url, told.get("URI", "").strip('"')), told.get("BYTERANGE", "").strip('"'), {})
            run += initialisation is not None and stretch != initialisation
            initialisation = stretch
        elif name == "#EXT-X-PART":
            told = dict(re.findall(r'([A-Z-]+)=("[^"]*"|[^,]*)', value))
            media = _stretch(urljoin(url, told.get("URI", "").strip('"')), told.get("BYTERANGE", "").strip('"'), ends)
            parts.append(HlsSegment(media, _number(told.get("DURATION", "")), initialisation, run))
        elif name == "#EXT-X-KEY" and "METHOD=NONE" not in value:
            raise DownloadError("the recording is encrypted: it cannot be read")
        elif not line.startswith("#"):
            media = _stretch(urljoin(url, line.strip()), span or "", ends)
            segments.append(HlsSegment(media, seconds, initialisation, run))
            span = None
            parts.clear()
    if live:
        segments += parts
    elif "#EXT-X-ENDLIST" not in text:
        raise DownloadError("the recording's playlist has not ended: it is of a stream that is still live")
    if not segments:
        raise DownloadError("the recording's playlist is empty")
    return Playlist(tuple(segments))


def _number(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0


def _stretch(url: str, span: str, ends: dict[str, int]) -> Stretch:
    found = re.fullmatch(r"(\d+)(?:@(\d+))?", span)
    if found is None:
        return Stretch(url)
    # Without a place it goes on where the one before ended.
    offset = int(found[2]) if found[2] is not None else ends.get(url, 0)
    ends[url] = offset + int(found[1])
    return Stretch(url, offset, int(found[1]))


class _Joined(io.RawIOBase):
    """Segments as one file object, fetched when it is first read. On a thread of its own, never on the event loop."""

    def __init__(self, reach: Any, segments: Sequence[HlsSegment]) -> None:
        self._reach = reach
        self._segments = segments
        self._file: IO[bytes] | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._made().seek(offset, whence)

    def tell(self) -> int:
        return self._made().tell()

    def read(self, size: int | None = -1) -> bytes:
        return self._made().read(-1 if size is None else size)

    def _made(self) -> IO[bytes]:
        if self._file is None:
            if is_background():
                raise RuntimeError("a recording was read on spnb's own event loop, which would wait for itself")
            file: Any = tempfile.SpooledTemporaryFile(KEPT_BYTES)  # noqa: SIM115 - closed with this object
            spawn(self._fetch(file)).result()
            file.seek(0)
            self._file = file
        return self._file

    async def _fetch(self, file: IO[bytes]) -> None:
        first = self._segments[0].initialisation
        for stretch in [*([first] if first else []), *(segment.media for segment in self._segments)]:
            async with asked(self._reach, Address(stretch.url), stretch.headers) as answer:
                if answer.status != (200 if stretch.length is None else 206):
                    raise Unreachable(
                        f"a part of the recording could not be fetched: the server answered {answer.status}"
                    )
                async for chunk in answer.body:
                    file.write(chunk)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()
