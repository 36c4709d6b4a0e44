"""`download`: one file by its address, for those who have nothing but the address."""

from __future__ import annotations

from pathlib import Path

from spnb._loop import run
from spnb.client.reach import Reach, is_loopback
from spnb.errors import InvalidInput
from spnb.recordings.fetching import Address, fetch

__all__ = ["download"]


def download(url: str, target: Path, *, most_bytes: int | None = None, overwrite: bool = True) -> Path:
    """Fetch one file into `target`; `Recording.download` does it for all files of a room.

    Args:
        url: a recording's address (http or https), a file's or a playlist's (.m3u8). It is signed: it never appears in
            an error.
        target: the file to write; its folder is made.
        most_bytes: refuse what is larger.
        overwrite: whether a file that is there may be replaced.

    Returns:
        The absolute path of the finished file.

    Raises:
        InvalidInput: the address is of another scheme.
        DownloadError: an unsafe redirect, a file that is too large, a full disk.
        Unreachable: the transfer failed; the `.part` file is kept, and the next call goes on there.
    """
    if not url.startswith(("http://", "https://")):
        raise InvalidInput("a recording is fetched over http or https only")

    async def fetched() -> Path:
        # Whoever names this machine means it; a redirect to it from elsewhere is not followed.
        async with Reach(loopback=is_loopback(url)) as reach:
            from spnb.recordings.hls import is_playlist, joined, read_playlist

            address = Address(url)
            if is_playlist(url):
                playlist = await read_playlist(reach, address)
                if playlist.single is None:
                    return await joined(reach, playlist, target.parent, target.name, overwrite=overwrite)
                address = Address(playlist.single)
            return await fetch(reach, address, target.parent, target.name, most_bytes=most_bytes, overwrite=overwrite)

    return run(fetched())
