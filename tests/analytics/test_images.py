"""Figures as files, drawn by the machine's own Chromium."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import av
import pytest

from spnb import analytics
from spnb.analytics import figures
from spnb.bench.lab import chromium
from spnb.errors import InvalidInput
from tests.analytics.season import season

pytestmark = [pytest.mark.browser, pytest.mark.slow]
HEADS = {"png": b"\x89PNG", "svg": b"<svg", "pdf": b"%PDF-"}


@pytest.fixture(scope="module")
def report() -> analytics.StreamReport:
    return analytics.load(season(streams=2, seed=1)).report("s1")


@pytest.mark.parametrize("kind", HEADS)
def test_a_figure_becomes_a_file(
    report: analytics.StreamReport, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PATH", chromium())
    path = figures.save_image(figures.stream_stack(report, dark=True), tmp_path / f"stack.{kind}", width=800, scale=1)
    assert path.read_bytes().startswith(HEADS[kind])
    if kind == "svg":
        # a title is text in it, whatever it holds
        assert "&#60;b&#62;Stream&#60;/b&#62; 1" in path.read_text()


def test_a_page_becomes_a_folder_of_files(
    report: analytics.StreamReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PATH", chromium())
    made = figures.save_images(report.figures(), tmp_path / "page", width=600, scale=2)
    assert [path.stem for path in made] == list(report.figures())
    with av.open(str(made[0])) as picture:
        assert (picture.streams.video[0].width, picture.streams.video[0].height) == (1200, 1240)


def test_what_is_missing_is_named(report: analytics.StreamReport, tmp_path: Path) -> None:
    made = figures.retention_curve(report.retention)
    for name in ("picture.bmp", "picture"):
        with pytest.raises(InvalidInput, match="choose from png, svg, pdf"):
            figures.save_image(made, tmp_path / name)
    with pytest.raises(InvalidInput, match="no folder"):
        figures.save_image(made, tmp_path / "nowhere" / "picture.png")
    program = (
        "import plotly.graph_objects as go\nfrom spnb.analytics.figures import save_image\nfrom spnb.errors import *\n"
        "try:\n    save_image(go.Figure(layout={'height': 300}), 'picture.png')\n"
        "except ConfigError as error:\n    print(error)"
    )
    without_chrome = {
        **os.environ,
        "PATH": str(tmp_path),
        "BROWSER_PATH": str(tmp_path / "none"),
        "HOME": str(tmp_path),
    }
    told = subprocess.run(
        [sys.executable, "-c", program], env=without_chrome, cwd=tmp_path, capture_output=True, text=True
    )
    assert "BROWSER_PATH" in told.stdout, told.stderr
