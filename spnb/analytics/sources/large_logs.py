"""Chat logs as datasets: a large one goes to files as it is read, so that memory does not grow with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from spnb._places import PassingFolder
from spnb.analytics.dataset import Dataset
from spnb.analytics.folder import Folder, save_table, write_card
from spnb.analytics.frames import validated
from spnb.analytics.quality import Quality
from spnb.analytics.sources.chat_logs import ChatLog, open_chat_log
from spnb.analytics.windows import instant

__all__ = ["dataset_of_log"]


class _Lent(Folder):
    """Tables in a temporary folder, which goes when nobody holds them any more, or with the program."""

    def __init__(self, folder: PassingFolder) -> None:
        self._lent = folder
        super().__init__(Path(folder.name))


def dataset_of_log(path: Path, *, as_of: Any, text: bool, options: Mapping[str, Any]) -> Dataset:
    """The dataset of a chat log.

    Args:
        path: the log.
        as_of: the moment up to which it reaches; its last time without it.
        text: keep the words.
        options: of `read_chat_log`.

    Raises:
        TableError: it is no chat log, or nothing in it was understood.
    """
    with TemporaryDirectory(prefix="spnb-chat-", ignore_cleanup_errors=True) as spool:
        log = open_chat_log(path, **{**options, "text": text, "spool": Path(spool)})
        if log.pieces is not None:
            return _of_pieces(log, log.pieces(), as_of, text)
    told = {} if log.rooms is None else {"rooms": log.rooms}
    made = Dataset.of({"messages": log.messages, **told}, as_of=as_of, text=text)
    return Dataset(made.store, as_of=made.as_of, mended=log.quality + made.mended)


def _of_pieces(log: ChatLog, pieces: Iterator[pd.DataFrame], as_of: Any, text: bool) -> Dataset:
    folder = PassingFolder("spnb-chat-")
    place, mended, times = Path(folder.name), Quality(), []
    first = next(pieces)
    told = {} if log.rooms is None else {"rooms": log.rooms}
    bare = first[["room_id", "user_id", "created_at"]].head(1)
    known = Dataset.of({"messages": bare, **told})  # its room, and the day it is filed under
    for number, piece in enumerate(chain([first], pieces)):
        frame, steps = validated("messages", piece, text=text)
        mended += steps
        save_table(place, "messages", frame, known.days, None, part=f"part-{number:05}")
        times.append(frame["created_at"].max())
    save_table(place, "rooms", known.rooms, known.days, None)
    times += [known.rooms[name].max() for name in ("created_at", "live_at", "ended_at")]
    last = max((time for time in times if not pd.isna(time)), default=None)
    write_card(place, instant(as_of) if as_of is not None else last, None, known.known, text=text)
    store = _Lent(folder)
    return Dataset(store, as_of=store.as_of, mended=log.quality + known.mended + mended)
