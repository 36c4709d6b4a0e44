"""A published track: its layers, the subscribers it is forwarded to, and the taps that get its frames."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from livekit.protocol import rtc as signal
from livekit.protocol.models import Encryption, TrackInfo, TrackSource, VideoQuality

from spnb.sandbox.media import red, rtp
from spnb.sandbox.media.assembler import Assembler
from spnb.sandbox.media.codec import starts_keyframe
from spnb.sandbox.media.forward import FRESH_SECONDS, Forward
from spnb.sandbox.media.frames import EncodedFrame, Tap, TapTrack
from spnb.sandbox.media.layer import Layer, Parcel
from spnb.sandbox.media.rtp import Header
from spnb.sandbox.media.sdp import Codec, Section, chosen
from spnb.sandbox.media.speakers import Loudness
from spnb.sandbox.media.vp8 import place

__all__ = ["PublishedTrack"]

FIRST_REPORTS = 4
"""So many are asked for: the first come while all comes in bursts, and say little."""
KEYFRAME_INTERVAL_SECONDS = 0.5
LAYER_SILENCE_SECONDS = 1.0
LAYER_TOLERANCE = 0.9
DYNACAST_SECONDS = 5.0
MIME_TYPES = {"h264": "video/H264", "vp8": "video/VP8", "vp9": "video/VP9", "av1": "video/AV1", "opus": "audio/opus"}
EARLIER = 2
"""How many packets of sound are carried, and made up for, by a later one; as in livekit-server."""
MIME_REDUNDANT = "audio/red"
UNREADABLE = {"vp9": "is sent as VP9", "av1": "is sent as AV1"}
RANK = {"f": 3, "2": 3, "h": 2, "1": 2, "q": 1, "0": 1}
"""Simulcast stream ids by quality, best highest: LiveKit's `q h f` and the numbered style."""


