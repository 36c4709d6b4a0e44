"""What a backend asks of a room by the official API: the same on both servers."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from livekit import api, rtc

from tests.live.conftest import until
from tests.media.conftest import LiveKit, publisher, viewer
from tests.media.people import Events, Pictures, joined

pytestmark = pytest.mark.media


async def test_a_created_room_has_its_limits(livekit: LiveKit, room: str, service: Any) -> None:
    made = await service.create_room(
        api.CreateRoomRequest(name=room, max_participants=1, metadata="m", empty_timeout=60)
    )
    assert (made.name, made.max_participants, made.metadata, made.empty_timeout) == (room, 1, "m", 60)
    only = await joined(livekit, room, "only")
    assert only.metadata == "m"
    with pytest.raises(rtc.ConnectError):
        await asyncio.wait_for(joined(livekit, room, "one-too-many"), 60)
    await only.disconnect()


async def test_an_empty_room_goes_after_its_time(livekit: LiveKit, room: str, service: Any) -> None:
    await service.create_room(api.CreateRoomRequest(name=room, empty_timeout=60, departure_timeout=1))
    names = api.ListRoomsRequest(names=[room])
    assert [found.name for found in (await service.list_rooms(names)).rooms] == [room]
    await (await joined(livekit, room, "guest")).disconnect()
    async with asyncio.timeout(60):
        while (await service.list_rooms(names)).rooms:
            await asyncio.sleep(0.1)


async def test_a_room_that_nobody_ever_entered_goes_after_its_time(livekit: LiveKit, room: str, service: Any) -> None:
    await service.create_room(api.CreateRoomRequest(name=room, empty_timeout=1, departure_timeout=600))
    names = api.ListRoomsRequest(names=[room])
    async with asyncio.timeout(60):
        while (await service.list_rooms(names)).rooms:
            await asyncio.sleep(0.1)


async def test_a_rooms_metadata_reaches_everybody(livekit: LiveKit, room: str, service: Any) -> None:
    async with viewer(livekit, room) as seen:
        told = Events(seen.room, "room_metadata_changed")
        changed = await service.update_room_metadata(api.UpdateRoomMetadataRequest(room=room, metadata="now on air"))
        assert changed.metadata == "now on air"
        assert (await told.next("room_metadata_changed"))[1] == "now on air"


async def test_a_backend_mutes_and_cannot_unmute(livekit: LiveKit, room: str, service: Any) -> None:
    async with publisher(livekit, room, sound=True) as host, viewer(livekit, room) as seen:
        await seen.track("audio")
        mine, theirs = Events(host, "track_muted"), Events(seen.room, "track_muted")
        sid = next(
            p.sid for p in host.local_participant.track_publications.values() if p.kind == rtc.TrackKind.KIND_AUDIO
        )
        wish = {"room": room, "identity": "host", "track_sid": sid}
        muted = await service.mute_published_track(api.MuteRoomTrackRequest(**wish, muted=True))
        assert muted.track.muted
        await mine.next("track_muted")
        await theirs.next("track_muted")
        with pytest.raises(api.TwirpError) as refused:
            await service.mute_published_track(api.MuteRoomTrackRequest(**wish, muted=False))
        assert refused.value.code == "failed_precondition"


async def test_a_backend_changes_what_a_participant_is_and_may(livekit: LiveKit, room: str, service: Any) -> None:
    async with publisher(livekit, room) as host, viewer(livekit, room) as seen:
        await seen.track()
        told = Events(host, "participant_permissions_changed", "participant_name_changed")
        found = await service.get_participant(api.RoomParticipantIdentity(room=room, identity="host"))
        assert (found.identity, len(found.tracks), found.permission.can_publish) == ("host", 1, True)
        change = api.UpdateParticipantRequest(room=room, identity="host", name="The host", attributes={"a": "b"})
        assert (await service.update_participant(change)).name == "The host"
        await until(lambda: seen.room.remote_participants["host"].name == "The host")
        await until(lambda: seen.room.remote_participants["host"].attributes == {"a": "b"})
        permission = api.ParticipantPermission(can_subscribe=True, can_publish=False, can_publish_data=True)
        await service.update_participant(
            api.UpdateParticipantRequest(room=room, identity="host", permission=permission)
        )
        await told.next("participant_permissions_changed")
        await until(lambda: "track_unsubscribed" in seen.events)


async def test_a_backend_subscribes_for_a_participant(livekit: LiveKit, room: str, service: Any) -> None:
    async with publisher(livekit, room) as host, viewer(livekit, room) as seen:
        track, _ = await seen.track()
        sid = next(iter(host.local_participant.track_publications))
        wish = {"room": room, "identity": "viewer", "track_sids": [sid]}
        shown = Pictures(track)
        await shown.come()
        await service.update_subscriptions(api.UpdateSubscriptionsRequest(**wish, subscribe=False))
        await shown.stop()
        await service.update_subscriptions(api.UpdateSubscriptionsRequest(**wish, subscribe=True))
        again = asyncio.create_task(seen.track())  # the SDK calls it a new track
        same = asyncio.create_task(shown.come())
        done, _ = await asyncio.wait([again, same], return_when=asyncio.FIRST_COMPLETED, timeout=60)
        assert done
        for task in (again, same):
            task.cancel()
        await asyncio.gather(again, same, return_exceptions=True)
        await shown.aclose()


async def test_a_backend_sends_data(livekit: LiveKit, room: str, service: Any) -> None:
    async with viewer(livekit, room, "ann") as ann, viewer(livekit, room, "bob") as bob:
        # What is sent before a client's channel is open is lost, as with any livekit-server.
        async with asyncio.timeout(60):
            while ann.data.empty() or bob.data.empty():
                await service.send_data(api.SendDataRequest(room=room, data=b"", kind=0, topic="knock"))
                await asyncio.sleep(0.1)
        secret = api.SendDataRequest(room=room, data=b"secret", kind=0, topic="t", destination_identities=["ann"])
        await service.send_data(secret)
        await service.send_data(api.SendDataRequest(room=room, data=b"to all", kind=0, topic="t"))
        told = [await ann.words() for _ in range(2)]
        assert [packet.data for packet in told] == [b"secret", b"to all"]
        assert told[0].participant is None
        assert (await bob.words()).data == b"to all"


async def test_refusals_are_twirp_errors(livekit: LiveKit, room: str) -> None:
    root = f"{livekit.url.replace('ws', 'http', 1)}/twirp/livekit.RoomService"
    admin = livekit.admin(room)
    table = [
        ("ListRooms", "", {}, 401, "unauthenticated"),
        ("ListRooms", livekit.token(room, "x"), {}, 401, "unauthenticated"),
        ("DeleteRoom", admin, {"room": room}, 404, "not_found"),
        ("RemoveParticipant", admin, {"room": room, "identity": "x"}, 404, "not_found"),
        ("GetParticipant", admin, {"room": room, "identity": "x"}, 404, "not_found"),
        ("UpdateRoomMetadata", admin, {"room": room, "metadata": "x"}, 404, "not_found"),
        ("GetParticipant", admin, {"room": "another", "identity": "x"}, 401, "unauthenticated"),
        ("NoSuchCall", admin, {}, 404, "bad_route"),
    ]
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        for call, token, body, status, code in table:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            answer = await client.post(f"{root}/{call}", json=body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (status, code), call
        broken = await client.post(
            f"{root}/ListRooms",
            content=b"{",
            headers={"Authorization": f"Bearer {admin}", "Content-Type": "application/json"},
        )
        assert (broken.status_code, broken.json()["code"]) == (400, "malformed")
