"""What goes out, moment by moment: one picture and one sound that never stand still, of whatever publishers send.

Runs by the clock, a moment behind real time, so that what comes late finds its place. The pictures of a single
publisher are taken as they are where they can be; else they are decoded and encoded anew: of several publishers, of a
codec that HLS players do not take, of one who sends none. What is taken changes where a segment ends, so that segments
are as long as they should be.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from typing import Any

from spnb.sandbox.media.frames import EncodedFrame, TapTrack
from spnb.sandbox.recorder.composition import Composition
from spnb.sandbox.recorder.copies import Copies
from spnb.sandbox.recorder.layout import Arrangement
from spnb.sandbox.recorder.picture import keyframe_picture
from spnb.sandbox.recorder.segments import SegmentWriter
from spnb.sandbox.recorder.sound import SoundMixer
from spnb.sandbox.recorder.timeline import Timeline, TrackClock

__all__ = ["Program"]

SLACK_SECONDS, MOST_SLACK_SECONDS = 0.15, 0.6
"""How far behind real time it runs: as far as frames come late, within these bounds."""
CALM_SECONDS = 30.0
"""How long a late frame counts."""
START_SECONDS, ANNOUNCED_SECONDS = 1.0, 2.0
"""How long a first picture is waited for, and one of a camera that is there; then a card is shown."""
STALL_SECONDS = 0.6
"""A publisher who has sent no picture for so long has stopped."""
LEAD_STALL_SECONDS = 0.1
"""When the first publisher of several has given no picture for so long, another's sets the pace."""
EARLIEST, ASK, LATEST = 0.9, 0.92, 1.07
"""Of a segment's length: from when a key frame ends it, when one is asked for, and when it ends without."""
FIRST_SECONDS = 0.5
"""The first segment's length: hls.js takes a list without a whole segment for an empty one, and looks again later."""
BEHIND_SECONDS, SPARE_SECONDS = 1.0, 0.1
"""When this far behind, a picture is encoded only so often: a machine that is too slow gives fewer, not later ones."""
PICTURE_SECONDS = 1 / 30
"""How long a last picture is shown."""
MOST_KEPT = 600
"""Frames kept since the last key frame, from which the picture of a publisher who stops is made."""


