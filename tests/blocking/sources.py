"""What blocking faces are made from: the async modules, their classes and functions, and where their names live."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path

from spnb._faces import MODULES

__all__ = ["HOUSE", "PACKAGE", "Blocked", "House", "Source"]

HOUSE = Path(__file__).resolve().parents[2]
PACKAGE = HOUSE / "spnb"


@dataclass
class Source:
    """An async module: its tree, and where each name it uses comes from."""

    name: str
    tree: ast.Module
    imports: dict[str, str] = field(default_factory=dict)
    """The import statement of each name it imports or defines."""

    @classmethod
    def of(cls, name: str, text: str | None = None) -> Source:
        path = (PACKAGE / name.replace(".", "/")).with_suffix(".py")
        source = cls(name, ast.parse(path.read_text() if text is None else text))
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ImportFrom) and node.module != "__future__":
                for alias in node.names:
                    line = f"from {node.module} import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")
                    source.imports[alias.asname or alias.name] = line
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    line = f"import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")
                    source.imports[alias.asname or alias.name] = line
        for node in source.tree.body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                names = [node.name]
            elif isinstance(node, ast.Assign):
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names = [node.target.id]
            else:
                continue
            source.imports.update((defined, f"from spnb.{name} import {defined}") for defined in names)
        return source

    @property
    def classes(self) -> dict[str, ast.ClassDef]:
        found = (node for node in self.tree.body if isinstance(node, ast.ClassDef))
        return {node.name: node for node in found if node.name.startswith("Async")}

    @property
    def functions(self) -> list[ast.AsyncFunctionDef]:
        found = (node for node in self.tree.body if isinstance(node, ast.AsyncFunctionDef))
        return [node for node in found if node.name.endswith("_async") and not node.name.startswith("_")]


class House:
    """All async sources."""

    def __init__(self, sources: dict[str, Source] | None = None) -> None:
        self.sources = {name: Source.of(name) for name in MODULES} if sources is None else sources
        self.homes = {kind: source for source in self.sources.values() for kind in source.classes}

    def generic(self, kind: str) -> bool:
        return any(ast.unparse(base).startswith("Generic[") for base in self.homes[kind].classes[kind].bases)

    def bases_of(self, kind: str) -> list[tuple[Source, ast.ClassDef]]:
        """The class and its async bases, the nearest first."""
        source = self.homes[kind]
        node = source.classes[kind]
        found = [(source, node)]
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in self.homes:
                found += self.bases_of(base.id)
        return found

    def is_base(self, kind: str) -> bool:
        nodes = (node for source in self.sources.values() for node in source.classes.values())
        return any(isinstance(base, ast.Name) and base.id == kind for node in nodes for base in node.bases)


class Blocked(ast.NodeTransformer):
    """An annotation of the async face as that of the blocking one. What observers are called with stays async."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.changed = False

    def visit_Name(self, node: ast.Name) -> ast.Name:
        if node.id in self.house.homes:
            self.changed = True
            return ast.Name(node.id.removeprefix("Async"))
        if node.id == "R":
            self.changed = True
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == "Callable":
            return node
        if isinstance(node.value, ast.Name) and node.value.id == "AsyncIterator":
            node.value = ast.Name("Watch")
        return self.generic_visit(node)
