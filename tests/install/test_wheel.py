"""What users install: the wheel, in an empty environment, does the main job."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests import pythons
from tests.pythons import uv

ROOT = Path(__file__).resolve().parents[2]


def interpreter(version: str) -> str:
    """A Python of that version on this machine."""
    found = pythons.find(version)
    if found is None:
        pytest.skip(f"there is no Python {version} on this machine")
    return found


def plain_environment(home: Path) -> dict[str, str]:
    """The environment of a new user: nothing of the one the tests run in."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("COV", "PYTHON", "JUPYTER", "VIRTUAL_ENV"))}
    return kept | {"SPNB_HOME": str(home / "spnb"), "HOME": str(home)}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([*uv(), "build", "--quiet", "--out-dir", str(folder), str(ROOT)], check=True)
    assert list(folder.glob("*.tar.gz")), "the sdist is missing"
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_built_assets_and_notebooks_and_no_sources_of_them(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    notebooks = [f"spnb/notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")]
    assert len(notebooks) >= 3
    built = ("hub.js", "spnb.css", "THIRD_PARTY_LICENSES.txt")
    for needed in (*(f"spnb/widgets/static/{name}" for name in built), *notebooks):
        assert needed in names
    assert not [name for name in names if "/js/" in name or "node_modules" in name or name.startswith("tests")]
    assert wheel.stat().st_size < 2_700_000


def test_the_sdist_builds_the_same_wheel_and_both_are_fit_for_an_index(wheel: Path, tmp_path: Path) -> None:
    sdist = next(wheel.parent.glob("*.tar.gz"))
    subprocess.run([*uv(), "build", "--quiet", "--wheel", "--out-dir", str(tmp_path), str(sdist)], check=True)
    again = next(tmp_path.glob("*.whl"))
    assert sorted(zipfile.ZipFile(again).namelist()) == sorted(zipfile.ZipFile(wheel).namelist())
    checked = subprocess.run(
        [*uv(), "tool", "run", "--quiet", "twine", "check", "--strict", str(wheel), str(sdist)],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("platform", ["x86_64-unknown-linux-gnu", "aarch64-apple-darwin", "x86_64-pc-windows-msvc"])
@pytest.mark.parametrize("version", ["3.11", "3.14"])
def test_wheels_alone_install_it_on_every_system(platform: str, version: str) -> None:
    target = ["--python-version", version, "--python-platform", platform, "--only-binary", ":all:"]
    told = subprocess.run(
        [*uv(), "pip", "compile", "--quiet", *target, str(ROOT / "pyproject.toml")],
        env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    assert "livekit==" in told.stdout


@pytest.mark.slow
@pytest.mark.media
@pytest.mark.timeout(300)
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_the_wheel_goes_live_from_an_empty_environment(wheel: Path, tmp_path: Path, version: str) -> None:
    place = tmp_path / "venv"
    subprocess.run([*uv(), "venv", "--quiet", "--python", interpreter(version), str(place)], check=True)
    python = place / "bin" / "python"
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["constraint-dependencies"]
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("\n".join(pins))
    install = [*uv(), "pip", "install", "--quiet", "--python", str(python), "-c", str(constraints), str(wheel)]
    subprocess.run(install, check=True)
    environment = plain_environment(tmp_path)
    told = subprocess.run(
        [str(place / "bin" / "spnb"), "demo", "--seconds", "3", "--out", str(tmp_path / "out")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    last = told.stdout.strip().splitlines()[-1]
    found = re.search(r"(/\S+\.mp4)\s+([\d.]+) s, 1280×720, (\d+) frames, with sound", last)
    assert found is not None, told.stdout
    assert Path(found[1]).is_file()
    assert 2.5 <= float(found[2]) <= 4.5
    assert int(found[3]) >= 75
