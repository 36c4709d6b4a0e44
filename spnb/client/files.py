"""Uploads."""

from __future__ import annotations

import asyncio
import contextlib
import re
from pathlib import Path

from spnb._loop import on_loop
from spnb.client.answers import told
from spnb.client.resource import Resource, checked_text, part
from spnb.errors import InvalidInput
from spnb.models import File

__all__ = ["AsyncFiles", "image_id"]

IMAGE_LIMIT = 2_000_000
"""The Console's limit for thumbnails, in bytes."""
KINDS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}


class AsyncFiles(Resource):
    """Files of the network."""

    @on_loop
    async def upload_image(self, image: str | Path | bytes) -> File:
        """Upload a PNG, JPEG, GIF or WebP image of at most 2 MB (1280×720 is advised for thumbnails).

        social.plus: `FileRepository.uploadImage`.

        Args:
            image: a file's path, or the image's bytes.

        Raises:
            InvalidInput: it is no image, too large, or cannot be read; nothing was sent.
        """
        content, name = await _content(image)
        if len(content) > IMAGE_LIMIT:
            raise InvalidInput(f"the image has {len(content):,} bytes; at most {IMAGE_LIMIT:,} are taken")
        kind = next((kind for mark, kind in KINDS.items() if content.startswith(mark)), None)
        if kind is None:
            raise InvalidInput(f"{name} is no PNG, JPEG, GIF or WebP image")
        answer = await self._session.request(
            "POST",
            "/api/v4/images",
            doing="upload the image",
            files={"file": (name, content, kind)},
            data={"preferredFilename": name, "accessType": "network"},
            upload=True,
            repeatable=True,  # a second copy, of which nobody knows, is better than a room without its picture
        )
        return File.model_validate(told(answer, "upload the image")[0])

    @on_loop
    async def get(self, file_id: str) -> File:
        """What is known of a file. social.plus: `FileRepository.getFile`."""
        answer = await self._get(f"/api/v3/files/{part(file_id)}", "read the file")
        return File.model_validate(answer.get("data", answer))

    @on_loop
    async def delete(self, file_id: str) -> None:
        """Remove your file. social.plus: `FileRepository.deleteFile`."""
        await self._gone(f"/api/v3/files/{part(file_id)}", "delete the file")


async def _content(image: str | Path | bytes) -> tuple[bytes, str]:
    if isinstance(image, bytes):
        return image, "image"
    image = Path(image)
    try:
        return await asyncio.to_thread(image.read_bytes), image.name
    except OSError as error:
        raise InvalidInput(f"the image {image} cannot be read: {error.strerror}") from error


async def image_id(files: AsyncFiles, image: str | Path | bytes) -> str:
    """The id of an image that is uploaded for it: a path or bytes; or the id itself of one that is there.

    Raises:
        InvalidInput: it is none of these.
        NotFound: there is no file with this id.
    """
    if not isinstance(image, str) or _names_a_file(image):
        return (await files.upload_image(image)).file_id
    if not re.fullmatch(r"[\w-]*", image):
        raise InvalidInput(f"there is no image {image!r}, and it is no id of an uploaded one")
    checked = checked_text("image", image, 50, required=True)
    assert checked is not None  # noqa: S101 - required
    return (await files.get(checked)).file_id


def _names_a_file(text: str) -> bool:
    with contextlib.suppress(OSError, ValueError):  # too long for a path, or with a NUL in it
        return Path(text).is_file()
    return False
