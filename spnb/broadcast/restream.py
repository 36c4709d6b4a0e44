"""Restream: the packets that go to one service go to others too, as they are; the room goes on whatever they do.

Each address has a thread of its own, which connects, waits for a key frame, writes, and connects anew when that breaks.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal
from urllib.parse import urlsplit

from spnb._arguments import checked_class
from spnb._proxies import through
from spnb._push import Push, look
from spnb.errors import InvalidInput

__all__ = ["Copies", "EncodedPacket", "Manner", "Restream", "opened_flv", "reach", "reason_of"]

log = logging.getLogger(__name__)

MOST_WAITING = 600
"""Packets that may wait for a slow line, some five seconds: then all are left out, and it goes on with a key frame."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0
LOOK_SECONDS = 1.0
STARVED_SECONDS = 10.0
"""Without anything to send for so long, that is told."""
CLOCK = 1000
"""FLV's, in ticks a second."""

State = Literal["connecting", "live", "waiting", "stopped"]


class Manner:
    """How an encoder encodes: two of the same manner can follow each other in one stream.

    Args:
        video, audio: its streams; they are asked for what a container has to know.
    """

    def __init__(self, video: Any, audio: Any) -> None:
        self.streams = {"video": video, "audio": audio}
        self._told = [bytes(stream.codec_context.extradata or b"") for stream in (video, audio)]
        self._size = video.width, video.height

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Manner) and (self._told, self._size) == (other._told, other._size)

    __hash__ = None  # type: ignore[assignment]  # what is compared is bytes that a native stream holds


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """A packet as the encoder gave it; `at` is when it is to be shown, in seconds of the monotonic clock."""

    kind: Literal["video", "audio"]
    data: bytes
    at: float
    keyframe: bool
    manner: Manner

    @property
    def begins(self) -> bool:
        """Whether a stream can begin with it."""
        return self.kind == "video" and self.keyframe


class Copies:
    """Takes every packet of an encoder and hands it to all who restream. Safe from any thread."""

    def __init__(self) -> None:
        self.all: tuple[Restream, ...] = ()

    def add(self, one: Restream) -> None:
        """One more from now on."""
        self.all = (*self.all, one)

    def remove(self, one: Restream) -> None:
        """One less."""
        self.all = tuple(other for other in self.all if other is not one)

    def put(self, packet: EncodedPacket) -> None:
        """A packet, for all."""
        for one in self.all:
            one.put(packet)


