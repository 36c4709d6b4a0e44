"""What tests bundle by Node is made once for all workers, and whole or not at all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.node import bundled

CALL = "import sys; from pathlib import Path; from tests.node import bundled; print(bundled(*map(Path, sys.argv[1:])))"
PACKAGE = {"name": "one", "version": "1.0.0", "scripts": {"build": "node build.mjs"}}
LOCK = {"name": "one", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": {"name": "one", "version": "1.0.0"}}}
BUILD = """
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
mkdirSync("bundles");
appendFileSync(process.env.BUILDS, "built\\n");
if (process.env.HALF) process.kill(process.ppid, "SIGKILL");
writeFileSync("bundles/it.js", "whole");
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if shutil.which("npm") is None:
        pytest.skip("needs Node")
    app = tmp_path / "it" / "app"
    app.mkdir(parents=True)
    (app / "package.json").write_text(json.dumps(PACKAGE))
    (app / "package-lock.json").write_text(json.dumps(LOCK))
    (app / "build.mjs").write_text(BUILD)
    monkeypatch.setenv("BUILDS", str(tmp_path / "builds"))
    return app


def started(app: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", CALL, str(app), str(app.parents[1] / "cache")]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_several_workers_make_it_once(app: Path) -> None:
    workers = [started(app) for _ in range(2)]
    told = [worker.communicate(timeout=120) for worker in workers]
    copies = {out.strip() for out, _ in told}
    assert len(copies) == 1, told
    assert (Path(copies.pop()) / "bundles" / "it.js").read_text() == "whole"
    assert Path(app.parents[1] / "builds").read_text() == "built\n"


def test_one_that_was_ended_half_way_leaves_nothing(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALF", "1")
    ended = started(app)
    ended.communicate(timeout=120)
    assert ended.returncode != 0
    monkeypatch.delenv("HALF")
    assert (bundled(app, app.parents[1] / "cache") / "bundles" / "it.js").read_text() == "whole"


def test_what_changed_is_made_again(app: Path) -> None:
    first = bundled(app, app.parents[1] / "cache")
    (app / "build.mjs").write_text(BUILD.replace("whole", "another"))
    second = bundled(app, app.parents[1] / "cache")
    assert [(made / "bundles" / "it.js").read_text() for made in (first, second)] == ["whole", "another"]
