"""A connection that lasts: renewals that fail, auth tokens that end, clocks that are wrong, closing, forking."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import spnb
from spnb.client import VisitorSignature
from spnb.client.session import Session
from spnb.config import Credentials, Endpoints
from spnb.errors import BroadcastError, ClientClosed, ConfigError, InvalidInput, Unauthorized
from tests.client.conftest import AT_ONCE, FaultProxy
from tests.client.test_faults import error, first
from tests.conftest import RunningSandbox, start_sandbox


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    running = start_sandbox(tmp_path_factory.mktemp("secure"), "--secure", "--no-rate-limit")
    yield running
    running.stop()


def minted(box: RunningSandbox, user_id: str) -> str:
    """What a backend of one's own would ask for."""
    body = {"userId": user_id}
    answer = httpx.post(
        f"{box.url}/sandbox/auth-token", json=body, headers={"X-API-Key": box.api_key}, trust_env=False, timeout=60
    )
    return str(answer.json()["authToken"])


async def test_a_network_in_secure_mode_asks_for_a_token_at_each_login(secure: RunningSandbox) -> None:
    with pytest.raises(Unauthorized, match="secure mode"):
        await spnb.connect_async("ann", url=secure.url, api_key=secure.api_key)
    asked: list[str] = []

    async def fresh() -> str:
        asked.append("async")
        return minted(secure, "ann")

    def plain() -> str:
        asked.append("plain")
        return minted(secure, "ann")

    for given in (fresh, plain, minted(secure, "ann")):
        async with spnb.connect_async("ann", url=secure.url, api_key=secure.api_key, auth_token=given) as sp:
            await sp.login()
            assert (await sp.users.get("ann")).user_id == "ann"
    assert asked == ["async", "async", "plain", "plain"]

    def broken() -> str:
        raise RuntimeError("the backend is down")

    with pytest.raises(Unauthorized, match="auth_token failed"):
        await spnb.connect_async("ann", url=secure.url, api_key=secure.api_key, auth_token=broken)


async def test_a_visitor_of_a_network_in_secure_mode_is_signed_for_at_each_login(secure: RunningSandbox) -> None:
    box = spnb.sandbox.SandboxInfo.read(secure.info)
    with pytest.raises(Unauthorized, match="secure mode"):
        await spnb.connect_async(kind="visitor", sandbox=box)
    devices: list[str] = []

    async def fresh(device_id: str) -> VisitorSignature:
        devices.append(device_id)
        return box.visitor_signature(device_id)

    async with spnb.connect_async(kind="visitor", sandbox=box, visitor_signature=fresh) as visitor:
        await visitor.login()
        assert visitor.user is not None
        assert devices[0] in visitor.user.user_id
    assert len(devices) == 2
    assert len(set(devices)) == 1
    async with spnb.connect_async(kind="visitor", sandbox=box, visitor_signature=box.visitor_signature) as visitor:
        assert "signature" not in repr(visitor._session.credentials)

    def broken(_device_id: str) -> VisitorSignature:
        raise OSError("no way to the backend")

    wrongs: list[tuple[Any, str]] = [
        (lambda _device_id: box.visitor_signature("another"), "authSignature"),
        (lambda device_id: VisitorSignature.of("another network's secret", device_id), "authSignature"),
        (broken, "visitor_signature failed"),
        (lambda _device_id: "a text", "gave none"),
    ]
    for wrong, said in wrongs:
        with pytest.raises(Unauthorized, match=said):
            await spnb.connect_async(kind="visitor", sandbox=box, visitor_signature=wrong)
    odd: list[tuple[Any, Any]] = [("user", fresh), ("bot", fresh), ("visitor", "a text")]
    for kind, given in odd:
        with pytest.raises(ConfigError, match="visitor_signature"):
            await spnb.connect_async(kind=kind, sandbox=box, visitor_signature=given)


