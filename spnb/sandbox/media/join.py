"""How a client wants to join: query parameters at `/rtc`, one protobuf `JoinRequest` among them at `/rtc/v1`."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from google.protobuf.message import DecodeError
from livekit.protocol import rtc as signal

from spnb.sandbox.media.tokens import Identity, InvalidToken

__all__ = ["JoinWish", "MalformedJoin", "read_wish"]

MAX_BYTES = 1 << 20


class MalformedJoin(ValueError):
    """A join request that cannot be read; the message says why, in livekit-server's words."""


@dataclass(frozen=True, slots=True)
class JoinWish:
    """What a client asks for as it comes."""

    single: bool = False
    """Whether one peer connection is to carry both directions."""
    auto_subscribe: bool = True
    allow_pause: bool = False
    """Whether pictures may be paused on a line that is too narrow for all of them."""
    reconnect: bool = False
    sid: str = ""
    """Who it was, where it comes back."""
    offer: signal.SessionDescription | None = None
    add_tracks: tuple[signal.AddTrackRequest, ...] = ()
    metadata: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    def described(self, who: Identity) -> Identity:
        """The token's identity with what the client says of itself.

        Raises:
            InvalidToken: its token does not let it say so.
        """
        if not self.metadata and not self.attributes:
            return who
        if not who.grants.can_update_own_metadata:
            raise InvalidToken("permissions denied")
        told = {name: value for name, value in self.attributes.items() if value}
        return replace(who, metadata=self.metadata or who.metadata, attributes={**who.attributes, **told})


def read_wish(query: Mapping[str, str], *, single: bool) -> JoinWish:
    """Read the query of a signalling socket's address.

    Args:
        query: its parameters.
        single: whether a `join_request` is needed: at `/rtc/v1`.

    Raises:
        MalformedJoin: there is none, or it cannot be read.
    """
    wrapped = query.get("join_request", "")
    if not wrapped:
        if single:
            raise MalformedJoin("join_request is required")
        auto = query.get("auto_subscribe", "1") not in ("0", "false")
        pause = query.get("subscriber_allow_pause", "") in ("1", "true")
        return JoinWish(
            auto_subscribe=auto, allow_pause=pause, reconnect=query.get("reconnect") == "1", sid=query.get("sid", "")
        )
    request = _unwrapped(wrapped)
    return JoinWish(
        single=True,
        auto_subscribe=request.connection_settings.auto_subscribe,
        allow_pause=request.connection_settings.subscriber_allow_pause,
        reconnect=request.reconnect,
        sid=request.participant_sid,
        offer=request.publisher_offer if request.HasField("publisher_offer") else None,
        add_tracks=tuple(request.add_track_requests),
        metadata=request.metadata,
        attributes=dict(request.participant_attributes),
    )


def _unwrapped(text: str) -> signal.JoinRequest:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise MalformedJoin("cannot base64 decode wrapped join request") from None
    try:
        wrapped = signal.WrappedJoinRequest.FromString(data)
    except DecodeError:
        raise MalformedJoin("cannot unmarshal wrapped join request") from None
    body = wrapped.join_request
    if wrapped.compression == signal.WrappedJoinRequest.Compression.GZIP:
        try:
            unpacker = zlib.decompressobj(wbits=31)
            body = unpacker.decompress(body, MAX_BYTES)  # a small request may not grow without end
        except zlib.error:
            raise MalformedJoin("cannot read decompressed join request") from None
        if unpacker.unconsumed_tail or not unpacker.eof:
            raise MalformedJoin("cannot read decompressed join request")
    try:
        return signal.JoinRequest.FromString(body)
    except DecodeError:
        raise MalformedJoin("cannot unmarshal join request") from None
