"""RTP headers and RTCP feedback, as much as forwarding needs (RFC 3550, 4585, 4588, 8285)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = [
    "Arrivals",
    "Feedback",
    "Header",
    "ReportBlock",
    "SenderReport",
    "nack",
    "newer",
    "numbered",
    "packet",
    "pli",
    "read_feedback",
    "read_header",
    "receiver_report",
    "remb",
    "resync_request",
    "sender_report",
    "stamped",
]

RTCP_SR, RTCP_RR, RTCP_RTPFB, RTCP_PSFB = 200, 201, 205, 206
NTP_EPOCH_OFFSET = 2_208_988_800
"""Seconds from 1900 (NTP) to 1970 (Unix)."""


@dataclass(frozen=True, slots=True)
class Header:
    """A parsed RTP header and where the payload lies."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    start: int
    end: int
    extensions: dict[int, bytes]


def read_header(packet: bytes) -> Header | None:
    """Parse an RTP packet; None where it is malformed."""
    if len(packet) < 12 or packet[0] >> 6 != 2:
        return None
    first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", packet)
    start = 12 + 4 * (first & 0x0F)
    extensions: dict[int, bytes] = {}
    if first & 0x10:
        if len(packet) < start + 4:
            return None
        profile, words = struct.unpack_from("!HH", packet, start)
        start += 4
        stop = start + 4 * words
        if len(packet) < stop:
            return None
        extensions = _extensions(profile, packet[start:stop])
        start = stop
    end = len(packet)
    if first & 0x20 and end:
        end -= packet[-1]
    if end < start:
        return None
    return Header(second & 0x7F, bool(second & 0x80), sequence, timestamp, ssrc, start, end, extensions)


