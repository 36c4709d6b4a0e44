"""ICE, DTLS, SRTP and data channels of one peer connection, from aiortc's parts.

aiortc's `RTCPeerConnection` decodes and encodes media and negotiates for itself. A forwarding server needs neither: it
wants the decrypted RTP packets of one side and to send packets on the other. So this module takes aiortc's transports
alone, and it is the only one that touches their private names; `tests/media/test_units.py` fails when one is gone.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pylibsrtp
from aioice.candidate import Candidate, candidate_priority
from aioice.ice import StunProtocol
from aiortc import RTCCertificate, RTCDataChannel, RTCDtlsTransport
from aiortc.rtcdatachannel import RTCDataChannelParameters
from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters
from aiortc.rtcicetransport import RTCIceGatherer, RTCIceParameters, RTCIceTransport
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport
from aiortc.rtp import is_rtcp
from pylibsrtp._binding import ffi, lib

from spnb.sandbox.media.burst import Burst, can_send_together, goes_on, runs, send_together

__all__ = ["IceSocket", "LocalParameters", "MediaTransport", "RemoteParameters"]

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
MAX_MESSAGE_SIZE = 65536
MOST_EARLY = 64
"""Messages kept for channels that are not open yet."""
MTU, LONGEST = 2048, 1800
"""Bytes: longer than any datagram of media, and the longest packet that fits when it is encrypted."""


@dataclass(frozen=True, slots=True)
class LocalParameters:
    """What the other side must know of us: ICE credentials, candidates (SDP values), DTLS fingerprint."""

    ufrag: str
    password: str
    fingerprint: str
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoteParameters:
    """The other side's ICE credentials, DTLS fingerprints `(algorithm, value)` and set-up role."""

    ufrag: str
    password: str
    fingerprints: tuple[tuple[str, str], ...]
    setup: str
    candidates: tuple[str, ...] = field(default=())


class _Encryption:
    """SRTP by libsrtp in a buffer of our own: around it, `pylibsrtp.Session.protect` takes as long again."""

    def __init__(self, session: Any) -> None:
        self._session = session  # keeps the handle alive
        self._handle = session._srtp[0]
        self._bytes = ffi.new("char[]", MTU)
        self._buffer = ffi.buffer(self._bytes)
        self._length = ffi.new("int *")
        self._protect = lib.srtp_protect

    def protect(self, packet: bytes) -> bytes | None:
        """An RTP packet encrypted; None where that cannot be: it is too long, or too old to be sent again."""
        length = len(packet)
        if length > LONGEST:
            return None
        self._buffer[0:length] = packet
        self._length[0] = length
        if self._protect(self._handle, self._bytes, self._length):
            return None
        made: bytes = self._buffer[0 : self._length[0]]
        return made


