"""A stranger's tests with spnb's fixtures: in a folder of their own, by a pytest of their own, and from JavaScript."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import spnb

STRANGERS = """
import os, subprocess, sys
import pytest, spnb

SEEN = []


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_has_a_network_of_its_own(social_plus, turn):
    sp = social_plus.connect("ann")
    assert list(sp.rooms.query()) == []
    sp.rooms.create("mine alone")
    assert social_plus.url not in SEEN
    SEEN.append(social_plus.url)
    assert social_plus.api_key not in repr(social_plus)


def test_a_program_finds_it_through_its_environment(social_plus):
    program = "import spnb; print(spnb.connect('bot').rooms.create('by a bot').title)"
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **social_plus.environment, "SOCIALPLUS_USER_ID": "bot"},
        capture_output=True, text=True, check=True,
    )
    assert told.stdout.strip() == "by a bot"
    assert [room.title for room in social_plus.connect("ann").rooms.query()] == ["by a bot"]


def test_people_come(live_room, viewers):
    assert live_room.status == "live"
    crowd = viewers(3, seconds=2)
    assert crowd.wait(60).sessions == len(crowd.plan.sessions)


def test_faults_are_this_network_s_own(social_plus, faults):
    faults.add("server-error", match="POST /api/v1/rooms", times=1)
    room = social_plus.connect("ann").rooms.create("in spite of all")
    assert room.title == "in spite of all"
    assert faults.active()[0].hits == 1
"""


def test_strangers_test_their_app_with_the_fixtures(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(STRANGERS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nspnb_sandbox_options = --grace 2\n")
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("COV")},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "5 passed" in told.stdout


def test_the_plugin_costs_nothing_until_a_fixture_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\n\ndef test_nothing_heavy():\n"
        "    assert not {'httpx', 'livekit', 'pandas', 'pydantic'} & set(sys.modules)\n"
    )
    told = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:hypothesispytest",
            "-p",
            "no:shiny-test",
            "-p",
            "no:cacheprovider",
            str(tmp_path),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.fixture
def login(social_plus: spnb.testing.SocialPlus) -> dict[str, str]:
    """The headers of a user who is logged in."""
    asked = httpx.post(
        f"{social_plus.url}/api/v5/sessions",
        headers={"X-API-Key": social_plus.api_key},
        json={"userId": "ann", "deviceId": "d1"},
        trust_env=False,
        timeout=60,
    )
    return {"Authorization": f"Bearer {asked.json()['accessToken']}", "X-API-Key": social_plus.api_key}


def test_one_call_asks_for_its_own_fault(social_plus: spnb.testing.SocialPlus, login: dict[str, str]) -> None:
    with httpx.Client(base_url=social_plus.url, headers=login, trust_env=False, timeout=60) as client:

        def ask(fault: str | None = None) -> httpx.Response:
            return client.get("/api/v1/rooms", headers={"X-Sandbox-Fault": fault} if fault else {})

        limited = ask("rate-limit; retry-after=2")
        assert (limited.status_code, limited.headers["Retry-After"]) == (429, "2")
        assert ask("bad-gateway").status_code == 502
        assert ask("timeout; seconds=0.05").status_code == 504
        # Nobody else is struck, and a repeated call gets through.
        assert ask().status_code == 200
        assert [ask("server-error; times=2; id=mine").status_code for _ in range(3)] == [500, 500, 200]
        assert ask("server-error; times=1; id=another").status_code == 500
        for odd in ("", "no-such", "drop", "rate-limit; wrong=1", "timeout; seconds=soon", "server-error; times=1"):
            refused = client.get("/api/v1/rooms", headers={"X-Sandbox-Fault": odd})
            assert refused.status_code == 422, odd
            assert "X-Sandbox-Fault" in refused.text


JAVASCRIPT = """
const { SOCIALPLUS_URL: url, SOCIALPLUS_API_KEY: key } = process.env;
const call = async (method, path, body, headers = {}) => {
  const answer = await fetch(url + path, {
    method, body: body && JSON.stringify(body),
    headers: { 'Content-Type': 'application/json', 'X-API-Key': key, ...headers },
  });
  return [answer.status, await answer.json()];
};
const [, { accessToken }] = await call('POST', '/api/v5/sessions', { userId: 'jo', deviceId: 'd' });
const mine = { Authorization: `Bearer ${accessToken}` };
const [status] = await call('GET', '/api/v1/rooms', undefined, { ...mine, 'X-Sandbox-Fault': 'server-error' });
const [, { rooms }] = await call('POST', '/api/v1/rooms', { title: 'from JavaScript' }, mine);
console.log(status, rooms[0].title);
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node to run JavaScript")
def test_an_app_in_javascript(social_plus: spnb.testing.SocialPlus, tmp_path: Path) -> None:
    (tmp_path / "app.mjs").write_text(JAVASCRIPT)
    told = subprocess.run(
        ["node", str(tmp_path / "app.mjs")],
        env={**os.environ, **social_plus.environment},
        capture_output=True,
        text=True,
    )
    assert told.stdout.strip() == "500 from JavaScript", told.stderr
    assert [room.title for room in social_plus.connect("ann").rooms.query()] == ["from JavaScript"]
