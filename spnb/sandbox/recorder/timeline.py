"""Where a frame belongs on a recording's timeline.

Time zero is the first frame of the recording; from there the timeline is real time, so a publisher that is away for a
while leaves a pause (the last picture held, silence), and the length of a recording is the time the room was live.
"""

from __future__ import annotations

from spnb.sandbox.media.frames import EncodedFrame, TapTrack

__all__ = ["Timeline", "TrackClock"]

ALIGN_SECONDS = 0.04
"""Sound and picture that are further apart are put together at once, when the publisher first tells its clock."""
SLEW_SECONDS = 0.0005
"""By how much a frame is moved at most: clocks that drift are followed without a jump."""
STEP_SECONDS = 0.25
"""A publisher's clock that moves by more between two frames, against its own media, was set."""
FUTURE_SECONDS = 0.5
"""A frame cannot have been taken so long after it arrived: its time stamps have jumped."""
WINDOW_SECONDS = 10.0
"""Drift against real time is what the quickest frame of such a window shows."""


class TrackClock:
    """Places the frames of one track.

    A track's own RTP clock gives the distance between its frames; arrival gives where the first of them belongs, and
    over time how fast that clock runs; the publisher's clock, once known, puts sound and picture together. A clock that
    is set anew, the publisher's or that of its media, is noticed by its step and moves nothing.
    """

    def __init__(self, timeline: Timeline, track: TapTrack) -> None:
        self._timeline = timeline
        self._rate = track.clock_rate
        self.identity = track.identity
        self._last_timestamp = 0
        self._last_arrived = 0.0
        self._position: float | None = None
        self._relation: float | None = None
        """The publisher's clock less the track's own, in seconds, as it was before any step."""
        self._stepped = 0.0
        self._aligned = False
        self._pace = _Pace()

    def place(self, frame: EncodedFrame) -> float:
        """Seconds from the start of the recording."""
        arrived = self._timeline.since_start(frame.arrived)
        if self._position is None:
            position = arrived
        else:
            moved = (frame.timestamp - self._last_timestamp) / self._rate
            position = self._position + moved
            if moved < 0 or position > arrived + FUTURE_SECONDS:
                position = self._position + max(0.0, min(frame.arrived - self._last_arrived, arrived - self._position))
        self._last_timestamp, self._last_arrived = frame.timestamp, frame.arrived
        if frame.captured is not None:
            position += self._towards_capture(frame.captured, frame.timestamp / self._rate, position)
        if not self._aligned:
            # The publisher has told no clock: the track keeps its distance to real time.
            position += self._pace.gained(arrived, position)
        self._position = position
        return max(0.0, position)

    def _towards_capture(self, captured: float, media: float, position: float) -> float:
        relation = captured - media
        if self._relation is not None and abs(relation - self._relation - self._stepped) > STEP_SECONDS:
            self._stepped = relation - self._relation
        elif self._relation is not None:
            self._relation = relation - self._stepped
        else:
            self._relation = relation
        wanted = self._timeline.of_capture(self.identity, captured - self._stepped, position)
        error = wanted - position
        if not self._aligned:
            self._aligned = True
            if abs(error) > ALIGN_SECONDS:
                return error
        self._timeline.follow(self.identity, self._last_arrived, position)
        return max(-SLEW_SECONDS, min(SLEW_SECONDS, error))


class Timeline:
    """The recording's zero, and how each publisher's clock relates to it."""

    def __init__(self) -> None:
        self._started: float | None = None
        self._captures: dict[str, float] = {}
        self._paces: dict[str, _Pace] = {}

    def since_start(self, arrived: float) -> float:
        """Seconds on the timeline of a monotonic moment; the first asked for is the zero."""
        if self._started is None:
            self._started = arrived
        return arrived - self._started

    @property
    def started(self) -> bool:
        """Whether there was a frame."""
        return self._started is not None

    def of_capture(self, identity: str, captured: float, position: float) -> float:
        """Where a publisher's moment belongs; the first track of it that knows its clock sets the relation."""
        return captured + self._captures.setdefault(identity, position - captured)

    def follow(self, identity: str, arrived: float, position: float) -> None:
        """Move all tracks of a publisher, slowly, by what its clock has gained on real time."""
        pace = self._paces.setdefault(identity, _Pace())
        self._captures[identity] += pace.gained(self.since_start(arrived), position)


class _Pace:
    """How late the quickest frames of a publisher come, window by window."""

    def __init__(self) -> None:
        self._ends = 0.0
        self._quickest: float | None = None
        self._usual: float | None = None

    def gained(self, arrived: float, position: float) -> float:
        """Take a frame; by how many seconds what comes is to be moved."""
        late = arrived - position
        self._quickest = late if self._quickest is None else min(self._quickest, late)
        if arrived < self._ends:
            return 0.0
        quickest, self._quickest = self._quickest, None
        first, self._ends = not self._ends, arrived + WINDOW_SECONDS
        if first:
            return 0.0
        if self._usual is None:
            self._usual = quickest
        return max(-10 * SLEW_SECONDS, min(10 * SLEW_SECONDS, quickest - self._usual))
