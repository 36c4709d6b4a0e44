"""Analytics at scale: a season of watch sessions in Parquet, beside what an analyst would write by hand in the same
run.

The data are made on the spot, in a temporary folder, in the layout that `Dataset.save` writes: 5 000 streams of 300
creators over 100 days, sizes by a power law, a million users. The hand-written queries read the same files and give
the same numbers: distinct users at every moment, so overlapping sessions of one user in one stream are one (islands by
a running maximum).
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from spnb.bench.figures import Figure, at_least, at_most

__all__ = [
    "analytics_import",
    "beyond_memory",
    "chat_log",
    "dimensions",
    "growth",
    "messages",
    "season",
    "stream_page",
]

MILLION = 1_000_000
STREAMS = 5_000
DAYS = 100
DAY_MS = 86_400_000
BEGIN_MS = 1_767_225_600_000  # 2026-01-01 UTC
WORDS = "so this is what people write when a stream is good LUL PogChamp nice play gg hello"
SQL = """
with live as (
    select room_id, "user" as u, start as s, "end" as e from read_parquet('{files}')
), marked as (
    select *, case when s <= max(e) over (
        partition by room_id, u order by s, e rows between unbounded preceding and 1 preceding
    ) then 0 else 1 end as opens from live
), numbered as (
    select *, sum(opens) over (partition by room_id, u order by s, e rows unbounded preceding) as n from marked
), islands as (
    select room_id, min(s) as s, max(e) as e from numbered group by room_id, u, n
), events as (
    select room_id, s as t, 1 as d from islands union all select room_id, e, -1 from islands
), steps as (
    select room_id, t, sum(d) over (partition by room_id order by t, d rows unbounded preceding) as c from events
)
select room_id, max(c) as peak from steps group by room_id
"""


def analytics_import() -> Iterator[Figure]:
    """`import spnb.analytics` in a fresh interpreter: a face only, whose working parts load on first use."""
    program = "import time; t = time.perf_counter(); import spnb.analytics; print(time.perf_counter() - t)"
    took = [
        float(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout) for _ in range(5)
    ]
    yield at_most("import spnb.analytics", sorted(took)[2], 0.5, "s", "median of 5; the rest loads on first use")


def season() -> Iterator[Figure]:
    """Ten million sessions: exact concurrency of all streams, and all numbers of each; each the best of three."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make_views(folder, 10 * MILLION)
        ours, peaks = _best(lambda: swept(folder))
        theirs, answers = {}, {}
        for name, by_hand in (("polars", by_polars), ("DuckDB SQL", by_sql)):
            theirs[name], answers[name] = _best(partial(by_hand, folder), times=2)
        if any(answer != peaks for answer in answers.values()):
            raise AssertionError("the hand-written queries find other peaks: one of the three is wrong")
        best = min(theirs.values())
        told = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in theirs.items())
        yield at_most("10 M sessions → exact concurrency", ours, 1.2, "s", "5 000 streams, load included, best of 3")
        yield at_most("… of the best by hand", ours / best, 0.1, "×", f"{told}; the same peaks")
    seconds, megabytes = _apart(10 * MILLION)
    yield at_most("10 M sessions → all KPIs", seconds, 2.5, "s", "21 numbers of each stream, load included")
    yield at_most("… peak memory", megabytes, 1500, "MB", "resident, the whole process")


def dimensions() -> Iterator[Figure]:
    """Two million sessions in groups: by a dimension of viewers, against by a column of streams."""
    import numpy as np

    from spnb.analytics import load

    with tempfile.TemporaryDirectory() as place:
        make_views(Path(place), 2 * MILLION, streams=1_000)
        season = load(place)
        views = season.views
        countries = np.array(["DE", "FR", "JP", "US", "BR"], dtype=object)
        views["country"] = countries[np.random.default_rng(3).integers(0, 5, len(views))]
        whole = load({"rooms": season.rooms, "views": views})
        took = {by: _best(partial(_in_groups, whole, by))[0] for by in ("creator_id", "country")}
    told = f"{took['country']:.2f} s against {took['creator_id']:.2f} s by host"
    yield at_most("2 M sessions by a dimension of viewers", took["country"] / took["creator_id"], 1.5, "×", told)


def _in_groups(dataset: Any, by: str) -> Any:
    from spnb.analytics import Dataset, grouped

    return grouped(Dataset(dataset.store, as_of=dataset.as_of, mended=dataset.mended), by)  # nothing is reckoned yet


