"""LiveKit Egress records in the sandbox's place: its API as the sandbox speaks it, to a stand-in that makes real files.

Egress itself runs in containers beside Redis and is not at hand. The room service, signalling and media behind the
stand-in are a real LiveKit server's.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
import uvicorn
from google.protobuf import json_format
from livekit.protocol import egress, webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import spnb
from spnb.sandbox.livekit.choice import Deployment, choose
from spnb.sandbox.livekit.deployment import WEBHOOK_PATH
from tests.broadcast.films import film
from tests.conftest import RunningSandbox, start_sandbox
from tests.live.conftest import until
from tests.media.conftest import LiveKit, publisher
from tests.recorder.test_recorder import numbers_in

pytestmark = pytest.mark.media
STATUS = egress.EgressStatus


class StandIn:
    """A deployment with an Egress: what is not Egress's goes through to the server behind it."""

    def __init__(self, behind: LiveKit) -> None:
        self.behind = behind
        self.there = True
        self.known: dict[str, egress.EgressInfo] = {}
        self.files: dict[str, Path] = {}
        self.asked: list[str] = []
        self.sandbox: RunningSandbox | None = None
        self.url = ""
        routes = [Route("/twirp/{service}/{name}", self._twirp, methods=["POST"])]
        self._server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=0, log_level="error"))
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._serving = asyncio.create_task(self._server.serve())
        await until(lambda: self._server.started)
        self.url = f"ws://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    async def aclose(self) -> None:
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving

    async def _twirp(self, request: Request) -> Response:
        service, name, body = request.path_params["service"], request.path_params["name"], await request.body()
        if service != "livekit.Egress":
            async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
                address = f"http{self.behind.url[2:]}{request.url.path}"
                kept = {head: request.headers[head] for head in ("authorization", "content-type")}
                answer = await client.post(address, content=body, headers=kept)
            return Response(answer.content, answer.status_code, media_type=answer.headers["content-type"])
        token = request.headers["authorization"].removeprefix("Bearer ")
        claims = jwt.decode(token, self.behind.secret, algorithms=["HS256"], issuer=self.behind.key)
        assert claims["video"]["roomRecord"] is True
        self.asked.append(name)
        if not self.there:
            told = {"code": "unavailable", "msg": "egress not connected (redis required)"}
            return JSONResponse(told, status_code=503)
        reply: Any = getattr(self, f"_{name}")(body)
        return Response(reply.SerializeToString(), media_type="application/protobuf")

    def _StartRoomCompositeEgress(self, body: bytes) -> egress.EgressInfo:  # noqa: N802 - the wire's name
        wish = egress.RoomCompositeEgressRequest.FromString(body)
        made = egress.EgressInfo(egress_id=f"EG_{len(self.known)}", room_name=wish.room_name, room_composite=wish)
        made.status = STATUS.EGRESS_ACTIVE
        self.known[made.egress_id] = made
        self.files[made.egress_id] = Path(wish.file_outputs[0].filepath)
        return made

    def _StopEgress(self, body: bytes) -> egress.EgressInfo:  # noqa: N802 - the wire's name
        made = self.known[egress.StopEgressRequest.FromString(body).egress_id]
        made.status = STATUS.EGRESS_ENDING
        return made

    def _ListEgress(self, body: bytes) -> egress.ListEgressResponse:  # noqa: N802 - the wire's name
        room = egress.ListEgressRequest.FromString(body).room_name
        return egress.ListEgressResponse(items=[one for one in self.known.values() if one.room_name == room])

    async def finish(self, egress_id: str) -> None:
        """The file is written, and the webhook sent."""
        made = self.known[egress_id]
        film(self.files[egress_id], seconds=2, fps=15)
        made.file_results.append(egress.FileInfo(filename=str(self.files[egress_id])))
        made.status = STATUS.EGRESS_COMPLETE
        event = webhook.WebhookEvent(event="egress_ended", id=f"EV_{egress_id}", egress_info=made)
        body = json_format.MessageToJson(event).encode()
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        claims = {"iss": self.behind.key, "exp": time.time() + 300, "sha256": digest}
        headers = {"Authorization": jwt.encode(claims, self.behind.secret, algorithm="HS256")}
        assert self.sandbox is not None
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            (await client.post(self.sandbox.url + WEBHOOK_PATH, content=body, headers=headers)).raise_for_status()


@pytest_asyncio.fixture
async def stand_in(embedded: LiveKit) -> AsyncIterator[StandIn]:
    made = StandIn(embedded)
    await made.start()
    yield made
    await made.aclose()


async def test_a_deployments_egress_records_and_its_file_is_the_rooms(stand_in: StandIn, tmp_path: Path) -> None:
    behind, folder = stand_in.behind, tmp_path / "egress"
    folder.mkdir()
    keys = {"LIVEKIT_API_KEY": behind.key, "LIVEKIT_API_SECRET": behind.secret}
    assert isinstance(choose(stand_in.url, keys), Deployment)
    options = ("--livekit", stand_in.url, "--egress", str(folder), "--grace", "30")
    running = await asyncio.to_thread(start_sandbox, tmp_path / "data", *options, env=keys)
    stand_in.sandbox, stand_in.there = running, False
    sp = await spnb.connect_async("egress-host", url=running.url, api_key=running.api_key)
    try:
        room = await sp.rooms.create("Recorded by Egress")
        await room.broadcaster_data()  # whoever fetched it may come: the room is followed
        async with publisher(behind, room.room_id, "egress-host"):
            await room.until("live", timeout=40)
            # While Egress is not there that is told as a gap, and it is asked for again.
            room.observe(lambda _record: None)
            await until(lambda: room.record.recording_gaps)
            assert "redis required" in room.record.recording_gaps[-1].reason
            stand_in.there = True
            await until(lambda: stand_in.known)
            ((egress_id, made),) = stand_in.known.items()
            assert made.room_composite.layout == "speaker"
            await room.stop()
            await until(lambda: made.status == STATUS.EGRESS_ENDING)
            assert (await room.refresh()).status == "ended", "its file is not there yet"
            await stand_in.finish(egress_id)
            recording = await room.recording(timeout=60)
        (path,) = await recording.download(tmp_path, name="taken-in", progress=False)
        assert [number for _, number in numbers_in(path)] == list(range(30))
        assert not list(folder.iterdir()), "it lies with the others now"
        assert (stand_in.asked.count("StartRoomCompositeEgress"), stand_in.asked.count("StopEgress")) == (1, 1)
    finally:
        await sp.aclose()
        running.stop()
