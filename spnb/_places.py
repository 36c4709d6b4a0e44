"""The user's own folders: where settings, the sandbox and what was received are kept."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Literal

from spnb.errors import ConfigError

__all__ = ["PassingFolder", "home_folder", "user_folder"]

NO_HOME = "this user has no home folder (HOME is not set)"


def user_folder(kind: Literal["data", "config"] = "data") -> Path:
    """`SPNB_HOME`, else the platform's place for application data, or for settings.

    Raises:
        ConfigError: there is none; says what to set.
    """
    import platformdirs

    named = os.environ.get("SPNB_HOME")
    try:
        of_platform = platformdirs.user_config_path if kind == "config" else platformdirs.user_data_path
        folder = Path(named) if named else of_platform("spnb", appauthor=False)
    except RuntimeError:
        raise ConfigError(f"{NO_HOME}: set SPNB_HOME to a folder of your own") from None
    if not folder.is_absolute():
        # Each process has a working folder of its own: they would not find each other.
        told = f"SPNB_HOME={named} is no whole path" if named else NO_HOME
        raise ConfigError(f"{told}: set SPNB_HOME to a folder of your own, from the root on")
    return folder


def home_folder(instead: str) -> Path:
    """The user's home folder.

    Args:
        instead: what to do where there is none, for the error.

    Raises:
        ConfigError: there is none.
    """
    try:
        return Path.home()
    except RuntimeError:
        raise ConfigError(f"{NO_HOME}: {instead}") from None


class PassingFolder:
    """A temporary folder that goes with whoever holds it, or with this process.

    It does not go with a child of `os.fork` that ends, as one of `tempfile.TemporaryDirectory` does.

    Args:
        prefix: what its name begins with.
    """

    def __init__(self, prefix: str) -> None:
        self.name = tempfile.mkdtemp(prefix=prefix)
        self._end = weakref.finalize(self, _remove, self.name, os.getpid())

    def cleanup(self) -> None:
        """Remove it now."""
        self._end()


def _remove(folder: str, of_process: int) -> None:
    if os.getpid() == of_process:
        shutil.rmtree(folder, ignore_errors=True)
