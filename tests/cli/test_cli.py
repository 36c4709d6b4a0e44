"""The command line as its users type it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import spnb
from spnb.bench.figures import Figure, at_least, at_most, quantile
from spnb.bench.run import BENCHMARKS, run_benchmarks
from spnb.cli.app import main
from spnb.cli.lab import copy_notebooks, shipped_notebooks
from spnb.errors import InvalidInput, Unauthorized, Unreachable
from spnb.recordings import download, probe
from tests.conftest import RunningSandbox


@pytest.fixture
def environment(sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The shared sandbox as if it were the real service."""
    monkeypatch.setenv("SOCIALPLUS_API_KEY", sandbox.api_key)
    monkeypatch.setenv("SOCIALPLUS_USER_ID", "terminal")
    monkeypatch.setenv("SOCIALPLUS_URL", sandbox.url)
    monkeypatch.setenv("SPNB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def told(capsys: Any, *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.mark.media
def test_the_demo_tells_the_whole_story(environment: Path, capfd: Any) -> None:
    code, out, err = told(capfd, "demo", "--seconds", "6", "--out", str(environment / "films"))
    assert code == 0, out
    assert "OpenH264" not in err
    for step in ("connected", "room made", "post made", "channel made", "live", "among them", "recorded"):
        assert step in out
    found = re.search(r"(/\S+\.mp4)\s+([\d.]+) s, 1280×720, (\d+) frames, with sound", out.replace("\n", " "))
    assert found is not None, out
    facts = probe(Path(found[1]))
    assert facts.video_frames >= 75
    assert facts.has_audio
    code, out, _ = told(capfd, "rooms", "--status", "recorded", "--json", "--limit", "100")
    assert any(row["title"] and row["status"] == "recorded" for row in map(json.loads, out.splitlines()))
    assert "layback" not in out, "addresses of recordings are signed"


def test_wrong_words_are_told_in_one_line(environment: Path, capsys: Any) -> None:
    for words in (("demo", "--source", "none.mp4"), ("demo", "--seconds", "0"), ("bench", "nonsense")):
        code, _, err = told(capsys, *words)
        assert code == 1
        assert err.startswith("error: ")
        assert "Traceback" not in err


@pytest.mark.parametrize(
    "words",
    [
        "rooms --limit 0",
        "rooms --limit=-3",
        "rooms --status lve",
        "rooms --status [/b]",
        "demo --seconds nan",
        "demo --seconds inf",
        "demo --source nonsense",
        "capture --seconds=-1",
        "capture --seconds nan",
        "capture no-such-room",
        "sandbox --port 99999",
        "sandbox --port=-1",
        "sandbox --grace=-1",
        "sandbox --grace nan",
        "sandbox --livekit nonsense",
        "sandbox --egress here",
        "sandbox --watch-key none.pem",
        "sandbox --api-key=",
        "sandbox --api-key short",
        "lab --port 99999 --no-browser",
        "simulate no-such-room",
        "simulate no-such-room --viewers=-1",
        "simulate no-such-room --viewers 20001",
        "simulate no-such-room --seconds=-1",
        "simulate no-such-room --chattiness=-1",
        "backfill --days 0",
        "backfill --streams=-1",
        "backfill --views=-1",
        "backfill --messages=-1",
        "faults add nonsense",
        "faults add drop --share 2",
        "faults add drop --times=-1",
        "faults add timeout --seconds=-1",
        "faults clear nonsense",
    ],
)
def test_options_that_make_no_sense_are_refused(
    environment: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, words: str
) -> None:
    monkeypatch.chdir(environment)
    code, out, err = told(capsys, *words.split())
    assert (code, out.strip()) == (1, "")
    assert err.startswith("error: ")


def test_rooms_are_listed_as_table_and_as_lines(environment: Path, capsys: Any) -> None:
    import spnb

    with spnb.connect() as sp:
        made = sp.rooms.create("[bold]not markup[/bold]")
    code, out, _ = told(capsys, "rooms", "--limit", "3")
    assert code == 0
    assert "[bold]not markup[/bold]" in out
    code, out, _ = told(capsys, "rooms", "--status", "idle", "--json", "--limit", "2")
    rows = [json.loads(line) for line in out.splitlines()]
    assert made.room_id in [row["roomId"] for row in rows]


@pytest.mark.media
def test_the_doctor_finds_what_works(environment: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = told(capsys, "doctor", "--json")
    findings = {finding["subject"]: finding for finding in json.loads(out)}
    assert code == 0, out
    for subject in ("python", "packages", "codecs", "udp", "service", "rest", "livekit"):
        assert findings[subject]["state"] == "ok", findings[subject]
    monkeypatch.setenv("SOCIALPLUS_API_KEY", "wrong")
    code, out, _ = told(capsys, "doctor")
    assert code == 1
    assert "fails" in out
    assert "check the API key" in out


def test_the_sandbox_runs_in_the_foreground(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "spnb", "sandbox", "--json", "--data-dir", str(tmp_path), "--grace", "5", "--secure"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["dataDir"] == str(tmp_path)
        with pytest.raises(Unauthorized, match="secure mode"):
            spnb.connect("ann", url=told["url"], api_key=told["apiKey"])
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait(60)


def test_the_lab_opens_on_the_first_notebook_in_few_words_and_ends_at_one_key(tmp_path: Path) -> None:
    """Behind a terminal, as it is started."""
    pty = pytest.importorskip("pty", reason="terminals of this kind are for POSIX")
    environment = {**os.environ, "HOME": str(tmp_path), "SPNB_HOME": str(tmp_path / "spnb")}
    environment |= {"JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"), "JUPYTER_CONFIG_DIR": str(tmp_path / "config")}
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "spnb", "lab", str(tmp_path / "work"), "--no-browser"],
        stdin=theirs,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        assert process.stderr is not None
        seen = []
        for line in process.stderr:
            seen.append(line)
            if "/lab/tree/01_go_live.ipynb?token=" in line:
                break
        text = "".join(seen)
        assert "sandbox   http://127.0.0.1:" in text
        assert len(seen) < 16, text
        assert (tmp_path / "work" / "01_go_live.ipynb").is_file()
        address = line.strip()
        page = httpx.get(address, trust_env=False, follow_redirects=True, timeout=60).text
        assert '"news": {"disabled": true}' in page
        examined = subprocess.run(
            [sys.executable, "-m", "spnb", "doctor", "--page", "--json"],
            env=environment,
            capture_output=True,
            text=True,
        )
        found = {finding["subject"]: finding for finding in json.loads(examined.stdout)}
        assert found["jupyter"]["state"] == "ok", examined.stdout
        assert "/spnb/ leads to your sandbox" in found["jupyter"]["text"]
        assert "spnb.Doctor(" in found["page"]["text"]
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(50) == 0
        assert "Traceback" not in rest, rest
        assert rest.strip().endswith("The lab has ended."), rest
        assert "deprecat" not in f"{text}{rest}".lower(), f"{text}{rest}"
    finally:
        os.close(ours)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_notebooks_of_the_user_are_kept(tmp_path: Path) -> None:
    first = copy_notebooks(tmp_path)[0]
    first.write_text("mine")
    copy_notebooks(tmp_path)
    assert first.read_text() == "mine"
    copy_notebooks(tmp_path, fresh=True)
    assert first.read_text() == (shipped_notebooks() / first.name).read_text()
    assert '"outputs": [],' in first.read_text()
    assert not [cell for cell in json.loads(first.read_text())["cells"] if cell.get("outputs")]


def test_downloads_are_whole_or_not_there(tmp_path: Path, sandbox: RunningSandbox) -> None:
    with pytest.raises(InvalidInput, match="http"):
        download("file:///etc/passwd", tmp_path / "x.mp4")
    with pytest.raises(Unreachable, match="answered 403") as caught:
        download(f"{sandbox.url}/media/1.secret/r/s/watch", tmp_path / "x.mp4")
    assert "secret" not in str(caught.value)
    with pytest.raises(Unreachable):
        download("http://127.0.0.1:9/x", tmp_path / "x.mp4")
    assert not (tmp_path / "x.mp4").exists()
    (tmp_path / "text.mp4").write_text("no film")
    with pytest.raises(InvalidInput, match="no media file"):
        probe(tmp_path / "text.mp4")


def test_figures_know_their_bars(capsys: Any) -> None:
    assert at_most("a", 1, 2, "s").holds
    assert not at_least("b", 1, 2, "s").holds
    assert quantile([5, 1, 3, 2, 4], 0.5) == 3
    assert quantile(list(range(1, 101)), 0.95) == 95
    assert run_benchmarks(["list"]) == 0
    assert set(capsys.readouterr().out.split()) == set(BENCHMARKS)


def two_figures() -> Iterator[Figure]:
    yield at_most("first", 1, 2, "s")
    yield at_least("second", 1, 2, "s")


def test_every_figure_is_told_and_the_code_says_whether_all_hold(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BENCHMARKS, "two", f"{__name__}:two_figures")
    assert run_benchmarks(["two"]) == 1
    table = capsys.readouterr().out
    assert "first" in table
    assert "misses" in table
    assert run_benchmarks(["two"], as_json=True) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["name"], line["holds"]) for line in lines] == [("first", True), ("second", False)]

    told = run_benchmarks(["import"], as_json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines
    assert told == (0 if all(line["holds"] for line in lines) else 1)


def test_every_benchmark_can_be_loaded() -> None:
    from spnb.bench.run import _load

    for name in BENCHMARKS:
        assert callable(_load(name))


def test_faults_are_switched_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    import spnb.sandbox

    monkeypatch.setenv("SPNB_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("SOCIALPLUS_API_KEY", "SOCIALPLUS_URL"):
        monkeypatch.delenv(name, raising=False)
    code, _, err = told(capsys, "faults", "list")
    assert (code, "does not run" in err) == (1, True)
    info = spnb.sandbox.ensure()
    assert "healthy" in told(capsys, "faults", "list")[1]
    code, out, _ = told(capsys, "faults", "add", "rate-limit", "--match", "POST /api/v1/rooms", "--times", "2")
    assert code == 0
    assert all(word in out for word in ("rate-limit", "rest", "POST /api/v1/rooms", "100%"))
    assert "[bold]" in told(capsys, "faults", "add", "drop", "--where", "webhook", "--match", "[bold]*")[1]
    assert "earthquake" not in told(capsys, "faults", "list")[1]
    code, _, err = told(capsys, "faults", "add", "earthquake")
    assert (code, "kind" in err) == (1, True)
    assert "f2" not in told(capsys, "faults", "clear", "f2")[1]
    by_address = ("--url", info.url, "--key", info.api_key)
    assert "healthy" in told(capsys, "faults", "clear", *by_address)[1]
    assert "cut 0 connections" in told(capsys, "faults", "cut", "realtime", *by_address)[1]
    assert "have expired" in told(capsys, "faults", "expire", "access")[1]
    assert "goes with a key" in told(capsys, "faults", "list", "--url", info.url)[2]
    info.stop()
