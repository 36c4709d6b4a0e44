"""The media server's parts by themselves: descriptions, tokens, records, and the seam to aiortc."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import rtc as signal
from websockets.asyncio.client import connect

from spnb.sandbox.media import sdp
from spnb.sandbox.media.announcement import wanted_codec
from spnb.sandbox.media.frames import MediaEvent, TapTrack
from spnb.sandbox.media.tokens import Grants, InvalidToken, mint, verify
from spnb.sandbox.media.transport import LocalParameters
from spnb.sandbox.media.webhook import ForgedWebhook, read_webhook
from tests.media.conftest import LiveKit

SECRET = "s" * 40
LOCAL = LocalParameters("ufrag", "password", "sha-256 AA:BB", ("x 1 udp 1 127.0.0.1 5000 typ host",))


OFFER = "\r\n".join(
    [
        "v=0",
        "o=- 1 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1 2",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:efgh",
        "a=fingerprint:sha-256 AB:CD",
        "a=setup:actpass",
        "a=mid:0",
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 125",
        "a=mid:1",
        "a=sendonly",
        "a=msid:stream track-id",
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
        "a=extmap:3 http://example.org/other",
        "a=rtpmap:96 VP8/90000",
        "a=rtcp-fb:96 nack pli",
        "a=rtpmap:97 rtx/90000",
        "a=fmtp:97 apt=96",
        "a=rtpmap:102 H264/90000",
        "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        "a=rtpmap:125 H264/90000",
        "a=fmtp:125 packetization-mode=0;profile-level-id=42e01f",
        "a=rid:q send",
        "a=rid:h send",
        "a=simulcast:send q;h",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "a=mid:2",
        "a=recvonly",
        "a=rtpmap:111 opus/48000/2",
        "",
    ]
)


def test_an_offer_is_answered_with_what_we_take() -> None:
    offered = sdp.parse(OFFER)
    text = sdp.answer(offered, LOCAL)
    video = text.split("m=video")[1].split("m=audio")[0]
    assert video.startswith(" 9 UDP/TLS/RTP/SAVPF 102 96\r\n"), "H.264 first, no retransmission stream, no mode 0"
    assert "a=simulcast:recv q;h" in video
    assert "a=extmap:4 " in video
    assert "example.org" not in text
    assert "a=recvonly" in video
    assert "a=inactive" in text.split("m=audio")[1]
    section = offered.sections[1]
    assert (section.track_id, section.rids, section.codecs[0].feedback) == ("track-id", ["q", "h"], ("nack pli",))


@pytest.mark.parametrize("text", ["", "v=0\r\n", "m=video\r\n", "m=audio 9 X 1\r\na=mid:0\r\na=ice-ufrag:x\r\n"])
def test_a_description_without_a_transport_is_malformed(text: str) -> None:
    with pytest.raises(sdp.MalformedDescription):
        sdp.parse(text)


@given(st.text(max_size=200))
def test_no_text_breaks_the_description_parser(text: str) -> None:
    try:
        sdp.parse(OFFER + text)
    except ValueError:
        return


def test_our_offer_names_streams_as_livekit_does() -> None:
    outgoing = [
        sdp.Outgoing("1", "video", "h264", 102, "PA_1|TR_1", "TR_1", 55),
        sdp.Outgoing("2", "audio", "opus", 111, active=False),
    ]
    text = sdp.offer(outgoing, LOCAL, version=3)
    assert "a=msid:PA_1|TR_1 TR_1" in text
    assert text.count("a=sendonly") == 1
    assert text.count("a=inactive") == 1
    assert "a=group:BUNDLE 0 1 2" in text


def test_tokens_say_what_is_wrong_and_never_themselves() -> None:
    good = mint("k", SECRET, identity="a", grants=Grants(room="r", room_join=True, can_publish=False), ttl=60)
    who = verify("k", SECRET, good)
    assert (who.identity, who.grants.room, who.grants.can_publish, who.grants.can_publish_data) == (
        "a",
        "r",
        False,
        True,
    )
    for token, key in ((good, "other"), (good[:-3] + "abc", "k"), ("nonsense", "k")):
        with pytest.raises(InvalidToken) as caught:
            verify(key, SECRET, token)
        assert token not in str(caught.value)


def test_the_seam_to_aiortc_is_as_it_was_tested() -> None:
    """The private names `transport.py` stands on. Where this fails, aiortc or aioice has moved: look at that module."""
    dtls = importlib.import_module("aiortc.rtcdtlstransport").RTCDtlsTransport
    assert callable(dtls._set_role)
    assert {"_tx_srtp", "_rx_srtp"} <= set(dtls.__init__.__code__.co_names)
    connection = importlib.import_module("aioice.ice").Connection(ice_controlling=False)
    for name in ("_protocols", "_local_candidates", "_local_candidates_start", "_local_candidates_end", "_nominated"):
        assert hasattr(connection, name)
    assert connection._query_consent_task is None
    assert hasattr(importlib.import_module("pylibsrtp").Session(), "_srtp")
    assert callable(importlib.import_module("pylibsrtp._binding").lib.srtp_protect)
    assert hasattr(importlib.import_module("aiortc.rtcicetransport").RTCIceGatherer(), "_connection")


def test_forged_webhooks_are_refused() -> None:
    import base64
    import hashlib

    import jwt

    body = b'{"event": "track_published", "id": "EV_1", "room": {"name": "r"}}'
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    token = jwt.encode({"iss": "k", "exp": 2**31, "sha256": digest}, SECRET, algorithm="HS256")
    assert read_webhook(body, token, "k", SECRET).room.name == "r"
    forgeries: list[tuple[bytes, str]] = [
        (body.replace(b"track", b"trick"), token),
        (body, token[:-4] + "abcd"),
        (body, ""),
    ]
    for forged, bad in forgeries:
        with pytest.raises(ForgedWebhook):
            read_webhook(forged, bad, "k", SECRET)


@pytest.mark.media
async def test_malformed_messages_close_that_socket_only(livekit: LiveKit) -> None:
    if not livekit.embedded:
        pytest.skip("how a real server treats malformed messages is its own business")
    address = f"{livekit.url}/rtc?access_token={livekit.token('m', 'bad')}"
    good = f"{livekit.url}/rtc?access_token={livekit.token('m', 'good')}"
    async with connect(good, proxy=None) as other:
        assert signal.SignalResponse.FromString(await received(other)).join.participant.identity == "good"
        for message in (b"\xff\xff\xff\xff", "text", _offer("no description")):
            async with connect(address, proxy=None) as socket:
                await socket.recv()
                await socket.send(message)
                async with asyncio.timeout(5):
                    await socket.wait_closed()
                assert socket.close_code in (1003, 1007)
        await other.send(signal.SignalRequest(ping_req=signal.Ping(timestamp=5)).SerializeToString())
        async with asyncio.timeout(5):
            while not (answer := signal.SignalResponse.FromString(await received(other))).HasField("pong_resp"):
                continue
        assert answer.pong_resp.last_ping_timestamp == 5


async def received(socket: Any) -> bytes:
    message = await socket.recv()
    assert isinstance(message, bytes)
    return message


def _offer(text: str) -> bytes:
    return signal.SignalRequest(offer=signal.SessionDescription(type="offer", sdp=text)).SerializeToString()


async def test_the_room_service_lets_in_who_may(livekit: LiveKit) -> None:
    root = livekit.url.replace("ws", "http", 1)
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        token = livekit.token("r", "x")
        assert (await client.post(f"{root}/twirp/livekit.RoomService/ListRooms", json={})).status_code == 401
        headers = {"Authorization": f"Bearer {token}"}
        refused = await client.post(f"{root}/twirp/livekit.RoomService/ListRooms", json={}, headers=headers)
        assert refused.status_code == 401
        admin = {"Authorization": f"Bearer {livekit.admin('r')}"}
        nowhere = {"names": ["nowhere"]}
        found = await client.post(f"{root}/twirp/livekit.RoomService/ListRooms", json=nowhere, headers=admin)
        assert found.json() == {"rooms": []}
        admin["Content-Type"] = "application/json"
        broken = await client.post(f"{root}/twirp/livekit.RoomService/ListRooms", content=b"{", headers=admin)
        assert broken.status_code == 400


def test_events_and_tracks_are_plain_records() -> None:
    assert MediaEvent("track_published", "r", "host", "PA_1").track_sid is None
    TapTrack("TR_1", "host", "video", "h264", 90_000).request_keyframe()


def test_stereo_and_silence_are_negotiated_as_livekit_does() -> None:
    offered = sdp.parse(OFFER.replace("a=recvonly", "a=sendonly"))
    offered.sections[2].stereo = offered.sections[2].dtx = True
    assert "a=fmtp:111 stereo=1;maxaveragebitrate=510000;usedtx=1" in sdp.answer(offered, LOCAL)
    outgoing = [sdp.Outgoing("1", "audio", "opus", 111, "s", "t", 5, stereo=True)]
    assert "sprop-stereo=1" in sdp.offer(outgoing, LOCAL, version=1)


def test_a_publisher_that_insists_on_a_codec_gets_it() -> None:
    text = OFFER.replace("a=rtpmap:97 rtx/90000", "a=rtpmap:97 VP9/90000").replace("a=fmtp:97 apt=96", "a=x")
    offered = sdp.parse(text)
    assert [codec.name for codec in sdp.chosen(offered.sections[1])] == ["h264", "vp8", "vp9"]
    offered.sections[1].wanted = "vp9"
    assert sdp.chosen(offered.sections[1])[0].name == "vp9"
    request = signal.AddTrackRequest(simulcast_codecs=[signal.SimulcastCodec(codec="vp9")])
    assert wanted_codec(request) == "vp9"
    assert wanted_codec(signal.AddTrackRequest()) == ""
