"""RTP payloads out of whole encoded frames (RFC 6184 in non-interleaved mode, RFC 7741)."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["MOST_PAYLOAD", "payloads"]

MOST_PAYLOAD = 1150
"""Bytes: with what subscribers' connections add it stays within one datagram."""
STAP_A, FU_A = 24, 28
VP8_BEGINS = 0x10
"""The descriptor of a frame's first packet: the start of partition 0."""


def payloads(codec: str, frame: bytes) -> list[bytes]:
    """What the packets of one frame carry.

    Args:
        codec: `h264`, with the frame as an access unit in Annex B; `vp8`; or `opus`.
        frame: the frame.
    """
    if codec == "h264":
        return list(_h264(_units(frame)))
    if codec == "vp8":
        pieces = [frame[at : at + MOST_PAYLOAD] for at in range(0, len(frame), MOST_PAYLOAD)]
        return [bytes([0 if number else VP8_BEGINS]) + piece for number, piece in enumerate(pieces)]
    return [frame]


def _units(frame: bytes) -> Iterator[bytes]:
    """The NAL units of an access unit, without their start codes."""
    start = frame.find(b"\0\0\1")
    while start >= 0:
        following = frame.find(b"\0\0\1", start + 3)
        # A start code may be led by one zero more, and a unit never ends with one.
        unit = (frame[start + 3 :] if following < 0 else frame[start + 3 : following]).rstrip(b"\0")
        if unit:
            yield unit
        start = following


def _h264(units: Iterator[bytes]) -> Iterator[bytes]:
    together: list[bytes] = []
    for unit in units:
        if sum(map(len, together)) + 2 * len(together) + len(unit) + 3 > MOST_PAYLOAD:
            yield from _aggregated(together)
            together = []
        if len(unit) <= MOST_PAYLOAD:
            together.append(unit)
            continue
        kind, importance = unit[0] & 0x1F, unit[0] & 0xE0
        pieces = [unit[at : at + MOST_PAYLOAD] for at in range(1, len(unit), MOST_PAYLOAD)]
        for number, piece in enumerate(pieces):
            begins, ends = 0x80 if number == 0 else 0, 0x40 if number == len(pieces) - 1 else 0
            yield bytes([importance | FU_A, begins | ends | kind]) + piece
    yield from _aggregated(together)


def _aggregated(units: list[bytes]) -> Iterator[bytes]:
    """Small units in one packet: the parameter sets and the picture that needs them belong together."""
    if len(units) == 1:
        yield units[0]
    elif units:
        importance = max(unit[0] & 0x60 for unit in units)
        yield bytes([importance | STAP_A]) + b"".join(len(unit).to_bytes(2) + unit for unit in units)
