"""`Doctor`: which ways lead from a page to the kernel's machine, and what each is worth."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any

import traitlets

from spnb.broadcast.signpost import signpost
from spnb.client import Client
from spnb.errors import InvalidInput
from spnb.live import LiveRoom
from spnb.widgets.base import STATIC, Widget

if TYPE_CHECKING:
    from aiortc import RTCPeerConnection

__all__ = ["Doctor"]

KEYS = ("direct", "jupyter", "port", "messages", "media")
MOST_LOAD = 2**20
"""Bytes of what is sent to be timed."""
MOST_WORDS = 300
MEDIA_SECONDS = 30.0
"""How long a connection that was made to be measured may last."""


class Doctor(Widget):
    """Which ways lead from the page it stands on to the service and the kernel, in the order in which spnb tries them:
    straight, through the Jupyter server, by the kernel's messages; and whether media connect. Each with its delay and
    with what it carries, and what follows for watching and for going live. "Check again" measures anew.

    What was found is in `rungs` and `verdict`, too. `spnb doctor --page` tells the same of the Jupyter server's side.

    Args:
        client: a client of `spnb.connect()`.
        room: whose LiveKit server is looked for; without it the service's own address.
    """

    _esm = STATIC / "doctor.js"
    plain = "No page has been examined yet."
    rungs: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """`{key, name, works, delay, down, up, why}` of each way, as the page that was examined last found it: `delay` in
    milliseconds there and back, `down` and `up` in kilobits per second, None where it was not measured."""
    verdict = traitlets.Unicode("").tag(sync=True)
    """What follows from them, in words; empty until a page was examined."""

    def __init__(self, client: Client[LiveRoom], room: LiveRoom | None = None, **keywords: Any) -> None:
        self._client = client.asynchronous
        self._room = room.asynchronous if room is not None else None
        self._peer: RTCPeerConnection | None = None
        self._examined = threading.Event()
        super().__init__(**keywords)

    def wait(self, timeout: float = 60.0) -> bool:
        """Wait until a page has been examined.

        Args:
            timeout: seconds.

        Returns:
            Whether one was.
        """
        return self._examined.wait(timeout)

    async def do_begin(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A page is about to try what there is."""
        self.error = ""
        url = await self._address()
        servers = [each.plain() for each in self._client.ice_servers]
        told = {"url": url, "signpost": await signpost(url), "servers": servers}
        self.send({"type": "begin", "client": content.get("client"), **told})

    async def _address(self) -> str:
        if self._room is not None:
            from spnb.broadcast import prepare

            return await prepare(self._room) or self._client.endpoints.rest
        return self._client.endpoints.rest

    async def do_echo(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A page times its messages."""
        wanted = content.get("wanted")
        if not isinstance(wanted, int) or not 0 <= wanted <= MOST_LOAD:
            raise InvalidInput(f"an echo has 0 to {MOST_LOAD} bytes")
        load = [os.urandom(wanted)] if wanted else []
        self.send({"type": "echo", "client": content.get("client"), "ask": content.get("ask")}, load)

    async def do_offer(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A page tries whether media connect: what it says on the connection is said back."""
        from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription

        sdp = content.get("sdp")
        if not isinstance(sdp, str):
            raise InvalidInput("the page's offer has no description")
        await self._hang_up()
        servers = [RTCIceServer(list(each.urls), each.username, each.credential) for each in self._client.ice_servers]
        peer = self._peer = RTCPeerConnection(RTCConfiguration(iceServers=servers) if servers else None)

        @peer.on("datachannel")
        def _opened(channel: Any) -> None:
            came = 0

            def said_back(said: str | bytes) -> None:
                nonlocal came
                if isinstance(said, str):
                    channel.send(said[:MOST_WORDS])
                else:
                    came += len(said)
                    channel.send(str(came))

            channel.on("message", said_back)

        try:
            await peer.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="offer"))
            await peer.setLocalDescription(await peer.createAnswer())
            answer = peer.localDescription.sdp
        except Exception:  # noqa: BLE001 - whatever the library finds wrong with it, media do not connect
            answer = ""
        self.send({"type": "answer", "client": content.get("client"), "ask": content.get("ask"), "sdp": answer})
        asyncio.get_running_loop().call_later(MEDIA_SECONDS, lambda: self._spawn(self._hang_up(peer)))

    async def do_found(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A page has tried all of it."""
        given = content.get("rungs")
        rows = [_rung(row) for row in given if isinstance(row, dict)][: len(KEYS)] if isinstance(given, list) else []
        with self.hold_sync():
            self.rungs = rows
            self.verdict = str(content.get("verdict") or "")[: 2 * MOST_WORDS]
        self._examined.set()
        await self._hang_up()

    async def _hang_up(self, only: RTCPeerConnection | None = None) -> None:
        peer = self._peer
        if peer is not None and only in (None, peer):
            self._peer = None
            await peer.close()

    def close(self) -> None:
        """Take the widget off the page."""
        self._spawn(self._hang_up())
        super().close()

    def _as_text(self) -> str:
        if not self.rungs:
            return super()._as_text()
        return "\n".join([f"Doctor: {self.verdict}", *(_line(rung) for rung in self.rungs)])


def _rung(row: dict[str, Any]) -> dict[str, Any]:
    """What a page tells of a way, as far as it can be true."""

    def number(name: str) -> float | None:
        value = row.get(name)
        return round(float(value), 1) if isinstance(value, int | float) and 0 <= value < 1e9 else None

    key = str(row.get("key"))
    return {
        "key": key if key in KEYS else "",
        "name": str(row.get("name") or "")[:MOST_WORDS],
        "works": row.get("works") is True,
        "delay": number("delay"),
        "down": number("down"),
        "up": number("up"),
        "why": str(row.get("why") or "")[:MOST_WORDS],
    }


def _line(rung: dict[str, Any]) -> str:
    if not rung["works"]:
        return f"✗ {rung['name']}: {rung['why']}"
    told = [
        f"{rung['delay']:.0f} ms" if rung["delay"] is not None else "",
        f"{rung['down'] / 1000:.1f} Mb/s to the page" if rung["down"] is not None else "",
        f"{rung['up'] / 1000:.1f} Mb/s from it" if rung["up"] is not None else "",
    ]
    return f"✓ {rung['name']}: {', '.join(filter(None, told)) or 'works'}"
