"""Session descriptions as LiveKit clients exchange them: read an offer, answer it, write our own (RFC 8866, 8829)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from spnb.sandbox.media.transport import MAX_MESSAGE_SIZE, LocalParameters, RemoteParameters

__all__ = ["Codec", "Description", "MalformedDescription", "Outgoing", "Section", "answer", "offer", "parse"]

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_NUMBER = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
EXTENSIONS = frozenset({MID, RID, REPAIRED_RID, AUDIO_LEVEL})
GIVEN_EXTENSIONS = frozenset({ABS_SEND_TIME, TRANSPORT_NUMBER})
STAMP_ID, NUMBER_ID = 2, 3
"""Under which `abs-send-time` and transport-wide numbers are offered to subscribers."""
FEEDBACK = ("nack", "nack pli", "ccm fir", "goog-remb")
NUMBERED = "transport-cc"
"""Feedback by transport-wide numbers: what we are told as a sender; as a receiver we do not give it."""
BASELINE_PROFILES = ("42e0", "4200", "42c0")
START_KBPS = 4000
STEREO_BITS = 510_000
PAYLOAD_TYPES = {"h264": 102, "vp8": 96, "vp9": 98, "av1": 45, "opus": 111}
RTX_PAYLOAD_TYPES = {"h264": 103, "vp8": 97, "vp9": 99, "av1": 46}
RED_PAYLOAD_TYPE = 63
"""How we offer tracks to subscribers."""
RTPMAPS = {"h264": "H264/90000", "vp8": "VP8/90000", "vp9": "VP9/90000", "av1": "AV1/90000", "opus": "opus/48000/2"}
FORMATS = {
    "h264": "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    "vp8": "",
    "vp9": "profile-id=0",
    "av1": "level-idx=5;profile=0;tier=0",
    "opus": "minptime=10;useinbandfec=1",
}
DIRECTIONS = {
    (True, True): "sendrecv",
    (True, False): "recvonly",
    (False, True): "sendonly",
    (False, False): "inactive",
}
"""Of a section of our answer, by whether we take what the client sends, and whether we send."""
CodecName = Literal["h264", "vp8", "vp9", "av1", "opus"]


class MalformedDescription(ValueError):
    """A session description that cannot be read."""


@dataclass(frozen=True, slots=True)
class Codec:
    """One codec of a media section."""

    name: CodecName
    payload_type: int
    rtpmap: str
    fmtp: str = ""
    feedback: tuple[str, ...] = ()

    @property
    def clock_rate(self) -> int:
        """Ticks per second."""
        return int(self.rtpmap.split("/")[1])


@dataclass(slots=True)
class Section:
    """One `m=` section of a description from a client."""

    kind: str
    mid: str = ""
    direction: str = "sendrecv"
    protocol: str = ""
    formats: tuple[str, ...] = ()
    codecs: list[Codec] = field(default_factory=list)
    extensions: dict[str, int] = field(default_factory=dict)
    ssrcs: list[int] = field(default_factory=list)
    rtx: dict[int, int] = field(default_factory=dict)
    """Payload types of retransmissions by the payload type they repeat (RFC 4588)."""
    red: dict[int, int] = field(default_factory=dict)
    """Payload types of redundant sound (RFC 2198) by the payload type it carries."""
    rids: list[str] = field(default_factory=list)
    stream_id: str = ""
    track_id: str = ""
    wanted: str = ""
    """The codec its publisher insists on."""
    stereo: bool = False
    dtx: bool = False
    """Whether its publisher sends two channels, and whether it may send nothing while there is silence."""
    redundant: bool = False
    """Whether its publisher may send sound redundantly."""

    @property
    def sends(self) -> bool:
        """Whether the client sends media in this section."""
        return self.direction in ("sendrecv", "sendonly")

    @property
    def receives(self) -> bool:
        """Whether the client takes media in this section."""
        return self.direction in ("sendrecv", "recvonly")


@dataclass(slots=True)
class Description:
    """A description from a client: its sections and the one bundled transport."""

    sections: list[Section]
    remote: RemoteParameters


def parse(text: str) -> Description:
    """Read a client's offer or answer.

    Raises:
        MalformedDescription: parts that a bundled WebRTC description must have are missing, or a number is none.
    """
    try:
        return _parse(text)
    except MalformedDescription:
        raise
    except (ValueError, IndexError) as error:
        raise MalformedDescription(str(error)[:80]) from error


def _parse(text: str) -> Description:
    sections: list[Section] = []
    shared: dict[str, list[str]] = {"ice-ufrag": [], "ice-pwd": [], "fingerprint": [], "setup": [], "candidate": []}
    raw: list[dict[str, list[str]]] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if line.startswith("m="):
            parts = line[2:].split(" ")
            if len(parts) < 4:
                raise MalformedDescription(f"the media line {line[:40]!r} is short")
            sections.append(Section(kind=parts[0], protocol=parts[2], formats=tuple(parts[3:])))
            raw.append({})
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            if name in shared:
                shared[name].append(value)
            elif sections:
                raw[-1].setdefault(name, []).append(value)
    for section, attributes in zip(sections, raw, strict=True):
        _fill(section, attributes)
    if not shared["ice-ufrag"] or not shared["ice-pwd"] or not shared["fingerprint"]:
        raise MalformedDescription("the description names no ICE credentials or no DTLS fingerprint")
    fingerprints = tuple(dict.fromkeys(tuple(value.split(" ", 1)) for value in shared["fingerprint"]))
    if any(len(pair) != 2 for pair in fingerprints):
        raise MalformedDescription("a DTLS fingerprint is short")
    remote = RemoteParameters(
        ufrag=shared["ice-ufrag"][0],
        password=shared["ice-pwd"][0],
        fingerprints=tuple((pair[0], pair[1]) for pair in fingerprints),
        setup=shared["setup"][0] if shared["setup"] else "actpass",
        candidates=tuple(dict.fromkeys(shared["candidate"])),
    )
    return Description(sections, remote)


def _fill(section: Section, attributes: dict[str, list[str]]) -> None:
    section.mid = attributes.get("mid", [""])[0]
    for direction in ("sendrecv", "sendonly", "recvonly", "inactive"):
        if direction in attributes:
            section.direction = direction
    for value in attributes.get("extmap", []):
        identity, _, uri = value.partition(" ")
        section.extensions[uri.split(" ")[0]] = int(identity.split("/")[0])
    section.ssrcs = list(dict.fromkeys(int(value.split(" ")[0]) for value in attributes.get("ssrc", [])))
    for value in attributes.get("ssrc-group", []):
        # In a FID group the second is for retransmissions, which we do not negotiate.
        semantics, *members = value.split(" ")
        if semantics == "FID":
            section.ssrcs = [ssrc for ssrc in section.ssrcs if str(ssrc) not in members[1:]]
    section.rids = [value.split(" ")[0] for value in attributes.get("rid", []) if " send" in f" {value}"]
    if msid := attributes.get("msid"):
        section.stream_id, _, section.track_id = msid[0].partition(" ")
    fmtp = {int(value.split(" ")[0]): value.partition(" ")[2] for value in attributes.get("fmtp", [])}
    feedback: dict[str, list[str]] = {}
    for value in attributes.get("rtcp-fb", []):
        payload_type, _, what = value.partition(" ")
        feedback.setdefault(payload_type, []).append(what)
    for value in attributes.get("rtpmap", []):
        number, _, rtpmap = value.partition(" ")
        apt = fmtp.get(int(number), "").partition("apt=")[2].partition(";")[0]
        if rtpmap.lower().startswith("rtx/") and apt.isdecimal():
            section.rtx[int(apt)] = int(number)
        carried = fmtp.get(int(number), "").partition("/")[0]
        if rtpmap.lower() == "red/48000/2" and carried.isdecimal():
            section.red[int(carried)] = int(number)
        if not rtpmap.partition("/")[2].split("/")[0].isdecimal():
            continue
        codec = _codec(int(number), rtpmap, fmtp.get(int(number), ""))
        if codec is not None:
            told = [*feedback.get(number, []), *feedback.get("*", [])]
            accepted = tuple(what for what in (*FEEDBACK, NUMBERED) if what in told)
            section.codecs.append(Codec(codec.name, codec.payload_type, codec.rtpmap, codec.fmtp, accepted))


def _codec(payload_type: int, rtpmap: str, fmtp: str) -> Codec | None:
    name = rtpmap.split("/")[0].lower()
    if name == "opus":
        return Codec("opus", payload_type, rtpmap, fmtp)
    if name == "vp8":
        return Codec("vp8", payload_type, rtpmap, fmtp)
    if name == "vp9" and ("profile-id" not in fmtp or "profile-id=0" in fmtp):
        return Codec("vp9", payload_type, rtpmap, fmtp)
    if name == "av1" and ("profile=" not in fmtp or "profile=0" in fmtp):
        return Codec("av1", payload_type, rtpmap, fmtp)
    if name == "h264" and "packetization-mode=1" in fmtp:
        parameters = dict(part.strip().partition("=")[::2] for part in fmtp.split(";"))
        profile = parameters.get("profile-level-id", "")
        if profile.lower().startswith(BASELINE_PROFILES) or not profile:
            return Codec("h264", payload_type, rtpmap, fmtp)
    return None


def chosen(section: Section) -> list[Codec]:
    """The codecs we take, best first: what the publisher insists on, H.264 baseline (recorded as it is), VP8.

    VP9 and AV1, which are forwarded but not recorded, come last; for sound it is Opus.
    """
    rank = {"h264": 1, "vp8": 2, "vp9": 3, "av1": 4, "opus": 1, section.wanted: 0}
    # 42e0 before 4200: constrained baseline is what every decoder takes.
    return sorted(section.codecs, key=lambda codec: (rank[codec.name], "42e0" not in codec.fmtp.lower()))


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One section of our offer: a track forwarded to the client, or a slot that is empty now."""

    mid: str
    kind: Literal["audio", "video"]
    codec: CodecName
    payload_type: int
    stream_id: str = ""
    track_id: str = ""
    ssrc: int = 0
    rtx_payload_type: int = 0
    rtx_ssrc: int = 0
    red_payload_type: int = 0
    stereo: bool = False
    active: bool = True


