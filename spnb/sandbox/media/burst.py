"""The packets of one picture go out together: one call of the kernel for several, where it can cut them apart (Linux).

A call costs more than the bytes that it carries. Linux takes several datagrams of one size in one call and cuts them
apart as late as it can (UDP generic segmentation offload, `UDP_SEGMENT`, since 4.18). What is sent together is what one
wake-up of the publisher's socket brought, up to the end of a picture: nothing waits for a clock, and nothing is
overtaken by what came after it.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Protocol

__all__ = ["Burst", "Outlet", "can_send_together", "goes_on", "padded", "runs", "send_together"]

UDP_SEGMENT = 103
"""The socket option of `linux/udp.h`."""
MOST_PACKETS = 16
"""Of one run. More would save little and let the first ones wait."""
MOST_WAITING = 1200
"""Packets that wait, for all viewers together: some ten milliseconds of work."""
MOST_PADDING = 3
"""Bytes. Encoders cut a picture into packets that differ by one; more would be a waste of the line."""
LONG = 500
"""Bytes. What is cut into several packets is longer than one could be: none of them is short, as those of sound are."""


class Outlet(Protocol):
    """Who has packets waiting."""

    def flush(self) -> None:
        """Send what waits."""


class Burst:
    """While it is open, packets wait at their outlets; when it closes they are sent. One for each room."""

    def __init__(self) -> None:
        self.open = False
        self._outlets: list[Outlet] = []
        self._waiting = 0

    @property
    def full(self) -> bool:
        """Whether so much waits that it should be sent."""
        return self._waiting >= MOST_WAITING

    def join(self, outlet: Outlet) -> None:
        """An outlet has its first packet waiting."""
        self._outlets.append(outlet)

    def count(self) -> None:
        """A packet was put where others wait."""
        self._waiting += 1

    def close(self) -> None:
        """Send everything."""
        self.open = False
        outlets, self._outlets, self._waiting = self._outlets, [], 0
        for outlet in outlets:
            outlet.flush()


def goes_on(packet: bytes) -> bool:
    """Whether more of the same picture follows on an RTP packet, encrypted or not: its last one is marked."""
    return len(packet) > LONG and not packet[1] & 0x80


def can_send_together(udp: socket.socket) -> bool:
    """Whether the kernel under this socket cuts datagrams apart."""
    try:
        udp.getsockopt(socket.IPPROTO_UDP, UDP_SEGMENT)
    except OSError:
        return False
    return hasattr(udp, "sendmsg")


def runs(packets: list[bytes]) -> Iterator[list[bytes]]:
    """Packets in their order, cut into runs that can go together: of one size, but for a last one that is shorter.

    Packets that are a little too short are padded, as RTP allows (RFC 3550, 5.1).
    """
    at = 0
    while at < len(packets):
        size = len(packets[at])
        stop = at + 1
        while stop < len(packets) and stop - at < MOST_PACKETS and abs(len(packets[stop]) - size) <= MOST_PADDING:
            stop += 1
        run = packets[at:stop]
        if len(run) > 1:
            longest = max(map(len, run))
            run = [padded(packet, longest - len(packet)) for packet in run]
        if stop < len(packets) and stop - at < MOST_PACKETS and len(packets[stop]) < len(run[0]):
            run.append(packets[stop])
            stop += 1
        yield run
        at = stop


def padded(packet: bytes, octets: int) -> bytes:
    """An RTP packet, which has no padding yet, with so many bytes of it."""
    if not octets:
        return packet
    return bytes([packet[0] | 0x20]) + packet[1:] + bytes(octets - 1) + bytes([octets])


def send_together(udp: socket.socket, datagrams: list[bytes], address: tuple[str, int]) -> None:
    """Send datagrams of one size, the last may be shorter, by one call.

    Raises:
        OSError: nothing was sent: the kernel, the device or the length of its frames does not allow it now or at all.
    """
    size = struct.pack("=H", len(datagrams[0]))
    udp.sendmsg(datagrams, [(socket.IPPROTO_UDP, UDP_SEGMENT, size)], 0, address)
