"""Packets of media by themselves: read, put together to frames, counted on and sent again."""

from __future__ import annotations

import asyncio
import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import models

from spnb.sandbox.media import rtp, sdp
from spnb.sandbox.media.assembler import PATIENCE_SECONDS, Assembler
from spnb.sandbox.media.codec import depayload, starts_keyframe
from spnb.sandbox.media.forward import Forward
from spnb.sandbox.media.frames import EncodedFrame, TapTrack
from spnb.sandbox.media.layer import Layer
from spnb.sandbox.media.track import PublishedTrack


def packet(sequence: int, payload: bytes, *, timestamp: int = 0, marker: bool = False, ssrc: int = 7) -> bytes:
    return struct.pack("!BBHII", 0x80, 96 | (0x80 if marker else 0), sequence & 0xFFFF, timestamp, ssrc) + payload


@given(st.binary(max_size=80))
def test_no_datagram_breaks_the_parsers(data: bytes) -> None:
    header = rtp.read_header(data)
    if header is not None:
        assert 0 <= header.start <= header.end <= len(data)
    rtp.read_feedback(data)
    for codec in ("h264", "vp8", "opus"):
        starts_keyframe(codec, data)
        depayload(codec, data)


def test_header_extensions_of_both_forms_are_read() -> None:
    body = b"\x10" + b"v" + b"\x21" + b"hi" + b"\x00\x00\x00"
    one_byte = struct.pack("!BBHII", 0x90, 96, 5, 9, 7) + struct.pack("!HH", 0xBEDE, 2) + body + b"payload"
    header = rtp.read_header(one_byte)
    assert header is not None
    assert header.extensions == {1: b"v", 2: b"hi"}
    assert one_byte[header.start : header.end] == b"payload"
    body = b"\x01\x02ab\x00\x00\x00\x00"
    two_byte = struct.pack("!BBHII", 0x90, 96, 5, 9, 7) + struct.pack("!HH", 0x1000, 2) + body + b"p"
    header = rtp.read_header(two_byte)
    assert header is not None
    assert header.extensions == {1: b"ab"}


@given(st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=40, unique=True))
def test_what_is_asked_for_again_is_read_as_it_was_written(missing: list[int]) -> None:
    ordered = sorted(missing)
    feedback = rtp.read_feedback(rtp.nack(1, 7, ordered))
    assert [ssrc for ssrc, _ in feedback.lost] == [7]
    assert sorted(feedback.lost[0][1]) == ordered


def test_feedback_packets_are_read_back() -> None:
    report = rtp.sender_report(7, (3_900_000_000 << 32) | 1 << 31, 1234, 5, 6)
    feedback = rtp.read_feedback(report + rtp.pli(1, 8) + rtp.remb(1, 8_000_000, [8]))
    assert feedback.keyframes == (8,)
    assert feedback.reports[0].timestamp == 1234
    assert feedback.reports[0].seconds == 3_900_000_000 - rtp.NTP_EPOCH_OFFSET + 0.5


@pytest.mark.parametrize(
    ("rest", "extensions"),
    [
        (b"data", {}),
        (rtp.stamped(2, 1.5, b"data"), {2: (3 << 17).to_bytes(3, "big")}),
        (rtp.numbered(3, 258, b"data"), {3: b"\x01\x02"}),
    ],
)
def test_a_packet_is_read_as_it_was_written(rest: bytes, extensions: dict[int, bytes]) -> None:
    made = rtp.packet(rest, payload_type=102, marker=True, sequence=9, timestamp=200, ssrc=3, extended=bool(extensions))
    again = rtp.read_header(made)
    assert again is not None
    assert (again.payload_type, again.sequence, again.timestamp, again.ssrc, again.marker) == (102, 9, 200, 3, True)
    assert made[again.start : again.end] == b"data"
    assert again.extensions == extensions


def test_key_frames_are_told_from_others() -> None:
    sps, pps, idr = b"\x67sps", b"\x68pps", b"\x65idr"
    stap = b"\x18" + struct.pack("!H", len(sps)) + sps + struct.pack("!H", len(pps)) + pps
    assert starts_keyframe("h264", sps)
    assert starts_keyframe("h264", stap)
    assert not starts_keyframe("h264", idr), "a picture without its parameters is no start"
    assert not starts_keyframe("h264", b"\x41slice")
    assert depayload("h264", stap) == b"\0\0\0\1" + sps + b"\0\0\0\1" + pps
    assert depayload("h264", b"\x7c\x85id") + depayload("h264", b"\x7c\x45r") == b"\0\0\0\1\x65idr"
    assert starts_keyframe("vp8", b"\x10\x00\x9d")
    assert not starts_keyframe("vp8", b"\x10\x01\x9d")
    assert depayload("vp8", b"\x90\x80\x81\x23\x00data") == b"\x00data"