def answer(offered: Description, local: LocalParameters, outgoing: Mapping[str, Outgoing] | None = None) -> str:
    """Answer a client's offer: take what it sends, with simulcast where offered.

    Args:
        offered: what the client offers.
        local: our side of the transport.
        outgoing: what sections carry to the client, by their mids; nothing where another connection does that.
    """
    lines = _session([section.mid for section in offered.sections])
    for section in offered.sections:
        if section.kind == "application":
            lines += _application(section.mid, local, "active")
            continue
        codecs = chosen(section)
        takes = section.sends and bool(codecs)
        given = (outgoing or {}).get(section.mid)
        numbers = [given.payload_type] if given else []
        if given and not takes:
            codecs = [codec for codec in codecs if codec.payload_type == given.payload_type]
        numbers += [codec.payload_type for codec in codecs if codec.payload_type not in numbers]
        if given and given.rtx_payload_type:
            numbers.append(given.rtx_payload_type)
        red = given.red_payload_type if given else section.red.get(numbers[0], 0) if takes and section.redundant else 0
        if red:
            numbers.insert(0, red)
        formats = " ".join(map(str, numbers)) if numbers else " ".join(section.formats)
        lines.append(f"m={section.kind} {9 if codecs else 0} {section.protocol} {formats}")
        lines += _transport(section.mid, local, "active")
        lines.append(f"a={DIRECTIONS[takes, given is not None]}")
        lines.append("a=rtcp-mux")
        # An empty section keeps what either way may need: clients never offer again what an answer left out.
        extensions = EXTENSIONS if takes else GIVEN_EXTENSIONS if given else EXTENSIONS | GIVEN_EXTENSIONS
        for uri, identity in section.extensions.items():
            if uri in extensions:
                lines.append(f"a=extmap:{identity} {uri}")
        for codec in codecs:
            lines += _answered_codec(section, codec, takes=takes, given=given, redundant=red > 0)
        if red:
            lines += _redundant(red, numbers[1])
        if given:
            lines += _given(given)
        if takes and section.rids:
            lines += [f"a=rid:{rid} recv" for rid in section.rids]
            lines.append(f"a=simulcast:recv {';'.join(section.rids)}")
    return "\r\n".join(lines) + "\r\n"


