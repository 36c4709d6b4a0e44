"""Plays a plan against a sandbox: real people of the public API, each with a session of their own.

Viewers are shared out over a few dozen connections; on each, acts go out in the order of their time. A person's acts so
never overtake each other, and whoever answers a message waits until that was sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from spnb.sandbox.audience.plan import Act, AudiencePlan, Reaction, WatchSession, plan_audience, timeline
from spnb.sandbox.audience.wire import Connection, NoAnswer
from spnb.sandbox.audience.words import VIEWERS
from spnb.sandbox.clock import stamp

__all__ = ["Destination", "Player", "play_from"]

Json = dict[str, Any]
CONNECTIONS = 48
TOLD_EVERY = 0.5
AHEAD_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an audience goes: the sandbox, the room, its chat and its post (None where there is none)."""

    url: str
    api_key: str
    room_id: str
    channel_id: str | None
    post_id: str | None


class Player:
    """Plays one plan.

    Args:
        plan: what happens.
        to: where.
        name: begins the user ids of this audience.
        told: called with the progress, as JSON, now and then.
    """

    def __init__(self, plan: AudiencePlan, to: Destination, name: str, told: Callable[[Json], None]) -> None:
        self._plan = plan
        self._to = to
        self._name = name
        self._told = told
        self._tokens: list[str] = [""] * plan.viewers
        self._connections = [Connection(to.url) for _ in range(min(CONNECTIONS, plan.viewers))]
        self._queues: list[asyncio.Queue[Act | None]] = [asyncio.Queue() for _ in self._connections]
        self._sent: dict[int, asyncio.Future[str | None]] = {}
        self._done: Counter[str] = Counter()
        self._watching: set[int] = set()
        self._prepared = 0
        self._began = 0.0
        self._epoch = datetime.now(UTC)
        self._behind = 0.0
        self._worst = 0.0

    async def play(self) -> None:
        """Log everybody in, then let it happen, and tell the end."""
        telling = asyncio.create_task(self._tell())
        try:
            await self._each(self._log_in)
            beat = await self._beat_seconds()
            self._began = time.monotonic()
            self._epoch = datetime.now(UTC)
            await asyncio.gather(self._deal(beat), *(self._work(number) for number in range(len(self._connections))))
        finally:
            telling.cancel()
            for connection in self._connections:
                connection.close()
        self._told({**self._progress(), "finished": True})

    # -- logging in

    async def _each(self, work: Callable[[Connection, int], Any]) -> None:
        step = len(self._connections)

        async def share(number: int) -> None:
            for viewer in range(number, self._plan.viewers, step):
                await work(self._connections[number], viewer)

        await asyncio.gather(*(share(number) for number in range(step)))

    async def _log_in(self, connection: Connection, viewer: int) -> None:
        user_id = f"{self._name}-{viewer}"
        body = {
            "userId": user_id,
            "displayName": f"{VIEWERS[viewer % len(VIEWERS)]} {viewer}",
            "deviceId": f"device of {user_id}",
        }
        status, answer = await connection.send("POST", "/api/v5/sessions", f"X-API-Key: {self._to.api_key}\r\n", body)
        if status != 200:
            raise NoAnswer(f"the sandbox refused the login of a simulated viewer with {status}")
        self._tokens[viewer] = f"Authorization: Bearer {answer['accessToken']}\r\n"
        self._prepared += 1

    async def _beat_seconds(self) -> float:
        _, answer = await self._connections[0].send("GET", "/api/v1/presence/settings", self._tokens[0])
        return max(1.0, float(answer["network"]["heartbeatInterval"]))

    # -- acting

    async def _deal(self, beat: float) -> None:
        """Hand out acts as they come due."""
        for act in timeline(self._plan, beat=beat):
            wait = self._began + act.at - time.monotonic()
            if wait > AHEAD_SECONDS:
                await asyncio.sleep(wait)
            if act.said is not None:
                self._sent[act.said.number] = asyncio.get_running_loop().create_future()
            self._queues[act.viewer % len(self._queues)].put_nowait(act)
        for queue in self._queues:
            queue.put_nowait(None)

    async def _work(self, number: int) -> None:
        connection, queue = self._connections[number], self._queues[number]
        while (act := await queue.get()) is not None:
            self._behind = max(0.0, time.monotonic() - self._began - act.at)
            self._worst = max(self._worst, self._behind)
            try:
                await self._do(connection, act)
            except NoAnswer:
                self._done["failed"] += 1
            finally:
                if act.said is not None and not self._sent[act.said.number].done():
                    self._sent[act.said.number].set_result(None)

    async def _do(self, connection: Connection, act: Act) -> None:
        if act.session is not None:
            await self._watch(connection, act, act.session)
        elif act.said is not None:
            said = act.said
            body: Json = {
                "messageFeedId": self._to.channel_id,
                "dataType": "text",
                "data": {"text": said.text},
                "referenceId": f"{self._name[-12:]}-{said.number}",
            }
            if said.reply_to is not None and (parent := await self._sent[said.reply_to]) is not None:
                body["parentId"] = parent
            answer = await self._call(connection, act.viewer, "/api/v5/messages", body, "messages")
            self._sent[said.number].set_result(answer["messages"][0]["messageId"] if answer else None)
        elif act.kind == "float":
            await self._float(connection, act)
        else:
            await self._react(connection, act.viewer, act.reactions[0])

    async def _watch(self, connection: Connection, act: Act, watched: WatchSession) -> None:
        if act.kind == "leave":
            self._watching.discard(watched.number)
        else:
            path = f"/api/v1/presence/rooms/{self._to.room_id}/heartbeat"
            await self._call(connection, act.viewer, path, {}, "heartbeats")
            self._watching.add(watched.number)
        session = {
            "sessionId": f"{self._name[-30:]}-{watched.number}",
            "roomId": self._to.room_id,
            "watchSeconds": round(act.at - watched.start, 3),
            "startTime": self._stamp(watched.start),
            "endTime": self._stamp(act.at),
        }
        kind = {"join": "sessions", "beat": "updates", "leave": "leaves"}[act.kind]
        await self._call(connection, act.viewer, "/api/v3/user-event/room", {"rooms": [session]}, kind)

    async def _float(self, connection: Connection, act: Act) -> None:
        reactions = [
            {
                "referencePublicId": self._to.post_id,
                "referenceType": "post",
                "reactionName": reaction.name,
                # Times tell equal ones of a buffer apart.
                "occurredAt": self._stamp(reaction.at + number / 1000),
            }
            for number, reaction in enumerate(act.reactions)
        ]
        body = {"roomId": self._to.room_id, "reactions": reactions}
        if await self._call(connection, act.viewer, "/api/v1/reactions/live", body, "buffers") is not None:
            self._done["reactions"] += len(reactions)

    async def _react(self, connection: Connection, viewer: int, reaction: Reaction) -> None:
        subject = self._to.post_id
        if reaction.subject is not None and (subject := await self._sent[reaction.subject]) is None:
            self._done["failed"] += 1  # the message never arrived
            return
        body = {"referenceId": subject, "referenceType": reaction.to, "reactionName": reaction.name}
        await self._call(connection, viewer, "/api/v2/reactions", body, "reactions")

    async def _call(self, connection: Connection, viewer: int, path: str, body: Json, kind: str) -> Json | None:
        status, answer = await connection.send("POST", path, self._tokens[viewer], body)
        if status >= 300:
            # A moderator's ban, slow mode, the end of the stream: part of life, told in the progress.
            self._done["refused"] += 1
            return None
        self._done[kind] += 1
        found: Json = answer or {}
        return found

    def _stamp(self, at: float) -> str:
        return stamp(datetime.fromtimestamp(self._epoch.timestamp() + at, UTC))

    # -- telling

    def _progress(self) -> Json:
        return {
            "prepared": self._prepared,
            "elapsed": round(time.monotonic() - self._began, 3) if self._began else 0.0,
            "began": self._epoch.timestamp() if self._began else None,
            "watching": len(self._watching),
            "behind": round(self._behind, 3),
            "worst": round(self._worst, 3),
            **{
                kind: self._done[kind]
                for kind in ("sessions", "heartbeats", "messages", "reactions", "refused", "failed")
            },
        }

    async def _tell(self) -> None:
        while True:
            self._told(self._progress())
            await asyncio.sleep(TOLD_EVERY)


