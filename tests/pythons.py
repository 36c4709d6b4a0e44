"""The Pythons of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["find", "uv"]


def uv() -> list[str]:
    """How uv is called here."""
    found = shutil.which("uv")
    return [found] if found else [sys.executable, "-m", "uv"]


def find(version: str) -> str | None:
    """A Python of that version: this one, one of pyenv's, or one that uv knows; `None` where there is none."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return sys.executable
    pyenv = shutil.which("pyenv")
    root = os.environ.get("PYENV_ROOT") or (pyenv and Path(pyenv).resolve().parents[1])
    kept = sorted(Path(root).glob(f"versions/{version}.*/bin/python"), reverse=True) if root else []
    if kept:
        return str(kept[0])
    words = [*uv(), "python", "find", "--no-python-downloads", version]
    found = subprocess.run(words, capture_output=True, text=True, cwd="/")
    return found.stdout.strip() if found.returncode == 0 else None