@checked_class
class Restream:
    """A stream that goes to another service too, and reconnects by itself. `Broadcast.also_to` makes one.

    Args:
        url: `rtmp(s)://…` with the stream key. Secret: shown nowhere.
        told: called, from any thread, whenever it has reached the service, or does not any more, or is stopped.

    Raises:
        InvalidInput: it is no address of that kind.
    """

    def __init__(self, url: str, told: Callable[[Restream], None]) -> None:
        parts = urlsplit(url if isinstance(url, str) else "")
        if parts.scheme not in ("rtmp", "rtmps") or not parts.hostname or len(parts.path) < 2:
            raise InvalidInput("an address to restream to is rtmp://… or rtmps://…, with the stream key at its end")
        self._url = url
        self.to = parts.hostname + (f":{parts.port}" if parts.port else "")
        """The service's host. The rest of the address is a secret."""
        self.state: State = "connecting"
        self.problem = ""
        """Why it does not reach the service, in words; empty while it does."""
        self.settled = threading.Event()
        """Set once it has reached the service, or could not."""
        self._told = told
        self._waiting: queue.Queue[EncodedPacket] = queue.Queue(MOST_WAITING)
        self._over = threading.Event()
        self._skipping = False
        threading.Thread(target=self._run, name="spnb-restream", daemon=True).start()

    def put(self, packet: EncodedPacket) -> None:
        """A packet for it; never waits."""
        if self.state in ("waiting", "stopped") or (self._skipping and not packet.begins):
            return
        self._skipping = False
        try:
            self._waiting.put_nowait(packet)
        except queue.Full:
            self._taken()
            self._skipping = True
            if self.state == "live":
                self._now("live", "takes the stream too slowly, parts are left out")

    def _taken(self) -> list[EncodedPacket]:
        """All that waits, which waits no more."""
        taken: list[EncodedPacket] = []
        with contextlib.suppress(queue.Empty):
            while True:
                taken.append(self._waiting.get_nowait())
        return taken

    def stop(self) -> None:
        """End it, soon; the room and other services go on."""
        if not self._over.is_set():
            self._over.set()
            self.state = "stopped"
            self._told(self)

    # -- in its thread

    def _run(self) -> None:
        wait = FIRST_WAIT
        while not self._over.is_set():
            self._taken()
            self._skipping = True
            self.state = "connecting"
            try:
                self._write()
            except Exception as error:  # noqa: BLE001 - whatever FFmpeg says: the room goes on
                reached = self.settled.is_set() and not self.problem
                self._now("waiting", "broke off" if reached else "cannot be reached, or refuses the stream key", error)
                wait = FIRST_WAIT if reached else min(LONGEST_WAIT, wait * 2)
            self._over.wait(wait * random.uniform(0.75, 1.25))
        self.state = "stopped"

    def _now(self, state: State, how: str = "", error: Exception | None = None) -> None:
        """Be in a state, and tell what is wrong, if anything."""
        if self._over.is_set():
            return
        before = self.problem
        self.state = state
        why = f": {reason_of(error)}" if error is not None else ""
        self.problem = f"{self.to} {how}{through(self._url)}{why}" if how else ""
        # Told at the first outcome and at each turn, not at each of many tries that fail.
        if not self.settled.is_set() or bool(before) != bool(self.problem):
            if self.problem:
                log.warning("restream: %s", self.problem)
            self.settled.set()
            self._told(self)

    def _write(self) -> None:
        """Write from a key frame on until it is over, or the encoder is another one."""
        import av

        first = self._next()
        if first is None:
            return
        line = reach(self._url)
        container: Any = None
        try:
            container = opened_flv(line)
            streams = {
                kind: container.add_stream_from_template(stream) for kind, stream in first.manner.streams.items()
            }
            packet: EncodedPacket | None = self._newest(first)
            began, last = packet.at if packet else 0.0, {"video": -1, "audio": -1}
            while packet is not None and packet.manner == first.manner:
                if packet.at >= began:
                    ticks = last[packet.kind] = max(last[packet.kind] + 1, round((packet.at - began) * CLOCK))
                    copy = av.Packet(packet.data)
                    copy.pts = copy.dts = ticks
                    copy.time_base, copy.is_keyframe = Fraction(1, CLOCK), packet.keyframe
                    copy.stream = streams[packet.kind]
                    container.mux(copy)
                    if self.problem or self.state != "live":
                        self._now("live")
                packet = self._next()
        finally:
            with contextlib.suppress(OSError, ValueError):
                if container is not None:
                    container.close()
            line.close()

    def _next(self) -> EncodedPacket | None:
        """The next packet; None once it is over. That none comes is told: a page that sends by itself gives none."""
        began = time.monotonic()
        while not self._over.is_set():
            with contextlib.suppress(queue.Empty):
                return self._waiting.get(timeout=LOOK_SECONDS)
            if not self.problem and time.monotonic() - began > STARVED_SECONDS:
                self._now(self.state, "gets nothing: no pictures come here, as of a page that sends by itself")
        return None

    def _newest(self, first: EncodedPacket) -> EncodedPacket:
        """The newest key frame: what came before it, while the connection was being made, is late already."""
        came = [first, *self._taken()]
        begin = max(index for index, packet in enumerate(came) if packet.begins)
        for packet in came[begin + 1 :]:
            with contextlib.suppress(queue.Full):
                self._waiting.put_nowait(packet)
        return came[begin]

    def __repr__(self) -> str:
        return f"Restream(to {self.to}, {self.state}{f': {self.problem}' if self.problem else ''})"


def opened_flv(file: Any) -> Any:
    """A container of FLV that is written to a file, each packet at once."""
    import av

    return av.open(file, "w", format="flv", options={"flvflags": "no_duration_filesize", "flush_packets": "1"})


def reach(url: str) -> Push:
    """Connect to an address.

    Whoever serves `rtmps://` shows their certificate here first, which gives the better words; FFmpeg looks at it again
    on the line that the stream key goes by. A proxy is not asked for it.

    Raises:
        OSError: the address is not reachable, refuses, or its certificate is not one to believe.
    """
    parts = urlsplit(url)
    if parts.scheme == "rtmps" and not through(url):
        look(parts.hostname or "", parts.port or 443)
    return Push(url)


def reason_of(error: BaseException) -> str:
    """What FFmpeg says without the address in it, which holds the key."""
    return getattr(error, "strerror", None) or type(error).__name__
