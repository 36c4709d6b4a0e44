"""What comes along is named, licensed, and the very versions that are tested."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.advisories import verdict
from tests.licences import TARGET, text

ROOT = Path(__file__).resolve().parents[2]


def test_licence_texts_of_all_bundled_javascript_are_in_the_package() -> None:
    texts = (ROOT / "spnb/widgets/static/THIRD_PARTY_LICENSES.txt").read_text()
    lock = json.loads((ROOT / "spnb/widgets/js/package-lock.json").read_text())
    used = {
        place: found
        for place, found in lock["packages"].items()
        if place and not found.get("dev") and not found.get("optional")
    }
    assert len(used) >= 4
    for place, found in used.items():
        name = place.rsplit("node_modules/", 1)[1]
        assert f"\n{name} {found['version']} (" in texts
    for words in ("Permission is hereby granted, free of charge", "Apache License", "Redistribution and use in source"):
        assert words in texts


ONLY_MEASURED_OR_TESTED = {"playwright", "polars", "pytest"}
"""What `spnb bench` and the pytest plugin import, of those who test."""


def test_what_is_imported_is_declared() -> None:
    """And does not merely come along with what another needs today."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    declared = {canonicalize_name(Requirement(each).name) for each in wanted}
    brought = metadata.packages_distributions()
    undeclared: dict[str, str] = {}
    for path in (ROOT / "spnb").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level and node.module}
        for name in {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"spnb"}:
            by = {canonicalize_name(each) for each in brought.get(name, [name])}
            if not by & declared and name not in ONLY_MEASURED_OR_TESTED:
                undeclared[name] = str(path.relative_to(ROOT))
    assert not undeclared


def test_the_list_of_third_party_software_is_up_to_date() -> None:
    assert TARGET.read_text() == text(), "run `uv run python -m tests.licences`"


def test_what_is_listed_is_what_is_pinned() -> None:
    pins = dict(
        pin.split("==")
        for pin in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["constraint-dependencies"]
    )
    listed = dict(re.findall(r"^\| ([\w.-]+) \| (\d\S*) \|", TARGET.read_text(), re.MULTILINE))
    assert len(listed) > 20
    assert {name: pins.get(name) for name in listed} == listed
    binder = (ROOT / "binder/constraints.txt").read_text()
    for name, version in listed.items():
        assert f"\n{name}=={version}\n" in binder


def test_binder_and_ci_install_what_is_tested() -> None:
    assert "-c constraints.txt" in (ROOT / "binder/requirements.txt").read_text()
    assert "uv run" in (ROOT / ".ci/run").read_text()
    assert re.search(r"uv==\d", (ROOT / ".ci/run").read_text()), "CI's own installer is pinned, too"


def test_an_advisory_fails_and_a_database_that_is_away_does_not() -> None:
    clean = {"name": "httpx", "version": "0.28.1", "vulns": []}
    hit = {"name": "yarl", "version": "1.0", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["1.1"]}]}
    away = {"name": "zipp", "version": "4.1.2", "skip_reason": "Dependency not found on PyPI"}
    assert verdict({"dependencies": [clean, away]}) == (
        0,
        ["1 dependencies were looked up, 1 were not to be had: 0 advisories."],
    )
    code, words = verdict({"dependencies": [clean, hit]})
    assert (code, words[0]) == (1, "yarl 1.0: PYSEC-2026-1, mended in 1.1")
    for nothing in ({"dependencies": [away, away]}, "the audit could not be run (OSError)"):
        code, words = verdict(nothing)
        assert code == 0
        assert words[0].startswith("No ")
    assert ".ci/checks" in (ROOT / ".ci/run").read_text()
    assert "tests.advisories" in (ROOT / ".ci/checks").read_text()


def test_there_is_a_policy() -> None:
    policy = (ROOT / ".github/SECURITY.md").read_text()
    for words in ("Report", "shared host", "does not promise", "Supply chain"):
        assert words in policy
