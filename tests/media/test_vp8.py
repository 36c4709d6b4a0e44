"""VP8's temporal layers: what is left out leaves no gap in any number, and more comes back where it can be shown."""

from __future__ import annotations

import pytest

from spnb.sandbox.media import rtp
from spnb.sandbox.media.vp8 import Place, place
from tests.media.test_packets import Line, packet


def payload(picture: int, base: int, temporal: int, *, begins: bool = True, sync: bool = False) -> bytes:
    """A payload with all of VP8's numbers; picture 1 is a key frame."""
    lead = bytes([0x90 if begins else 0x80, 0xE0, 0x80 | picture >> 8, picture & 0xFF, base])
    return lead + bytes([temporal << 6 | sync << 5, 0x00 if picture == 1 else 0x01]) + b"data"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (payload(5, 2, 1, sync=True), Place(1, True, True)),
        (payload(5, 2, 2, begins=False), Place(2, False, False)),
        (b"\x10data", None),
        (b"\x90\x80\x81\x23\x00data", None),
        (b"\x90\xe0\x81", None),
    ],
)
def test_the_temporal_layer_of_a_payload(data: bytes, found: Place | None) -> None:
    assert place(data) == found


class Pictures(Line):
    """Thirty pictures a second in three temporal layers, two packets each."""

    def __init__(self, clock: list[float]) -> None:
        super().__init__("vp8")
        self.clock = clock
        self.sequence = self.picture = self.base = 0
        self.payloads: dict[int, bytes] = {}

    def send(self, count: int) -> None:
        for _ in range(count):
            temporal = (0, 2, 1, 2)[self.picture % 4]
            self.picture += 1
            self.base += temporal == 0
            for begins in (True, False):
                self.sequence += 1
                data = payload(self.picture, self.base, temporal, begins=begins, sync=self.picture % 8 < 4)
                data = packet(self.sequence, data, timestamp=self.picture * 3000, marker=not begins, ssrc=7)
                header = rtp.read_header(data)
                assert header is not None
                self.track.receive(self.track.layer(7, ""), data, header, 1)
                self.forward.start()
            self.clock[0] += 1 / 30
            if self.picture % 15 == 0:
                self.track.tick()

    def shown(self) -> list[tuple[int, int, int, int]]:
        """Sequence, picture and base-layer numbers and temporal layers of all packets sent since the last call."""
        found = [
            (header.sequence, data[2] << 8 & 0x7F00 | data[3], data[4], data[5] >> 6) for header, data in self.sent
        ]
        self.payloads |= {header.sequence: data for header, data in self.sent}
        self.sent.clear()
        return found


def test_pictures_that_are_not_wanted_leave_no_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    line = Pictures(clock)
    line.send(60)
    everything = line.shown()
    assert {temporal for *_, temporal in everything} == {0, 1, 2}
    line.forward.want(paused=False, most=3, fps=12)
    line.send(40)
    fewer = line.shown()
    assert {temporal for *_, temporal in fewer} == {0, 1}
    assert len(fewer) == 40
    line.forward.want(paused=False, most=3, fps=6)
    line.send(40)
    fewest = line.shown()
    assert {temporal for *_, temporal in fewest} == {0}
    line.forward.want(paused=False, most=3, fps=30)
    line.send(40)
    again = line.shown()
    assert {temporal for *_, temporal in again} == {0, 1, 2}
    first = next(index for index, (*_, temporal) in enumerate(again) if temporal)
    begun = place(line.payloads[again[first][0]])
    assert begun is not None
    assert begun.sync
    packets = everything + fewer + fewest + again
    numbers = [sequence for sequence, *_ in packets]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    pictures = [picture for _, picture, *_ in packets]
    assert pictures == [pictures[0] + index // 2 for index in range(len(pictures))]


def test_what_was_sent_between_pictures_left_out_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    line = Pictures(clock)
    line.send(60)
    line.forward.want(paused=False, most=3, fps=6)
    line.send(60)
    sent = {header.sequence: data for header, data in line.sent}
    for number in list(sent)[-20:]:
        line.sent.clear()
        assert line.forward.resend((number,), 10_000)
        assert line.sent[-1][1] == number.to_bytes(2, "big") + sent[number]
