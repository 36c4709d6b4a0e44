"""The whole flow at log level 1, behind a recording proxy: no secret in anything that is written or seen on the way."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socketserver
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

import spnb
from spnb import sandbox as spnb_sandbox
from spnb.sandbox.media import MediaEvent
from spnb.sandbox.media.webhook import WebhookSender
from spnb.webhooks import AsyncReceiver
from tests.media.conftest import livekit_binary

CONNECTED = """
import logging, os
logging.basicConfig(level=1, filename=os.environ["FLOW_LOG"], format="%(name)s %(message)s")
import json, threading
import spnb
from IPython.display import display
from spnb._loop import run
from spnb.analytics.sources.exact import load_exact

url, key, folder, told = (os.environ[name] for name in ("FLOW_URL", "FLOW_KEY", "FLOW_FOLDER", "FLOW_SECRETS"))
secrets = {"the key": key}
host, guest = (spnb.connect(name, url=url, api_key=key) for name in ("secretive", "guest"))
for who in (host, guest):
    secrets[f"the token of {who.user_id}"] = run(who.asynchronous._session.token())
host, guest
"""
HOOKED = """
import secrets as chance
secrets["the webhook's"] = chance.token_hex(20)
receiver = spnb.webhooks.Receiver(secrets["the webhook's"], path=f"{folder}/webhooks.db")
receiver.serve()
hooks = spnb.sandbox.webhooks(host)
hook = hooks.add(receiver.url, secrets["the webhook's"])
display(spnb.WebhookInspector(receiver))
hook, receiver, hooks.registered()
"""
INGESTED = """
direct = host.rooms.create("By an encoder", type="directStreaming")
ingest = direct.ingest()
secrets["the stream key"] = ingest.stream_key
secrets["the key of another room"] = host.rooms.create("Another", type="directStreaming").ingest().stream_key
display(direct, ingest, direct.broadcaster_data())
ingest
"""
ON_AIR = """
room = host.rooms.create("Flow")
data = room.broadcaster_data()
secrets["the host's LiveKit token"] = data.co_host_token
chat = room.open_chat()
chat.send("hello")
for made in (spnb.Studio, spnb.LiveNow, spnb.RoomTable, spnb.CreateRoom):
    display(made(host))
for made in (spnb.Player, spnb.Chat, spnb.RoomCard, spnb.RoomStatus, spnb.LiveDashboard, spnb.ViewerCount, spnb.GoLive):
    display(made(room))
display(spnb.Studio(host, room))
show = room.go_live(spnb.TestCard(320, 180))
playable = threading.Event()
room.observe(lambda record: record.live_playback_url and playable.set())
assert playable.wait(60)
signed = host.rooms.record(room.room_id).live_playback_url
secrets["the live address"] = signed.split("/media/")[1].split("/")[0]
room.thumbnail()
display(room, room.record, data, show, chat)
room
"""
CO_HOSTED = """
room.invite("guest")
invitation = spnb.LiveInvitations(guest).refresh()[0]
theirs = invitation.accept()
secrets["the guest's LiveKit token"] = theirs.broadcaster_data().co_host_token
with theirs.join_stage(spnb.TestCard(320, 180)) as on_stage:
    display(invitation, theirs, on_stage, room.stage, spnb.Studio(guest, theirs))
"""
RECORDED = """
show.stop()
recording = room.recording(timeout=90)
for number, file in enumerate(recording.files):
    secrets[f"the address of recording {number}"] = file.url.split("/media/")[1].split("/")[0]
recording.download(folder)
display(recording, spnb.RecordingPlayer(room))
run(load_exact(url, key))
deliveries = hooks.deliveries(hook)
assert any(one["delivered"] for one in deliveries)
deliveries
"""
FAILED = """
def told_apart(call):
    try:
        call()
    except spnb.SpnbError as error:
        print(repr(error), error)

told_apart(lambda: host.rooms.record("nothing"))
told_apart(lambda: hooks.add("http://example.com/", secrets["the webhook's"]))
told_apart(lambda: spnb.connect("nobody", url=url, api_key="x" * 30))
open(told, "w").write(json.dumps(secrets))
guest.rooms.record("nothing")  # as a notebook shows what nobody catches
"""
RUN = """
import sys
import nbformat
from nbclient import NotebookClient

path = sys.argv[1]
notebook = nbformat.read(path, 4)
NotebookClient(notebook, timeout=150, allow_errors=True, resources={"metadata": {"path": sys.argv[2]}}).execute()
nbformat.write(notebook, path)
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
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """A proxy that the environment names for everything, loopback too."""
    with Recorder() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        for name in [name for name in os.environ if name.lower() == "no_proxy"]:
            monkeypatch.delenv(name)
        for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "mqtt_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{made.server_address[1]}")
            monkeypatch.setenv(name.upper(), f"http://127.0.0.1:{made.server_address[1]}")
        yield made
        made.shutdown()


