"""Writes one module of `spnb.sync`."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator

from tests.blocking.sources import Blocked, House, Source

__all__ = ["COMMAND", "Irregular", "Writer"]

OF_BOTH = frozenset({"RoomFields"})
"""Neither async nor blocking: both faces inherit them."""
MADE_BY_USERS = frozenset({"AsyncLiveInvitations", "AsyncLiveRooms", "AsyncPrehook", "AsyncReceiver"})
"""Classes that users make themselves: their faces take the same arguments. All others are handed out."""
ONLY_ASYNC = frozenset(
    {
        "AsyncBroadcast.room",
        "AsyncClient.at_close",
        "AsyncClient.hand_out",
        "AsyncClient.shared",
        "AsyncCoHosting.broadcast_key",
    }
)
"""What async code uses among itself."""
DELEGATED = frozenset({"__len__", "__iter__", "__getitem__", "__contains__", "__bool__"})
COMMAND = "uv run --group dev python -m tests.blocking"

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Irregular(Exception):
    """A source cannot be given a blocking face as it is; the message says what to change."""


class Writer:
    """One module of `spnb.sync`."""

    def __init__(self, house: House, source: Source) -> None:
        self.house, self.source = house, source
        self.lines: list[str] = []
        self.names: list[str] = []
        self.checked: dict[str, set[str]] = {}
        """Import statements for type checkers only."""
        self.loaded: set[str] = set()
        self.copied: list[str] = []

    def module(self) -> str:
        for kind in self.source.classes:
            if not kind.startswith("_") and not self.house.is_base(kind):
                self.klass(kind)
        for function in self.source.functions:
            self.function(function)
        head = [
            f'"""The blocking twins of `spnb.{self.source.name}`.',
            "",
            f"Written by `{COMMAND}`: change that module instead.",
            '"""',
            "",
            "from __future__ import annotations",
            "",
        ]
        body = "\n".join([*self.copied, "", *self.lines])
        used = {node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)}
        ours = {"Face": "_faces", "Watch": "_faces", "asynchronous": "_faces", "blocking": "_faces", "run": "_loop"}
        loaded = self.loaded | {f"from spnb.{home} import {name}" for name, home in ours.items() if name in used}
        own = {f"from spnb.sync.{self.source.name} import {name}" for name in self.names}
        checked = {line for lines in self.checked.values() for line in lines} - loaded - own
        if checked:
            loaded.add("from typing import TYPE_CHECKING")
        head += sorted(loaded)
        if checked:
            head += ["", "if TYPE_CHECKING:", *(f"    {line}" for line in sorted(checked)), ""]
        return "\n".join([*head, "", f"__all__ = {sorted(self.names)!r}", "", body, ""])

    # -- names

    def mention(self, node: ast.AST, source: Source, *, load: bool = False) -> None:
        """Import the names that an expression of `source` uses."""
        for name in (found for found in ast.walk(node) if isinstance(found, ast.Name)):
            self.use(name.id, source, load=load)

    def use(self, name: str, source: Source, *, load: bool = False) -> None:
        blocking = f"Async{name}"
        if blocking in self.house.homes and name not in source.imports:
            self.checked.setdefault(name, set()).add(f"from spnb.sync.{self.house.homes[blocking].name} import {name}")
        elif name in source.imports:
            if not load and any(line.startswith(f"{name} = ") for line in self.copied):
                return
            line = source.imports[name]
            if load:
                self.loaded.add(line)
            else:
                self.checked.setdefault(name, set()).add(line)

    def blocked(self, node: ast.expr, source: Source) -> tuple[str, bool]:
        """An annotation for the blocking face, and whether it differs in what it names."""
        blocked = Blocked(self.house)
        changed = blocked.visit(copy.deepcopy(node))
        self.mention(changed, source)
        return ast.unparse(changed), blocked.changed or ast.unparse(node) == "Any"

    # -- classes

    def klass(self, kind: str) -> None:
        name = kind.removeprefix("Async")
        parts = self.house.bases_of(kind)
        source, node = parts[0]
        twin = f"{kind}[Any]" if self.house.generic(kind) else kind
        bases = ["Face"]
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in OF_BOTH:
                bases.append(base.id)
                self.mention(base, source, load=True)
            elif isinstance(base, ast.Subscript):
                bases.append(ast.unparse(base))
                self.mention(base.value, source, load=True)
                for parameter in (found for found in ast.walk(base.slice) if isinstance(found, ast.Name)):
                    self.parameter(parameter.id, source)
        self.use(kind, source)
        self.checked.setdefault("Any", set()).update({"from typing import Any"} if "[Any]" in twin else set())
        self.names.append(name)
        self.lines += ["", f"class {name}({', '.join(bases)}):", *self.class_doc(kind, node), ""]
        self.lines += [f"    _twin: {twin}", ""]
        if kind in MADE_BY_USERS:
            self.made(kind, source, node)
        done: set[str] = set()
        for part, owner in parts:
            self.attributes(part, owner, done)
            for method in owner.body:
                if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    self.method(part, owner, method, kind, done)
        self.lines += ["    @property", f"    def asynchronous(self) -> {twin}:"]
        self.lines += ['        """The async twin: the same object, to be awaited."""', "        return self._twin", ""]

    def parameter(self, name: str, source: Source) -> None:
        """A type variable is copied: subscripting a base needs it when the module loads."""
        for node in source.tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
                if ast.unparse(node) not in self.copied:
                    self.copied.append(ast.unparse(node))
                self.loaded.add("from typing import TypeVar")

    def class_doc(self, kind: str, node: ast.ClassDef) -> list[str]:
        text = ast.get_docstring(node) or ""
        if kind not in MADE_BY_USERS:
            text = re.sub(r"\n\nArgs:\n.*?(?=\n\n\S|\Z)", "", text, flags=re.DOTALL)
        first, *rest = text.split("\n\n", 1)
        return _doc("\n\n".join([self.words(first), f"The blocking twin of `{kind}`.", *map(self.words, rest)]), 1)

    def made(self, kind: str, source: Source, node: ast.ClassDef) -> None:
        init = next(method for method in node.body if isinstance(method, ast.FunctionDef) and method.name == "__init__")
        self.lines += [
            f"    def __init__({self.arguments(init, source)}) -> None:",
            f"        from spnb.{source.name} import {kind}",
            "",
            f"        super().__init__({kind}({self.call(init)}))",
            "",
        ]

    def attributes(self, source: Source, owner: ast.ClassDef, done: set[str]) -> None:
        """What the async class keeps under public names, as properties."""
        init = next(
            (node for node in owner.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"), None
        )
        if init is None:
            return
        given = {one.arg: one.annotation for one in [*init.args.args, *init.args.kwonlyargs]}
        for place, node in enumerate(init.body):
            kind: ast.expr | None = None
            target: ast.expr
            value: ast.expr | None
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                target, value = node.targets[0], node.value
            elif isinstance(node, ast.AnnAssign):
                target, value, kind = node.target, node.value, node.annotation
            else:
                continue
            public = isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self"
            if not isinstance(target, ast.Attribute) or not public or target.attr.startswith("_"):
                continue
            if f"{owner.name}.{target.attr}" in ONLY_ASYNC:
                continue
            if kind is None and isinstance(value, ast.Name):
                kind = given.get(value.id)
            if kind is None and isinstance(value, ast.Call) and ast.unparse(value.func) in self.house.homes:
                kind = value.func
            if kind is None:
                raise Irregular(f"{source.name}: {owner.name}.{target.attr} needs an annotation where it is set")
            words = _string(init.body[place + 1]) if place + 1 < len(init.body) else None
            if words is None and (named := next(_names(kind), None)) in self.house.homes:
                words = ast.get_docstring(self.house.homes[named].classes[named])
                words = words and words.split("\n\n")[0]
            if words is None:
                raise Irregular(f"{source.name}: {owner.name}.{target.attr} needs a docstring below it")
            done.add(target.attr)
            returns, differs = self.blocked(kind, source)
            self.lines += ["    @property", f"    def {target.attr}(self) -> {returns}:", *_doc(self.words(words), 2)]
            self.answer(f"self._twin.{target.attr}", returns, differs)

    def method(self, source: Source, owner: ast.ClassDef, node: Function, kind: str, done: set[str]) -> None:
        decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
        overloaded = "overload" in decorators
        hidden = f"{owner.name}.{node.name}" in ONLY_ASYNC
        if node.name in done or hidden or {"classmethod", "staticmethod"} & {*decorators}:
            return
        if not overloaded:
            done.add(node.name)
        if node.name.startswith("_"):
            self.special(source, node, kind)
            return
        if node.returns is None:
            raise Irregular(f"{source.name}: {owner.name}.{node.name} needs to say what it returns")
        awaited = isinstance(node, ast.AsyncFunctionDef)
        iterated = ast.unparse(node.returns).startswith("AsyncIterator[")
        result = node.returns
        call = f"self._twin.{node.name}"
        if "property" in decorators:
            if ast.unparse(result).startswith("Coroutine[") and isinstance(result, ast.Subscript):
                assert isinstance(result.slice, ast.Tuple)
                result, awaited = result.slice.elts[-1], True
            self.lines.append("    @property")
        else:
            call += f"({self.call(node)})"
        returns, differs = self.blocked(result, source)
        if overloaded:
            self.lines.append("    @overload")
            self.loaded.add("from typing import overload")
        name = "close" if node.name == "aclose" else node.name
        self.lines.append(f"    def {name}({self.arguments(node, source)}) -> {returns}:")
        if overloaded:
            self.lines += ["        ...", ""]
            return
        words = ast.get_docstring(node)
        if not words:
            raise Irregular(f"{source.name}: {owner.name}.{node.name} needs a docstring")
        self.lines += _doc(self.words(words), 2)
        if ast.unparse(result) == kind or ast.unparse(result) == "Self":
            self.lines += [f"        run({call})" if awaited else f"        {call}", "        return self", ""]
        elif iterated:
            self.lines += [f"        return Watch({call}{', faces=True' if differs else ''})", ""]
        else:
            self.answer(f"run({call})" if awaited else call, returns, differs)

    def answer(self, call: str, returns: str, differs: bool) -> None:
        if returns == "None":
            self.lines += [f"        {call}", ""]
        elif returns == "Any":
            self.lines += [f"        return blocking({call})", ""]
        elif differs:
            self.lines += [f"        found: {returns} = blocking({call})", "        return found", ""]
        else:
            self.lines += [f"        return {call}", ""]

    def special(self, source: Source, node: Function, kind: str) -> None:
        """The methods Python and Jupyter call."""
        lines = self.lines
        if node.name in DELEGATED:
            assert node.returns is not None
            returns, _ = self.blocked(node.returns, source)
            lines.append(f"    def {node.name}({self.arguments(node, source)}) -> {returns}:")
            of = {"__getitem__": "self._twin[{}]", "__contains__": "{} in self._twin"}
            made = of.get(node.name, f"{node.name.strip('_')}(self._twin)").format(*(self.call(node),))
            lines += [f"        return {made}", ""]
        elif node.name == "__aiter__":
            assert node.returns is not None
            returns, differs = self.blocked(node.returns, source)
            self.mention(node.returns, source)
            lines += [
                f"    def __iter__(self) -> {returns}:",
                f"        return Watch(aiter(self._twin){', faces=True' if differs else ''})",
                "",
                f"    def __aiter__(self) -> {ast.unparse(node.returns)}:",
                "        return aiter(self._twin)",
                "",
            ]
        elif node.name == "__aenter__":
            self.loaded.add("from typing import Self")
            lines += [
                "    def __enter__(self) -> Self:",
                "        run(self._twin.__aenter__())",
                "        return self",
                "",
            ]
            lines += [f"    async def __aenter__(self) -> {kind}{'[Any]' if self.house.generic(kind) else ''}:"]
            lines += ["        return await self._twin.__aenter__()", ""]
        elif node.name == "__aexit__":
            arguments, call = self.arguments(node, source), self.call(node)
            lines += [f"    def __exit__({arguments}) -> None:", f"        run(self._twin.__aexit__({call}))", ""]
            lines += [f"    async def __aexit__({arguments}) -> None:"]
            lines += [f"        await self._twin.__aexit__({call})", ""]
        elif node.name == "__call__" and isinstance(node, ast.AsyncFunctionDef):
            # What a server calls is async on both faces.
            words = _doc(ast.get_docstring(node) or "", 2)
            lines += [f"    async def __call__({self.arguments(node, source)}) -> None:", *words]
            lines += [f"        await self._twin({self.call(node)})", ""]
        elif node.name == "__getattr__":
            self.checked.setdefault("Any", set()).add("from typing import Any")
            lines += [
                "    def __getattr__(self, name: str) -> Any:",
                '        if name.startswith("_"):',
                "            raise AttributeError(name)",
                "        return getattr(self._twin, name)",
                "",
            ]
        elif node.name == "_repr_html_":
            lines += ["    def _repr_html_(self) -> str:", "        return self._twin._repr_html_()", ""]

    # -- functions

    def function(self, node: ast.AsyncFunctionDef) -> None:
        name = node.name.removesuffix("_async")
        assert node.returns is not None
        returns, differs = self.blocked(node.returns, self.source)
        self.names.append(name)
        self.lines += ["", f"def {name}({self.arguments(node, self.source)}) -> {returns}:"]
        self.lines += [*_doc(self.words(ast.get_docstring(node) or ""), 1)]
        self.lines += [f"    from spnb.{self.source.name} import {node.name}", ""]
        body, self.lines = self.lines, []
        self.answer(f"run({node.name}({self.call(node, method=False)}))", returns, differs)
        self.lines = body + [line[4:] for line in self.lines]

    # -- signatures

    def arguments(self, node: Function, source: Source) -> str:
        arguments = copy.deepcopy(node.args)
        for one in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]:
            if one is not None and one.annotation is not None:
                one.annotation = Blocked(self.house).visit(one.annotation)
                self.mention(one.annotation, source)
        for default in [*arguments.defaults, *arguments.kw_defaults]:
            if default is not None:
                self.mention(default, source, load=True)
        return ast.unparse(arguments)

    def call(self, node: Function, *, method: bool = True) -> str:
        arguments = node.args
        given = [self.handed(one) for one in arguments.args[1 if method else 0 :]]
        if arguments.vararg is not None:
            name = arguments.vararg.arg
            given.append(f"*{name}" if self.handed(arguments.vararg) == name else f"*map(asynchronous, {name})")
        given += [f"{one.arg}={self.handed(one)}" for one in arguments.kwonlyargs]
        if arguments.kwarg is not None:
            given.append(f"**{arguments.kwarg.arg}")
        return ", ".join(given)

    def handed(self, argument: ast.arg) -> str:
        blocked = Blocked(self.house)
        if argument.annotation is not None:
            blocked.visit(copy.deepcopy(argument.annotation))
        return f"asynchronous({argument.arg})" if blocked.changed else argument.arg

    def words(self, text: str) -> str:
        """A docstring of the async face in the words of the blocking one."""
        text = re.sub(r"\basync (with|for)\b", r"\1", text)
        text = re.sub(r"\bawait (?=\w)", "", text)
        return re.sub(r"\bAsync[A-Z]\w*", lambda found: _blocking_name(found.group(), self.house), text)


def _blocking_name(name: str, house: House) -> str:
    return name.removeprefix("Async") if name in house.homes else name


def _names(node: ast.AST) -> Iterator[str]:
    return (found.id for found in ast.walk(node) if isinstance(found, ast.Name))


def _string(node: ast.stmt) -> str | None:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return node.value.value
    return None


def _doc(text: str, depth: int) -> list[str]:
    indent = "    " * depth
    lines = text.splitlines()
    if len(lines) == 1:
        return [f'{indent}"""{text}"""']
    return [f'{indent}"""{lines[0]}', *(f"{indent}{line}" if line else "" for line in lines[1:]), f'{indent}"""']
