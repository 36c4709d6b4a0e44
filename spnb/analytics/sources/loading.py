"""`load()`: from wherever the rows are to a dataset."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from spnb._arguments import checked
from spnb._faces import asynchronous
from spnb._loop import run
from spnb.analytics.dataset import Dataset
from spnb.analytics.folder import CAPTURE_CARD, CARD, ObjectFolder, read_file
from spnb.analytics.objects import Objects, fetched, objects_at
from spnb.analytics.quality import Quality, Step
from spnb.analytics.sources.chat_logs import kind_of_log
from spnb.analytics.sources.console import looks_like_console, read_console
from spnb.analytics.sources.files import is_sqlite
from spnb.analytics.sources.flat_files import flat_files, read_flat
from spnb.analytics.sources.large_logs import dataset_of_log
from spnb.analytics.store import Memory
from spnb.analytics.swap import recovered
from spnb.analytics.tables import TABLES
from spnb.analytics.windows import instant
from spnb.client import AsyncClient
from spnb.errors import InvalidInput, TableError

__all__ = ["load"]


@checked
def load(
    source: Any, *, as_of: Any = None, since: Any = None, until: Any = None, text: bool = False, **options: Any
) -> Dataset:
    """A dataset from any source.

    Args:
        source: one of
            a mapping of frames, `{"views": …, "rooms": …}` (pandas, polars, Arrow, DuckDB);
            the folder of a capture, also while it is being captured;
            a folder that `Dataset.save` wrote, or one with `views.parquet`, `views/*.parquet` and so on;
            an address on object storage, `s3://bucket/season`: what `Dataset.save` put there, or any of these files;
            a receiver of `spnb.webhooks`, or the file it kept its deliveries in: rooms, status, messages, reactions;
            a client of `spnb.connect()`: rooms, messages and reactions by REST;
            a sandbox (`spnb.sandbox.ensure()` or anything with `url` and `api_key`): every row, exactly;
            the Console's CSV export: streams with the Console's sums as columns `console_…`;
            tables as CSV, JSON lines or Excel, one file or a folder of them; `describe()` tells their columns;
            a chat log: yt-dlp, chat-downloader, TwitchDownloader, pytchat, tcd, IRC clients, Discord, Bilibili …
        as_of: the moment up to which frames reach; the last time in them without it.
        since: only streams that went on air in `[since, until)`, times with a zone.
        until: the first moment that is left out.
        text: keep what people wrote, for `spnb.analytics.words`; of frames, files, chat logs, webhooks and a
            client. What `Dataset.save` and a capture wrote has them if they were kept then; a sandbox's rows hold none.
        options: for a client `most` (rooms, the newest 1000 without it; a warning says how many are left out) or
            `room_ids`, for a chat log `room_id`, `kind`, `time_zone`,
            `start`, for the Console's export `time_zone`; for an address `filesystem`, pyarrow's or fsspec's.

    Raises:
        TableError: the source cannot be used, or lacks the words that were asked for; the message says what to do.
        InvalidInput: an option that this source does not know.
    """
    source = asynchronous(source)
    if since is not None or until is not None:
        narrowing = _narrowing(source, since, until)
        return _worded(_loaded(source, as_of, text, options | narrowing), text).between(since, until)
    return _worded(_loaded(source, as_of, text, options), text)


def _worded(dataset: Dataset, text: bool) -> Dataset:
    """Refuse to keep what is not there."""
    if text and dataset.rows("messages") and not dataset.store.has("messages", "text"):
        raise TableError(
            "what people wrote is not in it: a capture keeps it with spnb.capture(…, text=True), other sources when "
            "they are loaded with text=True; without text=True all else can be looked at"
        )
    return dataset


def _loaded(source: Any, as_of: Any, text: bool, given: Mapping[str, Any]) -> Dataset:
    options = dict(given)
    if isinstance(source, Dataset):
        _only(options, "a dataset")
        return source
    if isinstance(source, Mapping):
        _only(options, "frames")
        return Dataset.of(source, as_of=as_of, text=text)
    filesystem = options.pop("filesystem", None)
    if place := objects_at(source, filesystem):
        return _from_objects(place, as_of, text, options)
    _only({} if filesystem is None else {"filesystem": filesystem}, f"what is no address, as {source!r},")
    if isinstance(source, (str, Path)):
        return _from_path(Path(source), as_of, text, options)
    if isinstance(source, AsyncClient):
        from spnb.analytics.sources.service import MOST_ROOMS, OLDER, load_service

        _only(options, "a client", "most", "room_ids", "began")

        dataset = run(load_service(source, text=text, **options))
        if older := dataset.mended.rows(OLDER):
            newest = options.get("most", MOST_ROOMS)
            warnings.warn(
                f"the newest {newest} rooms are loaded, {older} older ones are left out:"
                f" load(client, most={newest + older}) loads all, each with its chat and reactions",
                UserWarning,
                stacklevel=4,
            )
        return dataset
    webhooks = sys.modules.get("spnb.webhooks")  # whoever has a receiver has loaded them
    if webhooks is not None and isinstance(source, webhooks.AsyncReceiver):
        from spnb.analytics.sources.webhook_store import dataset_of_deliveries

        _only(options, "a receiver")
        return dataset_of_deliveries(run(source.deliveries(newest=-1)), text=text)
    url, key = getattr(source, "url", None), getattr(source, "api_key", None)
    if isinstance(url, str) and isinstance(key, str):
        from spnb.analytics.sources.exact import load_exact

        _only(options, "a sandbox")
        return run(load_exact(url, key))
    kind = type(source).__name__.removeprefix("Async")
    raise TableError(
        f"nothing can be loaded from {kind}: give frames by name ({', '.join(TABLES)}), a folder of "
        f"Parquet, a client, a sandbox, the Console's CSV export or a chat log"
    )


def _only(options: Mapping[str, Any], source: str, *known: str) -> None:
    """Refuse what would be ignored."""
    if odd := [name for name in options if name not in known]:
        choice = f"takes {', '.join(name for name in known if name != 'began')}" if known else "takes no options"
        raise InvalidInput(f"{source} {choice}, not {', '.join(odd)}")


def _narrowing(source: Any, since: Any, until: Any) -> dict[str, Any]:
    """What a client need not read at all."""
    if not isinstance(source, AsyncClient):
        return {}
    return {"began": (since and instant(since, "since"), until and instant(until, "until"))}


def _from_objects(place: Objects, as_of: Any, text: bool, options: Mapping[str, Any]) -> Dataset:
    names = [""] if place.is_object() else list(place.infos())
    if CARD in names and CAPTURE_CARD not in names:
        _only(options, "a saved dataset")
        store = ObjectFolder(place)
        return Dataset(store, as_of=store.as_of, mended=Quality())
    if not names:
        raise TableError(f"there is nothing at {place}")
    with fetched(place, names) as local:
        made = _from_path(local, as_of, text, options)
        tables = {name: made.table(name) for name in TABLES if name in made.known or made.rows(name)}
    return Dataset(Memory(tables, made.known), as_of=made.as_of, mended=made.mended)


def _from_path(path: Path, as_of: Any, text: bool, options: Mapping[str, Any]) -> Dataset:
    recovered(path)
    if not path.exists():
        raise TableError(f"there is no {path}")
    if path.is_dir():
        _only(options, f"the folder {path}")
        if (path / "capture.json").exists():
            from spnb.analytics.capture import captured

            return captured(path)
        return Dataset.saved(path) if (path / CARD).exists() else _from_parquet(path, as_of, text)
    if path.suffix == ".parquet":
        _only(options, str(path))
        name = path.stem if path.stem in TABLES else "views"
        return Dataset.of({name: read_file(path).to_pandas()}, as_of=as_of, text=text)
    if is_sqlite(path):
        from spnb.analytics.sources.webhook_store import dataset_of_deliveries, read_deliveries

        _only(options, str(path))
        return dataset_of_deliveries(read_deliveries(path), text=text)
    if kind := options.get("kind") or kind_of_log(path):
        return dataset_of_log(path, as_of=as_of, text=text, options={**options, "kind": kind})
    if path.suffix != ".xlsx" and looks_like_console(path):
        _only(options, f"{path}, a file of the Console,", "time_zone")
        return _from_console(path, options)
    _only(options, str(path))
    return _judged(*read_flat([path]), as_of, text)


def _from_parquet(folder: Path, as_of: Any, text: bool) -> Dataset:
    tables = {}
    for name in TABLES:
        files = sorted([*folder.glob(f"{name}.parquet"), *folder.glob(f"{name}/**/*.parquet")])
        if files:
            frames = [read_file(file).to_pandas() for file in files]
            tables[name] = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    if not tables and (flat := flat_files(folder)):
        return _judged(*read_flat(flat), as_of, text)
    if not tables:
        raise TableError(
            f"{folder} holds no tables: it needs {', '.join(f'{name}.parquet' for name in TABLES)}, or some"
        )
    return Dataset.of(tables, as_of=as_of, text=text)


def _judged(tables: Mapping[str, Any], judged: Quality, as_of: Any, text: bool) -> Dataset:
    """A dataset that also tells what was judged when its files were read."""
    made = Dataset.of(tables, as_of=as_of, text=text)
    return Dataset(made.store, as_of=made.as_of, mended=judged + made.mended)


def _from_console(path: Path, options: Mapping[str, Any]) -> Dataset:
    frame = read_console(path, **options)
    if "room_id" not in frame.columns:
        frame.insert(0, "room_id", [f"console-{number}" for number in range(1, len(frame) + 1)])
    known = set(TABLES["rooms"].names)
    made = Dataset.of({"rooms": frame.rename(columns=lambda name: name if name in known else f"console_{name}")})
    step = Step("sums of the Console only", "rooms", len(frame), "no sessions: see the columns console_…")
    return Dataset(made.store, as_of=made.as_of, mended=made.mended + Quality.of([step]))