def _redundant(red: int, payload_type: int) -> list[str]:
    return [f"a=rtpmap:{red} red/48000/2", f"a=fmtp:{red} {payload_type}/{payload_type}"]


def _answered_codec(
    section: Section, codec: Codec, *, takes: bool, given: Outgoing | None, redundant: bool
) -> list[str]:
    fmtp = codec.fmtp
    if takes and section.kind == "video":
        # Without it browsers begin at 300 kb/s and climb for seconds; ignored where unknown.
        fmtp = ";".join(filter(None, [fmtp, f"x-google-start-bitrate={START_KBPS}"]))
    elif takes:
        # As livekit-server answers: the publisher sends stereo where the answer says so, whatever it offered to take.
        fmtp = ";".join(part for part in fmtp.split(";") if "stereo=" not in part)
        wide = f"stereo=1;maxaveragebitrate={STEREO_BITS}" if section.stereo else ""
        fmtp = ";".join(filter(None, [fmtp, wide, "usedtx=1" if section.dtx else ""]))
    if given and given.stereo:
        fmtp = ";".join(filter(None, [fmtp, "sprop-stereo=1"]))
    lines = [f"a=rtpmap:{codec.payload_type} {codec.rtpmap}"]
    if fmtp:
        lines.append(f"a=fmtp:{codec.payload_type} {fmtp}")
    told = FEEDBACK if takes else (*FEEDBACK, NUMBERED)
    # What is sent redundantly is not asked for again.
    return lines + [
        f"a=rtcp-fb:{codec.payload_type} {what}" for what in codec.feedback if what in told and not redundant
    ]


