"""Muted stays muted: what a viewer hears and sees, whatever happens to the connection."""

from __future__ import annotations

import time
from typing import Any

import pytest
from livekit import api

import spnb
from spnb.broadcast import Disconnected, MuteChanged, Reconnected, Reconnecting, go_live
from spnb.broadcast.sources import TestCard
from tests.broadcast.booth import SILENT, Booth, Line, Listener, Numbered
from tests.live.conftest import until
from tests.media.conftest import LiveKit

pytestmark = pytest.mark.media


def of(events: list[Any], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


async def test_muted_while_the_sdk_publishes_everything_anew(livekit: LiveKit, line: Line, listener: Listener) -> None:
    booth = Booth(livekit, "published-anew", line)
    events: list[Any] = []
    card = Numbered(320, 180, 15)
    show = await go_live(booth, card, on_event=events.append)
    await listener.connect(livekit, booth.room_id)
    await listener.hears()
    await listener.sees()
    await show.mute()
    await show.mute("video")
    last = card.last
    await until(lambda: all(listener.publications[kind].muted for kind in ("audio", "video")))
    await until(lambda: max(listener.heard_since(time.monotonic() - 0.5), default=0) < SILENT)
    muted_at = time.monotonic()
    line.resumes = False
    await line.cut()
    await until(lambda: of(events, Reconnecting))
    line.mend()
    await until(lambda: of(events, Reconnected), 40)
    assert show.is_muted()
    assert show.is_muted("video")
    await until(lambda: listener.heard_since(events[-1].at))
    assert max(await listener.quiet()) < SILENT
    assert max(listener.heard_since(muted_at)) < SILENT
    assert max(listener.seen_since(muted_at), default=0) <= last
    assert card.last > last
    assert all(listener.publications[kind].muted for kind in ("audio", "video"))
    await show.unmute()
    await listener.hears()
    await show.unmute("video")
    await listener.sees()
    await show.stop()


async def test_muted_while_spnb_joins_anew(livekit: LiveKit, listener: Listener) -> None:
    booth = Booth(livekit, "joined-anew")
    events: list[Any] = []
    card = Numbered(320, 180, 15)
    show = await go_live(booth, card, on_event=events.append)
    await listener.connect(livekit, booth.room_id)
    await listener.hears()
    await listener.sees()
    await show.mute()
    await show.mute("video")
    last = card.last
    await until(lambda: max(listener.heard_since(time.monotonic() - 0.5), default=0) < SILENT)
    muted_at = time.monotonic()
    spnb._loop.background_loop().call_soon_threadsafe(show._disconnected, "state mismatch")
    await until(lambda: of(events, Reconnected), 40)
    assert of(events, Disconnected)
    await until(lambda: listener.heard_since(events[-1].at))
    assert max(await listener.quiet()) < SILENT
    assert max(listener.heard_since(muted_at)) < SILENT
    assert max(listener.seen_since(muted_at), default=0) <= last
    assert card.last > last
    await until(lambda: all(listener.publications[kind].muted for kind in ("audio", "video")))
    await show.unmute()
    await show.unmute("video")
    await listener.hears()
    await listener.sees()
    await show.stop()


async def test_a_mute_pressed_while_reconnecting_holds(livekit: LiveKit, line: Line, listener: Listener) -> None:
    booth = Booth(livekit, "pressed-meanwhile", line)
    events: list[Any] = []
    show = await go_live(booth, TestCard(320, 180, 15), on_event=events.append)
    await listener.connect(livekit, booth.room_id)
    await listener.hears()
    line.resumes = False
    await line.cut()
    await until(lambda: of(events, Reconnecting))
    await show.mute()
    assert show.is_muted()
    pressed = time.monotonic()
    line.mend()
    await until(lambda: of(events, Reconnected), 40)
    await until(lambda: listener.heard_since(events[-1].at))
    assert max(await listener.quiet()) < SILENT
    # What was said before the mute may be on its way for a moment.
    assert max(listener.heard_since(pressed + 1.0)) < SILENT
    await until(lambda: listener.publications["audio"].muted)
    await show.unmute()
    await listener.hears()
    await show.stop()


async def test_a_moderators_mute_is_heard_by_the_host(livekit: LiveKit, listener: Listener) -> None:
    booth = Booth(livekit, "moderated")
    events: list[Any] = []
    show = await go_live(booth, TestCard(320, 180, 15), on_event=events.append)
    await listener.connect(livekit, booth.room_id)
    await listener.hears()
    moderator = api.LiveKitAPI(livekit.url, livekit.key, livekit.secret)
    sid = listener.publications["audio"].sid
    await moderator.room.mute_published_track(
        api.MuteRoomTrackRequest(room=booth.room_id, identity="host", track_sid=sid, muted=True)
    )
    # It is muted first and told then, by another thread.
    await until(lambda: of(events, MuteChanged))
    assert show.is_muted()
    assert of(events, MuteChanged)[-1].by_moderator
    await until(lambda: max(listener.heard_since(time.monotonic() - 0.5), default=0) < SILENT)
    # It outlives the connection, as the host's own does.
    muted_at = time.monotonic()
    spnb._loop.background_loop().call_soon_threadsafe(show._disconnected, "state mismatch")
    await until(lambda: of(events, Reconnected), 40)
    await until(lambda: listener.heard_since(events[-1].at))
    assert max(await listener.quiet()) < SILENT
    assert max(listener.heard_since(muted_at)) < SILENT
    await show.unmute()
    await listener.hears()
    await show.mute()
    await show.unmute()
    await listener.hears()
    assert not show.is_muted()
    assert [event.by_moderator for event in of(events, MuteChanged)] == [True, False, False, False]
    await moderator.aclose()
    await show.stop()