def feed_assembler(order: list[int], *, codec: str = "h264") -> tuple[list[EncodedFrame], int]:
    """Five frames of three packets each, numbers beginning before the wrap, fed in an order."""
    frames: list[EncodedFrame] = []
    asked = 0

    def need() -> None:
        nonlocal asked
        asked += 1

    layer = Layer(7, "", 90_000, wants_resend=True)
    assembler = Assembler(codec, deliver=frames.append, need_keyframe=need)
    for index in order:
        frame, part = divmod(index, 3)
        payload = (b"\x67" if part == 0 else b"\x41") + bytes([frame, part])
        stamp = (2**32 - 6000 + frame * 3000) % 2**32
        data = packet(65530 + index, payload, timestamp=stamp, marker=part == 2)
        header = rtp.read_header(data)
        assert header is not None
        layer.receive(data, header)
        assembler.add(layer, data, header)
    return frames, asked


@given(st.permutations(list(range(1, 15))))
def test_any_order_of_packets_gives_the_same_frames(rest: list[int]) -> None:
    straight, _ = feed_assembler(list(range(15)))
    assert len(straight) == 5
    assert [b.timestamp - a.timestamp for a, b in itertools.pairwise(straight)] == [3000] * 4
    shuffled, _ = feed_assembler([0, *rest, *rest])
    assert [(frame.data, frame.timestamp) for frame in shuffled] == [(f.data, f.timestamp) for f in straight]


