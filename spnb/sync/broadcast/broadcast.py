"""The blocking twins of `spnb.broadcast.broadcast`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from spnb._faces import Face, Watch
from spnb._loop import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Any

    from spnb.broadcast.broadcast import AsyncBroadcast
    from spnb.broadcast.events import BroadcastEvent, BroadcastStats
    from spnb.broadcast.options import AudioOptions, Kind, VideoOptions
    from spnb.broadcast.restream import Restream
    from spnb.broadcast.sources.base import Source


__all__ = ["Broadcast"]


class Broadcast(Face):
    """A room on air. `go_live` makes one; as a context manager it ends the room on the way out.

    The blocking twin of `AsyncBroadcast`.
    """

    _twin: AsyncBroadcast

    @property
    def others(self) -> frozenset[str]:
        """Who else publishes in the room, by user id, as the media server shows it."""
        return self._twin.others

    @property
    def room_id(self) -> str:
        """The room that is on air."""
        return self._twin.room_id

    @property
    def source(self) -> Source:
        """What is being sent."""
        return self._twin.source

    @property
    def on_air(self) -> bool:
        """Whether it is publishing, or on its way back."""
        return self._twin.on_air

    @property
    def stats(self) -> BroadcastStats | None:
        """The last second; None at the very beginning."""
        return self._twin.stats

    @property
    def history(self) -> list[BroadcastStats]:
        """One entry a second, at most an hour of them."""
        return self._twin.history

    @property
    def video(self) -> VideoOptions:
        """How the picture is sent."""
        return self._twin.video

    @property
    def audio(self) -> AudioOptions:
        """How the sound is sent."""
        return self._twin.audio

    def is_muted(self, what: Kind = "audio") -> bool:
        """Whether sound or picture is muted: by the host, or by a moderator at the media server."""
        return self._twin.is_muted(what)

    def mute(self, what: Kind = "audio") -> None:
        """Silence all sound, or hide the picture behind a card; nothing passes until you unmute, whatever breaks.

        A second picture that a page shares beside its camera is ended by itself, not by this.
        """
        run(self._twin.mute(what))

    def unmute(self, what: Kind = "audio") -> None:
        """Let sound or picture through again."""
        run(self._twin.unmute(what))

    def configure(self, *, video: VideoOptions | None = None, audio: AudioOptions | None = None) -> None:
        """Send otherwise from now on, without leaving the air; what is not given stays as it is.

        Args:
            video: how to send the picture. Viewers see the new one take the old one's place.
            audio: how to send the sound; a change of volume alone is heard at once.

        Raises:
            BroadcastError: it could not be sent so; the old way goes on.
        """
        run(self._twin.configure(video=video, audio=audio))

    def switch_source(self, source: Source | str | Path) -> None:
        """Send something else without leaving the air: in its own size, at its own rate, with its sound if it has one.

        Args:
            source: what to send, or the path of a media file, or an address.

        Raises:
            SourceError: the new source cannot give media; the old one goes on.
            BroadcastError: it could not be published; the old one goes on.
        """
        run(self._twin.switch_source(source))

    def also_to(self, url: str) -> Restream:
        """Send the stream to another service over RTMP(S) too; what becomes of that never touches the room.

        In a room for direct streaming it gets the packets that the room gets; beside a LiveKit room, whose SDK keeps
        its packets to itself, one encoder works for all such services. It reconnects: see `RestreamLost`.

        Args:
            url: `rtmp(s)://…` with the stream key at its end. Secret: it is shown nowhere.

        Returns:
            What is sent, once it has reached the service; its `stop()` ends it, as the end of the broadcast does.

        Raises:
            BroadcastError: the service cannot be reached, or refuses; or the page sends by itself.
        """
        return run(self._twin.also_to(url))

    def observe(self, observer: Callable[[BroadcastEvent], Any]) -> Callable[[], None]:
        """Have `observer` called with each event, on the background loop; it may be a coroutine function.

        Returns:
            A function that ends it.
        """
        return self._twin.observe(observer)

    def events(self) -> Watch[BroadcastEvent]:
        """Each event from now on; ends with `Ended`."""
        return Watch(self._twin.events())

    def stop(self) -> None:
        """Leave the air: disconnect from LiveKit first, then stop the room, unless you are a co-host in it.

        Called again, it waits for the same end.

        Raises:
            BroadcastError: the service could not be told; it ends the room by itself after its grace time.
        """
        run(self._twin.stop())

    def wait_ended(self, timeout: float | None = None) -> bool:
        """Wait until it has left the air; False when `timeout` seconds passed first."""
        return run(self._twin.wait_ended(timeout))

    def __enter__(self) -> Self:
        run(self._twin.__aenter__())
        return self

    async def __aenter__(self) -> AsyncBroadcast:
        return await self._twin.__aenter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run(self._twin.__aexit__(kind, error, trace))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._twin.__aexit__(kind, error, trace)

    @property
    def asynchronous(self) -> AsyncBroadcast:
        """The async twin: the same object, to be awaited."""
        return self._twin
