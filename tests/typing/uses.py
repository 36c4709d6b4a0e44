"""Uses of the public names as a user writes them. Nobody runs this: mypy and pyright read it, and must agree with it.

`reveal` lines are checked by `assert_type`; a line with `# wrong` must be refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import assert_type

import spnb
from spnb.broadcast import AsyncBroadcast, Broadcast, BroadcastEvent, VideoOptions
from spnb.models import Message, Participant, Post, Room, User
from spnb.webhooks import Asked, Decision, Prehook

sp = spnb.connect("ann", watch_key=Path("key.pem"))
assert_type(sp, "spnb.Client[spnb.LiveRoom]")
room = sp.rooms.create("A title")
assert_type(room, spnb.LiveRoom)
assert_type(room.live_at, datetime | None)
assert_type(room.participants, list[Participant])
assert_type(room.status, str)
assert_type(room.record, Room)
with room.go_live(spnb.TestCard(320, 180), video=VideoOptions(fps=15)) as broadcast:
    assert_type(broadcast, Broadcast)
    assert_type(broadcast.on_air, bool)
assert_type(room.go_live("own.mp4"), Broadcast)
assert_type(room.download("out", name="talk", timeout=60), list[Path])
assert_type(room.update(title="Another"), Room)
assert_type(room.chat.send("hello"), Message)
assert_type(room.post(text="come"), Post)
assert_type(sp.users.get("bo"), User)
assert_type(len({room.record}), int)
for found in sp.rooms.query(statuses="live", type="coHosts"):
    assert_type(found, spnb.LiveRoom)
rooms = sp.rooms.follow(["live"], type="coHosts", sort="firstCreated", deleted=None)
assert_type(rooms, spnb.LiveRooms)
assert_type(rooms.rooms, list[Room])
assert_type(iter(rooms), Iterator[Room])
for live in sp.rooms.lives():
    assert_type(live.post, Post | None)

hook = Prehook(default="deny")


@hook.on("message.shouldCreate")
def rule(asked: Asked) -> Decision | None:
    return asked.refuse("no") if "no" in asked.text else None


def heard(event: BroadcastEvent) -> None:
    assert_type(event, BroadcastEvent)


async def main() -> None:
    async with spnb.connect_async("ann") as client:
        assert_type(client, "spnb.AsyncClient[spnb.AsyncLiveRoom]")
        made = await client.rooms.create("A title")
        assert_type(made, spnb.AsyncLiveRoom)
        assert_type(made.ended_at, datetime | None)
        assert_type(await made.go_live(on_event=heard), AsyncBroadcast)
        assert_type(client.rooms.follow(), spnb.AsyncLiveRooms)
        assert_type(made.sync, spnb.LiveRoom)


assert_type(room.no_such_field, str)  # wrong
room.go_live(picture="large")  # wrong
room.update(titel="Another")  # wrong
room.download("out", nme="talk")  # wrong
sp.rooms.follow(sort="newest")  # wrong
sp.rooms.query(sort="newest")  # wrong
Prehook(default="maybe")  # wrong