class IceSocket(StunProtocol):
    """The UDP socket of a connection. Anybody can send there: what cannot be STUN, DTLS or (S)RTP goes no further."""

    def __init__(self, connection: Any, udp: socket.socket | None = None, heard: asyncio.Event | None = None) -> None:
        super().__init__(connection)
        self.udp = udp
        self._heard = heard
        self.heard_at = time.monotonic()
        self.on_media: Callable[[bytes], None] | None = None
        """Takes (S)RTP and (S)RTCP at once: through aioice's and aiortc's queues each would cost some 50 µs more."""
        self.burst: Burst | None = None
        """Where the rest of a picture is read at once, so that its packets are sent on together."""

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        if not isinstance(data, bytes) or not _plausible(data):
            return
        burst, udp = self.burst, self.udp
        if burst is None or udp is None or burst.open or data[0] < 128 or not goes_on(data):
            self._take(data, addr)
            return
        burst.open = True
        try:
            self._take(data, addr)
            while goes_on(data) and not burst.full:
                try:
                    data, addr = udp.recvfrom(MTU)
                except OSError:  # no more has come
                    return
                if not _plausible(data):
                    return
                self._take(data, addr)
        finally:
            burst.close()

    def _take(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self.heard_at = time.monotonic()
        if data[0] >= 128 and self.on_media is not None:
            self.on_media(data)
            return
        try:
            super().datagram_received(data, addr)
        except Exception:  # noqa: BLE001 - aioice lets some attributes of a malformed message raise anything
            log.debug("a malformed STUN message from %s", addr)
            return
        if self._heard is not None:
            self._heard.set()


def _plausible(data: bytes) -> bool:
    """Whether a datagram is long enough for what its first byte says it is (RFC 7983)."""
    if not data:
        return False
    first = data[0]
    if first < 4:
        return len(data) >= 20
    return (20 <= first < 64 and len(data) >= 13) or (128 <= first < 192 and len(data) >= 12)


def _is_ipv4(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 4
    except ValueError:
        return False


class _Sctp(RTCSctpTransport):
    """Data channels that survive a malformed packet of their client."""

    async def _handle_data(self, data: bytes) -> None:
        try:
            await super()._handle_data(data)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception:  # whatever the parser trips over, the connection goes on
            log.debug("a malformed SCTP packet", exc_info=True)


class _Gatherer(RTCIceGatherer):
    """Gathers one loopback candidate only: the sandbox is for this machine alone."""

    def __init__(self, on_media: Callable[[bytes], None], burst: Burst | None) -> None:
        super().__init__(iceServers=[])
        self._on_media = on_media
        self._burst = burst
        self.protocol: IceSocket | None = None
        self.reachable = asyncio.Event()
        """Set once a remote candidate is known or the other side has knocked: before that, aioice gives up at once."""

    async def gather(self) -> None:
        connection = self._connection
        protocols = connection._protocols
        loop = asyncio.get_running_loop()
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.setblocking(False)
            udp.bind((LOOPBACK, 0))
            _, protocol = await loop.create_datagram_endpoint(
                lambda: IceSocket(connection, udp, self.reachable), sock=udp
            )
        except BaseException:
            udp.close()
            raise
        port = udp.getsockname()[1]
        candidate = Candidate(
            foundation="loopback",
            component=1,
            transport="udp",
            priority=candidate_priority(1, "host"),
            host=LOOPBACK,
            port=port,
            type="host",
        )
        protocol.local_candidate = candidate
        protocol.on_media = self._on_media
        if self._burst is not None and can_send_together(udp):
            protocol.burst = self._burst
        self.protocol = protocol
        protocols.append(protocol)
        connection._local_candidates.append(candidate)
        connection._local_candidates_start = True
        connection._local_candidates_end = True


class MediaTransport:
    """One bundled WebRTC transport.

    Args:
        certificate: our DTLS identity; one serves all transports of a server.
        on_rtp, on_rtcp: called with each decrypted packet, on the event loop.
        on_data: called with `(label, message)` of every data-channel message.
        on_state: called with `connected` once and `closed` once.
        burst: gathers what the room's connections are sent for one picture; None sends each packet by itself.
        checks: whether it checks its line all the time (RFC 7675). A server that hears the checks of its clients need
            not: for hundreds of them that would cost a tenth of what all else does.
    """

    def __init__(
        self,
        certificate: RTCCertificate,
        *,
        burst: Burst | None = None,
        checks: bool = True,
        on_rtp: Callable[[bytes], None],
        on_rtcp: Callable[[bytes], object],
        on_data: Callable[[str, bytes], None],
        on_state: Callable[[str], None],
    ) -> None:
        self.on_rtp = on_rtp
        self.on_rtcp = on_rtcp
        self._on_data = on_data
        self._on_state = on_state
        self._burst = burst
        self._checks = checks
        self._waiting: list[bytes] = []
        self._encryption: _Encryption | None = None
        self._gatherer = _Gatherer(self._media, burst)
        self._ice = RTCIceTransport(self._gatherer)
        self._dtls = RTCDtlsTransport(self._ice, [certificate])
        self._sctp = _Sctp(self._dtls)
        self._channels: dict[str, RTCDataChannel] = {}
        self._early: deque[tuple[str, bytes]] = deque(maxlen=MOST_EARLY)
        self._task: asyncio.Task[None] | None = None
        self._gathered: asyncio.Task[None] | None = None
        self._told: set[str] = set()
        self._dtls.on("statechange", self._dtls_changed)
        self._ice.on("statechange", self._ice_changed)
        self._sctp.on("datachannel", self._adopt)
        # Looked up for every packet: the pair of addresses ICE has settled on, and its socket.
        self._nominated: dict[int, Any] = self._ice._connection._nominated
        self._pair: Any = None
        self._route: tuple[Any, tuple[str, int]] | None = None
        self._udp: socket.socket | None = None
        """That socket, while it takes several datagrams at once."""
        self._made_at = time.monotonic()

    @property
    def heard_at(self) -> float:
        """When the last datagram came, media or checks, on the monotonic clock; when it was made, before the first."""
        protocol = self._gatherer.protocol
        return protocol.heard_at if protocol is not None else self._made_at

    @property
    def connected(self) -> bool:
        """Whether packets can be sent."""
        return bool(self._dtls.state == "connected")

    async def local(self) -> LocalParameters:
        """Our side, with gathered candidates."""
        if self._gathered is None:
            self._gathered = asyncio.create_task(self._gatherer.gather())
        await asyncio.shield(self._gathered)
        ice = self._gatherer.getLocalParameters()
        fingerprint = next(f for f in self._dtls.getLocalParameters().fingerprints if f.algorithm == "sha-256")
        return LocalParameters(
            ufrag=ice.usernameFragment or "",
            password=ice.password or "",
            fingerprint=f"sha-256 {fingerprint.value}",
            candidates=tuple(candidate.to_sdp() for candidate in self._gatherer._connection.local_candidates),
        )

    def start(self, remote: RemoteParameters, *, controlling: bool) -> None:
        """Begin ICE and DTLS towards the other side; a later call takes over changed ICE credentials (a restart)."""
        connection = self._ice._connection
        if self._task is not None:
            connection.remote_username = remote.ufrag
            connection.remote_password = remote.password
            return
        connection.ice_controlling = controlling
        # "active" is the DTLS client; an offerer's "actpass" leaves it to us, and we take "active" in our answer.
        self._dtls._set_role("server" if remote.setup == "active" else "client")
        self._task = asyncio.create_task(self._connect(remote), name="media-transport")

    async def _connect(self, remote: RemoteParameters) -> None:
        for line in remote.candidates:
            await self.add_candidate(line)
        await self._gatherer.reachable.wait()
        await self._ice.start(RTCIceParameters(usernameFragment=remote.ufrag, password=remote.password))
        if self._ice.state != "completed":
            self._tell("closed")
            return
        task = self._ice._connection._query_consent_task
        if task is not None and not self._checks:
            task.cancel()
        fingerprints = [RTCDtlsFingerprint(algorithm=name, value=value) for name, value in remote.fingerprints]
        await self._dtls.start(RTCDtlsParameters(fingerprints=fingerprints))
        if self._dtls.state == "connected":
            await self._sctp.start(RTCSctpCapabilities(maxMessageSize=MAX_MESSAGE_SIZE), 5000)

    async def add_candidate(self, line: str) -> None:
        """Add a remote candidate (the value of an SDP `candidate` attribute)."""
        text = line.removeprefix("candidate:")
        try:
            candidate = Candidate.from_sdp(text)
        except ValueError:
            return
        # mDNS names (`….local`), TCP and IPv6 cannot lead to our IPv4 loopback socket; the peer is then found by its
        # own checks (peer-reflexive), so nothing is lost by leaving them out.
        if candidate.transport.lower() != "udp" or not _is_ipv4(candidate.host) or not 0 < candidate.port < 65536:
            return
        candidate.component = 1
        await self._ice._connection.add_remote_candidate(candidate)
        self._gatherer.reachable.set()

    def open_channel(self, label: str, *, reliable: bool) -> None:
        """Create a data channel of ours."""
        parameters = RTCDataChannelParameters(label=label, ordered=True, maxRetransmits=None if reliable else 0)
        self._adopt(RTCDataChannel(self._sctp, parameters))

    def _adopt(self, channel: RTCDataChannel) -> None:
        self._channels[channel.label] = channel

        def received(message: str | bytes) -> None:
            self._on_data(channel.label, message.encode() if isinstance(message, str) else message)

        channel.on("message", received)
        channel.on("open", self._opened)
        if channel.readyState == "open":
            self._opened()

    def _opened(self) -> None:
        """A channel takes messages from now on: send those that were too early, in their order."""
        early = list(self._early)
        self._early.clear()
        for label, message in early:
            self.send_data(label, message)

    def send_data(self, label: str, message: bytes) -> None:
        """Send on a data channel. A client is in the room a moment before its channels are open: what shall surely
        come waits for that; on one that has been closed nothing is sent."""
        channel = self._channels.get(label)
        if channel is None or (channel.readyState == "connecting" and channel.maxRetransmits is None):
            self._early.append((label, message))
        elif channel.readyState == "open":
            channel.send(message)

    def send_rtp(self, packet: bytes) -> None:
        """Encrypt and send one RTP packet, in a burst together with what follows; nothing while it is not up."""
        burst = self._burst
        if burst is not None and burst.open:
            if not self._waiting:
                burst.join(self)
            burst.count()
            self._waiting.append(packet)
        elif (encryption := self._encryption or self._encrypting()) and (datagram := encryption.protect(packet)):
            self._send(datagram)

    def flush(self) -> None:
        """Send the packets of a burst."""
        waiting, self._waiting = self._waiting, []
        encryption = self._encryption or self._encrypting()
        if encryption is None:
            return
        for run in runs(waiting):
            datagrams = [datagram for datagram in map(encryption.protect, run) if datagram is not None]
            if len(datagrams) < len(run) or not self._sent_together(datagrams):
                for datagram in datagrams:
                    self._send(datagram)

    def _encrypting(self) -> _Encryption | None:
        session = self._dtls._tx_srtp
        if session is not None:
            self._encryption = _Encryption(session)
        return self._encryption

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send one RTCP packet; nothing while the transport is not up."""
        srtp = self._dtls._tx_srtp
        if srtp is not None:
            self._send(srtp.protect_rtcp(packet))

    def _sent_together(self, datagrams: list[bytes]) -> bool:
        """Send datagrams by one call; whether that could be done."""
        route = self._routed()
        if route is None or len(datagrams) == 1 or self._udp is None:
            return False
        queue, address = route
        if queue.is_closing() or queue.get_write_buffer_size():
            return False
        try:
            send_together(self._udp, datagrams, address)
        except BlockingIOError:
            return False
        except OSError as problem:
            log.debug("datagrams are sent one by one from now on: %s", problem)
            self._udp = None
            return False
        return True

    def _routed(self) -> tuple[Any, tuple[str, int]] | None:
        """The socket and the address on which ICE has settled."""
        pair: Any = self._nominated.get(1)
        if pair is not self._pair:
            self._pair = pair
            self._route = (pair.protocol.transport, pair.remote_addr) if pair is not None else None
            self._udp = pair.protocol.udp if pair is not None and pair.protocol.burst is not None else None
        return self._route

    def _send(self, datagram: bytes) -> None:
        route = self._routed()
        if route is not None:
            queue, address = route
            if not queue.is_closing():
                queue.sendto(datagram, address)

    def _media(self, datagram: bytes) -> None:
        """Decrypt an RTP or RTCP packet and hand it on; what cannot be decrypted, or comes too early, is nobody's."""
        srtp = self._dtls._rx_srtp
        if srtp is None:
            return
        try:
            if is_rtcp(datagram):
                self.on_rtcp(srtp.unprotect_rtcp(datagram))
            else:
                self.on_rtp(srtp.unprotect(datagram))
        except pylibsrtp.Error:
            log.debug("a packet could not be decrypted")
        except Exception:  # one packet is not worth a connection; what went wrong is told
            log.exception("a packet could not be forwarded")

    def _dtls_changed(self) -> None:
        if self._dtls.state == "connected":
            self._tell("connected")
        elif self._dtls.state in ("closed", "failed"):
            self._tell("closed")

    def _ice_changed(self) -> None:
        if self._ice.state in ("failed", "closed"):
            self._tell("closed")

    def _tell(self, state: str) -> None:
        if state not in self._told:
            self._told.add(state)
            self._on_state(state)

    async def drop(self) -> None:
        """Lose the connection without a word, as a network would."""
        await self._ice.stop()

    async def aclose(self) -> None:
        """Say good-bye on DTLS and close the socket."""
        self._told |= {"connected", "closed"}
        if self._task is not None and not self._task.done():
            self._task.cancel()
        await asyncio.gather(*filter(None, [self._task, self._gathered]), return_exceptions=True)
        await self._sctp.stop()
        await self._dtls.stop()
        await self._ice.stop()