class PublishedTrack:
    """One track of a publisher.

    Args:
        info: LiveKit's description of it, as told to others.
        section: the media section it arrives in.
        codec: what its packets are encoded with.
        send_rtcp: sends feedback to the publisher.
        request_from_any_thread: runs a function on the media loop from any thread.
    """

    def __init__(
        self,
        info: TrackInfo,
        section: Section,
        codec: Codec,
        *,
        identity: str,
        send_rtcp: Callable[[bytes], None],
        request_from_any_thread: Callable[[Callable[[], None]], Any],
    ) -> None:
        self.info = info
        self.mid = section.mid
        self.wanted = section.wanted
        """The codec its publisher insists on."""
        self.codec = codec
        self.redundant = section.kind == "audio" and not info.disable_red and info.encryption == Encryption.Type.NONE
        """Whether its sound may be sent redundantly: what is encrypted from end to end cannot be put together here."""
        self.red_payload_type = section.red.get(codec.payload_type, 0) if self.redundant else 0
        """What redundant packets of its publisher are labelled with; 0 where there are none."""
        self._name_codec()
        self.section_codecs = chosen(section)
        self.kind: Literal["audio", "video"] = "audio" if section.kind == "audio" else "video"
        self.identity = identity
        self.flowing = False
        """Whether its first media packet has come."""
        self.layers: dict[int, Layer] = {}
        self.forwards: set[Forward] = set()
        self.loudness = Loudness()
        self.first_subscribed = False
        """Whether its publisher knows that somebody follows it."""
        self._send_rtcp = send_rtcp
        self._told_rank = 3
        self._less_since: float | None = None
        self._asked: dict[int, float] = {}
        self._pending: set[int] = set()
        self._taps: dict[Tap, Assembler] = {}
        self._copies: dict[int, Assembler] = {}
        """Of the layers that are smaller than the one that taps take, by rank."""
        self._tap_layer: Layer | None = None
        self._request_from_any_thread = request_from_any_thread
        self.tap_track = self._as_seen_by_taps()

    def _as_seen_by_taps(self) -> TapTrack | None:
        codec = self.codec.name
        if codec == "vp9" or codec == "av1" or self.info.encryption != Encryption.Type.NONE:
            return None
        return TapTrack(
            sid=self.info.sid,
            identity=self.identity,
            kind=self.kind,
            codec=codec,
            clock_rate=self.codec.clock_rate,
            source=str(TrackSource.Name(self.info.source)).lower(),
            channels=2,
            request_keyframe=lambda: self._request_from_any_thread(self._request_keyframes),
        )

    def use(self, codec: Codec) -> None:
        """The publisher chose another codec of our answer than the first one, as its first packet shows."""
        self.codec = codec
        self._name_codec()
        self.tap_track = self._as_seen_by_taps()

    def _name_codec(self) -> None:
        self.info.mime_type = MIME_REDUNDANT if self.red_payload_type else MIME_TYPES[self.codec.name]
        for told in self.info.codecs:
            told.mime_type = self.info.mime_type

    def layer(self, ssrc: int, rid: str) -> Layer:
        """The layer of an SSRC, made at its first packet."""
        found = self.layers.get(ssrc)
        if found is None:
            found = Layer(ssrc, rid, self.codec.clock_rate, wants_resend=self.kind == "video")
            self.layers[ssrc] = found
            # A browser that reloads its encoder may send a rid under a new SSRC: the old one is over.
            for old in [layer for layer in self.layers.values() if rid and layer.rid == rid and layer is not found]:
                del self.layers[old.ssrc]
            found.last_arrival = time.monotonic()
            self.tick()
            # How sound and picture belong together is to be known from the start.
            self._send_rtcp(rtp.resync_request(1, ssrc))
        return found

    def receive(self, layer: Layer, packet: bytes, header: Header, feedback_ssrc: int) -> None:
        """Forward a packet to all subscribers and taps that follow its layer."""
        missing = layer.receive(packet, header)
        if missing:
            self._send_rtcp(rtp.nack(feedback_ssrc, layer.ssrc, missing))
        payload = packet[header.start : header.end]
        keyframe = self.kind == "audio" or starts_keyframe(self.codec.name, payload)
        if keyframe:
            if self.kind == "video":
                layer.begins_keyframe(header.sequence)
            for forward in tuple(layer.awaited):
                forward.follow(layer, header)
        parcel = Parcel(header, payload, layer.last_arrival, self._earlier(layer, header) if self.redundant else ())
        if self.codec.name == "vp8" and (found := place(payload)) is not None:
            parcel.place = found
            if header.marker:
                layer.count_picture(found.temporal)
        for forward in layer.followers:
            forward.send(parcel)
        if self._taps:
            self._feed_taps(layer, packet, header, keyframe=keyframe)

    def receive_redundant(self, layer: Layer, packet: bytes, header: Header, feedback_ssrc: int) -> None:
        """The same for a packet that carries earlier ones: those that have not come are made up for first."""
        blocks = red.split(packet[header.start : header.end])
        for back, (offset, payload) in zip(range(len(blocks) - 1, -1, -1), blocks, strict=True):
            sequence = (header.sequence - back) & 0xFFFF
            if not payload or back > EARLIER or (back and not layer.lacks(sequence)):
                continue
            timestamp = (header.timestamp - offset) & 0xFFFFFFFF
            own = replace(header, sequence=sequence, timestamp=timestamp, start=0, end=len(payload))
            self.receive(layer, payload, own, feedback_ssrc)
            if back:
                layer.was_lost()

    @staticmethod
    def _earlier(layer: Layer, header: Header) -> list[red.Block]:
        """The packets before, as far as they are there."""
        found = [layer.stored((header.sequence - back) & 0xFFFF) for back in range(EARLIER, 0, -1)]
        return [
            red.Block((header.timestamp - before.timestamp) & 0xFFFFFFFF, packet[before.start : before.end])
            for packet, before in filter(None, found)
        ]

    def best_layer(self, most: int = 3) -> Layer | None:
        """The best layer that is arriving now, of at most rank `most` (1 low, 2 medium, 3 high)."""
        now = time.monotonic()
        arriving = [layer for layer in self.layers.values() if now - layer.last_arrival < LAYER_SILENCE_SECONDS]
        fitting = [layer for layer in arriving if RANK.get(layer.rid, 3) <= most]
        pick = max if fitting else min
        return pick(fitting or arriving, key=lambda layer: RANK.get(layer.rid, 3), default=None)

    def rank_for(self, width: int, height: int) -> int:
        """The rank (1 low, 2 medium, 3 high) of the smallest layer that fills a view of that size in pixels.

        As livekit-server's `GetQualityForDimension`: heights are compared, and a layer may fall a tenth short.
        """
        info = self.info
        heights = sorted((layer.height, int(layer.quality) + 1) for layer in info.layers if layer.height)
        wanted = height
        if not heights:
            if not info.height:
                return 3
            portrait = info.width < info.height
            wanted = width if portrait else height
            heights = [(180, 1), (360, 2), (info.width if portrait else info.height, 3)]
        fitting = [rank for size, rank in heights if size >= wanted * LAYER_TOLERANCE]
        return fitting[0] if fitting else heights[-1][1]

    def quality_update(self, now: float) -> signal.SubscribedQualityUpdate | None:
        """What subscribers and taps have use for, if the publisher has not been told yet: it may stop sending the rest.

        More is told at once, less after a while, as livekit-server does it for dynacast.
        """
        if self.kind == "audio" or not self.flowing:
            return None
        wanted = 3 if self._taps else max((f.most for f in self.forwards if not f.paused), default=0)
        if wanted >= self._told_rank:
            self._less_since = None
        elif self._less_since is None:
            self._less_since = now
        if wanted == self._told_rank or (self._less_since is not None and now - self._less_since < DYNACAST_SECONDS):
            return None
        self._told_rank, self._less_since = wanted, None
        qualities = [
            signal.SubscribedQuality(quality=quality, enabled=quality < wanted)
            for quality in (VideoQuality.LOW, VideoQuality.MEDIUM, VideoQuality.HIGH)
        ]
        codec = signal.SubscribedCodec(codec=self.codec.name, qualities=qualities)
        return signal.SubscribedQualityUpdate(
            track_sid=self.info.sid, subscribed_qualities=qualities, subscribed_codecs=[codec]
        )

    def request_keyframe(self, layer: Layer | None = None) -> None:
        """Ask the publisher for a key frame, at once where none was asked for lately, else when the time is there."""
        wanted = layer or self.best_layer()
        if self.kind == "audio" or wanted is None:
            return
        now = time.monotonic()
        wait = self._asked.get(wanted.ssrc, 0.0) + KEYFRAME_INTERVAL_SECONDS - now
        if wait > 0:
            if wanted.ssrc not in self._pending:
                self._pending.add(wanted.ssrc)
                asyncio.get_running_loop().call_later(wait, self._ask_again, wanted)
            return
        self._asked[wanted.ssrc] = now
        self._pending.discard(wanted.ssrc)
        self._send_rtcp(rtp.pli(1, wanted.ssrc))

    def _request_keyframes(self) -> None:
        """Ask for a key frame of each layer: those who tap take the smaller ones too."""
        self.request_keyframe()
        if self.codec.name == "h264":
            for layer in self.layers.values():
                self.request_keyframe(layer)

    def _ask_again(self, layer: Layer) -> None:
        self._pending.discard(layer.ssrc)
        if layer.ssrc in self.layers:
            self.request_keyframe(layer)

    def tick(self) -> None:
        """Take the layers' bitrates; let forwards look for better layers."""
        now = time.monotonic()
        for layer in self.layers.values():
            layer.measure(now)
        for forward in self.forwards:
            forward.tick()

    def rests(self, ssrc: int) -> None:
        """A layer is not sent for now, as its publisher says: who follows it need not find that out."""
        layer = self.layers.get(ssrc)
        if layer is not None:
            layer.last_arrival = 0.0
            self.tick()

    def sender_report(self, report: rtp.SenderReport) -> None:
        """Take a publisher's sender report and pass its clock on to subscribers."""
        layer = self.layers.get(report.ssrc)
        if layer is None:
            return
        layer.take_report(report)
        for forward in self.forwards:
            forward.sender_report(layer, report)

    def feedback(self, feedback_ssrc: int, remb_bits_per_second: int) -> list[bytes]:
        """Receiver reports of all layers, with the bandwidth estimate for video."""
        reports = []
        for layer in self.layers.values():
            report = layer.receiver_report(feedback_ssrc)
            if self.kind == "video":
                report += rtp.remb(feedback_ssrc, remb_bits_per_second, [layer.ssrc])
            if layer.reports < FIRST_REPORTS:
                report += rtp.resync_request(feedback_ssrc, layer.ssrc)
            reports.append(report)
        return reports

    def add_tap(self, tap: Tap) -> None:
        """Hand every frame from now on to `tap`, beginning with a key frame.

        Frames that are encrypted end to end, and those of VP9 and AV1, cannot be read: that is said once.
        """
        seen = self.tap_track
        if seen is None:
            why = UNREADABLE.get(self.codec.name, "is encrypted end to end")
            tap.unreadable(f"the {self.kind} of {self.identity} {why}: it is forwarded, but cannot be recorded")
            return
        tap.track_started(seen)
        assembler = Assembler(
            self.codec.name,
            deliver=lambda frame: tap.frame(seen, frame),
            need_keyframe=self.request_keyframe,
        )
        layer = self._tap_layer or self.best_layer()
        recent = layer.since_keyframe(FRESH_SECONDS) if layer is not None and self.kind == "video" else []
        if layer is not None and recent:
            # Nothing of the beginning is lost, though a tap comes after the first packet.
            self._tap_layer = layer
            for packet, header in recent:
                assembler.add(layer, packet, header)
        else:
            self.request_keyframe()
        self._taps[tap] = assembler

    def remove_tap(self, tap: Tap) -> None:
        """Stop handing frames to `tap`."""
        if self._taps.pop(tap, None) is not None and self.tap_track is not None:
            tap.track_ended(self.tap_track)

    def _feed_taps(self, layer: Layer, packet: bytes, header: Header, *, keyframe: bool) -> None:
        if layer is not self._tap_layer:
            best = self.best_layer()
            silent = self._tap_layer is None or (
                time.monotonic() - self._tap_layer.last_arrival > LAYER_SILENCE_SECONDS
            )
            if layer is not best and not silent:
                self._feed_copies(layer, packet, header)
                return
            if not keyframe:
                self.request_keyframe(layer)
                return
            self._tap_layer = layer
        for assembler in self._taps.values():
            assembler.add(layer, packet, header)

    def _feed_copies(self, layer: Layer, packet: bytes, header: Header) -> None:
        rank, seen = RANK.get(layer.rid, 3), self.tap_track
        assert self._tap_layer is not None  # noqa: S101 - there is a better one
        if seen is None or seen.codec != "h264" or rank >= RANK.get(self._tap_layer.rid, 3):
            return
        assembler = self._copies.get(rank)
        if assembler is None:

            def deliver(frame: EncodedFrame) -> None:
                for tap in self._taps:
                    tap.copy(seen, rank, frame)

            assembler = self._copies[rank] = Assembler(
                self.codec.name,
                deliver=deliver,
                need_keyframe=self._request_keyframes,
            )
        assembler.add(layer, packet, header)

    def end(self) -> None:
        """The publisher is gone or has unpublished it."""
        for tap in list(self._taps):
            self.remove_tap(tap)
        for forward in list(self.forwards):
            forward.end()
        self.forwards.clear()
