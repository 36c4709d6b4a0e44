"""Frames out of RTP payloads: key frames told from others, packets put together (RFC 6184, 7741, 9628, AV1)."""

from __future__ import annotations

__all__ = ["depayload", "starts_keyframe"]

START_CODE = b"\x00\x00\x00\x01"
NAL_SPS, NAL_STAP_A, NAL_FU_A = 7, 24, 28


def starts_keyframe(codec: str, payload: bytes) -> bool:
    """Whether this packet begins a frame that can be decoded without any before it.

    For H.264 that is the packet with the sequence parameter set, which WebRTC senders put before every key picture: a
    decoder that begins at the picture itself lacks its parameters.
    """
    if codec == "h264":
        return _h264_keyframe(payload)
    if codec == "vp8":
        offset = _vp8_descriptor(payload)
        return offset is not None and bool(payload[0] & 0x10) and not payload[0] & 0x07 and not payload[offset] & 0x01
    if codec == "vp9":
        return _vp9_keyframe(payload)
    if codec == "av1":
        # The aggregation header's N bit: a coded video sequence begins here.
        return len(payload) > 1 and bool(payload[0] & 0x08)
    return True


def _vp9_keyframe(payload: bytes) -> bool:
    """Not predicted from other pictures, the begin of a frame, and of the lowest spatial layer (RFC 9628)."""
    if len(payload) < 2 or payload[0] & 0x40 or not payload[0] & 0x08:
        return False
    at = 1
    if payload[0] & 0x80:
        at += 2 if payload[1] & 0x80 else 1
    return not payload[0] & 0x20 or (len(payload) > at and not payload[at] & 0x0E)


def _h264_keyframe(payload: bytes) -> bool:
    if not payload:
        return False
    kind = payload[0] & 0x1F
    if kind == NAL_STAP_A:
        return any(nal[0] & 0x1F == NAL_SPS for nal in _stap(payload))
    return kind == NAL_SPS


def _stap(payload: bytes) -> list[bytes]:
    found, at = [], 1
    while at + 2 < len(payload):
        size = int.from_bytes(payload[at : at + 2], "big")
        nal = payload[at + 2 : at + 2 + size]
        if nal:
            found.append(nal)
        at += 2 + size
    return found


def depayload(codec: str, payload: bytes) -> bytes:
    """The part of the encoded frame that a payload carries: Annex B for H.264; empty where it is malformed."""
    if not payload:
        return b""
    if codec == "h264":
        kind = payload[0] & 0x1F
        if kind == NAL_STAP_A:
            return b"".join(START_CODE + nal for nal in _stap(payload))
        if kind == NAL_FU_A:
            if len(payload) < 3:
                return b""
            lead = START_CODE + bytes([payload[0] & 0xE0 | payload[1] & 0x1F]) if payload[1] & 0x80 else b""
            return lead + payload[2:]
        return START_CODE + payload
    if codec == "vp8":
        offset = _vp8_descriptor(payload)
        return b"" if offset is None else payload[offset:]
    return payload


def _vp8_descriptor(payload: bytes) -> int | None:
    """Length of the VP8 payload descriptor; None where the payload is too short for it."""
    if len(payload) < 2:
        return None
    offset = 1
    if payload[0] & 0x80:
        flags = payload[1]
        offset = 2
        if flags & 0x80:
            if len(payload) <= offset:
                return None
            offset += 2 if payload[offset] & 0x80 else 1
        if flags & 0x40:
            offset += 1
        if flags & 0x30:
            offset += 1
    return offset if offset < len(payload) else None
