"""Blocking twins of `spnb.client.files`: written by `python -m spnb.client.twin`, change that instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from spnb._loop import run
from spnb.client.files import AsyncFiles
from spnb.models import (
    File,
)

R = TypeVar("R")
Json = dict[str, Any]


class Files:
    """Files of the network."""

    def __init__(self, twin: AsyncFiles) -> None:
        self._twin = twin

    def upload_image(self, image: Path | bytes) -> File:
        """Upload a PNG, JPEG, GIF or WebP image of at most 2 MB (1280×720 is advised for thumbnails).

        Args:
            image: a file's path, or the image's bytes.

        Raises:
            InvalidInput: it is no image, too large, or cannot be read; nothing was sent.
        """
        return run(self._twin.upload_image(image))

    def get(self, file_id: str) -> File:
        """What is known of a file."""
        return run(self._twin.get(file_id))

    def delete(self, file_id: str) -> None:
        """Remove your file."""
        run(self._twin.delete(file_id))
