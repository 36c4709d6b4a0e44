"""The blocking twins of `spnb.client.files`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Face
from spnb._loop import run

if TYPE_CHECKING:
    from pathlib import Path

    from spnb.client.files import AsyncFiles
    from spnb.models import File


__all__ = ["Files"]


class Files(Face):
    """Files of the network.

    The blocking twin of `AsyncFiles`.
    """

    _twin: AsyncFiles

    def upload_image(self, image: str | Path | bytes) -> File:
        """Upload a PNG, JPEG, GIF or WebP image of at most 2 MB (1280×720 is advised for thumbnails).

        social.plus: `FileRepository.uploadImage`.

        Args:
            image: a file's path, or the image's bytes.

        Raises:
            InvalidInput: it is no image, too large, or cannot be read; nothing was sent.
        """
        return run(self._twin.upload_image(image))

    def get(self, file_id: str) -> File:
        """What is known of a file. social.plus: `FileRepository.getFile`."""
        return run(self._twin.get(file_id))

    def delete(self, file_id: str) -> None:
        """Remove your file. social.plus: `FileRepository.deleteFile`."""
        run(self._twin.delete(file_id))

    @property
    def asynchronous(self) -> AsyncFiles:
        """The async twin: the same object, to be awaited."""
        return self._twin
