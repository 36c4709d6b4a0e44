"""One malformed packet ends neither the server nor anybody's stream: seeded runs here, endless ones by `fuzz.py`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import struct
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spnb.sandbox.media import rtp
from tests.media.conftest import LiveKit, publisher, viewer
from tests.media.fuzz import CRASHES, TARGETS, seeds
from tests.media.people import Pictures
from tests.media.test_units import OFFER
from tests.security.test_malformed_packets import spoiled

PARTS = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.builds(
            lambda first, second, numbers, rest: bytes([first, second]) + struct.pack("!HII", *numbers) + rest,
            st.sampled_from([0x80, 0x90, 0xA0, 0xB0]),
            st.sampled_from([96, 97, 224]),
            st.tuples(st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1), st.integers(0, 4)),
            st.binary(max_size=40),
        ),
        st.builds(
            lambda first, kind, body: bytes([first, kind]) + struct.pack("!H", len(body)) + b"".join(body),
            st.integers(0x80, 0x9F),
            st.sampled_from([200, 201, 205, 206]),
            st.lists(st.binary(min_size=4, max_size=4), max_size=12),
        ),
    ),
    max_size=12,
).map(lambda parts: b"".join(struct.pack("!H", len(part)) + part for part in parts))


def run(name: str, data: bytes) -> None:
    async def inside() -> None:
        TARGETS[name](data)

    asyncio.run(inside())


@pytest.mark.parametrize("name", ["rtp", "rtcp"])
@given(lead=st.integers(0, 4), data=PARTS)
@settings(max_examples=150, deadline=None)
def test_no_run_of_packets_breaks_what_reads_them(name: str, lead: int, data: bytes) -> None:
    run(name, bytes([lead]) + data if name == "rtp" else data)


@pytest.mark.parametrize("name", ["stun", "signalling", "join", "data", "payloads"])
@given(data=st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_no_bytes_break_what_reads_them(name: str, data: bytes) -> None:
    run(name, data)


@given(st.randoms(use_true_random=False), st.integers(1, 6))
@settings(max_examples=300, deadline=None)
def test_no_change_of_a_description_breaks_what_answers_it(chance: random.Random, changes: int) -> None:
    lines = OFFER.split("\r\n")
    for _ in range(changes):
        at = chance.randrange(len(lines))
        line = lines[at]
        cut = chance.randrange(len(line) + 1)
        lines[at] = chance.choice(
            [
                line[:cut],
                line[:cut] + chance.choice([" ", ":", "/", "é", "999999999999", "-1"]) + line[cut:],
                "",
                line * 2,
            ]
        )
    run("sdp", "\r\n".join(lines).encode())


def test_what_once_broke_a_parser_does_so_no_more() -> None:
    kept = [(path.name.split("-")[0], path.read_bytes()) for path in sorted(CRASHES.glob("*-*"))]
    for name, data in [*kept, *((name, data) for name, whole in seeds().items() for data in whole)]:
        run(name, data)


HOW_MANY = int(os.environ.get("SPNB_PACKETS", "20000"))
AT_ONCE = 200
"""As many as wait in a socket's buffer: of more the kernel would drop the rest, and the server would never see them."""


def dtls_record(kind: int, body: bytes, *, epoch: int = 0, sequence: int = 0) -> bytes:
    """A DTLS 1.2 record (RFC 6347 § 4.1)."""
    return struct.pack("!BHHHIH", kind, 0xFEFD, epoch, 0, sequence, len(body)) + body


HELLO = (
    struct.pack("!HIIII", 0xFEFD, 1, 2, 3, 4)
    + bytes(16)
    + b"\0\0"  # no session, no cookie
    + struct.pack("!HHH", 4, 0xC02B, 0xC02F)
    + b"\1\0"
    + struct.pack("!HHHHH", 8, 10, 4, 2, 0x17)
)
DTLS = [
    dtls_record(22, struct.pack("!BBHHBHBH", 1, 0, len(HELLO), 0, 0, 0, 0, len(HELLO)) + HELLO),
    dtls_record(20, b"\1"),
    dtls_record(21, b"\2\x28"),
    dtls_record(21, b"\1\0"),
    dtls_record(23, bytes(64), epoch=1, sequence=7),
]
"""A client's greeting, a change of cipher, a fatal alert, a goodbye, and data."""


def ports_of(process_name: str) -> list[int]:
    """UDP ports of loopback that belong to the embedded server."""
    import psutil

    found: list[int] = []
    for process in psutil.process_iter(["cmdline"]):
        if process_name in " ".join(process.info["cmdline"] or []):
            with contextlib.suppress(psutil.Error):
                found += [c.laddr.port for c in process.net_connections("udp4") if c.laddr.ip == "127.0.0.1"]
    return found


@pytest.mark.media
async def test_strangers_datagrams_end_no_stream(embedded: LiveKit) -> None:
    """Anybody on the machine can send to the server's UDP ports, without any key."""
    room = f"room-{uuid.uuid4().hex[:8]}"
    chance = random.Random(3)
    async with publisher(embedded, room), viewer(embedded, room) as seen:
        track, _ = await seen.track()
        shown = Pictures(track)
        await shown.come()
        ports = ports_of("spnb.sandbox.media")
        assert ports
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for port in ports:
                stranger.sendto(b"", ("127.0.0.1", port))
                for lead in (0, 1, 3, 20, 22, 63, 128, 144, 191, 255):
                    for size in (1, 2, 12, 13, 20, 60, 1400):
                        stranger.sendto(bytes([lead]) + chance.randbytes(size - 1), ("127.0.0.1", port))
                for number in range(HOW_MANY // len(ports)):
                    stranger.sendto(spoiled(chance.choice(DTLS), chance)[:1400] or b"\x16", ("127.0.0.1", port))
                    if number % AT_ONCE == 0:
                        await shown.come()
                for kind in (1, 0x101, 0x111):
                    for attribute in (1, 6, 8, 9, 0x20, 0x24, 0x25, 0x8028, 0x802A):
                        body = struct.pack("!HH", attribute, 3) + b"abc\0"
                        message = struct.pack("!HHI", kind, len(body), 0x2112A442) + chance.randbytes(12) + body
                        stranger.sendto(message, ("127.0.0.1", port))
        await shown.aclose()
        assert len(await seen.counters(track, 30)) == 30
        assert "disconnected" not in seen.events
        assert "reconnecting" not in seen.events


def test_a_wild_bandwidth_is_only_a_number() -> None:
    wild = rtp.remb(1, 2**60, [1])
    assert rtp.read_feedback(wild).bandwidth is not None