def test_a_visitor_s_signature_is_the_one_that_openssl_makes() -> None:
    signature = VisitorSignature.of("the network's secret", "device-1", seconds=60)
    text = f"deviceId=device-1&authSignatureExpiresAt={signature.expires_at}"
    command = ["openssl", "dgst", "-sha256", "-hmac", "the network's secret"]
    judged = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    assert judged.split()[-1] == signature.signature
    assert signature.signature not in repr(signature)
    for wrong in (("", "device", 60), ("secret", "", 60), ("secret", "device", 0)):
        with pytest.raises(InvalidInput, match="visitor secret"):
            VisitorSignature.of(wrong[0], wrong[1], seconds=wrong[2])


async def test_an_early_renewal_that_fails_keeps_the_token_that_works(secure: RunningSandbox) -> None:
    now = [dt.datetime.now(dt.UTC)]
    down = False

    def token() -> str:
        if down:
            raise OSError("no way to the backend")
        return minted(secure, "kept")

    credentials = Credentials(secure.api_key, "kept", auth_token=token)
    session = Session(Endpoints.of_url(secure.url), credentials, clock=lambda: now[0])
    old = await session.token()
    down = True
    now[0] += dt.timedelta(days=25)
    assert await session.token() == old
    answer = await session.request("GET", "/api/v3/users/kept", doing="read the user")
    assert answer.is_success
    down = False
    now[0] += dt.timedelta(minutes=2)
    assert await session.token() != old
    down = True
    now[0] += dt.timedelta(days=40)
    with pytest.raises(Unauthorized):
        await session.token()
    await session.aclose()


@pytest.mark.media
async def test_going_off_the_air_needs_no_login(tmp_path: Path) -> None:
    down = False
    box = start_sandbox(tmp_path, "--secure", "--no-rate-limit", "--grace", "2")

    def token() -> str:
        if down:
            raise OSError("no way to the backend")
        return minted(box, "host")

    try:
        async with spnb.connect_async("host", url=box.url, api_key=box.api_key, auth_token=token) as sp:
            room = await sp.rooms.create("On air")
            show = await room.go_live(spnb.TestCard(160, 90, fps=10))
            await room.until("live", timeout=60)
            down = True
            await (await spnb.sandbox.faults_async(sp)).expire("access")
            with pytest.raises(BroadcastError, match=r"left the air.*after its grace time"):
                await show.stop()
            down = False
            await room.until("recorded", timeout=90)
    finally:
        box.stop()


@pytest.mark.parametrize("days", [-400, -3, 3, 45, 4000])
async def test_a_clock_that_is_wrong_by_days_loops_no_logins(
    sandbox: RunningSandbox, proxy: FaultProxy, days: int
) -> None:
    wrong = dt.timedelta(days=days)
    session = Session(
        Endpoints.of_url(proxy.url), Credentials(sandbox.api_key, "late"), clock=lambda: dt.datetime.now(dt.UTC) + wrong
    )
    for _ in range(5):
        await session.request("GET", "/api/v3/users/late", doing="read the user")
    assert proxy.calls("POST", "/api/v5/sessions") == 1
    await session.aclose()


async def test_use_after_close_says_so_at_once(sandbox: RunningSandbox) -> None:
    sp = await spnb.connect_async("closer", url=sandbox.url, api_key=sandbox.api_key)
    room = await sp.rooms.create("Left behind", chat=False)
    await sp.aclose()
    began = time.monotonic()
    with pytest.raises(ClientClosed, match="connect again"):
        await sp.rooms.get(room.room_id)
    with pytest.raises(ClientClosed):
        await sp.login()
    with pytest.raises(ClientClosed):
        room.observe(lambda _record: None)
    with pytest.raises(ClientClosed):
        spnb.AsyncLiveRooms(sp).observe(lambda _rooms: None)
    with pytest.raises(ClientClosed):
        await sp.rooms.create("never")
    assert time.monotonic() - began < 30, "no pauses between tries"
    await sp.aclose()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_client_in_a_forked_process_says_that_it_is_none(sandbox: RunningSandbox) -> None:
    program = (
        "import os, sys, warnings, spnb\n"
        "warnings.simplefilter('ignore')\n"
        "sp = spnb.connect('forker', url=sys.argv[1], api_key=sys.argv[2])\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    try:\n"
        "        sp.users.get('forker')\n"
        "    except spnb.errors.ClientClosed as error:\n"
        "        print(error, flush=True)\n"
        "    with spnb.connect('forker-2', url=sys.argv[1], api_key=sys.argv[2]) as own:\n"
        "        print(own.users.get('forker-2').user_id, flush=True)\n"
        "    os._exit(0)\n"
        "os.waitpid(pid, 0)\n"
        "print(sp.users.get('forker').user_id)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, sandbox.url, sandbox.api_key], capture_output=True, text=True, timeout=120
    )
    assert "forked: connect again" in ran.stdout, ran.stderr
    assert ran.stdout.split("\n")[-3:] == ["forker-2", "forker", ""]


