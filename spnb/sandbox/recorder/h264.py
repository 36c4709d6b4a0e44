"""H.264 as the recorder needs it: parameter sets, samples for MP4, and pictures that repeat the one before.

What is parsed is ITU-T H.264, 7.3: of a stream only the fields that a repeated picture must agree with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Parameters", "Stream", "nal_units", "sample"]

NAL_SLICE, NAL_IDR, NAL_SPS, NAL_PPS, NAL_AUD = 1, 5, 7, 8, 9
HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128})
START = re.compile(b"\x00\x00\x01")


def nal_units(access_unit: bytes) -> list[bytes]:
    """The NAL units of an Annex B access unit."""
    starts = [match.end() for match in START.finditer(access_unit)]
    ends = [*(start - 3 for start in starts[1:]), len(access_unit)]
    units = (access_unit[start:end].rstrip(b"\0") for start, end in zip(starts, ends, strict=False))
    return [unit for unit in units if unit]


def sample(units: list[bytes]) -> bytes:
    """NAL units as an MP4 sample: each with its length before it.

    Parameter sets lie in the sample entry, and stay here too: FFmpeg takes no second initialisation segment.
    """
    kept = [unit for unit in units if unit[0] & 31 != NAL_AUD]
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in kept)


class _Bits:
    """Reads a NAL unit bit by bit, without its emulation prevention bytes."""

    def __init__(self, unit: bytes) -> None:
        self._data = unit.replace(b"\0\0\3", b"\0\0")
        self._at = 8

    def u(self, count: int) -> int:
        value = 0
        for _ in range(count):
            byte, bit = divmod(self._at, 8)
            if byte >= len(self._data):
                raise ValueError("the NAL unit is too short")
            value = value << 1 | (self._data[byte] >> (7 - bit) & 1)
            self._at += 1
        return value

    def ue(self) -> int:
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros > 31:
                raise ValueError("no such number is in a NAL unit")
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        value = self.ue()
        return (value + 1) // 2 if value & 1 else -(value // 2)


class _Written:
    """Writes a NAL unit bit by bit."""

    def __init__(self) -> None:
        self._bits = ""

    def u(self, value: int, count: int) -> None:
        self._bits += format(value, f"0{count}b") if count else ""

    def ue(self, value: int) -> None:
        digits = format(value + 1, "b")
        self._bits += "0" * (len(digits) - 1) + digits

    def unit(self, header: int) -> bytes:
        bits = self._bits + "1"
        bits += "0" * (-len(bits) % 8)
        body = int(bits, 2).to_bytes(len(bits) // 8, "big")
        guarded = bytearray()
        for byte in body:
            if byte <= 3 and guarded.endswith(b"\0\0"):
                guarded.append(3)
            guarded.append(byte)
        return bytes((header,)) + bytes(guarded)


@dataclass(frozen=True, slots=True)
class Parameters:
    """A stream's parameter sets: what an MP4 sample entry is made of."""

    sps: bytes
    pps: bytes
    width: int
    height: int

    @property
    def codec(self) -> str:
        """The codec in RFC 6381's words."""
        return f"avc1.{self.sps[1:4].hex()}"

    @property
    def configuration(self) -> bytes:
        """An `avcC` box's content (ISO/IEC 14496-15, 5.3.3.1)."""
        head = bytes((1, self.sps[1], self.sps[2], self.sps[3], 0xFF, 0xE1))
        made = (
            head + len(self.sps).to_bytes(2, "big") + self.sps + b"\x01" + len(self.pps).to_bytes(2, "big") + self.pps
        )
        return made + bytes((0xFD, 0xF8, 0xF8, 0)) if self.sps[1] in HIGH_PROFILES else made


