"""STUN and TURN servers that a user names are those by which media go; their passwords are shown nowhere."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer
from livekit import rtc

import spnb
from spnb.broadcast import go_live
from spnb.broadcast.peer import PagePeer
from spnb.broadcast.sources import TestCard
from spnb.broadcast.sources.monitor import Monitor
from spnb.errors import ConfigError
from spnb.ice import IceServer, ice_servers
from tests.broadcast.booth import Booth, Listener
from tests.broadcast.relay import PASSWORD, relay
from tests.live.conftest import until
from tests.media.conftest import LiveKit

AS_BROWSERS = {"urls": ["turns:relay.example:5349?transport=tcp"], "username": "ann", "credential": "s3cret"}


@pytest.mark.parametrize(
    "given",
    [
        "turns:ann:s3cret@relay.example:5349?transport=tcp",
        ["turns:ann:s3cret@relay.example:5349?transport=tcp"],
        [AS_BROWSERS],
        {**AS_BROWSERS, "urls": AS_BROWSERS["urls"][0]},
        json.dumps([AS_BROWSERS]),
    ],
)
def test_servers_are_named_as_people_write_them(given: object, monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = ice_servers(given)  # type: ignore[arg-type]
    assert found.plain() == AS_BROWSERS
    assert "s3cret" not in repr(found)
    if isinstance(given, str):
        monkeypatch.setenv("SPNB_ICE_SERVERS", f"{given}")
        assert ice_servers() == (found,)
        assert ice_servers([]) == (), "what is given beats the environment"


def test_without_any_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPNB_ICE_SERVERS", raising=False)
    assert ice_servers() == ()
    monkeypatch.setenv("SPNB_ICE_SERVERS", "stun:a.example:3478, stun:b.example")
    assert ice_servers() == (IceServer(("stun:a.example:3478",)), IceServer(("stun:b.example",)))


@pytest.mark.parametrize(
    "wrong",
    ["relay.example", "http://relay.example", "turn:relay.example", "stun:", {"urls": []}, [7], "[{", "turn:a:s3cret@"],
)
def test_what_is_no_server_is_refused_before_anything_is_sent(wrong: object) -> None:
    with pytest.raises(ConfigError) as refused:
        spnb.connect("ann", ice_servers=wrong)  # type: ignore[arg-type]
    assert "s3cret" not in str(refused.value)


@pytest.mark.media
async def test_a_preview_comes_by_the_relay_where_nothing_passes_straight(tmp_path: Path) -> None:
    """Page and kernel that know of each other's relayed addresses alone."""
    async with relay(tmp_path) as turn:
        monitor, states = Monitor(None), []
        peer = PagePeer(monitor, states.append, ice_servers(turn.url("kernel")))
        server = RTCIceServer([f"turn:127.0.0.1:{turn.port}?transport=udp"], "page", PASSWORD)
        page = RTCPeerConnection(RTCConfiguration(iceServers=[server]))
        player = MediaPlayer("testsrc=size=320x180:rate=10", format="lavfi")
        page.addTrack(player.video)
        try:
            await page.setLocalDescription(await page.createOffer())
            answer = await peer.answer(relayed(page.localDescription.sdp))
            await page.setRemoteDescription(RTCSessionDescription(relayed(answer), "answer"))
            await until(lambda: monitor.count >= 3)
            assert states[-1] == "connected"
            assert turn.allocated("kernel")
        finally:
            await page.close()
            await peer.close()


def relayed(sdp: str) -> str:
    """A description without the addresses of this machine."""
    lines = sdp.splitlines(keepends=True)
    left = [line for line in lines if not line.startswith("a=candidate") or " typ relay " in line]
    assert any(line.startswith("a=candidate") for line in left), "no relay was asked"
    return "".join(left)


@pytest.mark.media
async def test_a_broadcast_goes_by_the_relay_it_was_given(
    livekit: LiveKit, listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK is told to offer nothing but relayed addresses, as on a network that lets nothing else out."""
    only = partial(rtc.RtcConfiguration, ice_transport_type=rtc.IceTransportType.TRANSPORT_RELAY)
    monkeypatch.setattr("livekit.rtc.RtcConfiguration", only)
    async with relay(tmp_path) as turn:
        booth = Booth(livekit, "relayed")
        booth.ice_servers = ice_servers(turn.url("host"))
        show = await go_live(booth, TestCard(320, 180, 10, tone=False))
        await listener.connect(livekit, booth.room_id)
        await listener.sees()
        assert turn.allocated("host")
        await show.stop()
