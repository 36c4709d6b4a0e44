"""Writes .github/THIRD_PARTY.md: what `pip install spnb` brings along, with versions as tested and licences.

uv run python -m tests.licences       rewrites it
tests/security/test_supply_chain.py   proves that it is up to date
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = ["TARGET", "text"]

TARGET = Path(__file__).resolve().parents[1] / ".github" / "THIRD_PARTY.md"
PYTHON = "3.13"
ENVIRONMENT = {
    "sys_platform": "linux",
    "platform_system": "Linux",
    "python_version": PYTHON,
    "python_full_version": f"{PYTHON}.0",
    "extra": "",
}


def _needed() -> list[str]:
    """All distributions that spnb needs without extras, by the metadata of what is installed."""
    found: set[str] = set()
    ahead = ["spnb"]
    while ahead:
        for wanted in map(Requirement, metadata.requires(ahead.pop()) or []):
            name = canonicalize_name(wanted.name)
            if name not in found and (wanted.marker is None or wanted.marker.evaluate(ENVIRONMENT)):
                found.add(name)
                ahead.append(name)
    return sorted(found)


def _licence(name: str) -> str:
    facts = metadata.metadata(name)
    told = facts.get("License-Expression")
    if not told:
        classes = [entry for entry in facts.get_all("Classifier") or [] if entry.startswith("License ::")]
        told = ", ".join(sorted({entry.rsplit(" :: ", 1)[-1] for entry in classes}))
    if not told:
        told = (facts.get("License") or "see its own text").strip().splitlines()[0]
    return told.replace("|", "/")[:80]


def text() -> str:
    """The file's content."""
    rows = [f"| {name} | {metadata.version(name)} | {_licence(name)} |" for name in _needed()]
    return "\n".join(
        [
            "# Third-party software",
            "",
            f"What `pip install spnb` brings along on Python {PYTHON}, in the versions it is tested with. Made by",
            "`uv run python -m tests.licences`; do not edit. The licence texts of the JavaScript inside the wheel are",
            "in `spnb/widgets/static/THIRD_PARTY_LICENSES.txt`.",
            "",
            "| package | version | licence |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    TARGET.write_text(text())
    sys.stdout.write(f"{TARGET.name} is written\n")
