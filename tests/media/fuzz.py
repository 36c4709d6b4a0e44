"""Coverage-guided runs of everything that reads what a network brings: `python -m tests.media.fuzz TARGET [SECONDS]`.

It needs `pip install atheris` (Linux and macOS), which is no dependency. What it finds goes to `tests/media/crashes/`,
named after its target; `test_malformed.py` reads every file there again, and runs each target on seeded inputs.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import importlib
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from google.protobuf.message import DecodeError
from livekit.protocol import models
from livekit.protocol import rtc as signal

from spnb.sandbox.media import red, rtp, sdp
from spnb.sandbox.media.assembler import Assembler
from spnb.sandbox.media.codec import depayload, starts_keyframe
from spnb.sandbox.media.downlink import Downlink
from spnb.sandbox.media.forward import Forward
from spnb.sandbox.media.join import MalformedJoin, read_wish
from spnb.sandbox.media.layer import Layer
from spnb.sandbox.media.track import PublishedTrack
from spnb.sandbox.media.transport import LocalParameters

CRASHES = Path(__file__).parent / "crashes"
LOCAL = LocalParameters("ufrag", "password", "sha-256 AA:BB", ("x 1 udp 1 127.0.0.1 5000 typ host",))
CODECS: tuple[sdp.CodecName, ...] = ("h264", "vp8", "vp9", "av1", "opus")


def stun(data: bytes) -> None:
    """A datagram at the ICE socket, through the very protocol object that gets it."""
    from aioice.ice import Connection

    from spnb.sandbox.media.transport import IceSocket

    IceSocket(Connection(ice_controlling=False)).datagram_received(data, ("127.0.0.1", 9))


def rtp_packets(data: bytes) -> None:
    """A publisher's packets of any codec, on to a subscriber and a tap; each is led by its length."""
    if not data:
        return
    codec = CODECS[data[0] % len(CODECS)]
    section = sdp.Section("audio" if codec == "opus" else "video", mid="1")
    track = PublishedTrack(
        models.TrackInfo(sid="TR_1"),
        section,
        sdp.Codec(codec, 96, "x/90000"),
        identity="host",
        send_rtcp=_ignored,
        request_from_any_thread=_ignored,
    )
    forward = Forward(
        track, mid="1", payload_type=96, ssrc=5, rtx_payload_type=97, rtx_ssrc=6, send_rtp=_ignored, send_rtcp=_ignored
    )
    track.forwards.add(forward)
    assembler = Assembler(codec, deliver=_ignored, need_keyframe=lambda: None)
    lone = Layer(1, "", 90_000, wants_resend=True)
    for at, packet in enumerate(_parts(data[1:])):
        header = rtp.read_header(packet)
        if header is None:
            continue
        receive = track.receive_redundant if codec == "opus" and header.marker else track.receive
        receive(track.layer(header.ssrc % 3, "qhf"[header.ssrc % 3]), packet, header, 1)
        lone.receive(packet, header)
        assembler.add(lone, packet, header)
        if at == 1:
            forward.started = True
            forward.want(paused=False, most=3, fps=1 + header.sequence % 30)
        forward.tick()
        forward.resend((header.sequence,), 1000)


def rtcp(data: bytes) -> None:
    """Feedback of a subscriber to its line, and a publisher's reports."""
    section = sdp.Section("video", mid="1")
    track = PublishedTrack(
        models.TrackInfo(sid="TR_1"),
        section,
        sdp.Codec("h264", 96, "x/90000"),
        identity="host",
        send_rtcp=_ignored,
        request_from_any_thread=_ignored,
    )
    forward = Forward(track, mid="1", payload_type=96, ssrc=1, send_rtp=_ignored, send_rtcp=_ignored)
    line = Downlink({1: forward})
    for packet in _parts(data):
        feedback = rtp.read_feedback(packet)
        line.hear(feedback)
        for report in feedback.reports:
            track.sender_report(report)


def session_description(data: bytes) -> None:
    """An offer, answered; an answer, read."""
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(sdp.MalformedDescription):
        offered = sdp.parse(text)
        sdp.answer(offered, LOCAL)
        given = {section.mid: sdp.chosen(section)[:1] for section in offered.sections if section.receives}
        outgoing = {
            mid: sdp.Outgoing(mid, "video", codec.name, codec.payload_type, "s", "t", 5, rtx_payload_type=9, rtx_ssrc=6)
            for mid, codecs in given.items()
            for codec in codecs
        }
        sdp.answer(offered, LOCAL, outgoing)