def growth() -> Iterator[Figure]:
    """One, ten and fifty million sessions: time at most linear, memory under 3 GB."""
    took = {size: _apart(size * MILLION) for size in (1, 10, 50)}
    for small, large in ((1, 10), (10, 50)):
        factor = took[large][0] / took[small][0] / (large / small)
        note = f"{took[small][0]:.2f} s → {took[large][0]:.2f} s; 1 is linear"
        yield at_most(f"KPIs, {small} M → {large} M sessions", factor, 1.1, "× linear", note)
    yield at_most("50 M sessions, peak memory", took[50][1], 3000, "MB", "resident, the whole process")


def beyond_memory() -> Iterator[Figure]:
    """Two hundred million sessions of twenty million people: all numbers of 5 000 streams, and the largest one's page.

    They take 4 GB of disk, and some minutes to make.
    """
    with tempfile.TemporaryDirectory() as place:
        make_views(Path(place), 200 * MILLION, users=20 * MILLION)
        program = f"from spnb.bench.analytics import _all_of; _all_of({place!r})"
        told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    kpis, page, viewers, megabytes = map(float, told.stdout.split())
    yield at_most("200 M sessions → all KPIs", kpis, 600, "s", "21 numbers of each of 5 000 streams, load included")
    yield at_most("… → the page of the largest stream", page, 60, "s", f"{viewers:.0f} views, figures included")
    yield at_most("… peak memory of both", megabytes, 4000, "MB", "resident, the whole process")


