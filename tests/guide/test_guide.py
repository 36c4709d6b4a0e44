"""The guide: its code runs as it stands, every public name is shown at work, and the site is whole."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

import pytest

import spnb
from spnb.bench.lab import chromium
from tests.conftest import RunningSandbox, start_sandbox
from tests.docs import GUIDE, HOUSE, REFERENCE, write_pages

PAGES = sorted(GUIDE.glob("*.md"))
BLOCK = re.compile(r"^```(python|bash)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str, mark: str = "") -> list[str]:
    """The blocks of a language that are run: in Python those without a title, else those with the title `mark`."""
    wanted = f' title="{mark}"' if mark else ""
    return [code for kind, title, code in BLOCK.findall(page.read_text()) if (kind, title) == (language, wanted)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """The sandbox that a reader of the guide would have: their own."""
    running = start_sandbox(tmp_path_factory.mktemp("guide"), "--no-rate-limit", "--grace", "3")
    yield running
    running.stop()


@pytest.mark.slow
@pytest.mark.media
@pytest.mark.timeout(240)
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.stem)
def test_the_code_of_a_page_runs(page: Path, home: RunningSandbox, tmp_path: Path) -> None:
    """Each page is read from its beginning, in a folder of its own. Its readers have an own sandbox; here it is one
    that is named by the environment, which changes nothing but whose it is."""
    program = tmp_path / f"page_{page.stem}.py"
    program.write_text("\n".join(blocks(page, "python")))
    told = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env={
            **os.environ,
            "SOCIALPLUS_URL": home.url,
            "SOCIALPLUS_API_KEY": home.api_key,
            "SOCIALPLUS_USER_ID": "reader",
        },
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.slow
@pytest.mark.browser
def test_the_nightly_report_is_made(home: RunningSandbox, tmp_path: Path) -> None:
    """It stands alone, for it ends with an exit code, and needs a browser for its picture."""
    with spnb.connect("nightly", url=home.url, api_key=home.api_key) as sp:
        spnb.sandbox.backfill(days=1, streams=2, views=20, messages=20, seed=1, sandbox=sp)
    (program,) = blocks(GUIDE / "recipes.md", "python", "needs spnb[images]")
    environment = {"SOCIALPLUS_URL": home.url, "SOCIALPLUS_API_KEY": home.api_key, "SOCIALPLUS_USER_ID": "nightly"}
    told = subprocess.run(
        [sys.executable, "-c", f"import spnb\n{program}"],
        cwd=tmp_path,
        env={**os.environ, **environment, "BROWSER_PATH": chromium()},
        capture_output=True,
        text=True,
    )
    assert (told.returncode, told.stderr) == (1, ""), "fewer than a hundred saw it"
    assert (tmp_path / "last-night.html").read_text().startswith("<!")
    assert (tmp_path / "last-night.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_async_all_of_it_runs(home: RunningSandbox) -> None:
    (block,) = blocks(GUIDE / "recipes.md", "python", "async")
    program = f"import asyncio, spnb\nasync def main():\n{indent(block, '    ')}\nasyncio.run(main())"
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "SOCIALPLUS_URL": home.url, "SOCIALPLUS_API_KEY": home.api_key},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr


def test_what_is_shown_for_the_shell_runs(home: RunningSandbox) -> None:
    (program,) = blocks(GUIDE / "wire.md", "bash", "run by the tests")
    told = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", program],
        env={**os.environ, "SOCIALPLUS_URL": home.url, "SOCIALPLUS_API_KEY": home.api_key},
        capture_output=True,
        text=True,
    )
    assert '"title":"made by curl"' in told.stdout, told.stdout + told.stderr


def test_commands_in_the_guide_exist() -> None:
    from spnb.cli.app import app

    named = {
        word
        for page in [*PAGES, HOUSE / "README.md"]
        for word in re.findall(r"(?:^|`|run )spnb ([a-z]+)", page.read_text(), re.MULTILINE)
    }
    assert named - {"brings"} <= set(app)


def test_every_public_name_is_explained_and_shown_at_work() -> None:
    explained = " ".join(name for _, _, names in REFERENCE.values() for name in names)
    shown = "\n".join(code for page in PAGES for _, _, code in BLOCK.findall(page.read_text()))
    shown += "\n".join(path.read_text() for path in (HOUSE / "notebooks").glob("*.ipynb"))
    for name in spnb.__all__:
        if name in ("__version__", "widgets"):
            continue  # the widgets are named one by one
        assert re.search(rf"\b{name}\b", explained), f"{name} is on no page of the reference"
        assert re.search(rf"spnb\.{name}\b|\b{name}\(", shown), f"{name} is shown nowhere"
    for part in (spnb.analytics, spnb.broadcast, spnb.sandbox, spnb.testing, spnb.webhooks):
        unseen = {name for name in part.__all__ if not re.search(rf"\b{name}\b", shown)}
        assert not unseen, f"of {part.__name__} the guide shows nowhere at work: {', '.join(sorted(unseen))}"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    """By the tool's own environment: nobody who runs spnb or its tests needs it."""
    pages = tmp_path / "pages"
    write_pages(pages)
    configuration = tmp_path / "mkdocs.yml"
    text = (HOUSE / ".docs" / "mkdocs.yml").read_text()
    text = text.replace("docs_dir: ../test-output/docs", f"docs_dir: {pages}")
    text = text.replace("site_dir: ../spnb/site", f"site_dir: {tmp_path / 'site'}").replace('[".."]', f'["{HOUSE}"]')
    configuration.write_text(text)
    theme, reference = tomllib.loads((HOUSE / "pyproject.toml").read_text())["dependency-groups"]["docs"]
    tool = ["uv", "tool", "run", "--quiet", "--from", theme, "--with", reference]
    told = subprocess.run(
        [*tool, "mkdocs", "build", "--quiet", "-f", str(configuration)],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    site = tmp_path / "site"
    made = {page.stem for page in site.glob("*.html")}
    assert made >= {page.stem for page in PAGES}
    assert "until" in (site / "reference" / "rooms.html").read_text()
    assert (site / "llms.txt").read_text().startswith("# spnb")
