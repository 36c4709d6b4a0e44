"""What a client says of a track before it sends it, as others are told."""

from __future__ import annotations

import secrets

from livekit.protocol import models
from livekit.protocol import rtc as signal

__all__ = ["ASKED_CODECS", "announced", "new_sid", "wanted_codec"]

ASKED_CODECS = tuple(models.Codec(mime=mime) for mime in ("video/H264", "audio/opus", "audio/red"))
"""What publishers are asked for; clients that insist on others are taken with those."""


def announced(request: signal.AddTrackRequest, sid: str) -> models.TrackInfo:
    """LiveKit's description of a track that is about to be published, with all that its publisher said of it."""
    audio = request.type == models.TrackType.AUDIO
    info = models.TrackInfo(
        sid=sid,
        type=request.type,
        name=request.name,
        muted=request.muted,
        width=request.width,
        height=request.height,
        source=request.source,
        stereo=request.stereo,
        disable_dtx=request.disable_dtx,
        disable_red=request.disable_red,
        encryption=request.encryption,
        audio_features=request.audio_features,
        backup_codec_policy=request.backup_codec_policy,
        simulcast=len(request.layers) > 1,
        layers=request.layers,
        stream=request.stream,
        mime_type="audio/opus" if audio else "video/H264",
    )
    for codec in request.simulcast_codecs[:1]:
        cid, layers = codec.cid or request.cid, request.layers
        info.codecs.append(models.SimulcastCodecInfo(mime_type=info.mime_type, cid=cid, layers=layers))
    return info


def wanted_codec(request: signal.AddTrackRequest) -> str:
    """The codec a publisher insists on, empty where it takes what it gets.

    Layers of VP9 and AV1 are made by the codec itself: a sender that is set up for them cannot send another. VP8 is
    what browsers say by habit; they send H.264 as well, and that is recorded as it is.
    """
    named = [codec.codec.lower().removeprefix("video/") for codec in request.simulcast_codecs[:1]]
    return named[0] if named and named[0] in ("vp9", "av1") else ""


def new_sid(prefix: str) -> str:
    """A LiveKit-style id: `PA_…`, `TR_…`, `RM_…`."""
    return f"{prefix}_{secrets.token_hex(6)}"
