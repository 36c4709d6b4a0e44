"""Notebooks 04 to 06 as they are shipped; `tests/lab` runs them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from spnb.cli.lab import copy_notebooks

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ("04_stream_analytics", "05_portfolio", "06_bring_your_own_data")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_reader_without_a_kernel_sees_a_picture(name: str, tmp_path: Path) -> None:
    copied = next(path for path in copy_notebooks(tmp_path) if path.stem == name)
    (picture,) = re.findall(r"!\[[^\]]+\]\((images/[\w-]+\.png)\)", copied.read_text(encoding="utf-8"))
    assert 10_000 < (tmp_path / picture).stat().st_size < 150_000


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_output_is_kept(name: str) -> None:
    cells = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text())["cells"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells if "outputs" in cell)
