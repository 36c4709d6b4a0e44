"""What LiveKit tells of a track before its first packet, from what the publisher says of it."""

from __future__ import annotations

import secrets

from livekit.protocol import models
from livekit.protocol import rtc as signal

__all__ = ["described", "new_sid"]


def new_sid(prefix: str) -> str:
    """A LiveKit-style id: `PA_…`, `TR_…`, `RM_…`."""
    return f"{prefix}_{secrets.token_hex(6)}"


def described(request: signal.AddTrackRequest, sid: str) -> models.TrackInfo:
    """The track a client is about to publish, as others will see it.

    Args:
        request: what the client announces.
        sid: the id the track gets.
    """
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
        disable_red=True,
        simulcast=len(request.layers) > 1,
        layers=request.layers,
        stream=request.stream,
        encryption=request.encryption,
        mime_type="audio/opus" if request.type == models.TrackType.AUDIO else "video/H264",
        audio_features=request.audio_features,
    )
    for codec in request.simulcast_codecs[:1]:
        info.codecs.append(
            models.SimulcastCodecInfo(mime_type=info.mime_type, cid=codec.cid or request.cid, layers=request.layers)
        )
    return info
