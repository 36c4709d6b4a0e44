"""`AsyncRecording`: the files of a recorded room, in order: what they are, fetched, cut, and looked at."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spnb._arguments import checked_class
from spnb._loop import on_loop
from spnb._twins import Blocking
from spnb.client.reach import Reach, is_loopback
from spnb.errors import DownloadError, InvalidInput, ServiceError, Unreachable
from spnb.gaps import RecordingGap, missing
from spnb.models import PlaybackInfo, Room
from spnb.recordings.fetching import Address, fetch, look
from spnb.recordings.hls import Playlist, is_playlist, joined, read_playlist
from spnb.recordings.media import read_head
from spnb.recordings.pieces import Source, pieces
from spnb.recordings.places import folder_and_name, named, place_in
from spnb.recordings.progress import Progress, ProgressWish, listener_of
from spnb.recordings.remote import RemoteFile

if TYPE_CHECKING:
    from spnb.client import AsyncClient
    from spnb.models import Recording as Addresses
    from spnb.recordings.sheet import ContactSheet

__all__ = ["AsyncRecording", "RecordedFile"]

THUMBNAIL_BYTES = 2_000_000
SHOWN_BYTES = 200_000
PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
WORTH_TELLING = 3.0
"""Seconds by which a recording is shorter than its room before that is told: the service rounds up."""
PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """One file of a recording. What its server does not tell is None."""

    number: int
    """From 1, in the order of playing."""
    url: str = field(repr=False)
    """Signed and short-lived: a secret."""
    thumbnail_url: str | None = field(default=None, repr=False)
    thumbnail: bytes | None = field(default=None, repr=False)
    """A picture of it, JPEG or PNG."""
    size_bytes: int | None = None
    duration_seconds: float | None = None
    width: int | None = None
    height: int | None = None
    content_type: str = ""


@checked_class
class AsyncRecording:
    """The recording of a room. `room.recording()` hands it out.

    Args:
        client: the connection, for fresh addresses.
        room: the record of the recorded room.
        addresses: what the service answered.
        files: the files, in order.
    """

    def __init__(
        self, client: AsyncClient[Any], room: Room, addresses: Addresses, files: Sequence[RecordedFile]
    ) -> None:
        self._client = client
        self._room = room
        self._addresses = addresses
        self.files: tuple[RecordedFile, ...] = tuple(files)
        """The files, in order."""

    @classmethod
    async def of(cls, client: AsyncClient[Any], room: Room, *, details: bool = True) -> AsyncRecording:
        """The recording of a room that is recorded.

        Args:
            details: whether to ask for size, duration and thumbnail of each file too, which costs some requests.
        """
        addresses = await client.rooms.recording(room.room_id)
        thumbnails = [info.thumbnail_url for info in room.recorded_playback_infos]
        thumbnails += [None] * (len(addresses.urls) - len(thumbnails))
        plain = [
            RecordedFile(number, url, thumbnail)
            for number, (url, thumbnail) in enumerate(zip(addresses.urls, thumbnails, strict=False), start=1)
        ]
        made = cls(client, room, addresses, plain)
        if details and plain:
            async with made._reach() as reach:
                made.files = tuple(await asyncio.gather(*(made._described(reach, file) for file in plain)))
        return made

    @property
    def urls(self) -> list[str]:
        """Signed addresses of the files, in order. They expire: secrets."""
        return [file.url for file in self.files]

    @property
    def expires_at(self) -> datetime | None:
        """When the addresses end, where the service says so."""
        return self._addresses.expires_at

    @property
    def duration_seconds(self) -> float | None:
        """Length of all files together; None where one is not known."""
        lengths = [file.duration_seconds for file in self.files]
        return None if None in lengths else sum(length for length in lengths if length is not None)

    @property
    def gaps(self) -> list[RecordingGap]:
        """The times in which the room was on air and could not be recorded, as far as the service tells them."""
        return list(self._room.recording_gaps)

    @property
    def missing_seconds(self) -> float | None:
        """How much shorter it is than its room was on air, at least 0; None where one of the two is not known."""
        length, on_air = self.duration_seconds, self._room.duration_seconds
        return None if length is None or on_air is None else max(0.0, on_air - length)

    def _what_is_missing(self) -> str:
        shorter = self.missing_seconds or 0.0
        told = [f"{shorter:.0f} s shorter than its room"] if shorter >= WORTH_TELLING else []
        named = missing(self.gaps)
        return "".join(f", {words}" for words in [*told, *([f"missing {named}"] if named else [])])

    # -- what the files are

    def _reach(self) -> Reach:
        return Reach(loopback=is_loopback(self._client.endpoints.rest))

    def _address(self, file: RecordedFile) -> Address:
        return Address(file.url, self._renewal(file.number))

    def _renewal(self, number: int) -> Callable[[], Awaitable[str]]:
        async def renew() -> str:
            fresh = await self._client.rooms.recording(self._room.room_id)
            if len(fresh.urls) < number:
                raise DownloadError("the recording has fewer files than before: read it again with room.recording()")
            return fresh.urls[number - 1]

        return renew

    async def _media(self, reach: Reach, file: RecordedFile) -> tuple[Address, Playlist | None]:
        """Where a file's media is: its own address, that of the one file its playlist is of, or many, as told there."""
        address = self._address(file)
        if not is_playlist(file.url):
            return address, None
        playlist = await read_playlist(reach, address)
        single = playlist.single
        if single is None:
            return address, playlist

        async def renew() -> str:
            return (await read_playlist(reach, self._address(file))).single or single

        return Address(single, renew), None

    async def _described(self, reach: Reach, file: RecordedFile) -> RecordedFile:
        """The file with what its server tells; what it does not stays None: a recording is no less there for it."""
        thumbnail = await self._thumbnail(reach, file)
        url = file.url
        size, kind, head, seconds = None, "", None, None
        with contextlib.suppress(Unreachable, DownloadError, ServiceError):
            address, playlist = await self._media(reach, file)
            if playlist is not None:
                kind, seconds = PLAYLIST_TYPE, playlist.duration_seconds
                head = await asyncio.to_thread(read_head, next(playlist.each(reach)).file)
            else:
                remote = await look(reach, address)
                size, kind = remote.size, remote.content_type
                if remote.ranges and size:
                    head = await asyncio.to_thread(read_head, RemoteFile(reach, address, size))
                url = url if is_playlist(url) else address.url
        return RecordedFile(
            number=file.number,
            url=url,
            thumbnail_url=file.thumbnail_url,
            thumbnail=thumbnail,
            size_bytes=size,
            duration_seconds=seconds if seconds is not None else head.duration_seconds if head else None,
            width=head.width if head else None,
            height=head.height if head else None,
            content_type=kind,
        )

    async def _thumbnail(self, reach: Reach, file: RecordedFile) -> bytes | None:
        if file.thumbnail_url is None:
            return None
        with contextlib.suppress(Unreachable, DownloadError, ServiceError):
            info = PlaybackInfo(url=file.url, thumbnail_url=file.thumbnail_url)
            signed = await self._client.rooms.thumbnail_address(info)
            if signed is None:
                return None
            picture = b""
            async with reach.ask(signed) as answer:
                if answer.status != 200:
                    return None
                async for chunk in answer.body:
                    picture += chunk
                    if len(picture) > THUMBNAIL_BYTES:
                        return None
            return picture if picture.startswith(PICTURES) else None
        return None

    # -- what can be done with them

    @on_loop
    async def download(
        self,
        folder: str | Path,
        *,
        name: str | None = None,
        most_bytes: int | None = None,
        overwrite: bool = False,
        progress: ProgressWish = None,
    ) -> list[Path]:
        """Fetch all files into a folder.

        Each grows in a `.part` file and is renamed when it is whole. Called again after a break, it goes on where it
        stopped; what is there already is not fetched again. An address that has expired is replaced once.

        Args:
            folder: made where it is not there; or the file to make: `out/talk.mp4`.
            name: what to call the files, e.g. `talk` → `talk.mp4`, or of several `talk-1.mp4`, …; made of title and
                room without.
            most_bytes: refuse a file that is larger.
            overwrite: whether other files of the same names may be replaced.
            progress: a function that is told, or False for silence.

        Returns:
            The absolute paths, in order.

        Raises:
            InvalidInput: the name does not stay in the folder, or is taken.
            DownloadError: an unsafe redirect, a file that is too large, a full disk.
            Unreachable: the server failed, again and again.
        """
        if not self.files:
            raise InvalidInput("nothing was recorded of this stream: there is no file to download")
        told = listener_of(progress)
        folder, name = folder_and_name(folder, name)
        paths = []
        async with self._reach() as reach:
            for file in self.files:
                kind = file.content_type or "video/mp4"
                number = file.number if len(self.files) > 1 else None
                called = named(self._room.title, self._room.room_id, number, kind)
                if name is not None:
                    place_in(folder, name)
                    called = f"{name}{'' if number is None else f'-{number}'}{Path(called).suffix}"

                def meter(done: int, total: int | None, number: int = file.number) -> None:
                    told(Progress("downloading", _words(number, len(self.files), done, total), done, total))

                address, playlist = await self._media(reach, file)
                if playlist is not None:
                    path = await joined(reach, playlist, folder, called, overwrite=overwrite)
                else:
                    path = await fetch(
                        reach,
                        address,
                        folder,
                        called,
                        most_bytes=most_bytes,
                        overwrite=overwrite,
                        meter=meter,
                    )
                paths.append(path)
        told(Progress("done", f"{len(paths)} file(s) downloaded"))
        return paths

    @asynccontextmanager
    async def _sources(self, start: float | None = None, end: float = 0.0) -> AsyncIterator[list[Source]]:
        """The files to read from, without downloading them: of playlists what lies between two moments, or segments."""
        if not self.files:
            raise InvalidInput("nothing was recorded of this stream: there is no file to read")
        async with self._reach() as reach:
            files = self.files
            if any(file.duration_seconds is None for file in files):
                files = tuple(await asyncio.gather(*(self._described(reach, file) for file in files)))
            sources: list[Source] = []
            for file in files:
                address, playlist = await self._media(reach, file)
                if playlist is not None:
                    before = sum(source.duration_seconds for source in sources)
                    chosen = (
                        playlist.each(reach)
                        if start is None
                        else (playlist.sources(reach, start - before, end - before))
                    )
                    sources += chosen
                    continue
                if file.size_bytes is None or file.duration_seconds is None:
                    raise Unreachable(
                        "the recording cannot be read in parts from its server: download() it, and use the file"
                    )
                remote = RemoteFile(reach, address, file.size_bytes)
                sources.append(Source(remote, file.duration_seconds))
            yield sources

    @on_loop
    async def clip(
        self, start: float, end: float, path: str | Path, *, exact: bool = False, overwrite: bool = False
    ) -> Path:
        """Write `start` to `end` seconds of the recording into an MP4 file; only that part is fetched.

        Args:
            start: seconds from the recording's beginning, over all files.
            end: likewise.
            path: the file to write.
            exact: False copies without loss and begins at the keyframe at or before `start` (so up to a few seconds
                earlier). True encodes anew and begins at the very frame.
            overwrite: whether a file of this name may be replaced.

        Returns:
            The absolute path.

        Raises:
            InvalidInput: no such span, the name is taken, or files of different kinds without `exact`.
        """
        from spnb.recordings.clip import cut

        wanted = Path(path)
        target = place_in(wanted.parent, wanted.name)
        if target.exists() and not overwrite:
            raise InvalidInput(f"{target} is there already: choose another name, or pass overwrite=True")
        async with self._sources(start, end) as sources:
            chosen = list(pieces(sources, start, end))
            return await asyncio.to_thread(cut, chosen, target, exact=exact)

    @on_loop
    async def contact_sheet(self, *, columns: int = 4, count: int = 12, width: int = 240) -> ContactSheet:
        """Pictures of the recording at even distances; only those pictures are fetched.

        Args:
            columns: pictures per row.
            count: pictures in all.
            width: pixels of each.
        """
        from spnb.recordings.sheet import contact_sheet

        async with self._sources() as sources:
            return await asyncio.to_thread(contact_sheet, sources, columns=columns, count=count, width=width)

    # -- how it shows itself

    sync = Blocking()
    """The blocking twin."""

    def __repr__(self) -> str:
        length = f", {self.duration_seconds:.1f} s" if self.duration_seconds is not None else ""
        return f"{type(self).__name__}({len(self.files)} file(s){length}{self._what_is_missing()})"

    def _repr_html_(self) -> str:
        rows = "".join(_row(file) for file in self.files)
        head = "".join(
            f"<th style='text-align:left'>{name}</th>" for name in ("", "file", "duration", "picture", "size")
        )
        expires = f", addresses expire {self.expires_at:%Y-%m-%d %H:%M} UTC" if self.expires_at else ""
        caption = f"Recording of {escape(self._room.title)}: {len(self.files)} file(s){expires}"
        caption += escape(self._what_is_missing())
        return f"<table><caption>{caption}</caption><tr>{head}</tr>{rows}</table>"


