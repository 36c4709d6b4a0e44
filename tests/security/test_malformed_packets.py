"""Malformed packets, 20 000 of each kind from fixed seeds: refused or read, never anything else."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from spnb.sandbox.realtime.gate import Gate, LoginRefused, Violation, read_login
from tests.security.mqtt import connect_packet, packet, publish_packet, subscribe_packet, text

HOW_MANY = 20_000
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
