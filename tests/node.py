"""What npm installs and Node bundles for tests: once for all workers, in folders that are whole or not there.

A folder is named by the hash of what it is made of, made beside its place under a lock, and moved there when it is
whole: workers wait for each other, and one that was ended half-way leaves nothing that the next takes for whole.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from filelock import FileLock

__all__ = ["bundled"]

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "node"
LOCKED = ("package.json", "package-lock.json", ".npmrc")
"""What decides about the installed packages."""


def _hash(paths: Iterable[Path], base: Path) -> str:
    told = hashlib.sha256()
    for path in sorted(paths):
        told.update(f"{path.relative_to(base).as_posix()}\0{path.stat().st_size}\0".encode())
        told.update(path.read_bytes())
    return told.hexdigest()[:16]


def bundled(app: Path, cache: Path = CACHE) -> Path:
    """Bundle an app of the tests with the packages of its lock file.

    Args:
        app: a folder with `package.json`, its lock file, and a script `build` that writes into `bundles/`.
        cache: the folder to keep what is made in.

    Returns:
        A copy of the app with its `bundles/`; its packages are in `../node_modules`. The test is skipped where there
        is no Node or no way to the registry.
    """
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("this is bundled by Node, which is not here")
    sources = [path for path in app.rglob("*") if path.is_file() and not {"node_modules", "bundles"} & set(path.parts)]
    locked = [path for path in sources if path.parent == app and path.name in LOCKED]
    place = cache / f"{app.parent.name}-{_hash(locked, app)}"
    copy = place / f"app-{_hash(sources, app)}"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / f"{app.parent.name}.lock"):
        if not place.is_dir():
            half = _empty(cache / f"{app.parent.name}.half")
            _copy(locked, app, half)
            fetched = subprocess.run([npm, "ci", "--loglevel=error"], cwd=half, capture_output=True, text=True)
            if fetched.returncode:
                pytest.skip(f"the packages of {app.parent.name} cannot be fetched: {fetched.stderr[-300:]}")
            half.rename(place)
        if not copy.is_dir():
            half = _empty(place / "app.half")
            _copy(sources, app, half)
            built = subprocess.run([npm, "run", "--silent", "build"], cwd=half, capture_output=True, text=True)
            assert built.returncode == 0, built.stderr
            half.rename(copy)
    return copy


def _empty(folder: Path) -> Path:
    """A new folder, in the place of one that was left half-made."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    return folder


def _copy(paths: Iterable[Path], base: Path, to: Path) -> None:
    for path in paths:
        target = to / path.relative_to(base)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
