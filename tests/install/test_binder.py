"""What visitors of the Binder demo get: its environment, built from an empty one, and the notebooks run in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import tomllib
import venv
from pathlib import Path
from typing import Any

import pytest

from tests.install.test_wheel import ROOT, plain_environment
from tests.pythons import uv


def test_binder_installs_exactly_what_is_tested() -> None:
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["constraint-dependencies"]
    lines = (ROOT / "binder" / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == pins
    assert {pin.split("==")[0] for pin in pins} >= {"livekit", "aiortc", "jupyterlab", "jupyter-server-proxy"}


def environment_of(place: Path, home: Path) -> dict[str, str]:
    """A visitor's, in the environment that was built."""
    environment = plain_environment(home)
    environment["PATH"] = os.pathsep.join([str(place / "bin"), environment["PATH"]])
    return environment


def build(base: Path, *, compiled: bool = False) -> tuple[Path, Path, float]:
    """The image's steps, in an empty environment: where that is, where the repository, and how many seconds it took.

    Args:
        base: an empty folder.
        compiled: as pip does in the image, once and not by each visitor; it matters where times are measured.
    """
    began = time.monotonic()
    place = base / "venv"
    venv.create(place)
    repository = base / "repository"
    kept = shutil.ignore_patterns("node_modules", ".venv", ".git", ".*_cache", "test-output", "uv.lock")
    shutil.copytree(ROOT, repository, ignore=kept)
    wheels_only = ["--only-binary", ":all:", "--no-binary", "spnb"]
    install = [*uv(), "pip", "install", "--quiet", *(["--compile-bytecode"] if compiled else [])]
    into = ["--python", str(place / "bin" / "python")]
    subprocess.run([*install, *into, *wheels_only, "-r", "binder/requirements.txt"], cwd=repository, check=True)
    environment = environment_of(place, base)
    built = subprocess.run(
        ["bash", "binder/postBuild"], cwd=repository, env=environment, text=True, capture_output=True
    )
    assert built.returncode == 0, built.stderr
    assert built.stdout.startswith("spnb ")
    return place, repository, time.monotonic() - began


@pytest.mark.slow
@pytest.mark.media
@pytest.mark.timeout(500)
def test_the_notebooks_run_headless_where_binder_would_run_it(tmp_path: Path) -> None:
    """The image's steps in the image's order, from wheels alone."""
    place, repository, _ = build(tmp_path)
    environment = environment_of(place, tmp_path)
    outputs = executed("01_go_live.ipynb", repository, environment)
    printed = "".join("".join(output["text"]) for output in outputs if output.get("name") == "stdout")
    assert re.search(r"idle → live → (waitingReconnect → )?ended → recorded", printed)
    assert "We are live!" in printed
    outputs = executed("03_lifecycle_and_chat.ipynb", repository, environment)
    printed = "".join("".join(output["text"]) for output in outputs if output.get("name") == "stdout")
    assert "room.ended → room.recorded" in printed


def executed(name: str, repository: Path, environment: dict[str, str]) -> list[Any]:
    """The outputs of a notebook that is run headless; none of them may be an error or a complaint."""
    done = repository / "notebooks" / f"done-{name}"
    told = subprocess.run(
        ["jupyter", "execute", "--output", str(done), f"notebooks/{name}"],
        cwd=repository,
        env=environment,
        text=True,
        capture_output=True,
        timeout=240,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    cells = [cell for cell in json.loads(done.read_text())["cells"] if cell["cell_type"] == "code"]
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not [output for output in outputs if output.get("name") == "stderr" or output["output_type"] == "error"]
    return outputs
