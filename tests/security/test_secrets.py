"""The whole flow at log level 1, behind a recording proxy: no secret in anything that is written or seen on the way."""

from __future__ import annotations

import json
import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunningSandbox

FLOW = """
import asyncio, json, logging, sys
logging.basicConfig(level=1, stream=sys.stderr, format="%(name)s %(message)s")
import spnb
from spnb import errors
from spnb.analytics.sources.exact import load_exact

url, key, folder = sys.argv[1:4]
secrets = [key]

async def flow():
    client = await spnb.connect_async("secretive", url=url, api_key=key)
    secrets.append(await client._session.token())
    room = await client.rooms.create("Flow")
    data = await room.broadcaster_data()
    secrets.append(data.co_host_token)
    chat = await room.open_chat()
    await chat.send("hello")
    heard = asyncio.Event()
    end = room.observe(lambda _record: heard.set())
    await room.update(title="Flow, renamed")
    await asyncio.wait_for(heard.wait(), 60)
    async with await room.go_live(spnb.TestCard()) as show:
        await room.until("live", timeout=60)
        live = await client.rooms.record(room.room_id)
        await room.thumbnail()
        repr((client, room, room.record, data, show, chat))
    recording = await room.recording(timeout=90)
    secrets.extend(file.url for file in recording.files if getattr(file, "url", None))
    print(repr(recording))
    await recording.download(folder)
    try:
        await client.rooms.record("nothing")
    except errors.SpnbError as error:
        print(repr(error), error)
    end()
    await client.aclose()

asyncio.run(flow())
asyncio.run(load_exact(url, key))
print(json.dumps({"secrets": secrets}))
"""


class Recorder(socketserver.ThreadingTCPServer):
    """A proxy that writes down all it is sent, and passes nothing on."""

    daemon_threads = True

    def __init__(self) -> None:
        self.heard = bytearray()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                self.request.settimeout(5)
                outer.heard += self.request.recv(65536)
                self.request.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def proxy() -> Iterator[Recorder]:
    with Recorder() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.mark.media
def test_no_secret_is_written_or_seen(sandbox: RunningSandbox, proxy: Recorder, tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{proxy.server_address[1]}"
    names = (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "WS_PROXY",
        "MQTT_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    )
    environment = {name: value for name, value in os.environ.items() if name.lower() != "no_proxy"}
    environment |= dict.fromkeys(names, address)
    command = [sys.executable, "-c", FLOW, sandbox.url, sandbox.api_key, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=115)
    assert done.returncode == 0, done.stderr[-3000:]
    *shown, last = done.stdout.splitlines()
    secrets = json.loads(last)["secrets"]
    assert len(secrets) >= 3
    assert "httpcore" in done.stderr, "the libraries did log"
    written = {"output": "\n".join(shown), "log": done.stderr}
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.suffix in (".json", ".txt", ".sha256", ".part"):
            written[path.name] = path.read_text(errors="replace")
    for where, text in written.items():
        for secret in secrets:
            assert secret not in text, f"a secret is in the {where}: …{text[max(0, text.find(secret) - 200) :][:200]}"
    assert bytes(proxy.heard) == b"", "a proxy of the outside world saw a call to this machine"
