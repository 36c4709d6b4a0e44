"""In Shiny a widget is told of what happens though nobody touches the page."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

import spnb
from spnb.bench.lab import free_port
from tests.conftest import RunningSandbox

APP = """
import os, shinywidgets, spnb
from shiny import App, ui

kept = []

def server(input, output, session):
    sp = spnb.connect('guest', url=os.environ['TEST_URL'], api_key=os.environ['TEST_KEY'])
    kept.append(spnb.RoomStatus(sp.rooms.get(os.environ['TEST_ROOM'])))

app = App(ui.page_fluid(), server)
"""


async def connected(address: str) -> ClientConnection:
    """A session, once the server is there."""
    async with asyncio.timeout(90):
        while True:
            try:
                return await connect(address, max_size=None, proxy=None)
            except OSError:
                await asyncio.sleep(0.1)


async def told(session: ClientConnection, kind: str, words: str) -> None:
    """Wait for a message of the server's about a widget with these words in it."""
    async with asyncio.timeout(90):
        async for message in session:
            custom = json.loads(message).get("custom", {})
            if words in custom.get(kind, ""):
                return
    raise AssertionError(f"the session ended without {kind}")


async def test_a_silent_page_is_told_of_what_a_room_does(sandbox: RunningSandbox, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    async with await spnb.connect_async("host", url=sandbox.url, api_key=sandbox.api_key) as host:
        room = await host.rooms.create("First title")
        port = free_port()
        given = {"TEST_URL": sandbox.url, "TEST_KEY": sandbox.api_key, "TEST_ROOM": room.room_id}
        server = subprocess.Popen(
            [sys.executable, "-m", "shiny", "run", "app.py", f"--port={port}"],
            env={**os.environ, **given, "SPNB_HOME": str(tmp_path / "home")},
            cwd=tmp_path,
            stderr=subprocess.DEVNULL,
        )
        try:
            session = await connected(f"ws://127.0.0.1:{port}/websocket/")
            async with session:
                await session.send(json.dumps({"method": "init", "data": {".clientdata_pixelratio": 1}}))
                await told(session, "shinywidgets_comm_open", "First title")
                await host.rooms.update(room.room_id, title="Second title")
                await told(session, "shinywidgets_comm_msg", "Second title")
        finally:
            server.terminate()
            server.wait(60)
