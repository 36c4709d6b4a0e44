"""Connections of the media server: packets sent by one call of the kernel, and lines on which nothing is heard."""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiortc import RTCCertificate
from hypothesis import given
from hypothesis import strategies as st

from spnb.sandbox.media import rtp
from spnb.sandbox.media.burst import Burst, can_send_together, goes_on, runs
from spnb.sandbox.media.participant import CONSENT_SECONDS, Participant
from spnb.sandbox.media.room import MediaRoom
from spnb.sandbox.media.tokens import Grants, Identity
from spnb.sandbox.media.transport import MediaTransport, RemoteParameters

SO_NO_CHECK = 11
"""Linux: datagrams without a checksum, which the kernel does not cut apart."""


def packet(sequence: int, size: int, *, marker: bool = False) -> bytes:
    head = struct.pack("!BBHII", 0x80, 96 | (0x80 if marker else 0), sequence & 0xFFFF, 0, 7)
    return head + bytes([1 + sequence % 200]) * (size - len(head))


def bare(made: bytes) -> bytes:
    """A packet without its padding, and without the bit that tells of it."""
    header = rtp.read_header(made)
    assert header is not None
    return bytes([made[0] & ~0x20]) + made[1 : header.end]


SIZES = st.lists(st.one_of(st.integers(13, 1200), st.integers(990, 996)), max_size=60)


@given(SIZES)
def test_runs_keep_order_and_content_and_are_of_one_size(sizes: list[int]) -> None:
    packets = [packet(number, size) for number, size in enumerate(sizes)]
    made = list(runs(packets))
    assert [bare(one) for run in made for one in run] == packets
    for run in made:
        *front, last = map(len, run)
        assert len(run) <= 16
        assert len(set(front)) <= 1
        assert not front or last <= front[0]


def lengths(*sizes: int) -> list[int]:
    return [len(run) for run in runs([packet(number, size) for number, size in enumerate(sizes)])]


def test_a_picture_as_encoders_cut_it_goes_together() -> None:
    assert lengths(975, 975, 975, 976) == [4]
    assert lengths(1100, 1100, 700, 80) == [3, 1]
    assert goes_on(packet(1, 1100))
    assert not goes_on(packet(1, 1100, marker=True))
    assert not goes_on(packet(1, 120)), "sound is short"


class Pair:
    """Two ends of a connection, and what the second one got."""

    def __init__(self, burst: Burst | None) -> None:
        certificate = RTCCertificate.generateCertificate()
        self.got: asyncio.Queue[bytes] = asyncio.Queue()
        self.messages: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self.in_bursts: list[bool] = []
        self.burst = burst
        self.ends = [
            MediaTransport(
                certificate,
                burst=burst,
                on_rtp=self.take,
                on_rtcp=lambda _: None,
                on_data=lambda *message: self.messages.put_nowait(message),
                on_state=self.told,
            )
            for _ in range(2)
        ]
        self.connected = 0
        self.up = asyncio.Event()

    def take(self, packet: bytes) -> None:
        self.in_bursts.append(self.burst is not None and self.burst.open)
        self.got.put_nowait(packet)

    def told(self, state: str) -> None:
        self.connected += state == "connected"
        if self.connected == 2:
            self.up.set()

    async def connect(self) -> None:
        local = [await end.local() for end in self.ends]
        for number, end in enumerate(self.ends):
            other = local[1 - number]
            fingerprints = (tuple(other.fingerprint.split(" ", 1)),)
            setup = ("active", "passive")[number]
            remote = RemoteParameters(
                other.ufrag,
                other.password,
                fingerprints,  # type: ignore[arg-type] # two words
                setup,
                tuple(line.removeprefix("candidate:") for line in other.candidates),
            )
            end.start(remote, controlling=number == 0)
        async with asyncio.timeout(60):
            await self.up.wait()

    @property
    def udp(self) -> socket.socket:
        """The first end's socket."""
        protocol = self.ends[0]._gatherer.protocol
        assert protocol is not None
        assert protocol.udp is not None
        return protocol.udp

    async def next(self, count: int) -> list[bytes]:
        async with asyncio.timeout(60):
            return [await self.got.get() for _ in range(count)]


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[Pair]:
    made = Pair(Burst())
    try:
        await made.connect()
        yield made
    finally:
        await asyncio.gather(*(end.aclose() for end in made.ends))


def needs_segmentation(pair: Pair) -> None:
    if not can_send_together(pair.udp):
        pytest.skip("this kernel does not cut datagrams apart")


async def test_what_is_sent_together_arrives_as_it_was_in_its_order(pair: Pair) -> None:
    """Whether the kernel does it, or refuses."""
    needs_segmentation(pair)
    numbers = itertools.count(1)
    assert pair.burst is not None
    for refused in (False, True):
        if refused:
            pair.udp.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
        for sizes in ([990, 990, 991, 700, 1100], [600], [1200] * 40):
            sent = [packet(next(numbers), size) for size in sizes]
            pair.burst.open = True
            for one in sent:
                pair.ends[0].send_rtp(one)
            assert pair.got.empty(), "nothing is sent before the burst is over"
            pair.burst.close()
            assert [bare(one) for one in await pair.next(len(sent))] == sent
        # One that was refused is refused for good: no call is made in vain for each picture.
        assert (pair.ends[0]._udp is None) is refused


async def test_the_rest_of_a_picture_is_read_at_once(pair: Pair) -> None:
    """Up to its marked packet, which ends the burst; what belongs to no longer picture opens none."""
    needs_segmentation(pair)
    sent = [packet(number, 1000, marker=number in (3, 4)) for number in range(1, 5)]
    for one in sent:
        pair.ends[0].send_rtp(one)
    assert await pair.next(4) == sent
    assert pair.in_bursts == [True, True, True, False]
    assert pair.burst is not None
    assert not pair.burst.open


async def test_what_is_sent_before_a_channel_is_open_arrives_in_its_order() -> None:
    """Whoever opens it: a client is in the room before that, and what it is sent then may be all there is."""
    made = Pair(None)
    here, there = made.ends
    try:
        here.open_channel("_reliable", reliable=True)
        here.open_channel("_lossy", reliable=False)
        here.send_data("_lossy", b"of no use any more")
        for number in range(3):
            here.send_data("_reliable", b"%d" % number)
        await made.connect()
        async with asyncio.timeout(60):
            told = [await made.messages.get() for _ in range(3)]
        assert told == [("_reliable", b"%d" % number) for number in range(3)]
        there.send_data("_reliable", b"back")
        here.send_data("_lossy", b"now")
        async with asyncio.timeout(60):
            assert {await made.messages.get() for _ in range(2)} == {("_reliable", b"back"), ("_lossy", b"now")}
    finally:
        await asyncio.gather(*(end.aclose() for end in made.ends))


async def test_a_connection_that_is_silent_for_long_is_thought_lost(pair: Pair) -> None:
    """The server sends no checks of its own: that nothing is heard any more, not even a client's checks, is enough."""
    room = MediaRoom("r", RTCCertificate.generateCertificate(), on_event=lambda _: None, on_empty=lambda _: None)
    identity = Identity("a", "", "", Grants(room="r"), expires_at=0.0)
    who = Participant(room, identity, send=lambda _: None, auto_subscribe=False)
    now = time.monotonic()
    assert not who.lacks_consent(now + 1000), "it has no connection yet"
    who.uplink._transport = pair.ends[0]
    assert not who.lacks_consent(now)
    assert who.lacks_consent(time.monotonic() + CONSENT_SECONDS + 1)
