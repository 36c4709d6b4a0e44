"""Watch sessions are signed as the service's SDKs do: judged by OpenSSL, and by a sandbox that knows the public key."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

import spnb
from spnb.client.watch_key import signed, text_to_sign
from spnb.errors import ConfigError, ServerFault
from spnb.models import WatchSession
from tests.conftest import RunningSandbox, start_sandbox

ROOM = {
    "sessionId": "room_00000000-0000-4000-8000-000000000000",
    "roomId": "r1",
    "watchSeconds": 120,
    "startTime": "2026-01-01T00:00:00.000Z",
    "endTime": "2026-01-01T00:02:00.000Z",
}
TEXT = (
    "nonceStr=n1&timestamp=2026-01-01T00:03:00.000Z&data="
    "endTime=2026-01-01T00:02:00.000Z&roomId=r1&sessionId=room_00000000-0000-4000-8000-000000000000"
    "&startTime=2026-01-01T00:00:00.000Z&watchSeconds=120;"
    "endTime=&roomId=r2&sessionId=s2&startTime=2026-01-01T00:00:00.000Z&watchSeconds=12.5=="
)
"""Two sessions as § 5.6 of the wire's description writes them."""


def openssl(*words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["openssl", *words], input=given, capture_output=True)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `key.pem`, its public half `public.pem`, and `other.pem`: made by OpenSSL."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("key", "other"):
        assert openssl("genrsa", "-out", str(folder / f"{name}.pem"), "2048").returncode == 0
    assert openssl("rsa", "-in", str(folder / "key.pem"), "-pubout", "-out", str(folder / "public.pem")).returncode == 0
    return folder


@pytest.fixture(scope="module")
def strict(keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """A sandbox that was given the public key, with a stream of yesterday that can be watched."""
    folder = tmp_path_factory.mktemp("strict")
    spnb.sandbox.backfill(days=1, streams=1, views=3, messages=3, data_dir=folder)
    running = start_sandbox(folder, "--watch-key", str(keys / "public.pem"))
    yield running
    running.stop()


def test_the_text_and_its_signature_are_the_service_s(keys: Path, tmp_path: Path) -> None:
    second = {"sessionId": "s2", "roomId": "r2", "watchSeconds": 12.5, "startTime": ROOM["startTime"], "endTime": ""}
    text = text_to_sign("n1", "2026-01-01T00:03:00.000Z", [ROOM, second])
    assert text == TEXT
    (tmp_path / "text").write_text(text)
    (tmp_path / "signature").write_bytes(base64.b64decode(signed(keys / "key.pem", text)))
    verify = ("dgst", "-sha256", "-verify", str(keys / "public.pem"), "-signature", str(tmp_path / "signature"))
    assert openssl(*verify, str(tmp_path / "text")).stdout.strip() == b"Verified OK"
    (tmp_path / "text").write_text(text + " ")
    assert openssl(*verify, str(tmp_path / "text")).returncode != 0


def watched(sp: Any, room_id: str, seconds: float) -> WatchSession:
    start = datetime.now(UTC)
    return WatchSession(session_id="room_of_a_fan", room_id=room_id, watch_seconds=seconds, start_time=start)


def recorded(sp: Any) -> str:
    """The room of yesterday's stream."""
    return str(next(iter(sp.rooms.query(statuses="recorded"))).room_id)


@pytest.mark.parametrize("way", ["path", "text", "function", "environment", "its sandbox"])
def test_a_sandbox_takes_what_the_right_key_signed(
    way: str, keys: Path, strict: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = keys / "key.pem"
    key: Any = {"path": str(path), "text": path.read_text(), "function": path.read_text}.get(way)
    if way == "environment":
        monkeypatch.setenv("SOCIALPLUS_WATCH_KEY", str(path))
    at: Any = {"url": strict.url, "api_key": strict.api_key}
    if way == "its sandbox":
        at, key = {"sandbox": spnb.sandbox.SandboxInfo.read(strict.info)}, path
    with spnb.connect("fan", watch_key=key, **at) as fan:
        room_id = recorded(fan)
        # Whole and broken seconds are written apart.
        assert fan.presence.report([watched(fan, room_id, 12.0), watched(fan, room_id, 12.25)])
        assert "PRIVATE" not in repr(fan._twin._session.credentials)


def test_what_another_key_signed_is_refused(keys: Path, strict: RunningSandbox) -> None:
    fan = spnb.connect("fan", url=strict.url, api_key=strict.api_key, watch_key=keys / "other.pem")
    with fan, pytest.raises(ServerFault, match="this key"):
        fan.presence.report([watched(fan, recorded(fan), 5)])


def test_a_report_counts_once_and_now(keys: Path, strict: RunningSandbox) -> None:
    with spnb.connect("fan", url=strict.url, api_key=strict.api_key) as fan:
        room_id = recorded(fan)
        assert fan.presence.report([watched(fan, room_id, 5)]) is False, "there is no key"
        headers = {"Authorization": f"Bearer {fan.access_token()}"}
    rooms = [{**ROOM, "roomId": room_id}]

    def send(nonce: str, timestamp: str, **changed: Any) -> str:
        body = {"nonceStr": nonce, "timestamp": timestamp, "rooms": rooms}
        body["signature"] = signed(keys / "key.pem", text_to_sign(nonce, timestamp, rooms))
        answer = httpx.post(
            f"{strict.url}/api/v3/user-event/room",
            json={**body, **changed},
            headers=headers,
            trust_env=False,
            timeout=60,
        )
        return "" if answer.is_success else f"{answer.status_code} {answer.json()['message']}"

    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert send("once", now) == ""
    assert send("once", now) == "500 The watch sessions were not taken: the nonce was used before"
    assert "timestamp" in send("old", "2026-01-01T00:00:00.000Z")
    assert "timestamp" in send("odd", "yesterday")
    assert "this key" in send("more", now, rooms=[{**rooms[0], "watchSeconds": 9999}])
    assert "this key" in send("none", now, signature="")
    assert send("twice", now) == ""


def test_what_is_no_key_is_told_at_once(keys: Path, sandbox: RunningSandbox, tmp_path: Path) -> None:
    elliptic = tmp_path / "elliptic.pem"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(elliptic))
    for odd, said in (
        ("of the tests", "neither a private key"),
        (keys / "public.pem", "no private key"),
        (elliptic, "RSA"),
    ):
        with pytest.raises(ConfigError, match=said) as told:
            spnb.connect("fan", url=sandbox.url, api_key=sandbox.api_key, watch_key=odd)
        assert "of the tests" not in str(told.value)


def test_a_sandbox_without_a_public_key_says_so(keys: Path, tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "spnb.sandbox", "--data-dir", str(tmp_path), "--watch-key", str(keys / "key.pem")],
        capture_output=True,
        text=True,
    )
    assert told.returncode == 2
    assert "no public key" in told.stderr
