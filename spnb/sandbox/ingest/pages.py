"""A page that the Jupyter server's port alone reaches publishes over one WebSocket: it encodes, and its frames are put
on air as they are, in packets made here. No kernel is on the way.

The page says in text (JSON) who it is and what it publishes, and sends each frame in one binary message: a byte for
the number of its track, one for flags (1: key frame, 2: of the small layer), four for its own number, eight for when
it was taken (microseconds of the page's clock, a double; all big-endian), then the frame: Annex B for H.264. Each
picture is acknowledged: by that the page knows what its road bears. A track of two layers is told when nobody has use
for the large one, and says itself when that one rests. What ends a page is said in words, and then by the code and the
reason of the socket's close, which a proxy on the way may leave out.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import secrets
import struct
import time
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, cast

from livekit.protocol import models
from livekit.protocol import rtc as signal
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from spnb.sandbox.livekit.embedded import EmbeddedMedia
from spnb.sandbox.media import rtp
from spnb.sandbox.media.packets import payloads
from spnb.sandbox.media.participant import Participant
from spnb.sandbox.media.sdp import CodecName
from spnb.sandbox.media.signalling import RoomOver
from spnb.sandbox.media.tokens import Identity, InvalidToken
from spnb.sandbox.media.track import PublishedTrack

__all__ = ["Pages"]

log = logging.getLogger(__name__)

PATH = "/sandbox/publish"
KNOCK_SECONDS = 10.0
REPORT_SECONDS = 1.0
REFUSED, FULL, MALFORMED, NOT_HERE, LOST = 4401, 4409, 4400, 4404, 1011
"""How a socket is closed, and why; the page takes another way."""
CODECS = {"video": ("h264", "vp8"), "audio": ("opus",)}
SOURCES = {
    "camera": models.TrackSource.CAMERA,
    "microphone": models.TrackSource.MICROPHONE,
    "screen_share": models.TrackSource.SCREEN_SHARE,
    "screen_share_audio": models.TrackSource.SCREEN_SHARE_AUDIO,
}
RIDS = ("f", "q")
"""The layers of a track that has two, as livekit-client names the best and the least."""
QUALITIES = (models.VideoQuality.LOW, models.VideoQuality.HIGH)
LEAD = struct.Struct("!BBId")
KEY, SMALL = 1, 2
MOST_TRACKS = 8
LARGEST_SIDE = 4096
LARGEST_SOUND = 1275
"""Bytes of a frame of Opus (RFC 6716, 3.4)."""


class Malformed(ValueError):
    """A page says what makes no sense."""


class Pages:
    """The endpoint.

    Args:
        media: the media server; a LiveKit deployment takes no such pages.
    """

    def __init__(self, media: Any) -> None:
        self._media = media

    def routes(self) -> list[BaseRoute]:
        """The endpoint's."""
        return [WebSocketRoute(PATH, self._serve)]

    async def _serve(self, socket: WebSocket) -> None:
        await socket.accept()
        try:
            if not isinstance(self._media, EmbeddedMedia):
                await socket.close(NOT_HERE, "the media server takes media connections only")
                return
            async with asyncio.timeout(KNOCK_SECONDS):
                # Not in the address: those are logged.
                who = self._media.server.checked(str(_read(await socket.receive_text()).get("token") or ""))
            if not who.grants.can_publish:
                raise InvalidToken("the token does not allow publishing")
            await _Page(socket, self._media, who).run()
        except (InvalidToken, RoomOver) as error:
            await _close(socket, REFUSED, str(error))
        except Malformed as error:
            await _close(socket, MALFORMED, str(error))
        except (WebSocketDisconnect, TimeoutError, KeyError):
            await _close(socket, MALFORMED, "the page is gone")


class _OverSocket(Participant):
    """A participant whose media come by its socket."""

    heard_at = 0.0
    hang_up: Callable[[], Coroutine[Any, Any, None]]

    async def drop_transports(self) -> None:
        """Lose its connection without a word: a fault on demand."""
        await self.hang_up()

    def silent_for(self, now: float) -> float:
        """Seconds since anything came from it."""
        return now - self.heard_at