def join_request(data: bytes) -> None:
    """What `/rtc/v1` is asked with."""
    for text in (data.decode("latin-1"), base64.urlsafe_b64encode(data).decode()):
        with contextlib.suppress(MalformedJoin):
            read_wish({"join_request": text}, single=True)


def signalling(data: bytes) -> None:
    """A protobuf message on the signalling socket."""
    with contextlib.suppress(DecodeError):
        request = signal.SignalRequest.FromString(data)
        if request.HasField("offer"):
            session_description(request.offer.sdp.encode())


def data_channel(data: bytes) -> None:
    """A message on a data channel."""
    with contextlib.suppress(DecodeError):
        models.DataPacket.FromString(data).SerializeToString()


def payloads(data: bytes) -> None:
    """A payload of every codec."""
    for codec in CODECS:
        starts_keyframe(codec, data)
        depayload(codec, data)
    for block in red.split(data):
        red.fill(111, [block], data)


def _parts(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at + 1 < len(data):
        size = struct.unpack_from("!H", data, at)[0] % 1500
        found.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return found


def _ignored(*_: object) -> None:
    return None


TARGETS: dict[str, Callable[[bytes], None]] = {
    "stun": stun,
    "rtp": rtp_packets,
    "rtcp": rtcp,
    "sdp": session_description,
    "signalling": signalling,
    "join": join_request,
    "data": data_channel,
    "payloads": payloads,
}


def seeds() -> dict[str, list[bytes]]:
    """What a run begins with: well-formed input."""
    from tests.media.test_units import OFFER

    media = [
        rtp.packet(rest, payload_type=96, marker=True, sequence=at, timestamp=at, ssrc=at % 3, extended=extended)
        for at, (rest, extended) in enumerate(
            [(b"\x67data", False), (rtp.stamped(2, 1.5, b"\x7c\x85data"), True), (b"\x90\x80\x81\x23\x00data", False)]
        )
    ]
    feedback = [
        rtp.nack(1, 1, [3, 5, 9]),
        rtp.remb(1, 600_000, [1]) + rtp.pli(1, 1),
        rtp.receiver_report(1, 1, fraction=9, lost=3, highest=70_000, jitter=5, last=1, delay=1),
        struct.pack("!BBHIIHHIHHH", 0x8F, 205, 5, 1, 1, 7, 3, 5 << 8, 0x2003, 0x0405, 0x0600),
    ]
    joining = signal.JoinRequest(publisher_offer=signal.SessionDescription(sdp=OFFER), metadata="m")
    return {
        "sdp": [OFFER.encode()],
        "rtp": [bytes([codec]) + _joined(media) for codec in range(len(CODECS))],
        "rtcp": [_joined(feedback)],
        "signalling": [signal.SignalRequest(offer=signal.SessionDescription(sdp=OFFER)).SerializeToString()],
        "join": [signal.WrappedJoinRequest(join_request=joining.SerializeToString()).SerializeToString()],
        "data": [models.DataPacket(user=models.UserPacket(payload=b"x", topic="t")).SerializeToString()],
        "payloads": [
            red.fill(111, [red.Block(960, b"before")], b"now"),
            b"\x18\x00\x04\x67spsx",
            b"\x9a\x80\x81\x00data",
            b"\x18data",
        ],
        "stun": [struct.pack("!HHI12sHH4s", 1, 8, 0x2112A442, b"t" * 12, 6, 3, b"abc")],
    }


def _joined(parts: list[bytes]) -> bytes:
    return b"".join(struct.pack("!H", len(part)) + part for part in parts)


def main() -> None:
    import atheris

    name, seconds = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "600"
    CRASHES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds()[name]):
            Path(corpus, str(number)).write_bytes(seed)
        for module in [module for module in sys.modules if module.startswith("spnb.sandbox.media")]:
            del sys.modules[module]
        with atheris.instrument_imports(include=["spnb.sandbox.media", "aioice"]):
            targets = importlib.import_module("tests.media.fuzz").TARGETS
        options = [f"-max_total_time={seconds}", f"-artifact_prefix={CRASHES}/{name}-", "-max_len=4096", corpus]
        runner = asyncio.Runner()

        async def once(data: bytes) -> None:
            targets[name](data)

        atheris.Setup([sys.argv[0], *options], lambda data: runner.run(once(data)))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
