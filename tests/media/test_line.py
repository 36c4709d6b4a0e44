"""What a subscriber's line makes of its feedback: what comes again, when a key frame is asked for, when one waits."""

from __future__ import annotations

import asyncio

import pytest
from aioice import Candidate
from aioice.ice import Connection

from spnb.sandbox.media.downlink import Downlink
from spnb.sandbox.media.rtp import Feedback, ReportBlock, pli
from spnb.sandbox.media.transport import IceSocket
from tests.media.test_packets import Line


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of `time.monotonic()`, set by the test."""
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


async def test_what_is_on_its_way_again_is_not_sent_twice(clock: list[float]) -> None:
    """Clients that do not know the round trip ask every tenth of a second: over a far line that was most of it."""
    line = Line()
    for sequence in range(1, 10):
        line.feed(sequence, b"\x67first" if sequence == 1 else b"\x41next")
        line.forward.start()
    line.sent.clear()
    times = []
    for _ in range(9):
        if line.forward.resend((5,), 10_000, 0.4):
            times.append(round(clock[0] - 1000, 1))
        clock[0] += 0.1
    assert times == [0.0, 0.4, 0.8]
    assert not line.forward.resend((5,), 10_000, 0.4)
    assert line.forward.resend((6,), 10_000, None), "another packet is another matter"
    clock[0] += 0.03
    assert line.forward.resend((6,), 10_000, None), "of a near line nothing is known yet"


async def test_a_key_frame_that_is_on_its_way_is_not_asked_for(clock: list[float]) -> None:
    line = Line()
    asked: list[bytes] = []
    line.track._send_rtcp = asked.append
    downlink = Downlink({line.forward.ssrc: line.forward})
    line.feed(1, b"\x67first")
    line.forward.start()
    asked.clear()
    downlink.round_trip = 0.4
    clock[0] += 0.2
    downlink.hear(Feedback(keyframes=(line.forward.ssrc,)))
    assert not asked, "it was asked for before the last one can have come"
    clock[0] += 0.5
    downlink.hear(Feedback(keyframes=(line.forward.ssrc,)))
    assert asked == [pli(1, 7)]


@pytest.mark.parametrize("layers", [1, 2])
async def test_a_full_line_stops_only_what_it_makes_smaller(clock: list[float], layers: int) -> None:
    """A track that has one layer goes on: to hold it back and ask for a key frame would be a freeze for nothing."""
    line = Line()
    downlink = Downlink({line.forward.ssrc: line.forward})
    sequences = {"q": 1, "f": 1}

    def send(payload: bytes) -> None:
        for rid in "qf"[2 - layers :]:
            line.feed(sequences[rid], payload, ssrc=ord(rid), rid=rid)
            sequences[rid] += 1

    send(b"\x67first")
    line.forward.start()
    for at in range(200):
        send(b"\x41" + bytes(1000))
        clock[0] += 0.01
        if at % 25 == 0:
            line.track.tick()
            downlink.tick()
    before = len(line.sent)
    for lost, highest in ((0, 10), (70, 200)):
        block = ReportBlock(line.forward.ssrc, lost, highest, 0, 0, 0)
        downlink.hear(Feedback(blocks=(block,)))
        clock[0] += 0.4
    send(b"\x41next")
    assert (len(line.sent) > before) is (layers == 1)


async def test_media_take_the_short_way() -> None:
    taken: list[bytes] = []
    connection = Connection(ice_controlling=False)
    socket = IceSocket(connection)
    socket.on_media = taken.append
    socket.local_candidate = Candidate.from_sdp("x 1 udp 1 127.0.0.1 9 typ host")
    packet = bytes([0x80]) + bytes(20)
    socket.datagram_received(packet, ("127.0.0.1", 9))
    assert taken == [packet]
    socket.datagram_received(bytes([22]) + bytes(20), ("127.0.0.1", 9))  # DTLS goes on to aioice
    async with asyncio.timeout(5):
        assert (await connection._queue.get())[0][0] == 22
