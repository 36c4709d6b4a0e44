"""WebhookInspector and Faults, without a browser: rows, bodies, replays; faults added, counted and cleared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import spnb
from spnb.config import Credentials, Endpoints
from spnb.errors import InvalidInput, SandboxError
from spnb.webhooks import Receiver, signed
from spnb.widgets import Faults, WebhookInspector
from tests.conftest import RunningSandbox, start_sandbox
from tests.widgets.test_widgets import Sent, command, state_of, until

SECRET = "the secret of the webhook"


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with Receiver(SECRET, path=tmp_path / "webhooks.sqlite") as made:
        yield made


def post(receiver: Receiver, room: str, **more: Any) -> None:
    body = json.dumps({"event": "stream.started", "data": {"rooms": [{"roomId": room, **more}]}}).encode()
    headers = {"x-amity-signature": signed(body, SECRET), "content-type": "application/json"}
    assert httpx.post(receiver.url, content=body, headers=headers, trust_env=False, timeout=60).status_code == 200


def test_deliveries_are_listed_shown_and_replayed(receiver: Receiver) -> None:
    seen: list[str] = []
    receiver.on("room.live")(lambda delivery: seen.append(delivery.room_id))
    inspector = WebhookInspector(receiver)
    sent = Sent(inspector)
    address = "https://cdn.example/live.m3u8?signature=secret-one"
    post(receiver, "r1", title="<img src=x onerror=alert(1)>", livePlaybackUrl=address)
    post(receiver, "r1", title="<img src=x onerror=alert(1)>", livePlaybackUrl=address)
    httpx.post(receiver.url, content=b"{}", headers={"content-type": "application/json"}, trust_env=False, timeout=60)
    until(lambda: [(row["name"], row["copies"]) for row in inspector.rows] == [("", 1), ("room.live", 2)])
    until(lambda: inspector.rows[1]["handled"] == "done")
    assert "no signature" in inspector.rows[0]["refused"]
    assert inspector.rows[1]["room"] == "r1"
    assert sent.messages[-1][0]["type"] == "rows"
    command(inspector, "hello")
    until(lambda: sent.messages[-1][0].get("all"))
    assert len(sent.messages[-1][0]["rows"]) == 2
    command(inspector, "body", id="1")
    until(lambda: sent.messages[-1][0]["type"] == "body")
    shown = sent.messages[-1][0]["text"]
    assert "<img src=x onerror=alert(1)>" in shown
    assert "https://cdn.example/…" in shown
    assert "secret-one" not in shown + str(sent.messages) + state_of(inspector) + repr(inspector)
    command(inspector, "body", id="99")
    until(lambda: "forgotten" in sent.messages[-1][0].get("text", ""))
    command(inspector, "replay", id="1")
    until(lambda: sent.messages[-1][0]["type"] == "replayed")
    assert seen == ["r1", "r1"]
    command(inspector, "replay", id="odd")
    assert "room.live r1" in repr(inspector)
    inspector.close()
    post(receiver, "r2")
    until(lambda: seen[-1] == "r2")
    assert len(inspector.rows) == 2, "a closed widget follows no more"


def test_faults_are_added_counted_and_cleared(tmp_path_factory: pytest.TempPathFactory) -> None:
    own: RunningSandbox = start_sandbox(tmp_path_factory.mktemp("own"))
    with spnb.connect("widget-host", url=own.url, api_key=own.api_key) as sp:
        panel = Faults(sp)
        command(panel, "add", kind="rate-limit", match="GET /api/v3/*", times=3, share=1)
        until(lambda: panel.active)
        assert panel.told == "rate-limit is on"
        assert "struck 0 times" in repr(panel)
        httpx.get(f"{own.url}/api/v3/sessions", trust_env=False, timeout=60)
        until(lambda: panel.active[0]["hits"] == 1)
        command(panel, "add", kind="drop", where="webhook", match="room.*", share=0.5, seconds=2)
        until(lambda: len(panel.active) == 2)
        command(panel, "add", kind="earthquake")
        until(lambda: "kind" in panel.error)
        command(panel, "remove", fault="f2")
        until(lambda: len(panel.active) == 1 and panel.told == "removed")
        assert panel.error == ""
        command(panel, "clear")
        until(lambda: panel.active == [] and panel.told == "healthy again")
        command(panel, "cut", what="realtime")
        until(lambda: panel.told == "realtime: 0 cut")
        command(panel, "expire", what="livekit")
        until(lambda: "have expired" in panel.told)
        assert own.api_key not in state_of(panel) + repr(panel)
        panel.close()
    own.stop()


def test_the_real_service_has_no_faults(receiver: Receiver) -> None:
    client = spnb.Client(spnb.AsyncClient(Endpoints.of_region("eu"), Credentials("key", "user")))
    with pytest.raises(SandboxError, match="no sandbox"):
        Faults(client)
    with pytest.raises(InvalidInput, match="no option"):
        WebhookInspector(receiver, filter="x")
    client.close()
