"""A Studio's tab through a Jupyter server under a prefix and another name, as on a hub."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.typing import Origin

import spnb
from spnb.bench.lab import free_port
from spnb.widgets import Studio
from spnb.widgets.companion import USED
from tests.conftest import RunningSandbox

HUB = "hub.example:8000"
TOKEN = secrets.token_hex(16)


@pytest_asyncio.fixture
async def jupyter(tmp_path: Path) -> AsyncIterator[tuple[str, int]]:
    """A Jupyter server: its address as the kernel's page tells it, and its port."""
    port = free_port()
    options = {
        "ServerApp.base_url": "/user/x/",
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.root_dir": tmp_path,
        "ServerApp.allow_remote_access": True,
        "IdentityProvider.token": TOKEN,
    }
    command = [sys.executable, "-m", "jupyter_server", "--allow-root", *(f"--{k}={v}" for k, v in options.items())]
    with (tmp_path / "jupyter.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False) as client:
            while True:
                assert process.poll() is None, (tmp_path / "jupyter.log").read_text()
                try:
                    await client.get(f"http://127.0.0.1:{port}/user/x/api", timeout=60)
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
        yield f"http://{HUB}/user/x", port
    finally:
        process.terminate()
        process.wait(60)


async def test_a_tab_comes_through_the_jupyter_server_that_its_page_is_of(
    jupyter: tuple[str, int], sandbox: RunningSandbox
) -> None:
    base, port = jupyter
    async with await spnb.connect_async("far-host", url=sandbox.url, api_key=sandbox.api_key) as sp:
        room = await sp.rooms.create("Through a hub")
        studio = await asyncio.to_thread(Studio, sp.sync, room.sync)
        told: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        studio.send = lambda content, _buffers=None: loop.call_soon_threadsafe(told.put_nowait, content)
        try:
            studio._handle_custom_msg({"do": "companion", "client": "page", "base": base}, [])
            async with asyncio.timeout(60):
                while (link := await told.get()).get("type") != "companion":
                    pass
            kernel = str(link["url"]).rstrip("/").rpartition(":")[2]
            road = f"127.0.0.1:{port}/user/x/proxy/{kernel}/"
            headers = {"Host": HUB, "Authorization": f"token {TOKEN}"}
            async with httpx.AsyncClient(
                base_url=f"http://{road}", headers=headers, trust_env=False, timeout=60
            ) as web:
                assert b"companion.js" in (await web.get("")).content
                assert (await web.get("studio.js")).status_code == 200
                signpost = link["signpost"]
                assert isinstance(signpost, dict)
                proof = await web.get("sandbox/proof", params={"challenge": signpost["challenge"]})
                assert proof.json() == {"proof": signpost["answer"]}

            def tab() -> connect:
                address = f"ws://{road.replace(f'127.0.0.1:{port}', HUB)}socket"
                allowed = {"Authorization": f"token {TOKEN}"}
                there = {"host": "127.0.0.1", "port": port}
                return connect(address, additional_headers=allowed, origin=Origin(f"http://{HUB}"), proxy=None, **there)

            async with tab() as socket:
                await socket.send(str(link["token"]))
                message = await socket.recv()
                assert isinstance(message, bytes)
                hello = json.loads(message[4 : 4 + int.from_bytes(message[:4], "big")])
                assert hello["state"]["title"] == "Through a hub"
                async with tab() as second:
                    await second.send(str(link["token"]))
                    assert USED.encode() in await second.recv(decode=False)
        finally:
            await asyncio.to_thread(studio.close)
