"""`RecordingPlayer`: all files of a recording as one, with marks, in step with charts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import traitlets

from spnb.errors import InvalidInput, ServiceError, Unreachable
from spnb.live import AsyncLiveRoom, LiveRoom
from spnb.models import Room
from spnb.recordings import AsyncRecording
from spnb.widgets.base import STATIC
from spnb.widgets.playback import Playback
from spnb.widgets.replay_placards import ReplayPlacards
from spnb.widgets.still import Still, named, still, table

__all__ = ["RecordingPlayer"]

MOST_MARKS = 500

LINE = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "line": {"width": 2, "dash": "dot", "color": "#d92d20"}}


class RecordingPlayer(Playback, ReplayPlacards, Still):
    """Plays the recording of a room, however many files it has, on one time line with marks to jump to.

    `player.current_time` is where it is (seconds, observable), `player.seek(seconds)` moves it, and
    `player.follow(figure)` ties it to a plotly `FigureWidget`: a click on the chart seeks, and a line shows the moment.

    The page asks for a file's signed address when it needs it and keeps it in memory: it is in no trait and no output.

    Args:
        room: a live room; before it is recorded the player waits.
        marks: chapters or moments, `(seconds, label)` each. Labels are shown as text.
    """

    _esm = STATIC / "recordingPlayer.js"
    files: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """Seconds of each file in order; 0 where only the page will know."""
    marks: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """`{at, label}` in order of time."""
    current_time = traitlets.Float(0.0).tag(sync=True)
    """Where the playing is, in seconds from the recording's beginning."""
    playing = traitlets.Bool(False).tag(sync=True)
    plain = "plays a recording."

    def __init__(self, room: LiveRoom, *, marks: Iterable[tuple[float, str]] = (), **keywords: Any) -> None:
        super().__init__(marks=_marks(marks), **keywords)
        self._room: AsyncLiveRoom = room.asynchronous
        self._recording: AsyncRecording | None = None
        self._opening: asyncio.Lock | None = None
        self._take(self._room.record)
        self._at_end(self._room.observe(self._changed))
        self._spawn(self._open())

    @property
    def duration(self) -> float:
        """Length of all files together, in seconds; 0 until it is known."""
        return float(sum(self.files))

    def mark(self, seconds: float, label: str) -> None:
        """Add a mark to jump to."""
        known = [(mark["at"], mark["label"]) for mark in self.marks]
        self.marks = _marks([*known, (seconds, label)])

    def seek(self, seconds: float, *, play: bool = False) -> None:
        """Go to a moment.

        Args:
            seconds: from the recording's beginning.
            play: play from there, where the page may; else what played goes on, and what stood still stands.

        Raises:
            InvalidInput: it is no moment of a recording.
        """
        wanted = float(seconds)
        if not 0 <= wanted < float("inf"):
            raise InvalidInput(f"{seconds!r} is no moment of a recording: give seconds from its beginning")
        at = min(wanted, self.duration) if self.duration else wanted
        self.current_time = at
        # Not the trait: the page may have told where it was in between.
        self.send({"type": "seek", "seconds": at, **({"play": True} if play else {})})

    def follow(self, figure: Any, *, line: bool = True) -> Callable[[], None]:
        """Seek to where a chart is clicked. Its x axis is seconds since the stream began, or points in time.

        Args:
            figure: a plotly `FigureWidget`.
            line: whether to show the current moment on it.

        Returns:
            A function that ends it.

        Raises:
            InvalidInput: the figure cannot tell of clicks.
        """
        from plotly.basewidget import BaseFigureWidget

        if not isinstance(figure, BaseFigureWidget):
            raise InvalidInput("only a FigureWidget tells of clicks: pass plotly.graph_objects.FigureWidget(figure)")
        traces = list(figure.data)
        following = [True]

        def clicked(_trace: Any, points: Any, _state: Any) -> None:
            found = (self._since_live(x) for x in points.xs)
            seconds = next((at for at in found if at is not None), None)
            if following and seconds is not None:
                self.seek(max(0.0, seconds))

        for trace in traces:
            trace.on_click(clicked, append=True)
        timed = any(self._since_live(x) is not None and not _is_number(x) for x in _some_x(traces))
        moved = self._line_on(figure, timed=timed) if line else None

        def end() -> None:
            was, following[:] = bool(following), []
            if was and moved is not None:
                self.unobserve(moved, "current_time")

        self._at_end(end)
        return end

    def _line_on(self, figure: Any, *, timed: bool) -> Callable[[Any], None]:
        index = len(figure.layout.shapes)

        def place(seconds: float) -> Any:
            began = self._room.record.live_at
            return began + timedelta(seconds=seconds) if timed and began is not None else seconds

        figure.add_shape(x0=place(self.current_time), x1=place(self.current_time), **LINE)

        def moved(change: Any) -> None:
            if index < len(figure.layout.shapes):
                x = place(float(change["new"]))
                figure.layout.shapes[index].update(x0=x, x1=x)

        self.observe(moved, "current_time")
        return moved

    def _since_live(self, x: Any) -> float | None:
        """A chart's x as seconds from the stream's beginning; None where it is neither a number nor a time."""
        if _is_number(x):
            return float(x)
        if isinstance(x, timedelta):
            return x.total_seconds()
        began = self._room.record.live_at
        if began is None:
            return None
        try:
            at = x if isinstance(x, datetime) else datetime.fromisoformat(str(x)[:26])
        except ValueError:
            return None
        # Plotly gives times back without a zone; spnb's frames are UTC.
        return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - began).total_seconds()

    # -- the room and its files

    async def _changed(self, record: Room) -> None:
        self._take(record)
        await self._open()

    async def _open(self, *, anew: bool = False) -> None:
        """Read what the recording is, once it is there."""
        if self._opening is None:
            self._opening = asyncio.Lock()
        async with self._opening:
            if self._room.status != "recorded" or (self._recording is not None and not anew):
                return
            recording = await self._room.recording(timeout=30, details=self._recording is None, progress=False)
            if self._recording is None:
                self.files = [file.duration_seconds or 0.0 for file in recording.files]
                if not recording.files:
                    self.error = "Nothing was recorded of this stream."
                await self._read_placards(self._room)
            self._recording = recording

    async def do_play(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A view wants a file: it gets the address, and nobody else does."""
        client, number = content.get("client"), content.get("file")
        try:
            await self._open(anew=bool(content.get("stale")))
        except (ServiceError, Unreachable) as error:
            self.error = str(error)
        urls = self._recording.urls if self._recording is not None else []
        if not isinstance(number, int) or not 0 <= number < len(urls):
            self.send({"type": "wait", "client": client})
            return
        self.error = ""
        await self._let_play(client, urls[number], file=number)

    async def do_at(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A view tells where it is."""
        seconds = content.get("seconds")
        if isinstance(seconds, int | float) and seconds >= 0:
            with self.hold_sync():
                self.current_time = float(seconds)
                self.playing = bool(content.get("playing"))

    def to_html(self) -> str:
        """The recording's files with their pictures, and the marks; no address of a file."""
        if self._recording is None and self._room.status == "recorded" and self.comm is not None:
            self._wait_for(self._open())
        recording = self._recording
        if recording is not None:
            what = recording._repr_html_()
        else:
            waits = (
                "The recording was not read yet." if self._room.status == "recorded" else "There is no recording yet."
            )
            what = f"<p>{waits}</p>"
        marks = [(str(timedelta(seconds=round(mark["at"]))), named(mark["label"])) for mark in self.marks]
        return still(self.title, what, table(("At", "Mark"), marks) if marks else "")

    def _as_text(self) -> str:
        return f"RecordingPlayer: {self.title} ({self.status}, {len(self.files)} file(s), {self.duration:.0f} s)"


def _marks(marks: Iterable[tuple[float, str]]) -> list[dict[str, Any]]:
    found = [{"at": float(at), "label": str(label)[:200]} for at, label in marks]
    if len(found) > MOST_MARKS or any(not 0 <= float(str(mark["at"])) < float("inf") for mark in found):
        raise InvalidInput(f"marks are at most {MOST_MARKS} pairs of seconds from the beginning and a label")
    return sorted(found, key=lambda mark: float(str(mark["at"])))


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float) or (hasattr(x, "dtype") and getattr(x.dtype, "kind", "") in "iuf")


def _some_x(traces: Iterable[Any]) -> list[Any]:
    found = []
    for trace in traces:
        x = getattr(trace, "x", None)
        if x is not None and len(x):
            found.append(x[0])
    return found