class Program:
    """Decides what is shown and heard.

    Args:
        segments: writes it.
        copies: write smaller qualities, where the publisher sends them.
        sound: mixes it.
        host: the identity that comes first.
        seconds: of a segment.
        composed: width and height of a picture of several publishers.
        thumbnail: takes a picture (PyAV) every `thumbnail_seconds`.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        segments: SegmentWriter,
        copies: Copies,
        sound: SoundMixer,
        *,
        host: str,
        seconds: float,
        composed: tuple[int, int],
        thumbnail: Callable[[Any], None],
        thumbnail_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._segments = segments
        self._copies = copies
        self._sound = sound
        self._host = host
        self._seconds = seconds
        self._take_thumbnail = thumbnail
        self._thumbnail_seconds = thumbnail_seconds
        self._clock = clock
        self._timeline = Timeline()
        self._clocks: dict[str, TrackClock] = {}
        self._tracks: dict[str, TapTrack] = {}
        self._shown: list[TapTrack] = []
        self._waiting: list[tuple[float, int, TapTrack, EncodedFrame | None, int]] = []
        """What is to come, by its place on the timeline; without a frame it is a track's end; a copy's has its rank."""
        self._order = itertools.count()
        self._composition = Composition(composed)
        self._passing: str | None = None
        """The track whose pictures are taken as they are; where there is none, they are encoded anew or held."""
        self._rendering = False
        """Whether the open segment's pictures are encoded here."""
        self._passable = True
        self._kept: list[bytes] = []
        self._last_frame: dict[str, float] = {}
        self._last_picture = 0.0
        self._last_thumbnail = -thumbnail_seconds
        self._asked = False
        self._now = self._edge = 0.0
        self._slack = SLACK_SECONDS
        self._late_until = 0.0
        self._ends = 0.0
        self._stop = math.inf
        self.frames = 0
        """Pictures taken so far, as publishers sent them."""

    @property
    def started(self) -> bool:
        """Whether there was a frame yet."""
        return self._timeline.started

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what is shown."""
        parameters = self._segments.parameters
        return (parameters.width, parameters.height) if parameters is not None else (0, 0)

    # -- what publishers do

    def lay_out(self, arrangement: Arrangement) -> None:
        """Show several publishers so."""
        self._composition.lay_out(arrangement)

    def start_track(self, track: TapTrack) -> None:
        """A track is there."""
        self._tracks[track.sid] = track
        track.request_keyframe()

    def end_track(self, track: TapTrack) -> None:
        """A track is gone: what it has sent is still shown and heard."""
        if self._timeline.started:
            heapq.heappush(self._waiting, (max(self._now, self._ends), next(self._order), track, None, 0))
        else:
            self._remove(track)

    def _remove(self, track: TapTrack) -> None:
        if self._tracks.get(track.sid) is track:
            del self._tracks[track.sid]
            for name in [name for name in self._clocks if name.partition(" ")[0] == track.sid]:
                del self._clocks[name]
            self._last_frame.pop(track.sid, None)
            self._sound.remove(track.sid)
            self._choose()

    def frame(self, track: TapTrack, frame: EncodedFrame) -> None:
        """A frame of a track has come."""
        if track.sid not in self._tracks:
            return
        self.advance(frame.arrived)
        clock = self._clocks.get(track.sid)
        if clock is None:
            clock = self._clocks[track.sid] = TrackClock(self._timeline, track)
        position = clock.place(frame)
        self._now = max(self._now, self._timeline.since_start(frame.arrived))
        self._mind(self._now - position)
        if track.kind == "audio":
            self._sound.add(track.sid, frame.data, position)
            self._ends = max(self._ends, self._sound.end)
        else:
            self.frames += 1
            self._ends = max(self._ends, position + PICTURE_SECONDS)
            heapq.heappush(self._waiting, (position, next(self._order), track, frame, 0))

    def copy(self, track: TapTrack, rank: int, frame: EncodedFrame) -> None:
        """A frame of a smaller copy of a track has come."""
        if track.sid not in self._tracks or not self._timeline.started:
            return
        name = f"{track.sid} {rank}"
        clock = self._clocks.get(name)
        if clock is None:
            clock = self._clocks[name] = TrackClock(self._timeline, track)
        heapq.heappush(self._waiting, (clock.place(frame), next(self._order), track, frame, rank))

    def _mind(self, late: float) -> None:
        """Run as far behind real time as frames come late."""
        wanted = min(MOST_SLACK_SECONDS, max(SLACK_SECONDS, late * 1.2))
        if wanted >= self._slack or self._now > self._late_until:
            self._slack = wanted
            self._late_until = self._now + CALM_SECONDS

    def _choose(self) -> None:
        """Of each publisher a camera and a screen; the host's first, then as they came."""
        videos = [self._tracks[sid] for sid in self._tracks if sid in self._last_frame]
        best: dict[tuple[str, bool], TapTrack] = {}
        for track in sorted(videos, key=lambda track: track.identity != self._host):
            best.setdefault((track.identity, track.source == "screen_share"), track)
        shown = list(best.values())
        if [track.sid for track in shown] == [track.sid for track in self._shown]:
            return
        if self._passing is not None:
            if [track.sid for track in shown] == [self._passing]:
                self._composition.arrange([])
            elif self._passing not in self._composition:
                # Decoded from now on, so that it is there when it has to be shown beside others, or held.
                self._decode([track for track in self._shown if track.sid == self._passing])
        if self._passing not in [track.sid for track in shown]:
            self._passing = None
        self._shown = shown
        if self._passing is None or len(shown) > 1:
            self._composition.arrange(shown)

    # -- by the clock

    def advance(self, now: float) -> None:
        """Bring what goes out up to a monotonic moment, less the slack."""
        if not self._timeline.started:
            return
        self._now = max(self._now, self._timeline.since_start(now))
        self._go_to(self._now - self._slack)

    def _go_to(self, edge: float) -> None:
        while self._waiting and self._waiting[0][0] <= edge:
            position, _, track, frame, rank = heapq.heappop(self._waiting)
            self._decide(position)
            if frame is None:
                self._remove(track)
            elif rank:
                if track.sid == self._passing:
                    self._copies.take(rank, frame, position, of=track.sid)
            elif self._tracks.get(track.sid) is track:
                self._take(track.sid, frame, position)
        self._decide(edge)

    def _decide(self, edge: float) -> None:
        """What has to happen by now though no frame of its own has come: segments end, pictures are held."""
        start = self._segments.start
        if start is None:
            announced = any(track.kind == "video" for track in self._tracks.values())
            if edge >= (ANNOUNCED_SECONDS if announced else START_SECONDS):
                self._encode_on(0.0)
            return
        age = edge - start
        if not self._asked and self._now - start >= ASK * self._length and self._may_pass():
            self._asked = True
            self._shown[0].request_keyframe()
        # A picture that comes with the end begins the next segment itself.
        while age >= (limit := self._limit) + SPARE_SECONDS / 2 and start + limit < self._stop:
            self._encode_on(max(start + limit, self._segments.end))
            if self._segments.start in (None, start):
                return  # nothing could be encoded: the open segment goes on
            start = self._segments.start
            age = edge - start
        self._segments.until(edge)
        self._copies.until(edge)

    @property
    def _length(self) -> float:
        """How long the open segment is to be, in seconds: players begin when one is whole, so the first is short."""
        return self._seconds if self._segments.listing.count else min(FIRST_SECONDS, self._seconds)

    @property
    def _limit(self) -> float:
        """How long it may get before the next one begins with a picture that is encoded here."""
        return LATEST * self._seconds if self._may_pass() else self._length

    def _may_pass(self) -> bool:
        """Whether the pictures of the one publisher can be taken as they are."""
        if len(self._shown) != 1 or self._shown[0].codec != "h264" or not self._passable:
            return False
        last = self._last_frame.get(self._shown[0].sid)
        return last is not None and self._now - self._slack - last < STALL_SECONDS

    def _decode(self, tracks: list[TapTrack]) -> None:
        self._composition.arrange(tracks)
        for track in tracks:
            if track.sid == self._passing:
                self._composition.prime(track.sid, self._kept)

    def _encode_on(self, position: float) -> None:
        """Begin a segment with a picture that is encoded here."""
        if self._passing is not None and self._passing not in self._composition:
            self._decode(self._shown)
        self._passing, self._rendering = None, True
        self._asked = False
        if self._segments.begin(self._composition.begin(position), position):
            self._copies.cut(position)
        self._last_picture = position
        self._see(position, self._composition.picture)

    def _take(self, sid: str, frame: EncodedFrame, position: float) -> None:
        first = sid not in self._last_frame
        self._last_frame[sid] = max(position, self._last_frame.get(sid, 0.0))
        if first:
            self._choose()
        alone = len(self._shown) == 1 and self._shown[0].sid == sid and self._shown[0].codec == "h264"
        if alone and frame.keyframe and self._pass_on(sid, frame, position):
            return
        if sid == self._passing:
            if frame.keyframe and not self._segments.fits(frame.data):
                self._encode_on(max(position, self._segments.end))
            else:
                self._write(frame, position)
        if self._composition.add(sid, frame.data, keyframe=frame.keyframe):
            self._compose(sid, frame, position)

    def _pass_on(self, sid: str, frame: EncodedFrame, position: float) -> bool:
        """Begin a segment with a key frame as it came, where one is due; whether that was done."""
        start = self._segments.start
        due = start is None or position - start >= EARLIEST * self._length
        # One of another size ends its segment early, since a segment has one encoding.
        if not due and (sid != self._passing or self._segments.fits(frame.data)):
            return False
        at = 0.0 if start is None else max(position, self._segments.end)
        self._passable = self._segments.begin(frame.data, at)
        if not self._passable:
            return False
        self._copies.cut(at)
        if not self._asked:
            self._shown[0].request_keyframe()  # for its copies
        self._passing, self._rendering, self._asked = sid, False, False
        self._kept = [frame.data]
        self._composition.arrange([])
        if position - self._last_thumbnail >= self._thumbnail_seconds:
            self._see(position, keyframe_picture(frame.data))
        return True

    def _write(self, frame: EncodedFrame, position: float) -> None:
        if frame.keyframe:
            self._kept.clear()
        if len(self._kept) < MOST_KEPT:
            self._kept.append(frame.data)
        self._segments.picture(frame.data, position, keyframe=frame.keyframe)

    def _compose(self, sid: str, frame: EncodedFrame, position: float) -> None:
        """Encode what is shown, now that there is a new picture of a track."""
        composition, start = self._composition, self._segments.start
        if start is None:
            if len(composition) == len(self._shown) or sid == self._shown[0].sid:
                self._encode_on(0.0)
            return
        ends = position - start >= self._length and not self._may_pass()
        joined = self._passing is not None and len(composition) > 1
        if ends or (joined and position - start >= EARLIEST * self._length):
            self._encode_on(max(position, self._segments.end))
            return
        leads = sid == composition.lead or position - self._last_picture > LEAD_STALL_SECONDS
        slow = self._clock() - frame.arrived > BEHIND_SECONDS and position - self._last_picture < SPARE_SECONDS
        if self._rendering and leads and not slow:
            self._segments.picture(composition.next(position), position, keyframe=False)
            self._last_picture = position

    def _see(self, position: float, picture: Any) -> None:
        if picture is not None and position - self._last_thumbnail >= self._thumbnail_seconds:
            self._last_thumbnail = position
            self._take_thumbnail(picture)

    def finish(self) -> None:
        """Show what is left, and end where the last of picture and sound ends."""
        if not self._timeline.started:
            return
        # A last segment of a moment would be none.
        self._stop = self._ends - LEAD_STALL_SECONDS
        self._go_to(self._ends)
        if self._segments.start is None:
            self._encode_on(0.0)
        end = max(self._ends, self._segments.end)
        self._segments.finish(end)
        self._copies.cut(end)
