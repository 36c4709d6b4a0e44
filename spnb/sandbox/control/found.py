"""The file that tells where this user's sandbox runs, and whether to believe it."""

from __future__ import annotations

import hmac
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil

from spnb.errors import SandboxError
from spnb.sandbox.control.asking import ask
from spnb.sandbox.proof import PATH, challenge, proof

__all__ = ["FILE", "make_private_folder", "read_running", "remove_running", "shows_its_key", "write_running"]

FILE = "running.json"


def make_private_folder(folder: Path) -> None:
    """Make a folder that only this user may enter, where there is none; one that is there stays as it is."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)


def check_ours(folder: Path) -> None:
    """Refuse a folder in which others could put what we believe.

    Raises:
        SandboxError: it belongs to somebody else, or others may write into it.
    """
    if sys.platform == "win32":
        return
    facts = folder.stat()
    if facts.st_uid != os.getuid():
        raise SandboxError(f"{folder} belongs to another user: set SPNB_HOME to a folder of your own")
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SandboxError(f"others may write into {folder}: `chmod 700 {folder}`, or set SPNB_HOME to another folder")


def read_running(folder: Path) -> dict[str, Any] | None:
    """What the file in `folder` tells; None where there is none to believe: only an own, private, plain file is, whose
    process is this user's, lives, and holds the port.

    Raises:
        SandboxError: the folder is not this user's alone to write into.
    """
    check_ours(folder)
    try:
        descriptor = os.open(folder / FILE, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    with os.fdopen(descriptor) as file:
        facts = os.fstat(file.fileno())
        if sys.platform != "win32" and (facts.st_uid != os.getuid() or facts.st_mode & 0o077):
            return None
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > 1 << 16:
            return None
        try:
            told = json.load(file)
            parts = urlsplit(told["url"])
            ours = (parts.scheme, parts.hostname) == ("http", "127.0.0.1")
            return told if ours and _holds(int(told["pid"]), int(parts.port or 0)) else None
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


def _holds(pid: int, port: int) -> bool:
    """Whether this user's process listens on the port."""
    try:
        process = psutil.Process(pid)
        if sys.platform != "win32" and process.uids().real != os.getuid():
            return False
        return any(
            connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
            for connection in process.net_connections("tcp")
        )
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True  # some systems tell nobody: the challenge decides


def shows_its_key(url: str, api_key: str) -> bool:
    """Whether who answers at `url` knows the key. The key itself is not sent."""
    asked = challenge()
    try:
        answer = ask("GET", f"{url}{PATH}", params={"challenge": asked})
        told = answer.json()["proof"] if answer.status_code == 200 and len(answer.content) < 1000 else ""
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return False
    return isinstance(told, str) and hmac.compare_digest(told.encode(), proof(api_key, asked, url).encode())


def write_running(path: Path, facts: dict[str, Any]) -> None:
    """Tell where a sandbox runs, in a file that only this user may read."""
    fresh = path.with_suffix(".part")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(facts, file)
    fresh.replace(path)


def remove_running(path: Path, pid: int) -> None:
    """Take the file away, if it still tells of this process."""
    try:
        if json.loads(path.read_text())["pid"] == pid:
            path.unlink()
    except (OSError, ValueError, KeyError, TypeError):
        return  # gone already, or another's