class _Page:
    """One page on air."""

    def __init__(self, socket: WebSocket, media: EmbeddedMedia, who: Identity) -> None:
        self._socket = socket
        self._room = media.server.room(who.grants.room)
        self._who = who
        self._outbox: asyncio.Queue[str | None] = asyncio.Queue()
        self._participant = _OverSocket(self._room, who, send=self._heed, auto_subscribe=False)
        self._tracks: dict[int, _Sent] = {}
        self._numbers = itertools.count(1)
        self._since: float | None = None
        """The page's clock as Unix seconds, less what it says itself: one for all of its tracks."""

    async def run(self) -> None:
        """From joining to leaving."""
        if self._room.is_full(self._who):
            await _close(self._socket, FULL, "the room is full")
            return
        participant = self._participant
        participant.heard_at = time.monotonic()
        participant.hang_up = lambda: _close(self._socket, LOST, "")
        participant.attach(self._heed)
        await self._room.join(participant)
        participant.now_active()
        self._tell_others()
        self._tell(joined=participant.sid)
        writer = asyncio.create_task(self._write(), name=f"page {participant.identity}")
        try:
            while not participant.gone:
                message = await self._socket.receive()
                participant.heard_at = time.monotonic()
                if message["type"] == "websocket.disconnect":
                    break
                if (data := message.get("bytes")) is not None:
                    self._frame(data)
                elif self._said(_read(message.get("text") or "")):
                    break
        except Malformed as error:
            await _close(self._socket, MALFORMED, str(error))
        finally:
            await self._room.dismiss(participant, models.DisconnectReason.CLIENT_INITIATED)
            self._outbox.put_nowait(None)
            await asyncio.gather(writer, return_exceptions=True)

    # -- what it says

    def _said(self, told: dict[str, Any]) -> bool:
        """Do what a message says; whether the page takes its leave."""
        what = str(told.get("say"))
        if what == "publish":
            self._publish(told)
        elif what == "ping":
            self._tell(pong=True)
        elif what in ("mute", "unpublish", "rests"):
            number = told.get("track")
            sent = self._tracks.get(number) if isinstance(number, int) else None
            if sent is not None and what == "mute":
                sent.track.info.muted = bool(told.get("muted"))
                self._room.changed(self._participant)
            elif sent is not None and what == "rests":
                sent.track.rests(sent.layers[0].ssrc)
            elif sent is not None:
                del self._tracks[sent.number]
                self._participant.uplink.unpublish(sent.track)
        elif what != "leave":
            raise Malformed("there is no such message")
        return what == "leave"

    def _publish(self, told: dict[str, Any]) -> None:
        kind, codec, source = (str(told.get(name)) for name in ("kind", "codec", "source"))
        sizes = [_size(told)]
        if kind == "video" and told.get("smaller") is not None:
            sizes.append(_size(told["smaller"]))
        if codec not in CODECS.get(kind, ()) or source not in SOURCES or len(self._tracks) >= MOST_TRACKS:
            raise Malformed("such a track cannot be published")
        number = next(self._numbers)
        request = signal.AddTrackRequest(
            cid=str(number),
            name=source,
            type=models.TrackType.VIDEO if kind == "video" else models.TrackType.AUDIO,
            source=SOURCES[source],
            width=sizes[0][0],
            height=sizes[0][1],
            muted=bool(told.get("muted")),
        )
        if len(sizes) > 1:
            for quality, (width, height) in zip(QUALITIES, reversed(sizes), strict=True):
                request.layers.add(quality=quality, width=width, height=height)
        track = self._participant.uplink.begin(
            request, cast("CodecName", codec), lambda rtcp: self._feedback(number, rtcp)
        )
        if track is None:
            raise Malformed("this token does not allow publishing that")
        rids = RIDS if len(sizes) > 1 else ("",)
        self._tracks[number] = _Sent(number, track, [_Layer(track, rid) for rid in rids])
        self._room.changed(self._participant)
        self._tell(ask=told.get("ask"), published=number)

    def _frame(self, data: bytes) -> None:
        if len(data) <= LEAD.size:
            raise Malformed("a frame is empty")
        number, flags, count, at = LEAD.unpack_from(data)
        sent = self._tracks.get(number)
        small = bool(flags & SMALL)
        if sent is None or small >= len(sent.layers) or at != at or not 0 <= at < 1e18:
            return
        if sent.track.kind == "audio" and len(data) > LEAD.size + LARGEST_SOUND:
            raise Malformed("a frame of sound is larger than any of Opus")
        layer = sent.layers[small]
        # The gate: what is muted goes no further, whatever the page sends.
        if layer.passes(key=bool(flags & KEY)):
            if self._since is None:
                self._since = time.time() - at / 1e6
            for packet in layer.packets(data[LEAD.size :], at):
                self._participant.uplink.take(sent.track, layer.ssrc, packet, layer.rid)
            layer.report(at, self._since)
        if sent.track.kind == "video":
            self._tell(ack=count, track=number, small=small, key=layer.wants_key)

    # -- what it is told

    def _feedback(self, number: int, rtcp: bytes) -> None:
        sent = self._tracks.get(number)
        asked = rtp.read_feedback(rtcp).keyframes
        for small, layer in enumerate(sent.layers if sent is not None else ()):
            if layer.ssrc in asked:
                layer.wants_key = True
                self._tell(key=number, small=bool(small))

    def _heed(self, message: signal.SignalResponse) -> None:
        """Of what LiveKit tells a participant, what concerns this one."""
        kind = message.WhichOneof("message")
        if kind == "leave":
            self._tell(leave=int(message.leave.reason))
            self._outbox.put_nowait(None)
        elif kind == "mute":
            sent = self._sent(message.mute.sid)
            self._tell(mute=sent.number if sent is not None else 0, muted=message.mute.muted)
        elif kind == "subscribed_quality_update":
            told = message.subscribed_quality_update
            sent = self._sent(told.track_sid)
            if sent is not None and len(sent.layers) > 1:
                # The small one goes on, though nobody sees it just now: who comes next has a picture at once.
                wanted = [one.quality for one in told.subscribed_qualities if one.enabled]
                self._tell(wants=sent.number, large=models.VideoQuality.HIGH in wanted)
        elif kind == "update":
            self._tell_others()

    def _sent(self, sid: str) -> _Sent | None:
        return next((one for one in self._tracks.values() if one.track.info.sid == sid), None)

    def _tell_others(self) -> None:
        others = [other.identity for other in self._room.others(self._participant) if other.tracks]
        self._tell(others=others)

    def _tell(self, **told: Any) -> None:
        self._outbox.put_nowait(json.dumps(told))

    async def _write(self) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the page has gone first
            while (text := await self._outbox.get()) is not None:
                await self._socket.send_text(text)
            await self._socket.close(1000)


