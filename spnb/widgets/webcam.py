"""The kernel's side of a preview: connection, frames for Python, filters, and the way without UDP."""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import traitlets

from spnb._loop import is_background, run
from spnb.errors import InvalidInput
from spnb.widgets import preferences
from spnb.widgets.base import Widget
from spnb.widgets.page import PageLink

if TYPE_CHECKING:
    import numpy as np

    from spnb.broadcast.frames import PageFrames
    from spnb.broadcast.peer import PagePeer
    from spnb.broadcast.sources.base import Source
    from spnb.broadcast.sources.monitor import Filter, Monitor, Monitored
    from spnb.ice import IceServer

__all__ = ["WebcamPart"]

log = logging.getLogger(__name__)

F = TypeVar("F", bound="Filter")
SHOWN_FPS = 15
LARGEST_PICTURE = 8_000_000
FILTER_FAILS = "The function of on_frame fails, and pictures go out unchanged: {}"


class WebcamPart(Widget):
    """A widget with a preview. The page's camera, or a source of the kernel's, is looked at through a `Monitor`."""

    session = traitlets.Unicode("").tag(sync=True)
    """Names this widget to its pages."""
    holder = traitlets.Unicode("").tag(sync=True)
    """The page whose camera is on."""
    wishes = traitlets.Dict().tag(sync=True)
    """Devices by name, height in pixels, frames per second, mirror: what the user chose last."""
    kernel_source = traitlets.Unicode("").tag(sync=True)
    """What the kernel plays into the preview; empty for the page's camera."""
    filtered = traitlets.Bool(False).tag(sync=True)
    """Whether Python changes the pictures, so that the page shows what comes back."""
    sized = traitlets.Tuple((0, 0)).tag(sync=True)
    """Width and height of what reaches Python, in pixels."""

    relayed = traitlets.Bool(False).tag(sync=True)
    """Whether a page asks for STUN and TURN servers before it connects. They hold passwords: no trait tells them."""

    _peer: PagePeer | None = None

    def __init__(self, *, ice_servers: tuple[IceServer, ...] = (), **keywords: Any) -> None:
        super().__init__(session=uuid.uuid4().hex, wishes=preferences.load(), relayed=bool(ice_servers), **keywords)
        self._ice_servers = ice_servers
        self._monitor_now: Monitor | None = None
        self._peer = None
        self._frames_now: PageFrames | None = None
        self._sound_decoder: Any = None
        self._decoder: Any = None
        self._shown: _ShownByMessages | None = None
        self._link: PageLink | None = None
        self._inner: Source | None = None
        self._filter: Filter | None = None
        self._filter_words = ""
        self._playing = False

    # -- for Python

    @property
    def frame(self) -> np.ndarray[Any, Any] | None:
        """The newest picture: height × width × 3, RGB, 8 bit. None while there is none."""
        return self._monitor.frame

    def frames(self, *, timeout: float = 10.0) -> Iterator[np.ndarray[Any, Any]]:
        """The newest picture each time there is a new one.

        Args:
            timeout: ends after so many seconds without one.
        """
        return self._monitor.frames(timeout=timeout)

    @property
    def count(self) -> int:
        """Pictures that have reached Python so far."""
        return self._monitor.count

    def on_frame(self, function: F) -> F:
        """A decorator: have `function(pixels)` change each picture; what it returns is previewed and broadcast.

        It gets RGB pixels and returns pixels of the same size, or None to leave them. It runs in a thread of its own,
        so a slow one lowers the frame rate of what it changes and nothing else.
        """
        self._filter = function
        self._monitor.set_filter(function)
        self.filtered = True
        return function

    def clear_filter(self) -> None:
        """Show and send pictures as they are again."""
        self._filter = None
        self._monitor.set_filter(None)
        self.filtered = False

    @property
    def filter_error(self) -> str:
        """What the function of `on_frame` raises, in words: pictures go out unchanged meanwhile. Empty while it works.

        The page says it too.
        """
        return self._monitor.filter_error

    def _filter_told(self, words: str) -> None:
        shown, told = FILTER_FAILS.format(words), self._filter_words
        self._filter_words = shown if words else ""
        if words or (told and self.error == told):
            self.error = self._filter_words

    @property
    def source(self) -> Monitored:
        """What is previewed, as a source for `room.go_live(…)`; the preview goes on when the broadcast ends."""
        return self._monitor.output()

    def show(self, source: Source | None) -> None:
        """Preview a source of the kernel's (`spnb.TestCard()`, a file, a device …), or the page's camera with None."""
        self._inner = source
        self._end_media()
        self.kernel_source = "" if source is None else repr(source)

    @property
    def _monitor(self) -> Monitor:
        if self._monitor_now is None:
            from spnb.broadcast.sources.monitor import Monitor

            self._monitor_now = Monitor(self._inner)
            self._monitor_now.on_filter_error = self._filter_told
            self._monitor_now.set_filter(self._filter)
        return self._monitor_now

    @property
    def _frames(self) -> PageFrames:
        if self._frames_now is None:
            from spnb.broadcast.frames import PageFrames

            self._frames_now = PageFrames(lambda picture: self._monitor.take(picture))
        return self._frames_now

    def _linked(self) -> PageLink:
        if self._link is None:
            self._link = PageLink(self.send)
        return self._link

    # -- from the page

    async def do_ways(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A page is about to connect: by which servers it may."""
        servers = [each.plain() for each in self._ice_servers]
        self.send({"type": "ways", "client": str(content.get("client") or ""), "servers": servers})

    async def do_offer(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A page's camera is on, or it wants to see the kernel's source: connect."""
        from spnb.broadcast.peer import PagePeer

        client, generation = str(content.get("client") or ""), content.get("gen")
        sdp = content.get("sdp")
        if not isinstance(sdp, str):
            raise InvalidInput("the page's offer has no description")
        await self._let_go()
        self._hold(client, content)
        await self._play()
        if self.comm is None:
            return
        peer = self._peer = PagePeer(self._monitor, lambda state: self._peer_state(peer, state), self._ice_servers)
        try:
            answer = await peer.answer(sdp)
        except Exception as error:  # noqa: BLE001 - whatever the library finds wrong with it, the page has another way
            log.info("the page's offer cannot be answered: %s", type(error).__name__)
            answer = ""
        if self.comm is None:
            await self._let_go()  # closed meanwhile
        elif self._peer is peer:
            self.send({"type": "answer", "client": client, "gen": generation, "sdp": answer})

    def _hold(self, client: str, content: dict[str, Any]) -> None:
        self._linked().hold(client)
        self._monitor.found()
        self.holder = client
        fps = content.get("fps")
        if self._inner is None and isinstance(fps, int | float) and 1 <= fps <= 120:
            self._monitor.fps = float(fps)

    async def _play(self) -> None:
        if self._inner is not None and not self._playing:
            self._playing = True
            try:
                await asyncio.to_thread(self._monitor.start)
            except BaseException:
                self._playing = False
                raise

    def _peer_state(self, peer: PagePeer, state: str) -> None:
        if state in ("failed", "closed") and self._peer is peer:
            log.debug("the page's connection is %s", state)

    async def do_frame(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """A picture of a page that cannot connect: JPEG."""
        import av

        client = str(content.get("client") or "")
        if client != self._linked().client or not buffers or len(buffers[0]) > LARGEST_PICTURE:
            return
        if self._decoder is None:
            self._decoder = av.CodecContext.create("mjpeg", "r")
        try:
            for picture in self._decoder.decode(av.Packet(bytes(buffers[0]))):
                self._monitor.take(picture.reformat(format="yuv420p"))
        except av.FFmpegError:
            log.debug("a picture of the page could not be read")
        self.send({"type": "ack", "client": client, "n": content.get("n")})

    async def do_encoded(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """Pictures of a page that cannot connect, or not to LiveKit, encoded; behind them packets of Opus."""
        from spnb.broadcast.frames import Frame

        client, told = str(content.get("client") or ""), content.get("pictures")
        if client != self._linked().client or not isinstance(told, list):
            return
        pieces, frames, newest = [bytes(each) for each in buffers], self._frames, None
        for picture, data in zip(told, pieces, strict=False):
            frame = Frame.read(picture, data) if isinstance(picture, dict) else None
            if frame is not None:
                frames.take(frame)
                newest = picture.get("n")
        if newest is not None:
            # Of all that came together: they come in order.
            self.send({"type": "ack", "client": client, "n": newest, "key": frames.want_key, "bits": frames.bits})
        self._hear(map(self._opus, pieces[len(told) :]))

    async def do_sound(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """Sound of a page that cannot connect: packets of Opus, or 16-bit samples at 48 kHz; one channel."""
        if str(content.get("client") or "") == self._linked().client:
            pieces = map(bytes, buffers)
            self._hear(map(self._opus, pieces) if content.get("codec") == "opus" else pieces)

    def _hear(self, pieces: Iterable[bytes]) -> None:
        for samples in pieces:
            self._monitor.has_audio = True
            self._take_sound(samples)

    def _take_sound(self, samples: bytes) -> None:
        self._monitor.audio(samples, 1)

    def _opus(self, packet: bytes) -> bytes:
        import av

        if self._sound_decoder is None:
            decoder = av.CodecContext.create("libopus", "r")
            self._sound_decoder = decoder, av.AudioResampler(format="s16", layout="mono", rate=48_000)
        decoder, resampler = self._sound_decoder
        try:
            heard = [part for frame in decoder.decode(av.Packet(packet)) for part in resampler.resample(frame)]
        except av.FFmpegError:
            return b""
        return b"".join(bytes(part.planes[0])[: part.samples * 2] for part in heard)

    async def do_messages(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A page that cannot connect: pictures come and go as messages from now on."""
        client = str(content.get("client") or "")
        await self._let_go()
        self._hold(client, content)
        await self._play()
        self._shown = _ShownByMessages(self._monitor, client, self.send)

    async def do_wishes(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """The user chose devices or sizes."""
        self.wishes = preferences.checked(content.get("wishes"))
        preferences.save(self.wishes)

    async def do_camera_off(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """The page has switched its camera off, or is being left."""
        if self._linked().release(str(content.get("client") or "")):
            await self._let_go()
            self._end_media()

    async def do_rest(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """The page goes on with its camera, but the kernel need not see it for now."""
        if str(content.get("client") or "") == self._linked().client:
            await self._let_go()

    async def do_lost(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """The camera of the page is gone."""
        if str(content.get("client") or "") == self._linked().client and self._monitor_now is not None:
            self._monitor_now.lost(str(content.get("reason") or "the camera is gone")[:200])

    async def do_found(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """The page shows something else in its place."""
        if str(content.get("client") or "") == self._linked().client:
            self._monitor.found()

    async def do_answer(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """The page's answer to a command."""
        self._linked().answered(content)

    # -- endings

    async def _let_go(self) -> None:
        """End the connection with the page; the monitor stays."""
        peer, self._peer = self._peer, None
        shown, self._shown = self._shown, None
        if shown is not None:
            shown.close()
        if peer is not None:
            await peer.close()

    def _end_media(self) -> None:
        monitor, self._monitor_now = self._monitor_now, None
        self._playing = False
        if self._link is None or not self._link.client:
            self.holder = ""
        if monitor is not None:
            threading.Thread(target=monitor.close, name="spnb-close", daemon=True).start()

    def close(self) -> None:
        """Take the widget off the page; its camera goes off."""
        if self._peer is not None and not is_background():
            run(self._let_go())
        elif self._peer is not None:
            self._spawn(self._let_go())
        self._end_media()
        super().close()


class _ShownByMessages:
    """Pictures to a page that cannot connect, as JPEG and in step with the clock."""

    def __init__(self, monitor: Monitor, client: str, send: Callable[..., None]) -> None:
        from spnb.broadcast.jpeg import Jpegs

        self._monitor = monitor
        self._client = client
        self._send = send
        self._jpegs = Jpegs(640, SHOWN_FPS)
        self._next = 0.0
        self._detach = monitor.attach(self)

    def video(self, picture: bytearray, width: int, height: int) -> None:
        """A picture, from any thread."""
        import time

        now = time.monotonic()
        if (self._monitor.source is None and not self._monitor.filtered) or now < self._next:
            return
        self._next = now + 1 / SHOWN_FPS
        self._send({"type": "picture", "client": self._client}, [self._jpegs.encode(picture, width, height)])

    def audio(self, samples: bytes, channels: int) -> None:
        """Sound is not sent to the page."""

    def lost(self, reason: str) -> None:
        """The last picture stays."""

    def restored(self) -> None:
        """The next picture tells."""

    def ended(self) -> None:
        """The last picture stays."""

    def close(self) -> None:
        """Send no more."""
        self._detach()
