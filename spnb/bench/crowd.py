"""Viewers by the hundred: they negotiate, decrypt, report and estimate as SDKs do, but decode nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiortc import RTCCertificate
from livekit.protocol import rtc as signal
from websockets.asyncio.client import connect

from spnb.sandbox.media import rtp, sdp
from spnb.sandbox.media.rtp import Header
from spnb.sandbox.media.transport import MediaTransport

__all__ = ["PacketViewer", "crowd_in_process"]

AT_ONCE = 10
COME_SECONDS = 5.0
ESTIMATE, LEAST = 20_000_000, 10_000
PING_EVERY = 5


class PacketViewer:
    """One viewer with a connection to receive by.

    Args:
        certificate: its DTLS identity; one serves many.
        on_message: told what it hears by its socket.
        wishes: more of the query it joins with.
    """

    def __init__(
        self,
        certificate: RTCCertificate,
        on_message: Callable[[signal.SignalResponse], None] = lambda _: None,
        wishes: str = "",
    ) -> None:
        self.packets = 0
        self.flows = asyncio.Event()
        self.on_packet: Callable[[Header], None] = lambda _: None
        self._newest: Header | None = None
        self._certificate = certificate
        self._on_message = on_message
        self._wishes = wishes
        self.estimate = ESTIMATE
        """Bits per second that it says its line carries."""
        self.trend = 1.0
        """What its estimate is multiplied by each second."""
        self._transport: MediaTransport | None = None

    def _take(self, packet: bytes) -> None:
        self.packets += 1
        self._newest = header = rtp.read_header(packet)
        self.flows.set()
        if header is not None:
            self.on_packet(header)

    def ask_again(self, missing: list[int]) -> None:
        """Ask for packets of what came last by their sequence numbers (RFC 4585, generic NACK)."""
        if missing and self._newest is not None and self._transport is not None:
            self._transport.send_rtcp(rtp.nack(1, self._newest.ssrc, missing))

    async def watch(self, url: str, token: str) -> None:
        """Follow everything until cancelled.

        Its DTLS sends nothing twice: where what it said first came too early to be heard, it comes anew.
        """
        while not self.flows.is_set():
            attempt = asyncio.create_task(self._follow(url, token))
            flowing = asyncio.create_task(self.flows.wait())
            try:
                await asyncio.wait([attempt, flowing], timeout=COME_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if flowing.done():
                    await attempt
            finally:
                for task in (attempt, flowing):
                    task.cancel()
                await asyncio.gather(attempt, flowing, return_exceptions=True)

    async def _follow(self, url: str, token: str) -> None:
        async with connect(
            f"{url}/rtc?access_token={token}&auto_subscribe=1&protocol=15{self._wishes}", proxy=None
        ) as socket:
            reporting = asyncio.create_task(self._report(socket))
            try:
                async for message in socket:
                    if isinstance(message, bytes):
                        await self._hear(socket, signal.SignalResponse.FromString(message))
            finally:
                reporting.cancel()
                transport, self._transport = self._transport, None
                if transport is not None:
                    await transport.aclose()

    async def _hear(self, socket: Any, response: signal.SignalResponse) -> None:
        self._on_message(response)
        kind = response.WhichOneof("message")
        if kind == "offer":
            offered = sdp.parse(response.offer.sdp)
            if self._transport is None:
                self._transport = MediaTransport(
                    self._certificate,
                    on_rtp=self._take,
                    on_rtcp=lambda _: None,
                    on_data=lambda *_: None,
                    on_state=lambda _: None,
                )
            answer = sdp.answer(offered, await self._transport.local())
            described = signal.SessionDescription(type="answer", sdp=answer, id=response.offer.id)
            await socket.send(signal.SignalRequest(answer=described).SerializeToString())
            self._transport.start(offered.remote, controlling=False)
        elif kind == "trickle" and response.trickle.target == signal.SignalTarget.SUBSCRIBER and self._transport:
            await self._transport.add_candidate(json.loads(response.trickle.candidateInit)["candidate"])

    async def _report(self, socket: Any) -> None:
        for number in range(10_000):
            await asyncio.sleep(1)
            newest = self._newest
            if newest is not None and self._transport is not None:
                counted = {"fraction": 0, "lost": 0, "highest": newest.sequence, "jitter": 0, "last": 0, "delay": 0}
                told = rtp.receiver_report(1, newest.ssrc, **counted)
                self._transport.send_rtcp(told + rtp.remb(1, self.estimate, [newest.ssrc]))
                self.estimate = max(LEAST, int(self.estimate * self.trend))
            if number % PING_EVERY == 0:
                await socket.send(signal.SignalRequest(ping_req=signal.Ping(timestamp=number)).SerializeToString())


def crowd_in_process(tickets: list[tuple[str, str]], ready: Any, go: Any, results: Any, *, seconds: float) -> None:
    """A process of viewers; puts `(0, received, 0, 0)` of each, as counted while all were there."""

    async def watch() -> list[tuple[int, int, int, int]]:
        certificate = RTCCertificate.generateCertificate()
        viewers = [PacketViewer(certificate) for _ in tickets]
        turn = asyncio.Semaphore(AT_ONCE)
        tasks = []

        async def come(viewer: PacketViewer, ticket: tuple[str, str]) -> None:
            async with turn, asyncio.timeout(60):
                tasks.append(asyncio.create_task(viewer.watch(*ticket)))
                await viewer.flows.wait()

        await asyncio.gather(*map(come, viewers, tickets))
        ready.release()
        await asyncio.to_thread(go.wait)
        before = [viewer.packets for viewer in viewers]
        await asyncio.sleep(seconds)
        counts = [(0, viewer.packets - count, 0, 0) for viewer, count in zip(viewers, before, strict=True)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return counts

    results.put(asyncio.run(watch()))