class Stream:
    """Follows the access units of one stream, so that a picture can be put in that repeats the last one.

    Such a picture is what an encoder makes of a scene in which nothing moves: every macroblock skipped (7.3.4), no
    reference for others, so that the publisher's own next picture fits on as if it had never been there.
    """

    def __init__(self) -> None:
        self.parameters: Parameters | None = None
        self._sps: dict[str, int] = {}
        self._pps: dict[str, int] = {}
        self._plain = False
        self._idc, self._frame_num, self._order = 0, 0, 0

    def take(self, units: list[bytes]) -> Parameters | None:
        """Take an access unit; its parameter sets as they are from now on, None where none is known yet."""
        sps = next((unit for unit in units if unit[0] & 31 == NAL_SPS), None)
        pps = next((unit for unit in units if unit[0] & 31 == NAL_PPS), None)
        known = self.parameters
        if sps is not None and pps is not None and (known is None or (sps, pps) != (known.sps, known.pps)):
            self._read(sps, pps)
        slice_ = next((unit for unit in units if unit[0] & 31 in (NAL_SLICE, NAL_IDR)), None)
        if slice_ is not None and self._plain:
            try:
                self._follow(slice_)
            except ValueError:
                self._plain = False
        return self.parameters

    def _read(self, sps: bytes, pps: bytes) -> None:
        try:
            self._sps = facts = _sequence(sps)
            self.parameters = Parameters(sps, pps, facts["width"], facts["height"])
            self._pps = picture = _picture(pps)
            self._plain = (
                bool(facts["frames_only"])
                and facts["order_type"] != 1
                and not any(picture[name] for name in ("arithmetic", "slice_groups", "weighted", "redundant"))
            )
        except (ValueError, IndexError):
            self._plain = False

    def _follow(self, unit: bytes) -> None:
        bits = _Bits(unit[:64])
        bits.ue(), bits.ue(), bits.ue()
        self._frame_num = bits.u(self._sps["frame_num_bits"])
        self._idc = unit[0] >> 5 & 3
        if unit[0] & 31 == NAL_IDR:
            bits.ue()
        if self._sps["order_type"] == 0:
            self._order = bits.u(self._sps["order_bits"])

    def repeated(self) -> bytes | None:
        """A sample that shows the last picture once more; None where this stream is of a kind that allows none."""
        if not self._plain or self.parameters is None:
            return None
        bits = _Written()
        bits.ue(0)  # first macroblock
        bits.ue(5)  # a P slice, as all of this picture
        bits.ue(self._pps["id"])
        # What no other picture refers to has the number after the last one that others may refer to (7.4.3).
        number = self._frame_num + (1 if self._idc else 0)
        bits.u(number % (1 << self._sps["frame_num_bits"]), self._sps["frame_num_bits"])
        if self._sps["order_type"] == 0:
            bits.u((self._order + 1) % (1 << self._sps["order_bits"]), self._sps["order_bits"])
            if self._pps["bottom_order"]:
                bits.ue(0)
        bits.u(1, 1)  # of one reference:
        bits.ue(0)
        bits.u(0, 1)  # the last picture
        bits.ue(0)  # quantiser as usual
        if self._pps["deblocking"]:
            bits.ue(1)
        bits.ue(self._sps["macroblocks"])
        return sample([bits.unit(NAL_SLICE)])


def _sequence(unit: bytes) -> dict[str, int]:
    """What counts of a sequence parameter set (7.3.2.1.1)."""
    bits = _Bits(unit)
    profile = bits.u(8)
    bits.u(16)
    bits.ue()
    chroma = 1
    if profile in HIGH_PROFILES:
        chroma = bits.ue()
        if chroma == 3:
            bits.u(1)
        bits.ue(), bits.ue(), bits.u(1)
        if bits.u(1):
            _skip_scaling(bits, 12 if chroma == 3 else 8)
    found = {"frame_num_bits": bits.ue() + 4, "order_type": bits.ue(), "order_bits": 0}
    if found["order_type"] == 0:
        found["order_bits"] = bits.ue() + 4
    elif found["order_type"] == 1:
        bits.u(1), bits.se(), bits.se()
        for _ in range(bits.ue()):
            bits.se()
    bits.ue()
    bits.u(1)
    wide, high = bits.ue() + 1, bits.ue() + 1
    found["frames_only"] = bits.u(1)
    if not found["frames_only"]:
        bits.u(1)
    bits.u(1)
    found["macroblocks"] = wide * high
    width, height = wide * 16, high * 16 * (2 - found["frames_only"])
    if bits.u(1):
        across, down = (2 if chroma in (1, 2) else 1), (2 if chroma == 1 else 1) * (2 - found["frames_only"])
        width -= across * (bits.ue() + bits.ue())
        height -= down * (bits.ue() + bits.ue())
    return {**found, "width": width, "height": height}


def _skip_scaling(bits: _Bits, lists: int) -> None:
    for number in range(lists):
        if not bits.u(1):
            continue
        last = following = 8
        for _ in range(16 if number < 6 else 64):
            if following:
                following = (last + bits.se()) % 256
            last = following or last


def _picture(unit: bytes) -> dict[str, int]:
    """What counts of a picture parameter set (7.3.2.2)."""
    bits = _Bits(unit)
    found = {"id": bits.ue()}
    bits.ue()
    found["arithmetic"], found["bottom_order"], found["slice_groups"] = bits.u(1), bits.u(1), bits.ue()
    if found["slice_groups"]:
        return {**found, "weighted": 0, "redundant": 0, "deblocking": 0}
    bits.ue(), bits.ue()
    found["weighted"] = bits.u(1)
    bits.u(2)
    bits.se(), bits.se(), bits.se()
    found["deblocking"] = bits.u(1)
    bits.u(1)
    found["redundant"] = bits.u(1)
    return found
