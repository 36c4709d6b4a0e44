"""Notebooks 04 to 06 as an analyst opens them: in JupyterLab, on a sandbox with a season of streams."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from spnb import analytics, sandbox
from spnb.bench.lab import Lab, calm_camera, open_lab
from spnb.cli.lab import copy_notebooks

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ("04_stream_analytics", "05_portfolio", "06_bring_your_own_data")
TOLD = {
    "04_stream_analytics": ("people** watched", "watched for half a minute", "distinct users with a session"),
    "05_portfolio": ("**What works.**", "watched again in the week after", "largest difference"),
    "06_bring_your_own_data": ("holds time stamps without a zone", "under 30 s apart", "Launch day", "bilibili.xml"),
}
FIGURES = {"04_stream_analytics": 3, "05_portfolio": 6, "06_bring_your_own_data": 1}
WIDGETS = {
    "04_stream_analytics": (".spnb-page .js-plotly-plot",),
    "05_portfolio": (".spnb-overview .spnb-kpi", ".spnb-streams tbody tr"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    """A lab whose kernels find the very season that the notebooks would write, in a sandbox of their own."""
    base = tmp_path_factory.mktemp("analyst")
    sandbox.backfill(streams=300, views=150_000, messages=300_000, data_dir=base / "spnb" / "sandbox")
    async with open_lab(base, shots=ROOT / "test-output" / "screenshots", camera=calm_camera) as made:
        yield made


@pytest.mark.parametrize("name", NOTEBOOKS)
async def test_a_notebook_tells_its_story_without_a_warning(lab: Lab, name: str) -> None:
    shutil.copyfile(ROOT / "notebooks" / f"{name}.ipynb", lab.folder / f"{name}.ipynb")
    await lab.open(f"{name}.ipynb")
    outputs = [output for cell in await lab.run_all() for output in cell]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    said = json.dumps(outputs, ensure_ascii=False)
    for words in TOLD[name]:
        assert words in said
    assert "nan" not in said.split()  # a sentence without its number
    notebook = lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    for selector in WIDGETS.get(name, ()):
        await notebook.locator(selector).first.wait_for()
    drawn = notebook.locator(".js-plotly-plot:not(.spnb *)")
    for number in range(FIGURES[name]):
        await drawn.nth(number).wait_for()
    assert await drawn.count() == FIGURES[name]
    await lab.shot(name)
    await lab.close()
    assert not [line for line in lab.console if line.startswith("pageerror")]


async def test_what_a_notebook_leaves_behind_is_the_season(lab: Lab) -> None:
    """The folder of notebook 05 is a dataset, its page from 04 a whole file."""
    saved = analytics.load(lab.folder / "season")
    assert (saved.rows("rooms"), saved.rows("views"), saved.rows("messages")) == (300, 150_000, 300_000)
    assert (lab.folder / "stream.html").read_text(encoding="utf-8").endswith("</html>")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_reader_without_a_kernel_sees_a_picture(name: str, tmp_path: Path) -> None:
    copied = next(path for path in copy_notebooks(tmp_path) if path.stem == name)
    (picture,) = re.findall(r"!\[[^\]]+\]\((images/[\w-]+\.png)\)", copied.read_text(encoding="utf-8"))
    assert 10_000 < (tmp_path / picture).stat().st_size < 150_000


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_output_is_kept(name: str) -> None:
    cells = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text())["cells"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells if "outputs" in cell)
