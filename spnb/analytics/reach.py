"""The reach of streams' posts: who saw them, beside who then watched, wrote and reacted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from spnb._arguments import checked
from spnb._faces import asynchronous
from spnb._loop import on_loop, run
from spnb.analytics.dataset import Dataset
from spnb.client import AsyncClient
from spnb.errors import Forbidden, InvalidInput, NotFound
from spnb.models import Room

__all__ = ["post_reach"]

COLUMNS = ["room_id", "post_id", "user_id", "display_name", "watched", "wrote", "reacted"]


@checked
def post_reach(dataset: Dataset, client: Any, *, room_ids: Sequence[str] | None = None) -> pd.DataFrame:
    """The audience of streams' posts as a list, joined with what this dataset knows of the same people.

    Args:
        dataset: the streams, e.g. of a capture.
        client: of `spnb.connect()`; reads the posts of the rooms and who saw them.
        room_ids: these streams; all of the dataset without it.

    Returns:
        A row for each stream and person: `room_id, post_id` (the post as feeds show it), `user_id, display_name`, and
        whether they `watched`, `wrote` or `reacted` in it, live or in the recording; <NA> where no table could know.
        Who saw posts that cannot be read is missing; `.attrs["unreadable"]` counts those streams, and streams without a
        post are in `.attrs["without_post"]`.

    Raises:
        InvalidInput: it is no client.
    """
    connection = asynchronous(client)
    if not isinstance(connection, AsyncClient):
        raise InvalidInput(f"who saw a post is read by a client of spnb.connect(), not {type(client).__name__}")
    part = dataset if room_ids is None else dataset.of_rooms(room_ids)
    rows, missed = run(_seen(connection, part.rooms["room_id"].tolist()))
    made = pd.DataFrame(rows, columns=COLUMNS[:4])
    people = pd.MultiIndex.from_frame(made[["room_id", "user_id"]].astype(object))
    for column, table in (("watched", "views"), ("wrote", "messages"), ("reacted", "reactions")):
        frame = part.table(table)
        did = pd.MultiIndex.from_frame(frame[["room_id", "user_id"]].astype(object))
        known: Any = people.isin(did) if table in part.known else [pd.NA] * len(made)
        made[column] = pd.array(known, dtype="boolean")
    made.attrs.update(missed)
    return made


@on_loop
async def _seen(client: AsyncClient[Any], room_ids: list[str]) -> tuple[list[tuple[Any, ...]], dict[str, int]]:
    rows: list[tuple[Any, ...]] = []
    missed = {"without_post": 0, "unreadable": 0}
    for room_id in room_ids:
        try:
            room: Room = await client.rooms.record(room_id)
            if room.reference_type != "post" or not room.reference_id:
                missed["without_post"] += 1
                continue
            post = await client.posts.get(room.reference_id)  # the whole, or the part of it that carries the room
            post_id = post.parent_post_id or post.post_id
            people: dict[str, str | None] = {}
            for seen in dict.fromkeys((post_id, post.post_id, *post.children)):
                async for user in client.posts.reached(seen, page_size=100):
                    people.setdefault(user.user_id, user.display_name)
        except (Forbidden, NotFound):
            missed["unreadable"] += 1
            continue
        rows += [(room_id, post_id, user_id, name) for user_id, name in people.items()]
    return rows, missed