def play_from(wish: Json) -> int:
    """The work of the process; ends early when its stdin does, which is when whoever began it has gone."""

    def told(progress: Json) -> None:
        sys.stdout.write(json.dumps(progress) + "\n")
        sys.stdout.flush()

    plan = plan_audience(**wish["plan"])
    player = Player(plan, Destination(**wish["to"]), wish["name"], told)

    async def all_of_it() -> None:
        loop = asyncio.get_running_loop()
        playing = asyncio.ensure_future(player.play())
        threading.Thread(target=_wait_for_end, args=(loop, playing), daemon=True).start()
        with contextlib.suppress(asyncio.CancelledError):
            await playing

    try:
        asyncio.run(all_of_it())
    except NoAnswer as error:
        told({"error": str(error)})
        return 1
    return 0


def _wait_for_end(loop: asyncio.AbstractEventLoop, playing: asyncio.Future[None]) -> None:
    # Not through `sys.stdin`, whose lock a waiting thread would hold when the interpreter ends.
    while os.read(0, 1024):
        pass
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself meanwhile
        loop.call_soon_threadsafe(playing.cancel)


def wish_of(plan: Json, to: Destination, name: str) -> str:
    """What the process reads from its stdin, as one line."""
    return json.dumps({"plan": plan, "to": asdict(to), "name": name}) + "\n"
