"""The floors of the house: no import runs upward, no file outgrows one idea, importing is quick and quiet."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "spnb"
FLOORS = {
    "errors": 0,
    "models": 0,
    "config": 0,
    "_loop": 0,
    "observers": 0,
    "client": 1,
    "realtime": 1,
    "live": 2,
    "recordings": 2,
    "broadcast": 3,
    "analytics": 3,
    "webhooks": 3,
    "_capture": 4,
    "_connect": 4,
    "widgets": 5,
    "bench": 5,
    "cli": 5,
    "testing": 5,
    "__main__": 5,
}
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
    if part == "sandbox":
        assert all(name == "sandbox" or FLOORS[name] == 0 for name in imports), imports
        return
    if part == "bench":
        return  # measures every floor
    # the door of the sandbox may be used by what connects and by the faces, nobody else
    if "sandbox" in imports:
        assert FLOORS[part] >= 4
    assert all(FLOORS[name] <= FLOORS[part] for name in imports - {"sandbox"}), imports


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_is_one_idea(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 500


def test_importing_loads_nothing_heavy_and_opens_nothing() -> None:
    program = "import sys, spnb; print(sorted({name.split('.')[0] for name in sys.modules}))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = ("livekit", "aiortc", "av", "pandas", "plotly", "numpy", "ipywidgets", "httpx", "pydantic", "aiomqtt")
    assert not [name for name in heavy if f"'{name}'" in told.stdout]
    assert told.stderr == ""


def test_every_public_name_loads() -> None:
    import spnb

    for name in spnb.__all__:
        assert getattr(spnb, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = spnb.nothing  # type: ignore[attr-defined]
    assert set(spnb.__all__) <= set(dir(spnb))