def _extensions(profile: int, data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    position = 0
    if profile == 0xBEDE:  # one-byte headers
        while position < len(data):
            identity, length = data[position] >> 4, (data[position] & 0x0F) + 1
            position += 1
            if identity == 0:
                continue  # padding
            if identity == 15:
                break
            found[identity] = data[position : position + length]
            position += length
    elif profile & 0xFFF0 == 0x1000:  # two-byte headers
        while position + 1 < len(data):
            identity = data[position]
            if identity == 0:
                position += 1
                continue
            length = data[position + 1]
            found[identity] = data[position + 2 : position + 2 + length]
            position += 2 + length
    return found


_FIXED = struct.Struct("!BBHII")
_ONE_WORD = b"\xbe\xde\x00\x01"


def stamped(identity: int, seconds: float, payload: bytes) -> bytes:
    """A payload led by the header extension `abs-send-time`: 24 bits of a clock's seconds, 6.18 fixed point."""
    return _ONE_WORD + struct.pack("!I", identity << 28 | 2 << 24 | int(seconds * 262_144) & 0xFFFFFF) + payload


def numbered(identity: int, number: int, payload: bytes) -> bytes:
    """A payload led by the header extension of transport-wide sequence numbers."""
    return _ONE_WORD + struct.pack("!BHx", identity << 4 | 1, number) + payload


def packet(
    rest: bytes, *, payload_type: int, marker: bool, sequence: int, timestamp: int, ssrc: int, extended: bool
) -> bytes:
    """An RTP packet of ours: the fixed header, then `rest`: the payload, or what `stamped` or `numbered` made of it."""
    second = payload_type | 0x80 if marker else payload_type
    return _FIXED.pack(0x90 if extended else 0x80, second, sequence, timestamp, ssrc) + rest


def newer(a: int, b: int) -> bool:
    """Whether 16-bit sequence number `a` comes after `b`."""
    return a != b and (a - b) & 0xFFFF < 0x8000


@dataclass(frozen=True, slots=True)
class SenderReport:
    """When (the sender's own clock, NTP 32.32) which RTP timestamp was current."""

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int

    @property
    def seconds(self) -> float:
        """The sender's clock as Unix seconds."""
        return (self.ntp >> 32) + (self.ntp & 0xFFFFFFFF) / 2**32 - NTP_EPOCH_OFFSET


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says of one source it gets."""

    ssrc: int
    lost: int
    """Packets since the beginning."""
    highest: int
    """The highest sequence number that came, wraps counted in its upper half."""
    jitter: int
    """In ticks of the source's clock."""
    last_report: int
    """Middle 32 bits of the NTP time of the last sender report it got; 0 without one."""
    delay: int
    """Since that report, in 1/65536 s."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When packets with transport-wide numbers arrived (draft-holmer-rmcat-transport-wide-cc-extensions-01)."""

    first: int
    """Number of the first packet told of."""
    times: tuple[float | None, ...]
    """Seconds of the receiver's clock for it and those that follow; None for one that has not come."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a compound RTCP packet tells and asks for."""

    reports: tuple[SenderReport, ...] = ()
    keyframes: tuple[int, ...] = ()
    """SSRCs for which a key frame is asked (PLI or FIR)."""
    lost: tuple[tuple[int, tuple[int, ...]], ...] = ()
    """`(ssrc, sequence numbers)` to send again."""
    blocks: tuple[ReportBlock, ...] = ()
    bandwidth: int | None = None
    """The receiver's estimate of its line in bits per second (REMB)."""
    arrivals: tuple[Arrivals, ...] = ()


def read_feedback(packet: bytes) -> Feedback:
    """Parse a compound RTCP packet; what is malformed or of no interest is left out."""
    reports: list[SenderReport] = []
    keyframes: list[int] = []
    lost: list[tuple[int, tuple[int, ...]]] = []
    blocks: list[ReportBlock] = []
    bandwidth: int | None = None
    arrivals: list[Arrivals] = []
    position = 0
    while position + 8 <= len(packet):
        first, kind, words = struct.unpack_from("!BBH", packet, position)
        stop = position + 4 * (words + 1)
        if first >> 6 != 2 or stop > len(packet):
            break
        body = packet[position + 4 : stop]
        form = first & 0x1F
        if kind == RTCP_SR and len(body) >= 24:
            reports.append(SenderReport(*struct.unpack_from("!IQIII", body)))
            blocks += _blocks(body[24:], form)
        elif kind == RTCP_RR:
            blocks += _blocks(body[4:], form)
        elif kind == RTCP_PSFB and form == 1 and len(body) >= 8:
            keyframes.append(struct.unpack_from("!I", body, 4)[0])
        elif kind == RTCP_PSFB and form == 4:
            keyframes += [struct.unpack_from("!I", body, at)[0] for at in range(8, len(body) - 7, 8)]
        elif kind == RTCP_PSFB and form == 15 and len(body) >= 16 and body[8:12] == b"REMB":
            word = struct.unpack_from("!I", body, 12)[0]
            bandwidth = (word & 0x3FFFF) << (word >> 18 & 0x3F)
        elif kind == RTCP_RTPFB and form == 1 and len(body) >= 12:
            lost.append((struct.unpack_from("!I", body, 4)[0], _nacked(body[8:])))
        elif kind == RTCP_RTPFB and form == 15 and len(body) >= 16:
            arrivals.append(_arrivals(body))
        position = stop
    return Feedback(tuple(reports), tuple(keyframes), tuple(lost), tuple(blocks), bandwidth, tuple(arrivals))


def _blocks(body: bytes, count: int) -> list[ReportBlock]:
    found: list[ReportBlock] = []
    for at in range(0, min(24 * count, len(body) - 23), 24):
        ssrc, lost, highest, jitter, last, delay = struct.unpack_from("!IIIIII", body, at)
        lost = (lost & 0xFFFFFF) - ((lost & 0x800000) << 1)
        found.append(ReportBlock(ssrc, lost, highest, jitter, last, delay))
    return found


def _arrivals(body: bytes) -> Arrivals:
    first, count, reference = struct.unpack_from("!HHI", body, 8)
    symbols: list[int] = []
    at = 16
    while len(symbols) < count and at + 2 <= len(body):
        chunk = int.from_bytes(body[at : at + 2], "big")
        at += 2
        if not chunk & 0x8000:  # a run of one symbol
            symbols += [chunk >> 13 & 3] * min(chunk & 0x1FFF, count - len(symbols))
        elif chunk & 0x4000:
            symbols += [chunk >> shift & 3 for shift in range(12, -1, -2)]
        else:
            symbols += [chunk >> shift & 1 for shift in range(13, -1, -1)]
    now, times = (reference >> 8) * 0.064, list[float | None]()
    for symbol in symbols[:count]:
        width = symbol if symbol < 3 else 0
        if not width or at + width > len(body):
            times.append(None)
            continue
        now += int.from_bytes(body[at : at + width], "big", signed=width == 2) * 0.00025
        at += width
        times.append(now)
    return Arrivals(first, tuple(times))


def _nacked(body: bytes) -> tuple[int, ...]:
    found: list[int] = []
    for at in range(0, len(body) - 3, 4):
        first, mask = struct.unpack_from("!HH", body, at)
        found.append(first)
        found += [(first + 1 + bit) & 0xFFFF for bit in range(16) if mask >> bit & 1]
    return tuple(found)


def pli(sender: int, media: int) -> bytes:
    """Picture Loss Indication: asks `media` for a key frame."""
    return struct.pack("!BBHII", 0x81, RTCP_PSFB, 2, sender, media)


def resync_request(sender: int, media: int) -> bytes:
    """Rapid Resynchronisation Request (RFC 6051): asks `media` for a sender report; else the first takes seconds."""
    return struct.pack("!BBHII", 0x85, RTCP_RTPFB, 2, sender, media)


def nack(sender: int, media: int, missing: list[int]) -> bytes:
    """Generic NACK for up to a few dozen sequence numbers."""
    pairs: list[tuple[int, int]] = []
    for sequence in missing:
        if pairs and 0 < (sequence - pairs[-1][0]) & 0xFFFF <= 16:
            first, mask = pairs[-1]
            pairs[-1] = (first, mask | 1 << (((sequence - first) & 0xFFFF) - 1))
        else:
            pairs.append((sequence, 0))
    body = b"".join(struct.pack("!HH", first, mask) for first, mask in pairs)
    return struct.pack("!BBHII", 0x81, RTCP_RTPFB, 2 + len(pairs), sender, media) + body


def remb(sender: int, bits_per_second: int, ssrcs: list[int]) -> bytes:
    """Receiver Estimated Maximum Bitrate (draft-alvestrand-rmcat-remb)."""
    exponent = max(0, bits_per_second.bit_length() - 18)
    mantissa = bits_per_second >> exponent
    body = struct.pack("!II", sender, 0) + b"REMB"
    body += struct.pack("!I", len(ssrcs) << 24 | exponent << 18 | mantissa)
    body += b"".join(struct.pack("!I", ssrc) for ssrc in ssrcs)
    return struct.pack("!BBH", 0x8F, RTCP_PSFB, len(body) // 4) + body


def receiver_report(
    sender: int, media: int, *, fraction: int, lost: int, highest: int, jitter: int, last: int, delay: int
) -> bytes:
    """A receiver report with one block; it must lead every compound packet of a receiver."""
    block = struct.pack(
        "!IIIIII",
        media,
        fraction << 24 | (max(-(2**23), min(2**23 - 1, lost)) & 0xFFFFFF),
        highest & 0xFFFFFFFF,
        jitter & 0xFFFFFFFF,
        last,
        delay,
    )
    return struct.pack("!BBHI", 0x81, RTCP_RR, 7, sender) + block


def sender_report(ssrc: int, ntp: int, timestamp: int, packets: int, octets: int) -> bytes:
    """A sender report without blocks, with the CNAME that binds sound and picture of one publisher."""
    return struct.pack(
        "!BBHIQIII", 0x80, RTCP_SR, 6, ssrc, ntp, timestamp & 0xFFFFFFFF, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF
    )
