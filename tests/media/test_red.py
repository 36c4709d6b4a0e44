"""Redundant sound (RFC 2198): read, written, and what one packet tells of another that was lost."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given
from livekit.protocol import models

from spnb.sandbox.media import red, rtp, sdp
from spnb.sandbox.media.forward import Forward
from spnb.sandbox.media.rtp import Header
from spnb.sandbox.media.track import PublishedTrack

BLOCKS = st.lists(st.builds(red.Block, st.integers(1, 2**14 - 1), st.binary(min_size=1, max_size=250)), max_size=3)


@given(BLOCKS, st.binary(min_size=1, max_size=400))
def test_what_is_written_is_read(earlier: list[red.Block], payload: bytes) -> None:
    assert red.split(red.fill(111, earlier, payload)) == [*earlier, red.Block(0, payload)]


@given(st.binary())
def test_anything_can_be_read(data: bytes) -> None:
    assert sum(len(block.payload) for block in red.split(data)) <= len(data)


def test_what_has_no_room_is_left_out() -> None:
    earlier = [red.Block(1 << 14, b"too old"), red.Block(960, bytes(1024)), red.Block(480, b"fits")]
    assert red.split(red.fill(111, earlier, b"now")) == [red.Block(480, b"fits"), red.Block(0, b"now")]
    large = [red.Block(1920, bytes(500)), red.Block(960, bytes(500))]
    assert [len(block.payload) for block in red.split(red.fill(111, large, bytes(500)))] == [500, 500]


class Sound:
    """A track whose publisher sends redundantly, to a subscriber who takes that or does not."""

    def __init__(self, *, takes_red: bool, **told: int) -> None:
        self.sent: list[tuple[Header, bytes]] = []
        section = sdp.Section("audio", mid="1", red={111: 63})
        self.track = PublishedTrack(
            models.TrackInfo(sid="TR_1", **told),  # type: ignore[arg-type]
            section,
            sdp.Codec("opus", 111, "opus/48000/2"),
            identity="host",
            send_rtcp=lambda _: None,
            request_from_any_thread=lambda _: None,
        )
        self.forward = Forward(
            self.track,
            mid="1",
            payload_type=109,
            ssrc=5,
            red_payload_type=101 if takes_red else 0,
            send_rtp=self._keep,
            send_rtcp=lambda _: None,
        )
        self.track.forwards.add(self.forward)

    def _keep(self, packet: bytes) -> None:
        header = rtp.read_header(packet)
        assert header is not None
        self.sent.append((header, packet[header.start : header.end]))

    def feed(self, sequence: int, *earlier: int) -> None:
        blocks = [red.Block(960 * (sequence - before), b"%d" % before) for before in earlier]
        payload = red.fill(111, blocks, b"%d" % sequence)
        packet = rtp.packet(
            payload, payload_type=63, marker=False, sequence=sequence, timestamp=960 * sequence, ssrc=7, extended=False
        )
        header = rtp.read_header(packet)
        assert header is not None
        layer = self.track.layers.get(7) or self.track.layer(7, "")
        self.track.receive_redundant(layer, packet, header, 1)
        self.forward.start()


def test_a_lost_packet_is_taken_from_the_next_one() -> None:
    sound = Sound(takes_red=False)
    for sequence, *earlier in ((1,), (2, 1), (4, 2, 3), (5, 4)):
        sound.feed(sequence, *earlier)
    sound.feed(6, 5)
    assert [(header.payload_type, header.timestamp // 960, payload) for header, payload in sound.sent] == [
        (109, sequence, b"%d" % sequence) for sequence in (2, 3, 4, 5, 6)
    ]
    assert sound.track.layers[7].receiver_report(1)[12] == 256 // 6, "its publisher hears what was lost"


def test_redundant_sound_is_written_anew_for_each_subscriber() -> None:
    sound = Sound(takes_red=True)
    for sequence in (1, 2, 3, 4):
        sound.feed(sequence, *([sequence - 1] if sequence > 1 else []))
    header, payload = sound.sent[-1]
    assert header.payload_type == 101
    assert payload[0] & 0x7F == 109
    assert [block.payload for block in red.split(payload)] == [b"2", b"3", b"4"]


def test_what_is_encrypted_is_not_put_together() -> None:
    assert not Sound(takes_red=True, encryption=models.Encryption.Type.GCM).track.redundant
    assert not Sound(takes_red=True, disable_red=1).track.redundant