KINDS = {"a token": r"eyJ[\w-]{9,}\.eyJ[\w-]{9,}\.[\w-]{9,}", "a signed address": r"/media/\d{9,}\.[\w-]{20,}/"}
"""Whatever looks like one, also where the flow never had it in hand."""


def secrets_in(where: dict[str, str], secrets: dict[str, str]) -> list[str]:
    """Which secret is where, with what stands before it."""
    looked_for = {name: re.escape(secret) for name, secret in secrets.items()} | KINDS
    return [
        f"{name} is in {place}: …{text[max(0, found.start() - 200) : found.start()]}"
        for place, text in where.items()
        for name, secret in looked_for.items()
        if (found := re.search(secret, text))
    ]


@pytest.mark.media
def test_no_secret_is_written_saved_or_seen(proxy: Recorder, tmp_path: Path) -> None:
    """A webhook, an encoder's room, a guest on the stage, every widget; also in the notebook that is saved."""
    running = spnb_sandbox.start(tmp_path / "data", options=("--no-rate-limit",))
    place = tmp_path / "notebook"
    place.mkdir()
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(code)
            for code in (CONNECTED, HOOKED, INGESTED, ON_AIR, CO_HOSTED, RECORDED, FAILED)
        ]
    )
    nbformat.write(notebook, place / "flow.ipynb")
    environment = {
        **os.environ,
        "FLOW_URL": running.url,
        "FLOW_KEY": running.api_key,
        "FLOW_FOLDER": str(place),
        "FLOW_LOG": str(place / "flow.log"),
        "FLOW_SECRETS": str(tmp_path / "secrets.json"),
    }
    command = [sys.executable, "-c", RUN, str(place / "flow.ipynb"), str(place)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=175)
    running.stop()
    assert done.returncode == 0, done.stderr[-3000:]
    saved = nbformat.read(place / "flow.ipynb", 4)
    failed = [out for cell in saved.cells[:-1] for out in cell.outputs if out.output_type == "error"]
    assert not failed, "\n".join(failed[0].traceback)
    assert saved.cells[-1].outputs[-1].output_type == "error", "the last one is shown with its traceback"
    states = saved.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    assert len([state for state in states.values() if state["model_name"] == "AnyModel"]) >= 14, "widgets are saved"
    secrets = json.loads((tmp_path / "secrets.json").read_text())
    assert len(secrets) >= 10
    log = (place / "flow.log").read_text()
    assert "httpcore" in log, "the libraries did log"
    written = {
        "what was printed": done.stdout + done.stderr,
        "the sandbox's log": (tmp_path / "data/sandbox.log").read_text(),
    }
    for path in place.rglob("*"):
        # What a receiver was told is kept for its owner as it was told, addresses of media too.
        if path.is_file() and path.suffix not in (".mp4", ".jpg") and not path.name.startswith("webhooks.db"):
            written[path.name] = path.read_bytes().decode(errors="replace")
    assert {"flow.ipynb", "flow.log"} <= written.keys()
    assert stat.S_IMODE((place / "webhooks.db").stat().st_mode) == 0o600
    assert not secrets_in(written, secrets)
    assert bytes(proxy.heard) == b"", "a proxy of the outside world saw a call to this machine"


@pytest.mark.media
def test_no_call_between_a_sandbox_and_its_livekit_is_seen(proxy: Recorder, tmp_path: Path) -> None:
    running = spnb_sandbox.start(tmp_path / "data", options=("--livekit", str(livekit_binary())))
    with spnb.connect("host", url=running.url, api_key=running.api_key) as client:
        room = client.rooms.create("Through a server")
        with room.go_live(spnb.TestCard(320, 180)):
            room.until("live", timeout=60)
        room.until("ended", "recorded", timeout=60)
    running.stop()
    logs = {path.name: path.read_text(errors="replace") for path in (tmp_path / "data").glob("*.log")}
    assert not secrets_in(logs, {"the key": running.api_key})
    assert bytes(proxy.heard) == b"", bytes(proxy.heard)[:1500]


async def test_no_webhook_of_a_media_server_is_seen(proxy: Recorder, tmp_path: Path) -> None:
    pair = ("key", "a secret of livekit, over thirty-two bytes")
    heard = asyncio.Event()
    async with AsyncReceiver(livekit=pair, path=tmp_path / "livekit.sqlite") as receiver:
        receiver.on()(lambda _delivery: heard.set())
        sender = WebhookSender(receiver.url, *pair)
        sender(MediaEvent("track_published", "room", "host", "PA_1", track_sid="TR_1", at=time.time()))
        async with asyncio.timeout(60):
            await heard.wait()
        await sender.aclose()
    assert bytes(proxy.heard) == b"", bytes(proxy.heard)[:1500]
