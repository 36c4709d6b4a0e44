"""Writes `spnb.sync`, the blocking faces, and the stub of `spnb/_twins.py` from the async sources.

    uv run --group dev python -m tests.blocking       rewrites them
    tests/ground/test_sync.py             proves that they are up to date

`spnb._faces.MODULES` names the sources. Of each, every public class `AsyncX` becomes `X` and every public function
`x_async` becomes `x`: signatures, overloads and docstrings are taken over, coroutines block, async iterators are
iterated plainly, what comes back async is handed out blocking, and blocking arguments are handed in async. What is
not regular is refused with what to do: the async source is what has to change.

Tools that rewrite async code into sync code (unasync, unasyncd) make two implementations, which could not share one
connection and one live object; synchronicity wraps while the program runs, on a loop of its own, so editors and type
checkers see nothing without its stubs, and an interrupted call is not awaited until it has cleaned up.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.blocking.sources import HOUSE, PACKAGE, House
from tests.blocking.writer import COMMAND, Writer

__all__ = ["STUB", "TARGET", "files", "write"]

TARGET = PACKAGE / "sync"
STUB = PACKAGE / "_twins.pyi"


def _stub(house: House) -> str:
    imports = {"from typing import Any, TypeVar, overload"}
    overloads = []
    for kind, source in sorted(house.homes.items()):
        if house.is_base(kind) or not _has_sync(source.classes[kind]):
            continue
        name = kind.removeprefix("Async")
        imports |= {f"from spnb.{source.name} import {kind}", f"from spnb.sync.{source.name} import {name}"}
        if not house.generic(kind):
            overloads.append((kind, name))
            continue
        if "AsyncLiveRoom" in house.homes:
            home = house.homes["AsyncLiveRoom"].name
            imports |= {f"from spnb.{home} import AsyncLiveRoom", f"from spnb.sync.{home} import LiveRoom"}
            overloads.append((f"{kind}[AsyncLiveRoom]", f"{name}[LiveRoom]"))
        overloads.append((f"{kind}[R]", f"{name}[R]"))
    lines = [f"# Written by `{COMMAND}`: what `sync` gives for each async class.", *sorted(imports), ""]
    lines += ['R = TypeVar("R")', "", "class Blocking:"]
    lines += ["    @overload", "    def __get__(self, twin: None, owner: type) -> Blocking: ..."]
    for kind, name in overloads:
        lines += ["    @overload", f"    def __get__(self, twin: {kind}, owner: type | None = ...) -> {name}: ..."]
    return "\n".join([*lines, ""])


def _has_sync(node: ast.ClassDef) -> bool:
    return any(isinstance(part, ast.Assign) and ast.unparse(part) == "sync = Blocking()" for part in node.body)


def files() -> dict[Path, str]:
    """All generated files, by their path below the house, as they should be."""
    house = House()
    made = {}
    for name, source in house.sources.items():
        writer = Writer(house, source)
        text = writer.module()
        if not writer.names:
            continue  # bases of other modules' classes
        path = Path("spnb/sync", *name.split(".")).with_suffix(".py")
        made[str(path)] = text
        for package in path.parents:
            if package.is_relative_to("spnb/sync"):
                of = ".".join(["spnb", *package.parts[2:]])
                made[f"{package}/__init__.py"] = f'"""The blocking faces of `{of}`: written by `{COMMAND}`."""\n'
    made[str(STUB.relative_to(HOUSE))] = _stub(house)
    return _tidied(made)


def _tidied(made: dict[str, str]) -> dict[Path, str]:
    """Sorted and formatted like all code of the house."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(HOUSE / "pyproject.toml", folder)
        (folder / "spnb").mkdir()
        (folder / "spnb" / "__init__.py").touch()
        for path, text in made.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        ruff = [sys.executable, "-m", "ruff"]
        quiet = ["--quiet", "--no-cache", str(folder)]
        subprocess.run([*ruff, "check", "--fix-only", "--select", "F401,F811,W,I,UP", *quiet], check=True)
        subprocess.run([*ruff, "format", *quiet], check=True)
        return {Path(path): (folder / path).read_text() for path in sorted(made)}


def write() -> None:
    """Write all of them, and remove what is no longer made."""
    made = files()
    shutil.rmtree(TARGET, ignore_errors=True)
    for path, text in made.items():
        (HOUSE / path).parent.mkdir(parents=True, exist_ok=True)
        (HOUSE / path).write_text(text)
