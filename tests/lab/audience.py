"""What others see of a host on air: the room as the service tells it, and the pictures as they arrive."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
from livekit import api, rtc

from tests.broadcast.booth import Listener
from tests.lab.conftest import Lab
from tests.media.conftest import Viewer


class House:
    """The audience's side of the tests' sandbox: what others see of a room."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._http = httpx.AsyncClient(base_url=lab.sandbox.url, trust_env=False, timeout=60)

    async def room_id(self) -> str:
        return (await self.lab.run_code("print(studio.room.room_id)")).strip()

    async def status(self, room_id: str) -> str:
        return str((await self._room(room_id))["status"])

    async def qualities(self, room_id: str, count: int) -> list[str]:
        """Sizes in which the room is there live by HLS, once there are so many."""
        async with asyncio.timeout(60):
            while True:
                address = (await self._room(room_id)).get("livePlaybackUrl")
                told = (await self._http.get(address)).text if address else ""
                if len(sizes := re.findall(r"RESOLUTION=(\S+?)(?:,|$)", told, re.MULTILINE)) >= count:
                    return sizes
                await asyncio.sleep(0.2)

    async def _room(self, room_id: str) -> dict[str, Any]:
        key = {"X-API-Key": self.lab.sandbox.api_key}
        session = await self._http.post("/api/v5/sessions", headers=key, json={"userId": "onlooker", "deviceId": "d"})
        bearer = {**key, "Authorization": f"Bearer {session.json()['accessToken']}"}
        answer = await self._http.get(f"/api/v1/rooms/{room_id}", headers=bearer)
        room: dict[str, Any] = answer.json()["rooms"][0]
        return room

    async def until(self, room_id: str, *statuses: str, seconds: float = 60) -> str:
        async with asyncio.timeout(seconds):
            while (now := await self.status(room_id)) not in statuses:
                await asyncio.sleep(0.2)
        return now

    @asynccontextmanager
    async def viewer(self, room_id: str) -> AsyncIterator[Viewer]:
        watching = Viewer()
        await watching.room.connect(*await self._ticket(room_id, "viewer"))
        try:
            yield watching
        finally:
            await watching.room.disconnect()

    @asynccontextmanager
    async def listener(self, room_id: str) -> AsyncIterator[Listener]:
        listening = Listener()
        await listening.join(*await self._ticket(room_id, "listener"))
        try:
            yield listening
        finally:
            await listening.leave()

    async def _ticket(self, room_id: str, identity: str) -> tuple[str, str]:
        answer = await self._http.post(
            "/sandbox/livekit-token",
            headers={"X-API-Key": self.lab.sandbox.api_key},
            json={"room": room_id, "identity": identity},
        )
        return answer.json()["url"], answer.json()["token"]

    async def cut(self, what: str, room_id: str) -> int:
        answer = await self._http.post(
            "/sandbox/faults/cut",
            headers={"X-API-Key": self.lab.sandbox.api_key},
            json={"what": what, "roomId": room_id},
        )
        return int(answer.raise_for_status().json()["cut"])

    async def mute_remotely(self, room_id: str, track: str) -> None:
        """As a moderator's backend does, with the media server's own key."""
        with sqlite3.connect(self.lab.sandbox.data_dir / "sandbox.sqlite") as facts:
            (secret,) = facts.execute("SELECT value FROM facts WHERE name = 'livekit-secret'").fetchone()
        url = self.lab.sandbox.url
        moderator = api.LiveKitAPI(url, "sandbox", secret)
        people = (await moderator.room.list_participants(api.ListParticipantsRequest(room=room_id))).participants
        (host,) = [one.identity for one in people if track in [published.sid for published in one.tracks]]
        wish = api.MuteRoomTrackRequest(room=room_id, identity=host, track_sid=track, muted=True)
        await moderator.room.mute_published_track(wish)
        await moderator.aclose()


MOVING = 4
"""Pictures a second that are more than one which stands, repeated."""


PATIENCE = 10
"""Seconds for a first picture, and between two; then it may be another track that has them."""


async def pictures(track: Any, seconds: float) -> tuple[set[tuple[int, int]], float, bool]:
    """Sizes, pictures per second, and whether they move, over some seconds from the first picture on."""
    stream = rtc.VideoStream(track, format=rtc.VideoBufferType.I420)
    sizes, prints, began, count = set(), set(), 0.0, 0
    loop = asyncio.get_running_loop()
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE) as patience:
            async for event in stream:
                now = loop.time()
                patience.reschedule(now + PATIENCE)
                began = began or now
                if now - began > seconds:
                    break
                count += 1
                sizes.add((event.frame.width, event.frame.height))
                prints.add(hash(bytes(event.frame.data[: event.frame.width * 64 : 7])))
    await stream.aclose()
    return sizes, count / seconds, len(prints) > count // 2


async def good_pictures(
    track: Any, *, size: tuple[int, int] | None = None, within: float = 60, watching: Viewer | None = None
) -> None:
    """Wait until two seconds of a track show pictures that move, all in one size; of `watching`, of its newest track.

    A viewer of a simulcast may begin on a smaller layer; what counts is what it settles on. How many come in a second
    says as much of the machine as of the stream: that is measured by the benches.
    """
    seen: Any = None
    try:
        async with asyncio.timeout(within):
            while True:
                await asyncio.sleep(0)  # the stream of a track that is gone ends at once
                track = track if watching is None else await newest(watching, track)
                sizes, rate, moving = seen = await pictures(track, 2)
                if rate >= MOVING and moving and (len(sizes) == 1 if size is None else sizes == {size}):
                    return
    except TimeoutError:
        raise AssertionError(f"wanted {size or 'one size'}, moving; saw {seen}") from None


async def still_pictures(track: Any, *, within: float = 60) -> None:
    """Wait until two seconds of a track show one picture that stands, sent a few times a second."""
    seen: Any = None
    try:
        async with asyncio.timeout(within):
            while True:
                _, rate, moving = seen = await pictures(track, 2)
                if 0 < rate < 15 and not moving:
                    return
    except TimeoutError:
        raise AssertionError(f"wanted a standing picture; saw {seen}") from None


async def brightest(track: Any) -> int:
    """The brightest point of the next picture."""
    stream = rtc.VideoStream(track, format=rtc.VideoBufferType.I420)
    try:
        async for event in stream:
            return max(event.frame.data[: event.frame.width * event.frame.height])
    finally:
        await stream.aclose()
    return 0


async def newest(watching: Viewer, track: Any) -> Any:
    """The track that was published last: a host who came back has a new one."""
    pictures_of = watching.tracks[rtc.TrackKind.KIND_VIDEO]
    while not pictures_of.empty():
        track, _ = pictures_of.get_nowait()
    return track