def test_a_packet_that_never_comes_costs_its_frame_only(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(number * PATIENCE_SECONDS for number in range(1000))
    monkeypatch.setattr("spnb.sandbox.media.assembler.time.monotonic", lambda: next(clock))
    frames, asked = feed_assembler([index for index in range(15) if index != 4])
    assert asked == 1
    assert [frame.data[5] for frame in frames] == [0, 2, 3, 4]


def test_what_is_lost_is_asked_for_and_reported() -> None:
    layer = Layer(7, "", 90_000, wants_resend=True)
    asked: list[int] = []
    for sequence in (65534, 65535, 2, 3):
        data = packet(sequence, b"x")
        header = rtp.read_header(data)
        assert header is not None
        asked += layer.receive(data, header)
    assert sorted(asked) == [0, 1]
    report = layer.receiver_report(1)
    assert struct.unpack_from("!I", report, 12)[0] == ((2 * 256 // 6) << 24) | 2
    assert layer.stored(65535) is not None
    assert layer.stored(1) is None


def test_of_two_reports_the_earlier_is_believed() -> None:
    """A sender that is late with some sound says of it that it was taken as late."""
    layer = Layer(7, "", 48_000, wants_resend=False)
    assert layer.captured(0) is None

    def told(at: float, seconds: float) -> float:
        ntp = round((1_700_000_000 + seconds + rtp.NTP_EPOCH_OFFSET) * 2**32)
        layer.take_report(rtp.SenderReport(7, ntp, round(at * 48_000) % 2**32, 0, 0))
        return round((layer.captured(round(at * 48_000) % 2**32) or 0) - 1_700_000_000 - at, 3)

    wraps = 2**32 / 48_000
    assert told(wraps - 1, wraps + 9) == 10
    assert told(wraps + 4, wraps + 14.12) == 10, "late this once"
    assert told(wraps + 9, wraps + 19) == 10
    assert told(wraps + 14, wraps + 24.1) == 10
    assert told(wraps + 19, wraps + 29.1) == 10.1, "sound was left out"
    assert told(wraps + 24, wraps + 94) == 70, "sound was away"
    assert told(wraps + 29, wraps + 98.9) == 69.9


def test_the_clock_of_what_comes_is_asked_for_at_once() -> None:
    asked: list[bytes] = []
    section = sdp.Section("audio", mid="1")
    track = PublishedTrack(
        models.TrackInfo(sid="TR_1"),
        section,
        sdp.Codec("opus", 111, "opus/48000/2"),
        identity="host",
        send_rtcp=asked.append,
        request_from_any_thread=lambda _: None,
    )
    layer, request = track.layer(7, ""), bytes.fromhex("85cd00020000000100000007")
    assert asked == [request], "RFC 6051, 7"
    for count, expected in enumerate((True, True, True, True, False)):
        if count:
            layer.take_report(rtp.SenderReport(7, count << 32, 48_000 * count, 0, 0))
        assert (request in track.feedback(1, 8_000_000)[0]) is expected


class Line:
    """A track with one layer, forwarded to a subscriber whose packets are kept."""

    def __init__(self, codec: sdp.CodecName = "h264", encryption: int = 0) -> None:
        self.sent: list[tuple[rtp.Header, bytes]] = []
        section = sdp.Section("video", mid="1")
        self.track = PublishedTrack(
            models.TrackInfo(sid="TR_1", encryption=encryption),
            section,
            sdp.Codec(codec, 96, "x/90000"),
            identity="host",
            send_rtcp=lambda _: None,
            request_from_any_thread=lambda _: None,
        )
        self.forward = Forward(
            self.track,
            mid="1",
            payload_type=102,
            ssrc=5,
            rtx_payload_type=103,
            rtx_ssrc=6,
            send_rtp=self._keep,
            send_rtcp=lambda _: None,
        )
        self.track.forwards.add(self.forward)

    def _keep(self, data: bytes) -> None:
        header = rtp.read_header(data)
        assert header is not None
        self.sent.append((header, data[header.start : header.end]))

    def feed(self, sequence: int, payload: bytes, *, ssrc: int = 7, rid: str = "") -> None:
        data = packet(sequence, payload, timestamp=sequence, marker=True, ssrc=ssrc)
        header = rtp.read_header(data)
        assert header is not None
        self.track.receive(self.track.layer(ssrc, rid), data, header, 1)


async def test_a_packet_is_sent_again_however_long_the_subscription() -> None:
    line = Line()
    line.feed(60_000, b"\x67first")
    line.forward.start()
    for sequence in range(60_001, 60_001 + 150_000):
        line.feed(sequence, b"\x41" + struct.pack("!I", sequence))
        if sequence % 1000 == 0:
            line.forward.tick()
        if sequence % 10_007 == 0 and sequence > 61_000:
            line.sent.clear()
            line.forward.resend(((sequence - 500) & 0xFFFF, (sequence - 5000) & 0xFFFF), 10_000)
            ((header, payload),) = line.sent
            assert (header.payload_type, header.ssrc) == (103, 6)
            assert payload[:2] == struct.pack("!H", (sequence - 500) & 0xFFFF), "the number it repeats"
            assert payload[2:] == b"\x41" + struct.pack("!I", sequence - 500)


@given(st.lists(st.sampled_from(["media", "padding", "lost", "late"]), max_size=60))
def test_numbers_go_on_whatever_comes(kinds: list[str]) -> None:
    async def run() -> None:
        line = Line()
        line.feed(65_530, b"\x67first")
        line.forward.start()
        sequence, lost = 65_530, []
        for kind in kinds:
            sequence += 1
            if kind == "lost":
                lost.append(sequence)
            elif kind == "late" and lost:
                line.feed(lost.pop(), b"\x41late")
                sequence -= 1
            else:
                line.feed(sequence, b"" if kind == "padding" else b"\x41media")
        numbers = [header.sequence for header, _ in line.sent]
        assert len(set(numbers)) == len(numbers), "no number twice"

    asyncio.run(run())


async def test_vp8_pictures_count_on_when_the_layer_changes() -> None:
    def payload(picture: int, base: int, *, key: bool) -> bytes:
        return bytes([0x90, 0xC0, 0x80 | picture >> 8, picture & 0xFF, base, 0 if key else 1]) + b"data"

    line = Line("vp8")
    line.feed(1, payload(100, 7, key=True), ssrc=1, rid="q")
    line.forward.start()
    line.feed(2, payload(101, 8, key=False), ssrc=1, rid="q")
    line.feed(50, payload(9000, 200, key=True), ssrc=2, rid="f")
    line.feed(51, payload(9001, 201, key=False), ssrc=2, rid="f")
    line.forward.resend((3,), 10_000)
    told = [(body[2] & 0x7F) << 8 | body[3] for _, body in line.sent[:4]]
    assert told == [100, 101, 102, 103]
    assert [body[4] for _, body in line.sent[:4]] == [7, 8, 9, 10]
    assert line.sent[4][1][2:] == line.sent[2][1], "what is sent again is what was sent"


def test_a_pause_leaves_no_gap_in_the_numbers() -> None:
    async def run() -> None:
        line = Line()
        line.feed(1, b"\x67first")
        line.forward.start()
        line.forward.want(paused=True, most=3)
        for sequence in range(2, 500):
            line.feed(sequence, b"\x41unseen")
        line.forward.want(paused=False, most=3)
        line.feed(500, b"\x41no start")
        line.feed(501, b"\x67start")
        assert [header.sequence for header, _ in line.sent] == [1, 2]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("view", "rank"), [((320, 180), 1), ((330, 190), 1), ((640, 300), 2), ((640, 360), 2), ((800, 450), 3), ((9, 9), 1)]
)
def test_a_view_gets_the_smallest_layer_that_fills_it(view: tuple[int, int], rank: int) -> None:
    line = Line()
    assert line.track.rank_for(*view) == 3, "nothing is known of its layers"
    line.track.info.width, line.track.info.height = 1280, 720
    assert line.track.rank_for(*view) == rank
    for quality, height in ((0, 180), (1, 360), (2, 720)):
        line.track.info.layers.append(models.VideoLayer(quality=quality, width=height * 16 // 9, height=height))
    assert line.track.rank_for(*view) == rank


@pytest.mark.parametrize(("codec", "encryption"), [("vp9", 0), ("av1", 0), ("h264", models.Encryption.Type.GCM)])
def test_a_recorder_is_told_what_it_cannot_read(codec: sdp.CodecName, encryption: int) -> None:
    told: list[str] = []
    line = Line(codec, encryption=encryption)

    class Never:
        def track_started(self, track: TapTrack) -> None:
            raise AssertionError("it was given what it cannot read")

        frame = track_ended = track_started
        unreadable = staticmethod(told.append)

    line.track.add_tap(Never())
    line.feed(1, b"\x67data")
    assert len(told) == 1
    assert "cannot be recorded" in told[0]