def _given(section: Outgoing) -> list[str]:
    """What a section carries to the client: retransmissions, stream and track, and their sources."""
    lines: list[str] = []
    if rtx := section.rtx_payload_type:
        lines += [f"a=rtpmap:{rtx} rtx/90000", f"a=fmtp:{rtx} apt={section.payload_type}"]
    if section.active:
        lines.append(f"a=msid:{section.stream_id} {section.track_id}")
        if rtx:
            lines.append(f"a=ssrc-group:FID {section.ssrc} {section.rtx_ssrc}")
        for ssrc in filter(None, (section.ssrc, section.rtx_ssrc)):
            lines.append(f"a=ssrc:{ssrc} cname:{section.stream_id}")
            lines.append(f"a=ssrc:{ssrc} msid:{section.stream_id} {section.track_id}")
    return lines


def offer(outgoing: Sequence[Outgoing], local: LocalParameters, *, version: int) -> str:
    """Our offer to a subscriber: data channels first, then the forwarded tracks."""
    lines = _session(["0", *(section.mid for section in outgoing)], version=version)
    lines += _application("0", local, "actpass")
    for section in outgoing:
        number, rtx = section.payload_type, section.rtx_payload_type
        numbers = " ".join(str(each) for each in (section.red_payload_type, number, rtx) if each)
        lines.append(f"m={section.kind} 9 UDP/TLS/RTP/SAVPF {numbers}")
        lines += _transport(section.mid, local, "actpass")
        lines.append("a=sendonly" if section.active else "a=inactive")
        lines.append("a=rtcp-mux")
        lines.append(f"a=rtpmap:{number} {RTPMAPS[section.codec]}")
        if fmtp := FORMATS[section.codec]:
            lines.append(f"a=fmtp:{number} {fmtp}{';sprop-stereo=1' if section.stereo else ''}")
        if section.red_payload_type:
            lines += _redundant(section.red_payload_type, number)
        elif section.kind == "audio":
            lines.append(f"a=rtcp-fb:{number} nack")
        else:
            lines.append(f"a=extmap:{STAMP_ID} {ABS_SEND_TIME}")
            lines.append(f"a=extmap:{NUMBER_ID} {TRANSPORT_NUMBER}")
            lines += [f"a=rtcp-fb:{number} {what}" for what in (*FEEDBACK, NUMBERED)]
        lines += _given(section)
    return "\r\n".join(lines) + "\r\n"


def _session(mids: Sequence[str], *, version: int = 1) -> list[str]:
    return [
        "v=0",
        f"o=- 4611731400430051336 {version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {' '.join(mids)}",
        "a=msid-semantic: WMS *",
    ]


def _transport(mid: str, local: LocalParameters, setup: str) -> list[str]:
    return [
        "c=IN IP4 127.0.0.1",
        f"a=mid:{mid}",
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.password}",
        f"a=fingerprint:{local.fingerprint}",
        f"a=setup:{setup}",
        *(f"a=candidate:{candidate}" for candidate in local.candidates),
        "a=end-of-candidates",
    ]


def _application(mid: str, local: LocalParameters, setup: str) -> list[str]:
    return [
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        *_transport(mid, local, setup),
        "a=sctp-port:5000",
        f"a=max-message-size:{MAX_MESSAGE_SIZE}",
    ]
