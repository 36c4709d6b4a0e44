"""What a docstring says of arguments is so: each that it names is one."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from traitlets import HasTraits

import spnb

HOUSE = Path(spnb.__file__).parent
ENTRY = re.compile(r"^(\S[^:]*):( |$)")


def told_of(docstring: str) -> Iterator[str]:
    """What stands before the colon of each entry under `Args:`."""
    section = re.search(r"^Args:\n((?: +.*\n?|\n)+)", docstring, re.MULTILINE)
    for line in section[1].splitlines() if section else ():
        if line.startswith("    ") and not line.startswith("     ") and (entry := ENTRY.match(line.strip())):
            yield entry[1]


def taken_by(made: Any) -> set[str]:
    """The names of a function's arguments."""
    words = made.args
    rest = [one for one in (words.vararg, words.kwarg) if one]
    return {one.arg for one in [*words.posonlyargs, *words.args, *words.kwonlyargs, *rest]}


def described(tree: ast.Module) -> Iterator[tuple[str, str, set[str]]]:
    """Each function, or class with an `__init__` of its own, that tells of arguments: its name, text and arguments."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        made: list[Any] = [node]
        if isinstance(node, ast.ClassDef):
            made = [one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"]
        if made and (text := ast.get_docstring(node)):
            yield node.name, text, taken_by(made[0])


def is_option(path: Path, name: str, word: str) -> bool:
    """Whether a widget takes it as one of its traits, by `**keywords`."""
    dotted = ".".join(["spnb", *path.relative_to(HOUSE).with_suffix("").parts])
    made = getattr(importlib.import_module(dotted), name, None)
    return isinstance(made, type) and issubclass(made, HasTraits) and word in made.class_trait_names()


def test_each_argument_told_of_is_one() -> None:
    wrong: list[str] = []
    told = 0
    for path in HOUSE.rglob("*.py"):
        for name, text, taken in described(ast.parse(path.read_text())):
            for entry in told_of(text):
                told += 1
                words = {word.strip().lstrip("*") for word in entry.split(",")}
                if not words <= taken and not is_option(path, name, entry):
                    wrong.append(f"{path.relative_to(HOUSE)}: {name} has no argument {entry}")
    assert not wrong
    assert told > 1000