def chat_log() -> Iterator[Figure]:
    """A gigabyte of a downloaded chat, its words kept: how fast it is read, and what that takes."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "chat.json"
        make_chat(file, 1_000 * MILLION)
        size = file.stat().st_size / MILLION
        program = f"from spnb.bench.analytics import _imported; _imported({str(file)!r})"
        told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    seconds, messages, quarter, megabytes = map(float, told.stdout.split())
    yield at_least("1 GB of chat JSON → a dataset", size / seconds, 50, "MB/s", f"{messages:.0f} messages, with words")
    yield at_most("… peak memory against a quarter of it", megabytes - quarter, 100, "MB", f"{megabytes:.0f} MB in all")


def messages() -> Iterator[Figure]:
    """Ten million messages: rates, chatters and moments of each stream."""
    with tempfile.TemporaryDirectory() as place:
        make_messages(Path(place), 10 * MILLION)
        took, found = _best(lambda: chats(Path(place)), times=2)
    yield at_most("10 M messages → rates, chatters, moments", took, 6.0, "s", f"5 000 streams, {found} moments")


def stream_page() -> Iterator[Figure]:
    """One stream of a hundred thousand viewers: its whole page from the saved season."""
    from spnb.analytics import load

    with tempfile.TemporaryDirectory() as place:
        make_views(Path(place), 130_000, streams=1, users=10 * MILLION)
        name = load(place).rooms["room_id"].iloc[0]

        def page() -> int:
            report = load(place).report(name)
            report.figures()
            return int(report.kpis["unique_viewers"])

        took, viewers = _best(page)
    yield at_most("one stream → its page", took, 1.0, "s", f"{viewers} viewers, figures included, best of 3")


def swept(folder: Path) -> dict[str, int]:
    """Peaks of all streams, with their step functions and averages, from the files."""
    from spnb.analytics import load
    from spnb.analytics.metrics.concurrency import averaged, sweep
    from spnb.analytics.reckon import over_sessions
    from spnb.analytics.sessions import Sessions
    from spnb.analytics.store import Part
    from spnb.analytics.windows import Windows

    dataset = load(folder)

    def reduce(sessions: Sessions, part: Part) -> dict[str, int]:
        made = sweep(sessions)
        averaged(made.seconds, sessions.windows.seconds)
        return dict(zip(part.rooms.tolist(), made.peak.tolist(), strict=True))

    peaks: dict[str, int] = {}
    for part in over_sessions(dataset.store, Windows.of(dataset.rooms), reduce):
        peaks |= part
    return peaks


def by_polars(folder: Path) -> dict[str, int]:
    """The same in polars, as an analyst would write it."""
    import polars as pl

    who = ["room_id", "user"]
    sessions = pl.scan_parquet(folder / "views/**/*.parquet").select(*who, "start", "end").sort(*who, "start", "end")
    reach = pl.col("end").cum_max().shift(1).over(who)
    islands = (
        sessions.with_columns(opens=(pl.col("start") > reach).fill_null(value=True))
        .with_columns(number=pl.col("opens").cum_sum())
        .group_by("room_id", "number")
        .agg(pl.col("start").min(), pl.col("end").max())
    )
    events = pl.concat(
        [
            islands.select("room_id", at="start", change=pl.lit(1, pl.Int32)),
            islands.select("room_id", at="end", change=pl.lit(-1, pl.Int32)),
        ]
    ).sort("room_id", "at", "change")
    steps = events.with_columns(viewers=pl.col("change").cum_sum())  # every stream ends at zero
    made: Any = steps.group_by("room_id").agg(pl.col("viewers").max()).collect()
    return dict(zip(made["room_id"].to_list(), made["viewers"].to_list(), strict=True))


def by_sql(folder: Path) -> dict[str, int]:
    """The same in SQL, by DuckDB."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        rows = connection.execute(SQL.format(files=folder / "views/day=*/*.parquet")).fetchall()
    return {room: int(peak) for room, peak in rows}


def chats(folder: Path) -> int:
    """Rates and chatters per stream and its moments; returns how many moments there are."""
    from spnb.analytics import load
    from spnb.analytics.events import Events
    from spnb.analytics.metrics.chat import chat_columns
    from spnb.analytics.metrics.moments import moments_in
    from spnb.analytics.reckon import over_events
    from spnb.analytics.store import Part
    from spnb.analytics.windows import Windows

    def reduce(events: Events, _: Part) -> int:
        chat_columns(events)
        return len(moments_in(events, None))

    dataset = load(folder)
    return sum(over_events(dataset.store, Windows.of(dataset.rooms), "messages", reduce))


def make_views(folder: Path, sessions: int, *, streams: int = STREAMS, users: int = MILLION) -> None:
    """A season of watch sessions."""
    import numpy as np
    import pyarrow as pa

    from spnb.analytics.folder import write_card, write_parquet

    draw = np.random.default_rng(5)
    ids, began, length, sizes = _streams(folder, draw, sessions, streams)
    made = 0
    for day, rooms in _by_day(began, ids):
        room = np.repeat(rooms, sizes[rooms])
        rank = np.repeat(np.arange(len(rooms)), sizes[rooms])
        user = (draw.power(0.5, len(room)) * users).astype(np.int64)
        start = began[room] + (draw.beta(1, 2, len(room)) * length[room]).astype(np.int64)
        stay = np.minimum(draw.exponential(600_000, len(room)).astype(np.int64) + 1, began[room] + length[room] - start)
        order = np.lexsort((start, user, rank))
        room, user, start, end = room[order], user[order], start[order], (start + stay)[order]
        table = pa.table(
            {
                "room_id": pa.array(ids).take(pa.array(room)),
                "user_id": pa.array(np.char.add("user-", user.astype(str))),
                "start": pa.array(start, pa.timestamp("ms", tz="UTC")),
                "end": pa.array(end, pa.timestamp("ms", tz="UTC")),
                "watch_seconds": pa.array((end - start) / 1000.0 * 0.9),
                "replay": pa.array(np.zeros(len(room), dtype=bool)),
                "session_id": pa.array((made + np.arange(len(room))).astype(str)),
                "user": pa.array(user, pa.int32()),
            }
        )
        write_parquet(table, folder / "views" / day / "part-0.parquet")
        made += len(room)
    write_card(folder, None, users)


def make_messages(folder: Path, count: int) -> None:
    """A season of chat."""
    import numpy as np
    import pyarrow as pa

    from spnb.analytics.folder import write_card, write_parquet

    draw = np.random.default_rng(6)
    ids, began, length, sizes = _streams(folder, draw, count, STREAMS)
    for day, rooms in _by_day(began, ids):
        room = np.repeat(rooms, sizes[rooms])
        user = (draw.power(0.5, len(room)) * MILLION).astype(np.int64)
        at = began[room] + (draw.uniform(0, 1, len(room)) * length[room]).astype(np.int64)
        table = pa.table(
            {
                "room_id": pa.array(ids).take(pa.array(room)),
                "user_id": pa.array(np.char.add("user-", user.astype(str))),
                "created_at": pa.array(at, pa.timestamp("ms", tz="UTC")),
                "deleted": pa.array(draw.random(len(room)) < 0.02),
                "user": pa.array(user, pa.int32()),
            }
        )
        write_parquet(table, folder / "messages" / day / "part-0.parquet")
    write_card(folder, None, MILLION)


def make_chat(file: Path, size: int) -> None:
    """A chat of so many bytes, as TwitchDownloader writes it."""
    import json

    import numpy as np

    draw = np.random.default_rng(7)
    words = np.array(WORDS.split())
    begin = np.datetime64("2026-03-01T12:00:00")
    with file.open("w") as out:
        out.write('{"video":{"title":"Show","created_at":"2026-03-01T12:00:00Z","length":90000},"comments":[')
        number = 0
        while out.tell() < size:
            lengths, users = draw.integers(1, 20, 10_000), draw.integers(0, 20_000, 10_000)
            said = np.split(words[draw.integers(0, len(words), int(lengths.sum()))], np.cumsum(lengths)[:-1])
            rows = []
            for some, user in zip(said, users.tolist(), strict=True):
                number += 1
                text, second = " ".join(some), number * 0.04
                stamp = begin + np.timedelta64(round(second * 1000), "ms")
                comment = {
                    "_id": f"{number:08x}-aaaa-bbbb-cccc-{number:012x}",
                    "created_at": f"{stamp}Z",
                    "content_offset_seconds": round(second, 3),
                    "commenter": {"display_name": f"Viewer{user}", "_id": str(10**7 + user), "name": f"viewer{user}",
                                  "bio": None, "created_at": "2020-01-01T00:00:00Z",
                                  "logo": f"https://static.example/{user:032x}-profile_image-300x300.png"},
                    "message": {"body": text, "bits_spent": 0, "fragments": [{"text": text, "emoticon": None}],
                                "user_badges": [{"_id": "subscriber", "version": "12"}], "user_color": "#FF69B4"},
                }  # fmt: skip
                rows.append(json.dumps(comment, separators=(",", ":")))
            out.write(("," if number > len(rows) else "") + ",".join(rows))
        out.write("]}")


def _streams(folder: Path, draw: Any, rows: int, streams: int) -> tuple[Any, Any, Any, Any]:
    import numpy as np
    import pandas as pd

    from spnb.analytics.folder import save_table
    from spnb.analytics.frames import validated
    from spnb.analytics.windows import moments_of

    began = BEGIN_MS + (np.arange(streams) * DAYS // streams) * DAY_MS + draw.integers(0, 72_000_000, streams)
    length = draw.integers(1_800_000, 4 * 3_600_000, streams)
    share = np.minimum(draw.pareto(1.5, streams) + 0.2, 50)
    sizes = np.maximum(1, (share / share.sum() * rows).astype(np.int64))
    ids = np.array([f"{number:024x}" for number in draw.integers(0, 2**62, streams)])
    rooms = pd.DataFrame({"room_id": ids, "live_at": moments_of(began), "ended_at": moments_of(began + length)})
    rooms["creator_id"] = [f"creator-{number}" for number in draw.integers(0, 300, streams)]
    rooms["created_at"] = rooms["live_at"]
    now = pd.Timestamp("2027-01-01", tz="UTC")
    nobody = pd.Series([], dtype="datetime64[ms, UTC]")
    save_table(folder, "rooms", validated("rooms", rooms, now=now)[0], nobody, pd.Index([]))
    return ids, began, length, sizes


def _by_day(began: Any, ids: Any) -> Iterator[tuple[str, Any]]:
    """Name of each day's folder, and its streams in order of their ids."""
    import numpy as np

    days = (began - BEGIN_MS) // DAY_MS
    for day in np.unique(days):
        rooms = np.flatnonzero(days == day)
        name = np.datetime64(BEGIN_MS + int(day) * DAY_MS, "ms").astype("datetime64[D]")
        yield f"day={name}", rooms[np.argsort(ids[rooms])]


def _best(work: Callable[[], Any], times: int = 3) -> tuple[float, Any]:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        answer = work()
        took.append(time.perf_counter() - began)
    return min(took), answer


def _apart(sessions: int) -> tuple[float, float]:
    """Seconds (best of two) and peak resident megabytes of the KPIs in a process of their own."""
    with tempfile.TemporaryDirectory() as place:
        make_views(Path(place), sessions)
        program = f"from spnb.bench.analytics import _measured; _measured({place!r})"
        told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    seconds, megabytes = told.stdout.split()
    return float(seconds), float(megabytes)


def _measured(place: str) -> None:
    from spnb.analytics import load

    seconds, _ = _best(lambda: load(place).kpis, times=2)
    sys.stdout.write(f"{seconds} {_peak_megabytes()}\n")


def _all_of(place: str) -> None:
    from spnb.analytics import load

    seconds, kpis = _best(lambda: load(place).kpis, times=1)
    name = str(kpis["views"].idxmax())
    page, views = _best(lambda: _page(place, name), times=1)
    sys.stdout.write(f"{seconds} {page} {views} {_peak_megabytes()}\n")


def _page(place: str, name: str) -> int:
    from spnb.analytics import load

    report = load(place).report(name)
    report.figures()
    return int(report.kpis["views"])


def _imported(path: str) -> None:
    from spnb.analytics import load

    quarter = Path(path).with_name("quarter.json")
    with Path(path).open("rb") as whole:
        quarter.write_bytes(whole.read(Path(path).stat().st_size // 4))  # a torn log is one
    load(quarter, text=True)
    before = _peak_megabytes()
    seconds, rows = _best(lambda: load(path, text=True).rows("messages"), times=1)
    sys.stdout.write(f"{seconds} {rows} {before} {_peak_megabytes()}\n")


def _peak_megabytes() -> float:
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage tells there begins with the memory of the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1000
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
