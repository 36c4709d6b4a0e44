"""Audiences from the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spnb.cli.app import main
from tests.conftest import RunningSandbox


@pytest.fixture
def environment(sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shared sandbox, named by the environment."""
    monkeypatch.setenv("SOCIALPLUS_API_KEY", sandbox.api_key)
    monkeypatch.setenv("SOCIALPLUS_USER_ID", "terminal")
    monkeypatch.setenv("SOCIALPLUS_URL", sandbox.url)
    monkeypatch.setenv("COLUMNS", "200")


def told(capsys: Any, *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_a_past_and_viewers_for_it(environment: None, capsys: Any, tmp_path: Path) -> None:
    sizes = ("--days", "3", "--streams", "2", "--seed", "4", "--views", "40", "--messages", "30")
    code, out, _ = told(capsys, "backfill", *sizes, "--json")
    past = json.loads(out)
    assert code == 0
    assert (past["streams"], past["views"], past["messages"]) == (2, 40, 30)
    room_id = json.loads(Path(past["path"]).read_text())["streams"][0]["roomId"]
    code, out, _ = told(capsys, "simulate", room_id, "--viewers", "8", "--seconds", "2", "--seed", "7")
    assert code == 0
    assert "8 viewers" in out
    assert "planted:" in out
    code, out, _ = told(capsys, "simulate", room_id, "--viewers", "3", "--seconds", "1", "--json")
    assert json.loads(out)["failed"] == 0
    code, out, _ = told(capsys, "backfill", *sizes, "--data-dir", str(tmp_path / "new"))
    assert "2 streams" in out
    assert (tmp_path / "new" / "sandbox.sqlite").is_file()


def test_wrong_words_are_told_in_one_line(environment: None, capsys: Any) -> None:
    for words in (("simulate", "nowhere"), ("simulate", "nowhere", "--viewers", "0"), ("backfill", "--days", "0")):
        code, _, err = told(capsys, *words)
        assert code == 1
        assert err.startswith("error: ")