class _Sent(NamedTuple):
    """A track of a page's."""

    number: int
    track: PublishedTrack
    layers: list[_Layer]
    """The large one, and the small one where there is one."""


class _Layer:
    """A layer of such a track, as packets."""

    def __init__(self, track: PublishedTrack, rid: str) -> None:
        self.track, self.rid = track, rid
        self.ssrc = secrets.randbits(31) + 1
        self.wants_key = track.kind == "video"
        self._waits = self.wants_key
        self._sequence = secrets.randbits(15)
        self._offset = secrets.randbits(31)
        self._sent = self._octets = 0
        self._reported = 0.0

    def passes(self, *, key: bool) -> bool:
        """Whether a frame goes on: not while muted, and after that, as at first, from a key frame on."""
        pictures = self.track.kind == "video"
        if self.track.info.muted:
            self._waits = self.wants_key = pictures
            return False
        if key:
            self._waits = self.wants_key = False
        elif self._waits:
            self.wants_key = True
        return not self._waits

    def packets(self, frame: bytes, at: float) -> list[bytes]:
        """A frame taken at that time (microseconds) as RTP packets."""
        codec = self.track.codec
        made = payloads(codec.name, frame)
        packets = []
        for left, payload in zip(range(len(made) - 1, -1, -1), made, strict=True):
            self._sequence = (self._sequence + 1) & 0xFFFF
            packets.append(
                rtp.packet(
                    payload,
                    payload_type=codec.payload_type,
                    marker=not left and self.track.kind == "video",
                    sequence=self._sequence,
                    timestamp=self._timestamp(at),
                    ssrc=self.ssrc,
                    extended=False,
                )
            )
            self._octets += len(payload)
        self._sent += len(packets)
        return packets

    def _timestamp(self, at: float) -> int:
        return (int(at * self.track.codec.clock_rate / 1e6) + self._offset) & 0xFFFFFFFF

    def report(self, at: float, since: float) -> None:
        """Now and then, which timestamp belongs to which time: by that sound and picture are in step."""
        now = time.monotonic()
        if now - self._reported < REPORT_SECONDS:
            return
        self._reported = now
        ntp = int((since + at / 1e6 + rtp.NTP_EPOCH_OFFSET) * 2**32) % 2**64
        self.track.sender_report(rtp.SenderReport(self.ssrc, ntp, self._timestamp(at), self._sent, self._octets))


def _size(told: Any) -> tuple[int, int]:
    sides = tuple(told.get(name) or 0 for name in ("width", "height")) if isinstance(told, dict) else ()
    if not sides or not all(isinstance(side, int) and 0 <= side <= LARGEST_SIDE for side in sides):
        raise Malformed("a size makes no sense")
    return sides[0], sides[1]


def _read(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        raise Malformed("a message is no JSON") from None
    if not isinstance(told, dict):
        raise Malformed("a message is no object")
    return told


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        if reason:  # jupyter-server-proxy closes its own end with neither code nor reason
            await socket.send_text(json.dumps({"over": reason, "code": code}))
        await socket.close(code, reason)
