"""The official Python SDK as publisher and subscriber, unmodified."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
import uuid
from typing import Any

import pytest
from livekit import api, rtc

from tests.live.conftest import until
from tests.media.conftest import LiveKit, Viewer, feed, publisher, viewer

pytestmark = pytest.mark.media


@pytest.fixture
def room() -> str:
    return f"room-{uuid.uuid4().hex[:8]}"


def in_order(numbers: list[int]) -> bool:
    return all(later > earlier for earlier, later in itertools.pairwise(numbers))


@pytest.mark.parametrize("codec", ["H264", "VP8", "VP9", "AV1"])
async def test_every_picture_arrives_in_order(livekit: LiveKit, room: str, codec: str) -> None:
    async with publisher(livekit, room, codec=codec), viewer(livekit, room) as seen:
        track, who = await seen.track()
        numbers = await seen.counters(track, 90)
    assert who == "host"
    assert in_order(numbers)
    # An encoder that the machine leaves no time drops some by itself; a server that loses any loses most.
    assert numbers[-1] - numbers[0] <= 180, "more than half of the pictures were lost"


async def test_sound_arrives(livekit: LiveKit, room: str) -> None:
    async with publisher(livekit, room, sound=True), viewer(livekit, room) as seen:
        track, _ = await seen.track("audio")
        assert 435 <= await seen.loudest(track) <= 445


async def test_simulcast_gives_the_best_layer(livekit: LiveKit, room: str) -> None:
    async with publisher(livekit, room, simulcast=True, size=(1280, 720)), viewer(livekit, room) as seen:
        track, _ = await seen.track()
        stream = rtc.VideoStream(track)
        async with asyncio.timeout(60):
            async for event in stream:
                if event.frame.width == 1280:
                    break
        await stream.aclose()
        assert in_order(await seen.counters(track, 60))


async def test_late_viewers_and_several_publishers(livekit: LiveKit, room: str) -> None:
    async with publisher(livekit, room, "ann"), publisher(livekit, room, "bob"):
        for number in range(3):
            async with viewer(livekit, room, f"viewer-{number}") as seen:
                tracks = dict([(await seen.track())[::-1], (await seen.track())[::-1]])
                assert tracks.keys() == {"ann", "bob"}
                for track in tracks.values():
                    assert in_order(await seen.counters(track, 5))


async def test_leaving_muting_and_names_are_told(livekit: LiveKit, room: str) -> None:
    async with viewer(livekit, room) as seen:
        async with publisher(livekit, room, sound=True) as host:
            await seen.track()
            assert seen.room.remote_participants["host"].identity == "host"
            microphone = next(
                publication
                for publication in host.local_participant.track_publications.values()
                if publication.kind == rtc.TrackKind.KIND_AUDIO
            )
            assert microphone.track is not None
            microphone.track.mute()
            await until(lambda: "track_muted" in seen.events)
            microphone.track.unmute()
            await until(lambda: "track_unmuted" in seen.events)
        await until(lambda: "participant_disconnected" in seen.events)
        assert "host" not in seen.room.remote_participants


async def test_unpublishing_takes_the_track_away_and_back(livekit: LiveKit, room: str) -> None:
    async with viewer(livekit, room) as seen:
        host = rtc.Room()
        await host.connect(livekit.url, livekit.token(room, "host"))
        feeding = await feed(host, codec="H264", simulcast=False, sound=False)
        track, _ = await seen.track()
        await seen.counters(track, 5)
        sid = next(iter(host.local_participant.track_publications))
        await host.local_participant.unpublish_track(sid)
        await until(lambda: "track_unsubscribed" in seen.events)
        feeding.cancel()
        again = await feed(host, codec="H264", simulcast=False, sound=False)
        track, _ = await seen.track()
        assert in_order(await seen.counters(track, 10))
        again.cancel()
        await host.disconnect()


async def test_who_subscribes_anew_gets_the_track_again(livekit: LiveKit, room: str) -> None:
    # By one connection: with two the SDK does not look at a section that serves again, whoever the server is.
    seen = Viewer()
    async with publisher(livekit, room, sound=True):
        alone = rtc.RoomOptions(auto_subscribe=False, single_peer_connection=True)
        await seen.room.connect(livekit.url, livekit.token(room, "viewer"), alone)
        feeding = await feed(seen.room, codec="VP8", simulcast=False, sound=True)
        await until(lambda: any(len(who.track_publications) == 2 for who in seen.room.remote_participants.values()))
        (host,) = seen.room.remote_participants.values()
        for turn in range(1, 4):
            for publication in host.track_publications.values():
                publication.set_subscribed(True)
            track, sound = (await seen.track())[0], (await seen.track("audio"))[0]
            assert in_order(await seen.counters(track, 5))
            assert 435 <= await seen.loudest(sound, 0.5) <= 445
            for publication in host.track_publications.values():
                publication.set_subscribed(False)
            await until(lambda turn=turn: seen.events.count("track_unsubscribed") == 2 * turn)
            # What is wished for and not, within one negotiation, the SDK and livekit-server lose between them.
            await asyncio.sleep(1)
        feeding.cancel()
        await seen.room.disconnect()


async def test_data_goes_both_ways(livekit: LiveKit, room: str) -> None:
    async with (
        viewer(livekit, room, "ann") as ann,
        viewer(livekit, room, "bob") as bob,
        viewer(livekit, room, "eve") as eve,
    ):
        await until(lambda: len(ann.room.remote_participants) == 2)
        # Who is in the room has its data channel a moment later: until then a server has no way to it.
        async with asyncio.timeout(60):
            while bob.data.empty() or eve.data.empty():
                await ann.room.local_participant.publish_data(b"to all", reliable=True, topic="t")
                await asyncio.sleep(0.1)
        for other in (bob, eve):
            packet = other.data.get_nowait()
            assert (packet.data, packet.participant.identity, packet.topic) == (b"to all", "ann", "t")
        async with asyncio.timeout(60):
            while ann.data.empty():
                await bob.room.local_participant.publish_data(b"secret", destination_identities=["ann"])
                await asyncio.sleep(0.1)
        assert ann.data.get_nowait().data == b"secret"
        assert b"secret" not in [eve.data.get_nowait().data for _ in range(eve.data.qsize())]


async def test_a_second_connection_of_an_identity_replaces_the_first(livekit: LiveKit, room: str) -> None:
    async with viewer(livekit, room, "twin") as first, viewer(livekit, room, "twin"):
        await until(lambda: "disconnected" in first.events)


async def test_a_full_reconnection_brings_the_media_back(livekit: LiveKit, room: str) -> None:
    async with publisher(livekit, room), viewer(livekit, room) as seen:
        track, _ = await seen.track()
        await seen.counters(track, 5)
        await seen.room.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_FULL_RECONNECT)
        await until(lambda: "reconnected" in seen.events)
        track, _ = await seen.track()
        assert in_order(await seen.counters(track, 20))


async def test_a_stream_outlives_its_first_token(livekit: LiveKit, room: str) -> None:
    if not livekit.embedded:
        pytest.skip("a deployment sends its first fresh token after five minutes")
    host = rtc.Room()
    fresh, back = asyncio.Event(), asyncio.Event()
    host.on("token_refreshed", fresh.set)
    host.on("reconnected", back.set)
    dies = time.monotonic() + 4
    await host.connect(livekit.url, livekit.token(room, "host", ttl=4), rtc.RoomOptions(auto_subscribe=False))
    feeding = await feed(host, codec="H264", simulcast=False, sound=False)
    try:
        await asyncio.wait_for(fresh.wait(), 60)
        await asyncio.sleep(dies + 1 - time.monotonic())  # until the first one has died of age
        await host.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_SIGNAL_RECONNECT)
        await asyncio.wait_for(back.wait(), 60)
        async with viewer(livekit, room) as seen:
            track, _ = await seen.track()
            assert in_order(await seen.counters(track, 20))
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        await host.disconnect()


async def test_a_killed_publisher_is_gone_for_others(livekit: LiveKit, room: str) -> None:
    program = (
        "import asyncio, sys\n"
        "from tests.media.conftest import LiveKit, publisher\n"
        "async def main():\n"
        "    async with publisher(LiveKit(*sys.argv[1:4], embedded=True), sys.argv[4]):\n"
        "        print('on', flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", program, livekit.url, livekit.key, livekit.secret, room]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        async with viewer(livekit, room) as seen:
            assert process.stdout is not None
            assert await asyncio.to_thread(process.stdout.readline) == "on\n"
            await seen.track()
            os.kill(process.pid, signal.SIGKILL)
            await until(lambda: "participant_disconnected" in seen.events, 60)
    finally:
        process.kill()
        process.wait()


async def test_the_room_service_lists_removes_and_closes(livekit: LiveKit, room: str) -> None:
    service = api.LiveKitAPI(livekit.url.replace("ws", "http", 1), livekit.key, livekit.secret)
    try:
        async with publisher(livekit, room), viewer(livekit, room) as seen:
            await seen.track()
            listed = await service.room.list_rooms(api.ListRoomsRequest(names=[room]))
            assert [found.name for found in listed.rooms] == [room]
            people = await service.room.list_participants(api.ListParticipantsRequest(room=room))
            assert {person.identity for person in people.participants} == {"host", "viewer"}
            await service.room.remove_participant(api.RoomParticipantIdentity(room=room, identity="host"))
            await until(lambda: "participant_disconnected" in seen.events)
            await service.room.delete_room(api.DeleteRoomRequest(room=room))
            await until(lambda: "disconnected" in seen.events)
        with pytest.raises(api.TwirpError, match="not exist"):
            await service.room.delete_room(api.DeleteRoomRequest(room="nowhere"))
    finally:
        await service.aclose()


async def test_hidden_participants_are_not_shown(livekit: LiveKit, room: str) -> None:
    async with publisher(livekit, room) as host, viewer(livekit, room, "ghost", hidden=True) as ghost:
        await ghost.track()
        assert not host.remote_participants


@pytest.mark.parametrize(
    ("change", "why"),
    [({"ttl": -60}, "expired"), ({"room_join": False}, "join"), ({"secret": "x" * 40}, "valid")],
)
async def test_bad_tokens_are_refused(livekit: LiveKit, room: str, change: dict[str, Any], why: str) -> None:
    import httpx

    secret = change.get("secret", livekit.secret)
    grants = {name: value for name, value in change.items() if name != "secret"}
    token = LiveKit(livekit.url, livekit.key, secret, embedded=True).token(room, "mallory", **grants)
    with pytest.raises(rtc.ConnectError):
        await rtc.Room().connect(livekit.url, token)
    if livekit.embedded:
        address = livekit.url.replace("ws", "http", 1) + "/rtc/validate"
        answer = httpx.get(address, params={"access_token": token}, trust_env=False, timeout=60)
        assert answer.status_code == 401
        assert why in answer.text
        assert token not in answer.text


async def test_who_may_not_publish_does_not(livekit: LiveKit, room: str) -> None:
    guest = rtc.Room()
    await guest.connect(livekit.url, livekit.token(room, "guest", can_publish=False))
    source = rtc.VideoSource(64, 64)
    track = rtc.LocalVideoTrack.create_video_track("x", source)
    with pytest.raises(Exception, match=r"(?i)allow|permission|timed out"):
        await asyncio.wait_for(guest.local_participant.publish_track(track, rtc.TrackPublishOptions()), 60)
    await guest.disconnect()


async def test_what_is_encrypted_end_to_end_is_read_by_who_has_the_key(livekit: LiveKit, room: str) -> None:
    def keyed() -> rtc.RoomOptions:
        options = rtc.E2EEOptions(key_provider_options=rtc.KeyProviderOptions(shared_key=b"a shared secret"))
        return rtc.RoomOptions(encryption=options)

    host = rtc.Room()
    await host.connect(livekit.url, livekit.token(room, "host"), keyed())
    feeding = await feed(host, codec="H264", simulcast=False, sound=False)
    seen = Viewer()
    await seen.room.connect(livekit.url, livekit.token(room, "friend"), keyed())
    track, who = await seen.track()
    publication = next(iter(seen.room.remote_participants[who].track_publications.values()))
    assert publication.encryption_type == rtc.EncryptionType.GCM
    assert in_order(await seen.counters(track, 30))
    async with viewer(livekit, room, "stranger") as other:
        blind, _ = await other.track()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await other.counters(blind, 1)
    await seen.room.disconnect()
    feeding.cancel()
    await asyncio.gather(feeding, return_exceptions=True)
    await host.disconnect()