def test_arguments_beat_the_environment_one_by_one(monkeypatch: pytest.MonkeyPatch, sandbox: RunningSandbox) -> None:
    monkeypatch.setenv("SOCIALPLUS_API_KEY", sandbox.api_key)
    monkeypatch.delenv("SOCIALPLUS_USER_ID", raising=False)
    monkeypatch.setenv("SOCIALPLUS_URL", sandbox.url)
    with spnb.connect("named-here") as sp:
        assert sp.user_id == "named-here"
    monkeypatch.setenv("SOCIALPLUS_URL", "http://127.0.0.1:9")
    with spnb.connect("named-here", url=sandbox.url) as sp:
        assert sandbox.url in repr(sp)
    monkeypatch.setenv("SOCIALPLUS_API_KEY", "wrong-key-of-the-environment")
    monkeypatch.setenv("SOCIALPLUS_URL", sandbox.url)
    with spnb.connect("named-here", api_key=sandbox.api_key) as sp:
        assert sandbox.url in repr(sp)
    monkeypatch.setenv("SOCIALPLUS_URL", "http://127.0.0.1:9")
    with spnb.connect("named-here", api_key=sandbox.api_key, url=sandbox.url) as sp:
        assert sandbox.url in repr(sp)
    with pytest.raises(ConfigError, match="unknown region 'mars'"):
        spnb.connect("named-here", api_key=sandbox.api_key, region="mars")


def test_certificates_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("no certificate")
    for wrong in (tmp_path / "none.pem", tmp_path / "missing.pem"):
        with pytest.raises(ConfigError, match="verify="):
            spnb.connect("ann", api_key="k" * 20, region="eu", verify=wrong)
    for timeout in (0, -1):
        with pytest.raises(ConfigError, match="more than 0"):
            spnb.connect("ann", api_key="k" * 20, region="eu", timeout=timeout)
    with pytest.raises(ConfigError, match="proxy"):
        spnb.connect("ann", api_key="k" * 20, url="http://127.0.0.1:9", proxy="nonsense")


async def test_an_answer_is_waited_for_as_long_as_asked(sandbox: RunningSandbox, proxy: FaultProxy) -> None:
    path = "/api/v3/users/impatient"
    async with spnb.connect_async("impatient", url=proxy.url, api_key=sandbox.api_key, timeout=2.0) as sp:
        proxy.fault = first(1, "lose", path=path)  # told after three seconds, which the usual time would allow
        assert (await sp.users.get("impatient")).user_id == "impatient"
        assert proxy.calls("GET", path) >= 2


async def test_what_is_awaited_may_be_entered(sandbox: RunningSandbox) -> None:
    async with spnb.connect_async("entered", url=sandbox.url, api_key=sandbox.api_key) as sp:
        assert sp.user_id == "entered"
    with pytest.raises(ClientClosed):
        await sp.users.get("entered")
    one, two = await asyncio.gather(
        *(spnb.connect_async(f"awaited-{number}", url=sandbox.url, api_key=sandbox.api_key) for number in range(2))
    )
    await one.aclose()
    await two.aclose()


async def test_a_login_that_the_service_cannot_serve_now_is_made_again(
    sandbox: RunningSandbox, proxy: FaultProxy
) -> None:
    proxy.fault = first(2, error(503, 500000), path="/api/v5/sessions")
    client: spnb.AsyncClient[Any] = spnb.AsyncClient(Endpoints.of_url(proxy.url), Credentials(sandbox.api_key, "again"))
    client._session.retries = AT_ONCE
    assert (await client.login()).user_id == "again"
    await client.aclose()
