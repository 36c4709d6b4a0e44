"""Where a frame belongs on a recording's timeline.

Time zero is the first frame of the recording; from there the timeline is real time, so a publisher that is away for a
while leaves a pause (the last picture held, silence), and the length of a recording is the time the room was live.
"""

from __future__ import annotations

from spnb.sandbox.media.frames import EncodedFrame, TapTrack

__all__ = ["Timeline", "TrackClock"]

RESYNC_SECONDS = 0.08
"""Sound that is further than this from its picture is moved. Below, nobody notices (ITU-R BT.1359: 45 to 125 ms)."""


class TrackClock:
    """Places the frames of one track.

    A track's own RTP clock gives the distance between its frames; arrival gives where the first of them belongs; the
    publisher's clock, once known, corrects that for the encoder's delay.
    """

    def __init__(self, timeline: Timeline, track: TapTrack) -> None:
        self._timeline = timeline
        self._rate = track.clock_rate
        self.identity = track.identity
        self._first_timestamp = 0
        self._base: float | None = None

    def place(self, frame: EncodedFrame) -> float:
        """Seconds from the start of the recording."""
        if self._base is None:
            self._first_timestamp = frame.timestamp
            self._base = self._timeline.since_start(frame.arrived)
        position = self._base + (frame.timestamp - self._first_timestamp) / self._rate
        if frame.captured is not None:
            wanted = self._timeline.of_capture(self.identity, frame.captured, position)
            if abs(wanted - position) > RESYNC_SECONDS:
                self._base += wanted - position
                position = wanted
        return max(0.0, position)


class Timeline:
    """The recording's zero, and how each publisher's clock relates to it."""

    def __init__(self, *, offset: float = 0.0) -> None:
        self._started: float | None = None
        self._offset = offset
        self._captures: dict[str, float] = {}

    def since_start(self, arrived: float) -> float:
        """Seconds on the timeline of a monotonic moment; the first asked for is the zero."""
        if self._started is None:
            self._started = arrived
        return arrived - self._started + self._offset

    def of_capture(self, identity: str, captured: float, position: float) -> float:
        """Where a publisher's moment belongs; the first track of it that knows its clock sets the relation."""
        relation = self._captures.setdefault(identity, position - captured)
        wanted = captured + relation
        if abs(wanted - position) > 5.0:
            # The publisher's clock was set: begin anew rather than tear the recording apart.
            self._captures[identity] = position - captured
            return position
        return wanted
