"""Malformed packets of each kind: refused or read, never anything else.

20 000 of each kind: of MQTT from fixed seeds; of what else a network brings (STUN, RTP, RTCP, session descriptions,
protobuf, data channels; DTLS in `tests/media/test_malformed.py`) half from a fixed seed and half from the run's own.
HTTP requests, each a connection of its own to a running sandbox, are fewer; `SPNB_PACKETS` says how many of all.
`tests/media/fuzz.py` goes on for as long as it is let.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import Callable

import pytest

from spnb.sandbox.realtime.gate import Gate, LoginRefused, Violation, read_login
from tests.conftest import RunningSandbox
from tests.media.fuzz import TARGETS, seeds
from tests.rest.conftest import Caller
from tests.security.mqtt import connect_packet, packet, publish_packet, subscribe_packet, text

HOW_MANY = int(os.environ.get("SPNB_PACKETS", "20000"))
REQUESTS_SENT = int(os.environ.get("SPNB_PACKETS", "2000"))
KINDS: dict[str, bytes] = {
    "connect": connect_packet("device #1", "internal id", "a token" * 20),
    "connect with a will": connect_packet("d", "u", "p", flags=0xE6, will=("sandbox/room/x", b"forged")),
    "connect 5": connect_packet("d", "u", "p", level=5),
    "publish": publish_packet("sandbox/room/x", b"forged", flags=3),
    "subscribe": subscribe_packet("sandbox", "sandbox/room/+", "sandbox/chat/#"),
    "unsubscribe": packet(0xA2, b"\0\7" + text("sandbox/room/x") + text("sandbox")),
    "acknowledge": packet(0x40, b"\0\1"),
    "ping": packet(0xC0, b""),
    "disconnect": packet(0xE0, b""),
}


def spoiled(valid: bytes, chance: random.Random) -> bytes:
    """Bytes near a valid packet: flipped, cut, doubled, with lengths that lie, or with others put in."""
    data = bytearray(valid)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) or 1)
        match chance.randrange(6):
            case 0 if data:
                data[at] ^= 1 << chance.randrange(8)
            case 1 if data:
                data[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2:
                del data[at:]
            case 3:
                data[at:at] = chance.randbytes(chance.randint(1, 9))
            case 4:
                data += data[at:]
            case _:
                del data[at : at + chance.randint(1, 3)]
    return bytes(data)


def halves(name: str, run_seed: int) -> list[random.Random]:
    """One half from a fixed seed, the other from the run's own."""
    return [random.Random(f"{name} 1"), random.Random(f"{name} {run_seed}")]


def through_the_gate(data: bytes) -> bytes:
    """What of these bytes a broker behind the gate would read."""
    gate = Gate()
    gate.feed(data)
    return gate.passed()


@pytest.mark.parametrize("kind", KINDS)
def test_the_gate_passes_whole_allowed_packets_only(kind: str) -> None:
    chance = random.Random(f"gate {kind}")
    for _ in range(HOW_MANY):
        data = spoiled(KINDS[kind], chance)
        try:
            passed = through_the_gate(data)
        except Violation:
            continue
        assert through_the_gate(passed) == passed, data.hex()
        while passed:
            assert passed[0] in (0x82, 0xA2, 0xC0, 0xE0), data.hex()
            gate = Gate()
            gate.feed(passed)
            first = gate.next()
            assert first is not None
            passed = passed[len(packet(*first)) :]


def test_a_login_is_read_or_refused() -> None:
    chance = random.Random("login")
    read = refused = 0
    for _ in range(HOW_MANY):
        gate = Gate()
        try:
            gate.feed(spoiled(KINDS[chance.choice(("connect", "connect with a will", "connect 5"))], chance))
            first = gate.next()
            if first is None:
                continue
            login = read_login(*first)
        except Violation:
            continue
        except LoginRefused as told:
            refused += told.answer[0] == 0x20
            continue
        read += 1
        fresh = Gate()
        fresh.feed(login.packet("of the sandbox"))
        again = fresh.next()
        assert again is not None
        assert read_login(*again).client_id == "of the sandbox"
    assert read, "some are whole still"
    assert refused, "some still ask for a will"


def test_no_way_of_cutting_bytes_changes_what_is_read() -> None:
    whole = b"".join((KINDS["subscribe"], KINDS["ping"], KINDS["acknowledge"], KINDS["unsubscribe"]))
    wanted = through_the_gate(whole)
    chance = random.Random("cut")
    for _ in range(500):
        gate, passed, at = Gate(), b"", 0
        while at < len(whole):
            size = chance.randint(1, 12)
            gate.feed(whole[at : at + size])
            passed += gate.passed()
            at += size
        assert passed == wanted


LIMITS: dict[str, Callable[[], bytes]] = {
    "a packet": lambda: b"\x82\x80\x80\x40" + bytes(70_000),
    "a length": lambda: b"\x82\xff\xff\xff\xff\x01",
    "a topic": lambda: subscribe_packet("x" * 1025),
    "topics": lambda: subscribe_packet(*(f"{number}" for number in range(5001))),
    "a flood": lambda: KINDS["ping"] * 100_000,
}


@pytest.mark.parametrize("what", LIMITS)
def test_what_is_too_large_ends_the_connection(what: str) -> None:
    with pytest.raises(Violation):
        through_the_gate(LIMITS[what]())


@pytest.mark.timeout(3600 if HOW_MANY > 20_000 else 300)
@pytest.mark.parametrize("name", TARGETS)
def test_nothing_that_a_network_brings_breaks_what_reads_it(name: str, run_seed: int) -> None:
    whole = seeds()[name]

    async def inside() -> None:
        for chance in halves(name, run_seed):
            for _ in range(HOW_MANY // 2):
                data = chance.choice(whole)
                wild = chance.random() < 0.1
                TARGETS[name](chance.randbytes(chance.randrange(200)) if wild else spoiled(data, chance))

    asyncio.run(inside())


LOCAL = b" HTTP/1.1\r\nHost: 127.0.0.1\r\n"
REQUESTS = [
    b"POST /api/v5/sessions?a=%32&b=1" + LOCAL + b"X-API-Key: k\r\nContent-Type: application/json\r\nCookie: a=b\r\n"
    b'Content-Length: 27\r\n\r\n{"userId":"a","deviceId":1}',
    b"PUT /api/v3/users" + LOCAL + b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    b'4\r\n{"a"\r\n4\r\n:{}}\r\n0\r\n\r\n',
    b"GET /mqtt" + LOCAL + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n\x82\x84\0\0\0\0\x10\2\0\4",
    b"POST /api/v4/files" + LOCAL + b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 90\r\n\r\n"
    b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nhere\r\n--x--\r\n',
]


@pytest.mark.timeout(3600 if REQUESTS_SENT > 2000 else 120)
def test_no_request_on_the_wire_breaks_the_sandbox(sandbox: RunningSandbox, run_seed: int) -> None:
    caller = Caller(sandbox)
    port = caller.http.base_url.port
    assert port is not None
    for chance in halves("http", run_seed):
        for number in range(REQUESTS_SENT // 2):
            data = spoiled(chance.choice(REQUESTS), chance)
            with socket.create_connection(("127.0.0.1", port), timeout=60) as stranger:
                stranger.sendall(data)
                stranger.shutdown(socket.SHUT_WR)
                answer = stranger.recv(64)
            assert not answer.startswith(b"HTTP/1.1 5"), (number, data, answer)
            if number % 100 == 0:
                caller.get("/api/v1/rooms")
    caller.get("/api/v1/rooms")
