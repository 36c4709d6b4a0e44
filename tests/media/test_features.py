"""Feature by feature, what an official client and an official backend see: the same on both servers."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from aiortc import RTCCertificate
from livekit import rtc
from livekit.protocol import models as wire_models
from livekit.protocol import rtc as wire
from websockets.asyncio.client import connect

from spnb.bench.crowd import PacketViewer
from spnb.bench.weather import sky
from spnb.sandbox.media.rtp import Header
from tests.live.conftest import until
from tests.media.conftest import LiveKit, Viewer, publisher, viewer
from tests.media.people import Events, camera, joined

pytestmark = pytest.mark.media


# -- what participants ask for


async def test_names_metadata_and_attributes_are_told_to_all(livekit: LiveKit, room: str) -> None:
    ann = await joined(livekit, room, "ann", can_update_own_metadata=True)
    async with viewer(livekit, room) as seen:
        told = Events(
            seen.room, "participant_name_changed", "participant_metadata_changed", "participant_attributes_changed"
        )
        await ann.local_participant.set_name("Ann")
        await told.next("participant_name_changed")
        await ann.local_participant.set_metadata("host")
        await told.next("participant_metadata_changed")
        await ann.local_participant.set_attributes({"mood": "good", "hat": "red"})
        await told.next("participant_attributes_changed")
        await ann.local_participant.set_attributes({"hat": ""})
        await told.next("participant_attributes_changed")
        there = seen.room.remote_participants["ann"]
        assert (there.name, there.metadata, dict(there.attributes)) == ("Ann", "host", {"mood": "good"})
    await ann.disconnect()


async def test_who_may_not_change_its_metadata_does_not(livekit: LiveKit, room: str) -> None:
    ann = await joined(livekit, room, "ann")
    async with viewer(livekit, room) as seen:
        there = seen.room.remote_participants["ann"]
        before = there.name
        await asyncio.wait_for(ann.local_participant.set_name("Boss"), 60)  # the SDK keeps the refusal to itself
        await asyncio.wait_for(ann.local_participant.set_attributes({"a": "b"}), 60)
        await ann.local_participant.publish_data(b"asked and refused")
        await asyncio.wait_for(seen.data.get(), 60)
        assert (there.name, dict(there.attributes)) == (before, {})
    await ann.disconnect()


async def test_publishing_needs_the_right_for_its_source(livekit: LiveKit, room: str) -> None:
    guest = await joined(livekit, room, "guest", can_publish_sources=("microphone",))
    sources = (
        list(guest.local_participant.permissions.can_publish_sources) if guest.local_participant.permissions else []
    )
    assert sources == [rtc.TrackSource.SOURCE_MICROPHONE]
    with pytest.raises(Exception, match=r"(?i)allow|permission|timed out"):
        await asyncio.wait_for(guest.local_participant.publish_track(*camera()), 60)
    microphone = rtc.LocalAudioTrack.create_audio_track("m", rtc.AudioSource(48_000, 1))
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    assert (await asyncio.wait_for(guest.local_participant.publish_track(microphone, options), 60)).sid
    await guest.disconnect()


async def test_a_refusal_to_publish_comes_at_once(livekit: LiveKit, room: str) -> None:
    # The Python SDK waits ten seconds for a track that was refused; what the server says is seen on the socket.
    address = f"{livekit.url}/rtc?access_token={livekit.token(room, 'guest', can_publish=False)}&protocol=16"
    track = wire.AddTrackRequest(cid="c", type=wire_models.TrackType.VIDEO, source=wire_models.TrackSource.CAMERA)
    async with connect(address, proxy=None) as socket, asyncio.timeout(60):
        await socket.recv()
        await socket.send(wire.SignalRequest(add_track=track).SerializeToString())
        while True:
            message = await socket.recv()
            assert isinstance(message, bytes)
            answer = wire.SignalResponse.FromString(message)
            assert not answer.HasField("track_published")
            if answer.HasField("request_response"):
                break
    assert answer.request_response.reason == wire.RequestResponse.Reason.NOT_ALLOWED
    assert answer.request_response.add_track.cid == "c"


async def test_a_publisher_hears_that_somebody_follows_it(livekit: LiveKit, room: str) -> None:
    async with publisher(livekit, room) as host:
        told = Events(host, "local_track_subscribed")
        async with viewer(livekit, room) as seen:
            await seen.track()
            await told.next("local_track_subscribed")


async def test_a_publisher_permits_who_follows_it(livekit: LiveKit, room: str) -> None:
    async with publisher(livekit, room) as host, viewer(livekit, room, "friend") as friend:
        track, _ = await friend.track()
        permission = rtc.ParticipantTrackPermission(participant_identity="friend", allow_all=True)
        host.local_participant.set_track_subscription_permissions(
            allow_all_participants=False, participant_permissions=[permission]
        )
        async with viewer(livekit, room, "friend-of-nobody") as stranger:
            assert await friend.counters(track, 10)
            assert stranger.tracks[rtc.TrackKind.KIND_VIDEO].empty()
            host.local_participant.set_track_subscription_permissions(
                allow_all_participants=True, participant_permissions=[]
            )
            track, who = await stranger.track()
            assert who == "host"
            assert await stranger.counters(track, 5)


async def test_who_speaks_is_told(livekit: LiveKit, room: str) -> None:
    async with viewer(livekit, room) as seen:
        told = Events(seen.room, "active_speakers_changed")
        async with publisher(livekit, room, sound=True):
            async with asyncio.timeout(60):
                while [who.identity for who in (await told.next("active_speakers_changed", 30))[0]] != ["host"]:
                    continue


async def test_how_well_one_is_connected_is_told(livekit: LiveKit, room: str) -> None:
    made = Viewer()
    told = Events(made.room, "connection_quality_changed")
    await made.connect(livekit, room)
    async with publisher(livekit, room):
        _, quality = await told.next("connection_quality_changed", 40)
        assert quality in (rtc.ConnectionQuality.QUALITY_EXCELLENT, rtc.ConnectionQuality.QUALITY_GOOD)
    await made.room.disconnect()


async def test_that_a_picture_flows_is_told(livekit: LiveKit, room: str) -> None:
    told: asyncio.Queue[wire.SignalResponse] = asyncio.Queue()
    watching = PacketViewer(RTCCertificate.generateCertificate(), told.put_nowait)
    async with publisher(livekit, room) as host:
        task = asyncio.create_task(watching.watch(livekit.url, livekit.token(room, "viewer")))
        async with asyncio.timeout(60):
            while not (message := await told.get()).HasField("stream_state_update"):
                continue
        (state,) = message.stream_state_update.stream_states
        (sid,) = host.local_participant.track_publications
        assert (state.participant_sid, state.track_sid) == (host.local_participant.sid, sid)
        assert state.state == wire.StreamState.ACTIVE
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_picture_the_line_does_not_carry_is_paused_for_who_allows_it(livekit: LiveKit, room: str) -> None:
    """livekit-server believes an estimate that falls in eight reports or more within ten seconds; ours sooner."""
    told: asyncio.Queue[wire.SignalResponse] = asyncio.Queue()
    certificate = RTCCertificate.generateCertificate()
    watching = PacketViewer(certificate, told.put_nowait, wishes="&subscriber_allow_pause=1")

    async def until_it_is(state: wire.StreamState.ValueType) -> None:
        while True:
            message = await told.get()
            if state in [info.state for info in message.stream_state_update.stream_states]:
                return

    async with publisher(livekit, room, busy=True), asyncio.timeout(180):
        task = asyncio.create_task(watching.watch(livekit.url, livekit.token(room, "viewer")))
        await until_it_is(wire.StreamState.ACTIVE)
        watching.estimate, watching.trend = 300_000, 0.8
        await until_it_is(wire.StreamState.PAUSED)
        watching.estimate, watching.trend = 20_000_000, 1.0
        await until_it_is(wire.StreamState.ACTIVE)
        before = watching.packets
        await until(lambda: watching.packets > before + 20)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("redundant", [True, False])
async def test_sound_is_sent_redundantly_unless_its_publisher_will_not(
    livekit: LiveKit, room: str, redundant: bool
) -> None:
    host = await joined(livekit, room, "host")
    source = rtc.AudioSource(48_000, 1)
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, red=redundant)
    track = rtc.LocalAudioTrack.create_audio_track("noise", source)
    await host.local_participant.publish_track(track, options)
    noise = asyncio.create_task(make_noise(source))
    async with viewer(livekit, room) as seen:
        heard, _ = await seen.track("audio")
        stream = rtc.AudioStream(heard, sample_rate=48_000, num_channels=1)
        packets = octets = 0
        async with asyncio.timeout(60):
            while packets < 100:
                await anext(stream)
                packets, octets = await received(heard)
        await stream.aclose()
        (publication,) = seen.room.remote_participants["host"].track_publications.values()
        assert publication.mime_type == ("audio/red" if redundant else "audio/opus")
        # 20 ms of noise alone are some 80 bytes; with one or two earlier ones a packet is twice or three times as long.
        (sent,) = [each.outbound_rtp for each in await track.get_stats() if each.WhichOneof("stats") == "outbound_rtp"]
        alone = sent.outbound.target_bitrate / 8 / 50
        assert (octets / packets > 1.6 * alone) is redundant, (octets / packets, alone)
    noise.cancel()
    await host.disconnect()


async def test_sound_that_is_not_redundant_is_sent_again_to_who_asks(livekit: LiveKit, room: str) -> None:
    host, source = await joined(livekit, room, "host"), rtc.AudioSource(48_000, 1)
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, red=False)
    await host.local_participant.publish_track(rtc.LocalAudioTrack.create_audio_track("noise", source), options)
    noise = asyncio.create_task(make_noise(source))
    watching = PacketViewer(RTCCertificate.generateCertificate())
    newest: list[int] = []
    again = asyncio.Event()

    def take(header: Header) -> None:
        ahead = (header.sequence - newest[-1]) & 0xFFFF if newest else 1
        if ahead > 0x7FFF:  # the line keeps the order: an earlier one was sent again
            again.set()
            return
        watching.ask_again([(header.sequence - missing) & 0xFFFF for missing in range(1, min(ahead, 17))])
        newest.append(header.sequence)

    watching.on_packet = take
    with sky(livekit.url, loss=10, delay=10) as relay:
        task = asyncio.create_task(watching.watch(relay.url, livekit.token(room, "viewer")))
        await asyncio.wait_for(again.wait(), 120)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    noise.cancel()
    await host.disconnect()


async def make_noise(source: rtc.AudioSource) -> None:
    wave = np.random.default_rng(1).integers(-9000, 9000, 48_000).astype(np.int16)
    while True:
        for part in wave.reshape(100, 480):
            await source.capture_frame(rtc.AudioFrame(part.tobytes(), 48_000, 1, 480))


async def received(track: Any) -> tuple[int, int]:
    """Packets of a track, and the bytes of their payloads."""
    for report in await track.get_stats():
        if report.WhichOneof("stats") == "inbound_rtp":
            return report.inbound_rtp.received.packets_received, report.inbound_rtp.inbound.bytes_received
    return 0, 0


# -- lines that break


async def test_a_lost_signalling_socket_is_no_leave(livekit: LiveKit, room: str) -> None:
    async with viewer(livekit, room) as seen, publisher(livekit, room) as host:
        track, _ = await seen.track()
        await seen.counters(track, 5)
        before = (host.local_participant.sid, seen.room.local_participant.sid, track.sid)
        for client in (host, seen.room):
            back = Events(client, "reconnected")
            await client.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_SIGNAL_RECONNECT)
            await back.next("reconnected", 40)
        assert (host.local_participant.sid, seen.room.local_participant.sid, track.sid) == before
        assert "participant_disconnected" not in seen.events
        assert "track_unsubscribed" not in seen.events
        assert await seen.counters(track, 5), "the same track goes on"


async def test_a_client_that_stands_still_is_out_for_the_others(livekit: LiveKit, room: str) -> None:
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
            os.kill(process.pid, signal.SIGSTOP)
            await until(lambda: "participant_disconnected" in seen.events, 90)
    finally:
        process.kill()
        process.wait()