async def clip_last(
    rest: str, url: str, seconds: float, path: Path, *, exact: bool = False, overwrite: bool = False
) -> Path:
    """Write the last seconds of a stream that is on air into a file; see `AsyncLiveRoom.clip_last`.

    Args:
        rest: the service's address: where it is this machine's, its media may be too.
        url: of the live playlist.
    """
    from spnb.recordings import hls

    async with Reach(loopback=is_loopback(rest)) as reach:
        return await hls.clip_last(reach, Address(url), seconds, path, exact=exact, overwrite=overwrite)


def _row(file: RecordedFile) -> str:
    picture = ""
    if file.thumbnail is not None and len(file.thumbnail) <= SHOWN_BYTES:
        kind = "png" if file.thumbnail.startswith(PICTURES[1]) else "jpeg"
        data = base64.b64encode(file.thumbnail).decode()
        picture = f"<img alt='' style='width:120px;margin:0;border-radius:4px' src='data:image/{kind};base64,{data}'>"
    cells = (
        picture,
        str(file.number),
        f"{file.duration_seconds:.1f} s" if file.duration_seconds is not None else "–",
        f"{file.width}×{file.height}" if file.width else "–",
        _size(file.size_bytes) if file.size_bytes is not None else "–",
    )
    return "<tr>" + "".join(f"<td style='text-align:left'>{cell}</td>" for cell in cells) + "</tr>"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def _words(number: int, count: int, done: int, total: int | None) -> str:
    of = f" of {_size(total)}" if total is not None else ""
    which = f"file {number} of {count}: " if count > 1 else ""
    return f"Downloading {which}{_size(done)}{of}"
