"""Sessions of the vendor's SDK: secure logins, their renewal before they end, logout."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser

from tests.conftest import RunningSandbox
from tests.vendor.clients import SdkClient, SdkError

LIFE = 900
"""Seconds that an access token lives here; the SDK looks every ten minutes whether 80 % of all but five are over."""
SECURE = """
import sys
from pathlib import Path
from spnb.sandbox.server.process import run_foreground
from spnb.sandbox.server.settings import SandboxSettings
settings = SandboxSettings(data_dir=Path(sys.argv[1]), secure_mode=True, access_token_seconds=float(sys.argv[2]))
run_foreground(settings, as_json=True)
"""


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """A sandbox in secure mode."""
    folder = tmp_path_factory.mktemp("secure")
    command = [sys.executable, "-c", SECURE, str(folder), str(LIFE)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    running = RunningSandbox(process, folder, json.loads(process.stdout.readline()))
    yield running
    running.stop()


def auth_token(sandbox: RunningSandbox, user_id: str) -> str:
    """What a customer's backend would mint with the server key."""
    call = f"{sandbox.url}/api/v4/authentication/token"
    # The key is made when it is first asked about.
    assert (
        httpx.post(
            call, json={"userId": user_id}, headers={"x-server-key": "no"}, trust_env=False, timeout=60
        ).status_code
        == 401
    )
    with sqlite3.connect(Path(sandbox.data_dir) / "sandbox.sqlite") as db:
        key = db.execute("SELECT value FROM facts WHERE name = 'server-key'").fetchone()[0]
    return httpx.post(call, json={"userId": user_id}, headers={"x-server-key": key}, trust_env=False, timeout=60).text


async def test_a_secure_login_is_renewed_before_it_ends(browser: Browser, site: str, secured: RunningSandbox) -> None:
    client = await SdkClient.open(browser, site, secured, f"ann-{os.urandom(3).hex()}")
    with pytest.raises(SdkError) as refused:
        await client.start()
    assert refused.value.code == 400100
    await client.page.close()

    client = await SdkClient.open(browser, site, secured, f"ann-{os.urandom(3).hex()}", clock=True)
    await client.page.expose_function("authToken", lambda: auth_token(secured, client.user_id))
    await client.start(authToken=auth_token(secured, client.user_id))
    first = await client.run("return sdk.Client.getActiveClient().token.accessToken")
    await client.page.clock.run_for(11 * 60_000)
    await client.page.wait_for_function(
        "(first) => ![undefined, first].includes(sdk.Client.getActiveClient().token?.accessToken)", arg=first
    )
    assert (await client.http("GET", f"/api/v3/users/{client.user_id}"))["users"][0]["userId"] == client.user_id
    await client.run("await sdk.Client.secureLogout()")
    with sqlite3.connect(Path(secured.data_dir) / "sandbox.sqlite") as db:
        sessions = [json.loads(row[0]) for row in db.execute("SELECT doc FROM sessions")]
    assert len(sessions) == 1, "the first session lives until it expires, the renewed one has ended"
    await client.page.context.close()
