"""What RTMP carries (Adobe's FLV 10.1; Enhanced RTMP v2): tags of coded pictures and sound, as packets of a codec."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AUDIO", "VIDEO", "Coded", "MalformedTag", "read_audio", "read_video"]

AUDIO, VIDEO = 8, 9
"""RTMP's message types."""
PLAIN_VIDEO = {7: "h264"}
PLAIN_AUDIO = {10: "aac", 2: "mp3"}
FOURCC_VIDEO = {b"avc1": "h264", b"hvc1": "hevc", b"av01": "av1", b"vp09": "vp9"}
FOURCC_AUDIO = {b"mp4a": "aac", b"Opus": "opus", b".mp3": "mp3"}
SEQUENCE_START, CODED, SEQUENCE_END, CODED_X, METADATA = 0, 1, 2, 3, 4
KEY_FRAME, COMMAND_FRAME = 1, 5


class MalformedTag(ValueError):
    """A tag that cannot be read, or of a codec that is not taken; the message says which."""


@dataclass(frozen=True, slots=True)
class Coded:
    """A packet of a codec.

    Attributes:
        kind: `video` or `audio`.
        codec: FFmpeg's name.
        data: the packet, or the codec's configuration.
        configures: whether it is the configuration.
        keyframe: whether decoding can begin with it.
        time: when it is decoded, in milliseconds.
        shown_after: milliseconds from there to when it is shown: pictures that refer to later ones.
    """

    kind: str
    codec: str
    data: bytes
    configures: bool
    keyframe: bool
    time: int
    shown_after: int = 0


def _signed(data: bytes) -> int:
    return int.from_bytes(data, signed=True)


def read_video(data: bytes, time: int) -> Coded | None:
    """A video tag; None where it says nothing that matters.

    Raises:
        MalformedTag: it cannot be read, or is of a codec that is not taken.
    """
    if len(data) < 5:
        return None
    enhanced, frame = bool(data[0] & 0x80), data[0] >> 4 & 7
    if frame == COMMAND_FRAME:
        return None
    if enhanced:
        codec, packet, body = FOURCC_VIDEO.get(data[1:5]), data[0] & 15, data[5:]
    else:
        codec, packet, body = PLAIN_VIDEO.get(data[0] & 15), data[1], data[2:]
    if codec is None:
        raise MalformedTag("pictures are taken as H.264, H.265, AV1 or VP9: choose one of them in the encoder")
    if packet in (SEQUENCE_END, METADATA) or (packet == CODED_X and not enhanced):
        return None
    shown_after = 0
    if not enhanced or (packet == CODED and codec in ("h264", "hevc")):
        shown_after, body = _signed(body[:3]), body[3:]
    return Coded("video", codec, body, packet == SEQUENCE_START, frame == KEY_FRAME, time, shown_after)


def read_audio(data: bytes, time: int) -> Coded | None:
    """An audio tag; None where it says nothing that matters.

    Raises:
        MalformedTag: it is of a codec that is not taken.
    """
    if len(data) < 2:
        return None
    kind = data[0] >> 4
    if kind == 9:
        if data[0] & 15 not in (SEQUENCE_START, CODED):
            return None
        codec, configures, body = FOURCC_AUDIO.get(data[1:5]), data[0] & 15 == SEQUENCE_START, data[5:]
    else:
        codec = PLAIN_AUDIO.get(kind)
        configures, body = (data[1] == 0, data[2:]) if codec == "aac" else (False, data[1:])
    if codec is None:
        raise MalformedTag("sound is taken as AAC, Opus or MP3: choose one of them in the encoder")
    return Coded("audio", codec, body, configures, True, time)
