"""A connection that is lost is made anew until the room is over; what is sent follows the source."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from livekit import rtc

import spnb
from spnb.broadcast import (
    AudioOptions,
    Ended,
    Reconnected,
    Reconnecting,
    ReconnectOptions,
    TrackSubscribed,
    VideoOptions,
    go_live,
)
from spnb.broadcast.sources import Screen, TestCard
from spnb.broadcast.sources.base import SAMPLE_RATE
from spnb.errors import BroadcastError, InvalidInput
from tests.broadcast.booth import SILENT, Booth, Line, Listener
from tests.live.conftest import until
from tests.media.conftest import LiveKit

pytestmark = pytest.mark.media


def of(events: list[Any], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def lose(show: Any) -> None:
    """The SDK gives the connection up."""
    spnb._loop.background_loop().call_soon_threadsafe(show._disconnected, "state mismatch")


async def test_a_rejoin_is_tried_until_it_works(livekit: LiveKit, line: Line, listener: Listener) -> None:
    booth = Booth(livekit, "tried-again", line)
    events: list[Any] = []
    show = await go_live(booth, TestCard(320, 180, 15), on_event=events.append)
    await listener.connect(livekit, booth.room_id)
    await listener.hears()
    before = booth.asked
    await line.cut()
    lose(show)
    await until(lambda: booth.asked >= before + 4, 60)
    assert show.on_air
    assert not of(events, Ended)
    line.mend()
    await until(lambda: of(events, Reconnected), 60)
    await listener.hears()
    await listener.sees()
    assert of(events, Reconnecting)
    await show.stop()
    assert of(events, Ended)[0].reason == "stopped"


async def test_a_rejoin_that_may_not_publish_is_no_end_yet(livekit: LiveKit, listener: Listener) -> None:
    booth = Booth(livekit, "not-allowed")
    events: list[Any] = []
    show = await go_live(booth, TestCard(320, 180, 15), on_event=events.append)
    await listener.connect(livekit, booth.room_id)
    await listener.sees()
    booth.grants = {"can_publish": False}
    before = booth.asked
    lose(show)
    await until(lambda: booth.asked >= before + 2, 90)
    assert show.on_air
    assert not of(events, Ended)
    booth.grants = {}
    await until(lambda: of(events, Reconnected), 90)
    await listener.sees()
    await show.stop()


async def test_a_room_that_is_over_meanwhile_ends_the_broadcast(livekit: LiveKit, line: Line) -> None:
    booth = Booth(livekit, "over-meanwhile", line)
    events: list[Any] = []
    show = await go_live(booth, TestCard(320, 180, 15), on_event=events.append)
    before = booth.asked
    await line.cut()
    lose(show)
    await until(lambda: booth.asked >= before + 2, 60)
    booth.record = booth.record.model_copy(update={"status": "ended"})
    assert await show.wait_ended(60)
    assert "over before the connection could be restored" in of(events, Ended)[0].reason
    assert not show.on_air
    assert not spnb.broadcast.is_running(booth.room_id)
    with pytest.raises(BroadcastError, match="over"):
        await show.configure(video=VideoOptions(fps=10))


async def test_how_long_is_tried_is_the_hosts_choice(livekit: LiveKit, line: Line) -> None:
    for wrong in ({"seconds": -1}, {"first_wait": 2, "longest_wait": 1}, {"first_wait": 0}, {"seconds": float("nan")}):
        with pytest.raises(InvalidInput, match=r"reconnecting is tried|pauses between tries|not nan"):
            ReconnectOptions(**wrong)
    booth = Booth(livekit, "given-up", line)
    events: list[Any] = []
    policy = ReconnectOptions(seconds=0, first_wait=0.05, longest_wait=0.05)
    show = await go_live(booth, TestCard(320, 180, 10), reconnect=policy, on_event=events.append)
    await line.cut()
    lose(show)
    assert await show.wait_ended(60)
    assert "could not be restored within 0 s" in of(events, Ended)[0].reason


async def test_what_a_host_chose_outlives_its_connections(livekit: LiveKit, line: Line, listener: Listener) -> None:
    """Source, volume, codec and layers: whether the SDK publishes all anew, or we join anew."""
    booth = Booth(livekit, "chosen-for-good", line)
    events: list[Any] = []
    show = await go_live(booth, TestCard(320, 180, 10), on_event=events.append)
    await listener.connect(livekit, booth.room_id)
    await listener.hears()
    second = TestCard(640, 360, 15)
    await show.switch_source(second)
    await show.configure(video=VideoOptions(codec="vp8", simulcast=True), audio=AudioOptions(volume=0))
    for number in (1, 2):
        if number == 1:
            line.resumes = False
            await line.cut()
            await until(lambda: of(events, Reconnecting))
            line.mend()
        else:
            lose(show)
        await until(lambda n=number: len(of(events, Reconnected)) == n, 40)
        await listener.sees()
        await until(lambda: listener.publications["video"].simulcasted)
        assert listener.publications["video"].mime_type.lower() == "video/vp8"
        assert max(await listener.quiet()) < SILENT
        assert (show.source, show.video.simulcast, show.audio.volume) == (second, True, 0)
    await show.configure(audio=AudioOptions())
    await listener.hears()
    await show.stop()


async def test_what_is_sent_follows_the_source(livekit: LiveKit, listener: Listener) -> None:
    """Small, slow and silent first; then large, quick and with sound; and back."""
    booth = Booth(livekit, "followed")
    show = await go_live(booth, TestCard(320, 180, 10, tone=False))
    await listener.connect(livekit, booth.room_id)
    await listener.smooth((320, 180), 5)
    assert not listener.loudness
    await show.switch_source(TestCard(1280, 720, 30))
    await listener.hears()
    await listener.smooth((1280, 720), 5)
    host = listener.room.remote_participants["host"]
    await until(lambda: len(host.track_publications) == 2)
    await show.switch_source(TestCard(320, 180, 10, tone=False))
    await listener.smooth((320, 180), 5)
    await until(lambda: max(listener.heard_since(listener.loudness[-1][0] - 0.5)) < SILENT)
    await show.stop()


async def test_a_host_chooses_size_rate_and_volume_on_air(livekit: LiveKit, listener: Listener) -> None:
    booth = Booth(livekit, "chosen")
    video = VideoOptions(height=180, fps=10, bitrate=200_000, codec="vp8", degradation="balanced")
    show = await go_live(booth, TestCard(640, 360, 20), video=video, audio=AudioOptions(stereo=False, bitrate=24_000))
    assert show.video == video
    await listener.connect(livekit, booth.room_id)
    await listener.smooth((320, 180), 5)
    await listener.hears()
    assert listener.publications["video"].mime_type.lower() == "video/vp8"
    await show.configure(audio=AudioOptions(stereo=False, bitrate=24_000, volume=0))
    await until(lambda: max(listener.heard_since(listener.loudness[-1][0] - 0.5)) < SILENT)
    await show.configure(video=VideoOptions(fps=15, codec="vp8"), audio=AudioOptions(volume=2))
    await listener.hears()
    await listener.smooth((640, 360), 6)
    assert (show.video.fps, show.audio.volume) == (15, 2)
    await show.configure(video=VideoOptions(codec="vp8", simulcast=True))
    await until(lambda: listener.publications["video"].simulcasted)
    await listener.sees()
    # What the SDK cannot do is refused, and all goes on as it was.
    for refused in (VideoOptions(codec="vp8", simulcast=(180,)), VideoOptions(simulcast=(180,))):
        with pytest.raises(InvalidInput, match="chooses the sizes"):
            await show.configure(video=refused)
    assert show.video.simulcast is True
    await listener.sees()
    await show.configure(video=VideoOptions(codec="h264"))
    await until(lambda: listener.publications["video"].mime_type.lower() == "video/h264")
    await listener.sees()
    assert show.on_air
    await show.stop()


class Gulps(TestCard):
    """Gives its sound two seconds at a time: some of it is always on its way."""

    def run(self, sink: Any, stop: threading.Event) -> None:
        kept = bytearray()
        passed_on = sink.audio

        def gulped(samples: bytes, channels: int) -> None:
            kept.extend(samples)
            if len(kept) >= 2 * SAMPLE_RATE * 2:
                passed_on(bytes(kept), channels)
                kept.clear()

        super().run(SimpleNamespace(video=sink.video, audio=gulped), stop)


async def test_sound_outlives_changes_of_its_channels_and_a_piece_that_fails(
    livekit: LiveKit, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    booth = Booth(livekit, "channels")
    show = await go_live(booth, Gulps(320, 180, 15), audio=AudioOptions(stereo=False))
    await listener.connect(livekit, booth.room_id)
    await listener.hears()
    for stereo in (True, False, True):
        before = listener.publications["audio"].sid
        await show.configure(audio=AudioOptions(stereo=stereo))
        await until(lambda before=before: listener.publications["audio"].sid != before)
        await listener.hears()
    failed: list[Any] = []
    capture = rtc.AudioSource.capture_frame

    async def fails_once(audio: rtc.AudioSource, frame: rtc.AudioFrame) -> None:
        if not failed:
            failed.append(frame)
            raise RuntimeError("nobody foresaw this")
        await capture(audio, frame)

    monkeypatch.setattr(rtc.AudioSource, "capture_frame", fails_once)
    await until(lambda: failed)
    await listener.hears()
    await show.stop()


class Desk(TestCard):
    """What a screen is to a broadcast, where there is none to grab."""

    screen = True


async def test_a_screen_is_announced_as_a_screen(livekit: LiveKit, listener: Listener) -> None:
    booth = Booth(livekit, "screen")
    assert Screen.screen
    show = await go_live(booth, Desk(320, 180, 15))
    await listener.connect(livekit, booth.room_id)
    await listener.sees()
    assert listener.publications["video"].source == rtc.TrackSource.SOURCE_SCREENSHARE
    await listener.hears()
    assert listener.publications["audio"].source == rtc.TrackSource.SOURCE_MICROPHONE
    await show.switch_source(TestCard(320, 180, 15))
    await until(lambda: listener.publications["video"].source == rtc.TrackSource.SOURCE_CAMERA)
    await listener.sees()
    host = listener.room.remote_participants["host"]
    await until(lambda: len(host.track_publications) == 2)
    await show.stop()


@pytest.mark.parametrize(
    "wish", [{"codec": "av1"}, {"fps": 0}, {"bitrate": 5}, {"width": 3}, {"degradation": "everything"}]
)
def test_impossible_pictures_are_refused(wish: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        VideoOptions(**wish)


@pytest.mark.parametrize("wish", [{"volume": -1}, {"volume": 5}, {"bitrate": 5}])
def test_impossible_sound_is_refused(wish: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        AudioOptions(**wish)


def test_a_picture_is_never_made_larger_and_keeps_its_shape() -> None:
    assert VideoOptions().fit(640, 360, 25) == (640, 360, 25)
    assert VideoOptions(width=1920, height=1080, fps=60).fit(640, 360, 25) == (640, 360, 25)
    assert VideoOptions(height=180).fit(640, 360, 25) == (320, 180, 25)
    assert VideoOptions(width=100).fit(640, 360, 25) == (100, 56, 25)
    assert VideoOptions(fps=10).fit(641, 361, 25) == (640, 360, 10)


async def test_what_others_on_stage_send_comes_in_where_it_is_asked_for(livekit: LiveKit) -> None:
    booth, guest = Booth(livekit, "taken-too"), Booth(livekit, "taken-too")
    guest.room_id, guest.identity, guest.broadcast_key = booth.room_id, "guest", f"{booth.room_id}/guest"
    told: list[Any] = []
    theirs: list[Any] = []
    show = await go_live(booth, TestCard(320, 180, 15), auto_subscribe=True, on_event=told.append)
    other = await go_live(guest, TestCard(160, 90, 15), on_event=theirs.append)
    await until(lambda: len(of(told, TrackSubscribed)) >= 2, 60)
    assert {(event.user_id, event.what) for event in of(told, TrackSubscribed)} == {
        ("guest", "video"),
        ("guest", "audio"),
    }
    (video,) = (event.track for event in of(told, TrackSubscribed) if event.what == "video")
    stream = rtc.VideoStream(video)
    async for picture in stream:
        assert picture.frame.width == 160
        break
    await stream.aclose()
    await until(lambda: other.others == {"host"}, 60)
    assert not of(theirs, TrackSubscribed), "nothing comes where nothing is asked for"
    await other.stop()
    await show.stop()


async def test_a_page_takes_what_others_send_by_itself(embedded: LiveKit) -> None:
    class OfAPage(TestCard):
        def publisher(self, _intent: Any, _events: Any) -> Any:
            raise AssertionError("it was to be refused before")

    with pytest.raises(InvalidInput, match="a page takes it by itself"):
        await go_live(Booth(embedded, "page"), OfAPage(160, 90, 15), auto_subscribe=True)
