"""How clients come in: by one peer connection or two, with what they say of themselves, or not at all."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import itertools
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from livekit import rtc
from livekit.protocol import models
from livekit.protocol import rtc as wire
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedOK, InvalidStatus

from spnb.sandbox.media.join import JoinWish, MalformedJoin, read_wish
from spnb.sandbox.media.tokens import Grants, Identity, InvalidToken
from tests.media.conftest import LiveKit, Viewer, publisher, viewer
from tests.media.test_units import OFFER


@pytest.fixture
def room() -> str:
    return f"room-{uuid.uuid4().hex[:8]}"


def wrapped(request: wire.JoinRequest, *, packed: bool = True) -> str:
    kinds = wire.WrappedJoinRequest.Compression
    body = request.SerializeToString()
    outer = wire.WrappedJoinRequest(
        compression=kinds.GZIP if packed else kinds.NONE, join_request=gzip.compress(body) if packed else body
    )
    return base64.urlsafe_b64encode(outer.SerializeToString()).decode()


SETTINGS = wire.ConnectionSettings(auto_subscribe=True)
CLIENT = models.ClientInfo(protocol=16)  # livekit-server 1.9 answers 500 without


# -- what is read


def test_a_join_request_says_all_in_one() -> None:
    track = wire.AddTrackRequest(cid="c")
    request = wire.JoinRequest(
        connection_settings=SETTINGS,
        metadata="m",
        participant_attributes={"a": "b", "empty": ""},
        add_track_requests=[track],
        publisher_offer=wire.SessionDescription(type="offer", sdp=OFFER),
        reconnect=True,
        participant_sid="PA_1",
    )
    for packed in (True, False):
        wish = read_wish({"join_request": wrapped(request, packed=packed)}, single=True)
        assert (wish.single, wish.auto_subscribe, wish.reconnect, wish.sid) == (True, True, True, "PA_1")
        assert wish.offer is not None
        assert wish.offer.sdp == OFFER
        assert wish.add_tracks == (track,)
    who = Identity("x", "X", "of the token", Grants(can_update_own_metadata=True), 0, attributes={"empty": "kept"})
    told = wish.described(who)
    assert (told.metadata, told.attributes) == ("m", {"a": "b", "empty": "kept"})
    with pytest.raises(InvalidToken):
        wish.described(Identity("x", "X", "", Grants(), 0))


def test_what_is_not_said_is_no_wish() -> None:
    """An optional field that is not there is not its zero: nobody who sends nothing wants the least of all."""
    told = read_wish({"join_request": wrapped(wire.JoinRequest())}, single=True)
    assert (told.offer, told.auto_subscribe, told.reconnect) == (None, False, False)
    assert not wire.JoinRequest().connection_settings.HasField("subscriber_allow_pause")
    older = read_wish({}, single=False)
    assert older == JoinWish()
    assert older.auto_subscribe
    assert not read_wish({"auto_subscribe": "0"}, single=False).auto_subscribe


BOMB = base64.urlsafe_b64encode(
    wire.WrappedJoinRequest(
        compression=wire.WrappedJoinRequest.Compression.GZIP, join_request=gzip.compress(bytes(1 << 24))
    ).SerializeToString()
).decode()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "join_request is required"),
        ("%", "base64"),
        (base64.urlsafe_b64encode(b"\xff\xff").decode(), "unmarshal wrapped"),
        (base64.urlsafe_b64encode(b"\x08\x01\x12\x01x").decode(), "decompressed"),
        (base64.urlsafe_b64encode(b"\x12\x02\xff\xff").decode(), "unmarshal join request"),
        (BOMB, "decompressed"),
    ],
)
def test_a_join_request_that_cannot_be_read_says_why(text: str, why: str) -> None:
    with pytest.raises(MalformedJoin, match=why):
        read_wish({"join_request": text}, single=True)


# -- what a server answers


def address(livekit: LiveKit, room: str, identity: str, request: wire.JoinRequest) -> str:
    return f"{livekit.url}/rtc/v1?access_token={livekit.token(room, identity)}&join_request={wrapped(request)}"


REQUIREMENT = "media_sections_requirement"


async def told(
    socket: ClientConnection, wanted: Callable[[wire.SignalResponse], bool], seconds: float = 30
) -> wire.SignalResponse:
    """The next message of a kind."""
    async with asyncio.timeout(seconds):
        while True:
            message = await socket.recv()
            assert isinstance(message, bytes)
            answer = wire.SignalResponse.FromString(message)
            if wanted(answer):
                return answer


@pytest.mark.media
async def test_one_connection_carries_what_is_sent_and_what_is_followed(livekit: LiveKit, room: str) -> None:
    """The sections a client leaves open carry what it follows; where none is left, it is asked for more."""
    async with (
        publisher(livekit, room, sound=True) as host,
        viewer(livekit, room) as seen,
        asyncio.timeout(120),
    ):
        # Who looks first makes sure that both are there.
        assert await seen.counters((await seen.track())[0], 3)
        await seen.track("audio")
        pictures = {p.sid for p in host.local_participant.track_publications.values() if p.kind == 2}
        if livekit.embedded:
            await negotiate(livekit, room, "late", pictures)
            return
        for number in itertools.count():
            # A real server puts a client out whose media never connect, as here: it comes again, as clients do.
            with contextlib.suppress(ConnectionClosedOK):
                await negotiate(livekit, room, f"late-{number}", pictures)
                return


async def negotiate(livekit: LiveKit, room: str, identity: str, pictures: set[str]) -> None:
    """Offer one section for a picture, and none for the sound, until both are answered for."""
    request = wire.JoinRequest(connection_settings=SETTINGS, client_info=CLIENT)
    async with connect(address(livekit, room, identity, request), proxy=None) as socket:
        joined = await told(socket, lambda answer: answer.HasField("join"))
        assert not joined.join.subscriber_primary
        assert "host" in [other.identity for other in joined.join.other_participants]
        carried: set[str] = set()
        audios = number = 0
        wanted, open_offer = True, False
        while carried != pictures or not audios:
            if wanted and not open_offer:
                number, wanted, open_offer = number + 1, False, True
                offer = wire.SessionDescription(type="offer", sdp=RECEIVING, id=number)
                await socket.send(wire.SignalRequest(offer=offer).SerializeToString())
            try:
                heard = await told(socket, lambda it: it.WhichOneof("message") in ("answer", REQUIREMENT), 1)
            except TimeoutError:
                wanted = True  # a server that has come to follow more while it answered says nothing more by itself
                continue
            if heard.HasField("answer"):
                assert heard.answer.id == number
                open_offer = False
                carried = set(heard.answer.mid_to_track_id.values())
                assert carried <= pictures
            else:
                # For more sections, or for no more than another offer: now more is known of what is followed.
                audios = max(audios, heard.media_sections_requirement.num_audios)
                assert audios <= 1
                wanted = True


RECEIVING = OFFER[: OFFER.index("m=")].replace("BUNDLE 0 1 2", "BUNDLE 0") + "\r\n".join(
    [
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:abcdefghijklmnopqrstuvwx",
        "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
        "a=setup:actpass",
        "a=recvonly",
        "a=rtcp-mux",
        "a=rtpmap:96 VP8/90000",
        "a=rtpmap:97 rtx/90000",
        "a=fmtp:97 apt=96",
        "a=rtpmap:102 H264/90000",
        "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        "",
    ]
)


@pytest.mark.media
async def test_an_sdk_comes_in_by_one_connection(livekit: LiveKit, room: str) -> None:
    """Tracks that come and go while one watches, through the same connection that also publishes."""
    made = Viewer()
    await made.room.connect(livekit.url, livekit.token(room, "both"))
    source = rtc.VideoSource(64, 64)
    mine = rtc.LocalVideoTrack.create_video_track("mine", source)
    await made.room.local_participant.publish_track(mine, rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA))
    for turn in range(2):
        async with publisher(livekit, room, f"host-{turn}", sound=True):
            track, who = await made.track()
            assert who == f"host-{turn}"
            assert await made.counters(track, 5)
            sound, _ = await made.track("audio")
            assert abs(await made.loudest(sound, 0.5) - 440) < 20
    await made.room.disconnect()


@pytest.mark.media
async def test_who_may_not_come_in_is_told_so_on_either_path(livekit: LiveKit, room: str) -> None:
    good = wrapped(wire.JoinRequest(connection_settings=SETTINGS, client_info=CLIENT))
    named = wrapped(wire.JoinRequest(connection_settings=SETTINGS, client_info=CLIENT, metadata="me"))
    token, forged = livekit.token(room, "x"), "x.y.z"
    table: list[tuple[str, dict[str, str], int]] = [
        ("/rtc/v1", {"access_token": token}, 400),
        ("/rtc/v1", {"access_token": token, "join_request": "!!"}, 400),
        ("/rtc/v1", {"access_token": forged, "join_request": good}, 401),
        ("/rtc/v1", {"access_token": token, "join_request": named}, 401),
        ("/rtc", {"access_token": forged}, 401),
    ]
    root = livekit.url.replace("ws", "http", 1)
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        for path, query, status in table:
            answer = await client.get(f"{root}{path}/validate", params=query)
            assert answer.status_code == status, (path, answer.text)
            with pytest.raises(InvalidStatus) as refused:
                async with connect(f"{livekit.url}{path}?{httpx.QueryParams(query)}", proxy=None):
                    pass
            assert refused.value.response.status_code == status
        for path, query in (("/rtc", {}), ("/rtc/v1", {"join_request": good})):
            answer = await client.get(f"{root}{path}/validate", params={"access_token": token, **query})
            assert (answer.status_code, answer.text) == (200, "success")


# -- data


@pytest.mark.media
async def test_texts_files_and_calls_go_from_one_to_another(livekit: LiveKit, room: str) -> None:
    ann, bob = rtc.Room(), rtc.Room()
    heard: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
    tasks: set[asyncio.Task[None]] = set()

    def take(reader: Any, who: str) -> None:
        async def read() -> None:
            if isinstance(reader, rtc.TextStreamReader):
                heard.put_nowait((who, await reader.read_all()))
            else:
                heard.put_nowait((who, b"".join([part async for part in reader])))

        tasks.add(asyncio.create_task(read()))

    bob.register_text_stream_handler("words", take)
    bob.register_byte_stream_handler("file", take)
    await bob.connect(livekit.url, livekit.token(room, "bob"))
    await ann.connect(livekit.url, livekit.token(room, "ann"))

    async def shout(call: rtc.RpcInvocationData) -> str:
        return f"{call.caller_identity}: {call.payload.upper()}"

    bob.local_participant.register_rpc_method("shout", shout)
    long = "ü" * 40_000
    async with asyncio.timeout(60):
        await ann.local_participant.send_text(long, topic="words")
        assert await heard.get() == ("ann", long)
        writer = await ann.local_participant.stream_bytes("x.bin", topic="file", destination_identities=["bob"])
        for _ in range(3):
            await writer.write(b"\x00\xff" * 20_000)
        await writer.aclose()
        assert await heard.get() == ("ann", b"\x00\xff" * 60_000)
        answer = await ann.local_participant.perform_rpc(destination_identity="bob", method="shout", payload="hey")
        assert answer == "ann: HEY"
        with pytest.raises(rtc.RpcError):
            await ann.local_participant.perform_rpc(destination_identity="bob", method="none", payload="")
    await ann.disconnect()
    await bob.disconnect()


@pytest.mark.media
async def test_data_tracks_are_refused_at_once(livekit: LiveKit, room: str) -> None:
    """livekit-server 1.9 has them switched off unless its configuration says otherwise."""
    wish = wire.PublishDataTrackRequest(pub_handle=1, name="numbers")
    url = f"{livekit.url}/rtc?access_token={livekit.token(room, 'x')}&protocol=16"
    async with connect(url, proxy=None) as socket:
        await socket.send(wire.SignalRequest(publish_data_track_request=wish).SerializeToString())
        refused = (await told(socket, lambda answer: answer.HasField("request_response"))).request_response
    assert refused.reason == wire.RequestResponse.Reason.NOT_ALLOWED
    assert refused.publish_data_track.name == "numbers"
