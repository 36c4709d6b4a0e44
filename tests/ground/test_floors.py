"""The floors of the house: no import runs upward, no file outgrows one idea, importing is quick and quiet."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "spnb"
FLOORS = {
    "errors": 0,
    "gaps": 0,
    "models": 0,
    "record": 0,
    "_opening": 0,
    "statuses": 0,
    "config": 0,
    "_arguments": 0,
    "ice": 0,
    "_lasting": 0,
    "_patience": 0,
    "_places": 0,
    "_stage_layout": 0,
    "_loop": 0,
    "_threads": 0,
    "_proxies": 0,
    "_in_step": 0,
    "_publishing": 0,
    "_push": 0,
    "_version": 0,
    "_faces": 0,
    "_twins": 0,
    "observers": 0,
    "client": 1,
    "realtime": 1,
    "live": 2,
    "recordings": 2,
    "broadcast": 2,
    "analytics": 3,
    "webhooks": 3,
    "_connect": 4,
    "sync": 5,
    "_capture": 6,
    "widgets": 7,
    "bench": 7,
    "cli": 7,
    "testing": 7,
    "__main__": 7,
}
UPWARD = {
    # convenience methods that reach up, when they are called: the numbers, the report and the figures of what is below
    ("analytics.dataset", "analytics.dimensions"),
    ("analytics.dataset", "analytics.kpis"),
    ("analytics.dataset", "analytics.period"),
    ("analytics.dataset", "analytics.report"),
    ("analytics.dataset", "analytics.words"),
    ("analytics.period", "analytics.figures.html"),
    ("analytics.period", "analytics.figures.page"),
    ("analytics.report", "analytics.figures.html"),
    ("analytics.report", "analytics.figures.page"),
    # a client hands out what follows its rooms
    ("client.rooms", "live.collection"),
    ("sync.client.rooms", "sync.live.collection"),
    # whoever hooks an event has the collection followed that tells of it
    ("live.hook_feed", "live.collection"),
    # an invitation that is accepted hands out its room
    ("live.invitation", "live.room"),
    ("sync.live.invitation", "sync.live.room"),
    # a media server's parts and what they belong to
    ("sandbox.media.forward", "sandbox.media.track"),
    ("sandbox.media.participant", "sandbox.media.room"),
    ("sandbox.media.room_service", "sandbox.media.server"),
    ("sandbox.media.signalling", "sandbox.media.server"),
    ("sandbox.media.subscriber", "sandbox.media.participant"),
    ("sandbox.media.uplink", "sandbox.media.participant"),
}
"""All imports that close a circle. Each is done late, in a function or for type checkers only."""
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "node_modules" not in path.parts)


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_parts(path: Path) -> set[str]:
    """The parts of spnb that a file imports, anywhere in it (type-checking blocks too)."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "spnb":
            names = [node.module] if "." in node.module else [f"spnb.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("spnb.")]
        else:
            continue
        found |= {name.split(".")[1] for name in names if "." in name}
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_import_runs_upward(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        return  # the package's face names everything, on first use only
    imports = imported_parts(path) & (FLOORS.keys() | {"sandbox"})
    imports -= {target.split(".")[0] for start, target in UPWARD if start == module_of(path)}
    if path.name == "__init__.py":
        imports -= {"sync"}  # handed on late, for type checkers and users
    if part == "sandbox":
        assert all(name == "sandbox" or FLOORS[name] == 0 for name in imports), imports
        return
    if part == "bench":
        return  # measures every floor
    # the sandbox's own face may be used by what connects and by the faces, nobody else
    if "sandbox" in imports:
        assert FLOORS[part] >= 4
    assert all(FLOORS[name] <= FLOORS[part] for name in imports - {"sandbox"}), imports


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in SOURCES}


def imports_of(nodes: Iterable[ast.AST]) -> set[str]:
    """The modules of spnb that these statements import; what a package hands on counts as the package."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and f"{node.module}.".startswith("spnb."):
            package = node.module.removeprefix("spnb").removeprefix(".")
            for alias in node.names:
                inner = f"{package}.{alias.name}".removeprefix(".")
                found.add(inner if inner in MODULES else package)
        elif isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("spnb.") for alias in node.names if alias.name.startswith("spnb.")}
    return found & MODULES.keys()


def late(tree: ast.Module) -> Iterator[ast.AST]:
    """The statements that do not run when a module is loaded."""
    for node in ast.walk(tree):
        function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        if function or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield from ast.walk(node)


def test_no_imports_run_in_a_circle() -> None:
    graph = {}
    for module, path in MODULES.items():
        tree = ast.parse(path.read_text())
        graph[module] = imports_of(ast.walk(tree)) - {module}
        for start, target in UPWARD:
            if start == module:
                assert target in imports_of(late(tree)), f"{start} does not import {target} late any more: unlist it"
                graph[module].discard(target)
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


def names_imported(path: Path) -> set[str]:
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    return {f"{node.module}.{alias.name}" for node in nodes for alias in node.names}


HANDED_ON = {
    f"spnb.{module}".rstrip(".") + "." + name.rpartition(".")[2]
    for module, path in MODULES.items()
    if path.name == "__init__.py"
    for name in names_imported(path)
    if name.startswith("spnb.sync.")
}
"""The blocking names, where packages of async modules hand them on."""


def test_async_modules_import_no_blocking_face() -> None:
    for module in MODULES:
        if not module.startswith("sync") and FLOORS.get(module.split(".")[0], 0) < FLOORS["sync"]:
            path = MODULES[module]
            faces = {name for name in imports_of(ast.walk(ast.parse(path.read_text()))) if name.startswith("sync")}
            # A package hands its blocking names on, late; so does the house's own face.
            assert not faces or path.name == "__init__.py", (module, faces)
            assert path.name == "__init__.py" or not names_imported(path) & HANDED_ON, module


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_is_one_idea(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 500


@pytest.mark.parametrize("package", ["spnb", "spnb.analytics", "spnb.broadcast.sources", "spnb.sandbox"])
def test_a_name_that_is_handed_out_late_is_no_modules_too(package: str) -> None:
    """Whoever imports the module first would be handed it in place of the function."""
    module = importlib.import_module(package)
    for name in getattr(module, "_HOMES", module.__all__):
        assert importlib.util.find_spec(f"{package}.{name}") is None, f"{package}.{name}"


def test_importing_loads_nothing_heavy_and_opens_nothing() -> None:
    loaded = "print(sorted({name.split('.')[0] for name, module in sys.modules.items() if module}))"
    program = f"import sys, spnb; {loaded}"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = ("livekit", "aiortc", "av", "pandas", "plotly", "numpy", "ipywidgets", "httpx", "pydantic", "aiomqtt")
    assert not [name for name in heavy if f"'{name}'" in told.stdout]
    assert told.stderr == ""

    # What a first cell uses needs no command lines.
    program = f"import sys, spnb; spnb.connect, spnb.Player, spnb.TestCard; {loaded}"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "'httpx'" in told.stdout
    assert not [name for name in ("click", "rich", "cyclopts") if f"'{name}'" in told.stdout]


def test_every_public_name_loads() -> None:
    import spnb

    for name in spnb.__all__:
        assert getattr(spnb, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = spnb.nothing  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "package", ["spnb", "spnb.analytics", "spnb.broadcast", "spnb.client", "spnb.live", "spnb.sandbox", "spnb.webhooks"]
)
def test_what_is_public_is_completed_before_it_was_used(package: str) -> None:
    program = f"import {package} as it; print(sorted(set(it.__all__) - set(dir(it))))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
