"""RED (RFC 2198): a packet of sound that carries the ones before it too, so that a single loss is not heard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Block", "fill", "split"]

MOST_LENGTH, MOST_OFFSET = 1 << 10, 1 << 14
"""What the fields of a block's header have room for: bytes, and ticks of the track's clock."""
MOST_OCTETS = 1200
"""Of a whole payload: more would not fit into a datagram everywhere."""


class Block(NamedTuple):
    """One packet of sound within another."""

    offset: int
    """How much earlier it is than the packet it came in, in ticks of the track's clock; 0 for the last block."""
    payload: bytes


def split(payload: bytes) -> list[Block]:
    """The blocks of a RED payload, the oldest first, the packet's own last; empty where it is malformed."""
    heads: list[tuple[int, int]] = []
    at = 0
    while at < len(payload) and payload[at] & 0x80:
        if at + 4 > len(payload):
            return []
        word = int.from_bytes(payload[at : at + 4], "big")
        heads.append((word >> 10 & MOST_OFFSET - 1, word & MOST_LENGTH - 1))
        at += 4
    at += 1  # the last block's payload type
    if at + sum(length for _, length in heads) > len(payload):
        return []
    blocks = []
    for offset, length in heads:
        blocks.append(Block(offset, payload[at : at + length]))
        at += length
    return [*blocks, Block(0, payload[at:])]


def fill(payload_type: int, earlier: Sequence[Block], payload: bytes) -> bytes:
    """A RED payload.

    Args:
        payload_type: of the sound within it.
        earlier: the packets before, the oldest first; what has no room in a block or in the payload is left out.
        payload: the packet's own.
    """
    kept = [block for block in earlier if 0 < block.offset < MOST_OFFSET and 0 < len(block.payload) < MOST_LENGTH]
    while kept and len(payload) + 1 + sum(4 + len(block.payload) for block in kept) > MOST_OCTETS:
        del kept[0]
    heads = b"".join(
        ((0x80 | payload_type) << 24 | block.offset << 10 | len(block.payload)).to_bytes(4, "big") for block in kept
    )
    return heads + bytes([payload_type]) + b"".join(block.payload for block in kept) + payload
