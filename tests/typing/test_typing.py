"""mypy and pyright read what users write as it is meant, and refuse what is wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import spnb
from spnb.live import AsyncLiveRoom, LiveRoom
from spnb.models import Room

USES = Path(__file__).with_name("uses.py")
WRONG = {number for number, line in enumerate(USES.read_text().splitlines(), 1) if line.endswith("# wrong")}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_mypy_reads_uses_as_they_are_meant(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), "--config-file", "", str(USES)],
        capture_output=True,
        text=True,
    )
    faults = dict(re.findall(rf"^\S*{USES.name}:(\d+): error: (.*)$", told.stdout, re.MULTILINE))
    assert {int(number) for number in faults} == WRONG, told.stdout + told.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_pyright_reads_uses_as_they_are_meant() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, str(USES)],
        capture_output=True,
        text=True,
    )
    faults = json.loads(told.stdout[told.stdout.index("{") :])["generalDiagnostics"]
    wrong = {fault["range"]["start"]["line"] + 1 for fault in faults if fault["severity"] == "error"}
    assert wrong == WRONG, faults


def test_each_field_of_a_record_is_one_of_its_room() -> None:
    named = {*Room.model_fields, *(name for name, kind in vars(Room).items() if isinstance(kind, property))}
    named = {name for name in named if not name.startswith("_")}
    for kind in (AsyncLiveRoom, LiveRoom):
        assert not named - set(dir(kind)), "they are listed where one writes `room.` and asks what there is"
    assert (Path(spnb.__file__).parent / "py.typed").exists()
