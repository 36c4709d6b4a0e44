"""What a client asks for over signalling, besides negotiating: each is done and, where LiveKit does so, answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from livekit.protocol import models
from livekit.protocol import rtc as signal

from spnb.sandbox.media.participant import Participant

__all__ = ["REQUESTS", "named_tracks"]

Reason = signal.RequestResponse.Reason


def named_tracks(track_sids: Iterable[str], by_participant: Iterable[models.ParticipantTracks]) -> set[str]:
    """All tracks a subscription names, in either of its two forms."""
    return {*track_sids, *(sid for tracks in by_participant for sid in tracks.track_sids)}


def _mute(participant: Participant, request: signal.SignalRequest) -> None:
    track = participant.tracks.get(request.mute.sid)
    if track is not None:
        track.info.muted = request.mute.muted
        participant.room.changed(participant)


def _subscription(participant: Participant, request: signal.SignalRequest) -> None:
    wish = request.subscription
    wanted = named_tracks(wish.track_sids, wish.participant_tracks)
    participant.room.subscribe(participant, wanted, subscribe=wish.subscribe)


def _metadata(participant: Participant, request: signal.SignalRequest) -> None:
    change = request.update_metadata
    answer = signal.RequestResponse(request_id=change.request_id)
    answer.update_metadata.CopyFrom(change)
    if participant.who.grants.can_update_own_metadata:
        participant.describe(change.name, change.metadata, change.attributes)
    else:
        answer.reason = Reason.NOT_ALLOWED
        answer.message = "does not have permission to update own metadata"
    participant.send(signal.SignalResponse(request_response=answer))


def _subscription_permission(participant: Participant, request: signal.SignalRequest) -> None:
    participant.permitted = request.subscription_permission
    participant.room.permissions_changed(participant)


def _audio_track(participant: Participant, request: signal.SignalRequest) -> None:
    track = participant.tracks.get(request.update_audio_track.track_sid)
    if track is not None:
        track.info.ClearField("audio_features")
        track.info.audio_features.extend(request.update_audio_track.features)
        participant.room.changed(participant)


def _video_track(participant: Participant, request: signal.SignalRequest) -> None:
    track = participant.tracks.get(request.update_video_track.track_sid)
    if track is not None:
        track.info.width, track.info.height = request.update_video_track.width, request.update_video_track.height
        participant.room.changed(participant)


def _data_track(participant: Participant, request: signal.SignalRequest) -> None:
    # livekit-server 1.9 has data tracks switched off unless its configuration asks for them, and answers so.
    answer = signal.RequestResponse(reason=Reason.NOT_ALLOWED, message="does not have permission to publish data")
    answer.publish_data_track.CopyFrom(request.publish_data_track_request)
    participant.send(signal.SignalResponse(request_response=answer))


def _settings(participant: Participant, request: signal.SignalRequest) -> None:
    participant.subscriber.track_settings(request.track_setting)


def _add_track(participant: Participant, request: signal.SignalRequest) -> None:
    participant.uplink.announce(request.add_track)


def _answer(participant: Participant, request: signal.SignalRequest) -> None:
    participant.subscriber.answer(request.answer)


REQUESTS: Mapping[str, Callable[[Participant, signal.SignalRequest], None]] = {
    "add_track": _add_track,
    "answer": _answer,
    "mute": _mute,
    "publish_data_track_request": _data_track,
    "subscription": _subscription,
    "subscription_permission": _subscription_permission,
    "track_setting": _settings,
    "update_audio_track": _audio_track,
    "update_metadata": _metadata,
    "update_video_track": _video_track,
}
"""By the field of `SignalRequest` that is set."""
