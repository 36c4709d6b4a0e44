"""Playlists: live with low latency, and of what is finished (RFC 8216, draft-pantos-hls-rfc8216bis)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from spnb.sandbox.recorder.segments import PARTS, Listing, Segment
from spnb.sandbox.recorder.writer import Quality

if TYPE_CHECKING:
    from spnb.sandbox.recorder.writer import LiveFiles

__all__ = ["Stored", "finished", "master", "media"]

SHOWN_PARTS = 3
"""Segments from the end whose parts are listed."""
SKIP_SEGMENTS, HOLD_BACK_SEGMENTS, HOLD_BACK_PARTS = 6, 3, 3
"""How far back a delta update leaves out, and how far from the end players begin; each the least the draft allows."""
FIRST = Segment(0, 0.0, 0.0, 1, False, ())
SOUND_CODEC = "mp4a.40.2"


def master(live: LiveFiles) -> str:
    """The list of qualities, the best first."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:9", "#EXT-X-INDEPENDENT-SEGMENTS"]
    best = Quality("", live.listing, live.codec, live.width, live.height)
    for each in (best, *live.copies):
        recent = [one for one in each.listing.segments[: each.listing.count][-10:] if one.quality == each.name]
        rates = [8 * sum(part.length for part in one.parts) / one.seconds for one in recent if one.seconds]
        if each.codec is None or (each.name and not rates):
            continue
        facts = [
            f"BANDWIDTH={math.ceil(max(rates, default=1.0))}",
            f"AVERAGE-BANDWIDTH={math.ceil(sum(rates) / max(1, len(rates)))}",
            f'CODECS="{each.codec},{SOUND_CODEC}"',
            f"RESOLUTION={each.width}x{each.height}",
        ]
        lines += [f"#EXT-X-STREAM-INF:{','.join(facts)}", f"{each.name}main.m3u8"]
    return "\n".join(lines) + "\n"


def media(live: LiveFiles, listing: Listing, *, skip: bool = False) -> str:
    """A live playlist, from the beginning on: viewers may go back as far as they like.

    Args:
        listing: of the quality.
        skip: whether the reader knows what came before and wants only what is new (a delta update).
    """
    segments = listing.segments[: listing.count]
    part = live.seconds / PARTS
    target = round(live.seconds)
    control = [
        "CAN-BLOCK-RELOAD=YES",
        f"PART-HOLD-BACK={HOLD_BACK_PARTS * part:.3f}",
        f"HOLD-BACK={HOLD_BACK_SEGMENTS * target}",
        f"CAN-SKIP-UNTIL={SKIP_SEGMENTS * target}",
    ]
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:9",
        f"#EXT-X-TARGETDURATION:{target}",
        f"#EXT-X-SERVER-CONTROL:{','.join(control)}",
        f"#EXT-X-PART-INF:PART-TARGET={part + 0.001:.3f}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    first = max(0, len(segments) - SKIP_SEGMENTS - 1) if skip else 0
    if first:
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={first}")
    known = segments[first - 1].map if first else ""
    for segment in segments[first:]:
        lines += _head(segment, live.began, known)
        known = segment.map
        if segment.number >= len(segments) - SHOWN_PARTS and not listing.ended:
            lines += _parts(segment)
        lines += [f"#EXTINF:{segment.seconds:.5f},", segment.name]
    if listing.ended:
        lines.append("#EXT-X-ENDLIST")
    else:
        opened = listing.open
        if opened is not None:
            lines += _head(opened, live.began, known)
            lines += _parts(opened)
        # What is to come has most likely the quality of what was.
        like = opened or (segments[-1] if segments else FIRST)
        hinted = replace(like, number=len(segments)).part_name(len(opened.parts) if opened is not None else 0)
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{hinted}"')
    return "\n".join(lines) + "\n"


def _head(segment: Segment, began: float, known: str) -> list[str]:
    lines = ["#EXT-X-DISCONTINUITY"] if segment.changed else []
    if segment.map != known:
        lines.append(f'#EXT-X-MAP:URI="{segment.map}"')
    return [*lines, _date(began + segment.start)]


def _date(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"#EXT-X-PROGRAM-DATE-TIME:{moment}"


def _parts(segment: Segment) -> list[str]:
    return [
        f'#EXT-X-PART:DURATION={part.seconds:.5f},URI="{segment.part_name(number)}"'
        + (",INDEPENDENT=YES" if part.independent else "")
        for number, part in enumerate(segment.parts)
    ]


@dataclass(frozen=True, slots=True)
class Stored:
    """A segment inside a file: its bytes, when it begins, its length, and the bytes of its initialisation segment."""

    offset: int
    length: int
    start: float
    seconds: float
    initialisation: tuple[int, int]
    """Place and length."""


def finished(name: str, segments: Sequence[Stored], began: float) -> str:
    """The playlist of a recording whose segments lie in one file."""
    longest = max((segment.seconds for segment in segments), default=1.0)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(1, round(longest))}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    known: tuple[int, int] | None = None
    for segment in segments:
        if segment.initialisation != known:
            lines += ["#EXT-X-DISCONTINUITY"] if known is not None else []
            known = segment.initialisation
            lines.append(f'#EXT-X-MAP:URI="{name}",BYTERANGE="{known[1]}@{known[0]}"')
        if began:
            lines.append(_date(began + segment.start))
        lines += [f"#EXTINF:{segment.seconds:.5f},", f"#EXT-X-BYTERANGE:{segment.length}@{segment.offset}", name]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"
