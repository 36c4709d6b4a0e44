"""Asks for known advisories about the pinned dependencies: `python -m tests.advisories`.

Without a database that answers it says so, and is no failure; an advisory is one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
AUDIT = ("uvx", "--quiet", "pip-audit==2.10.1", "--no-deps", "--disable-pip", "--progress-spinner", "off")
SECONDS = 300


def asked() -> dict[str, Any] | str:
    """The report; words where there is none."""
    command = [*AUDIT, "--format", "json", "-r", str(ROOT / "binder/constraints.txt")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, cwd=ROOT)
        report: dict[str, Any] = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        return f"the audit could not be run ({type(error).__name__})"
    return report


def verdict(report: dict[str, Any] | str) -> tuple[int, list[str]]:
    """Exit code and what to say."""
    if isinstance(report, str):
        return 0, [f"No advisories were asked for: {report}"]
    found = report["dependencies"]
    audited = [one for one in found if "skip_reason" not in one]
    if not audited:
        return 0, [f"No database of advisories could be reached: none of {len(found)} dependencies was looked up."]
    told = [
        f"{one['name']} {one['version']}: {advisory['id']}, mended in {', '.join(advisory['fix_versions']) or 'none'}"
        for one in audited
        for advisory in one["vulns"]
    ]
    skipped = len(found) - len(audited)
    summary = f"{len(audited)} dependencies were looked up, {skipped} were not to be had: {len(told)} advisories."
    return (1 if told else 0), [*told, summary]


if __name__ == "__main__":
    code, words = verdict(asked())
    sys.stdout.write("\n".join(words) + "\n")
    sys.exit(code)
