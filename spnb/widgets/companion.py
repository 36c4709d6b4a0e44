"""A tab of its own for a widget whose page is given no camera: served by the kernel, opened by a link for one use.

The link leads to a page on the kernel's loopback, or to the same page through the Jupyter server's proxied port. Its
secret stands behind the `#`, so that no server and no log sees it; it lets one tab in, once, within a minute. The tab
is one more page of the widget: messages go by one WebSocket. Where its line is cut it comes back by a word that it was
told over the line before, within half a minute; what it publishes by itself goes on meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from spnb._loop import background_loop
from spnb.config import is_loopback
from spnb.widgets.base import STATIC, Widget
from spnb.widgets.webcam import WebcamPart

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

__all__ = ["CompanionPart"]

log = logging.getLogger(__name__)

LINK_SECONDS = 60.0
"""How long a link may wait for its tab."""
TOKEN_SECONDS = 10.0
RESUME_SECONDS = 30.0
"""How long a tab whose line was cut may be away."""
LEFT = frozenset({1000, 1001})
"""How a WebSocket ends that its page has left; a proxy that lost its page gives no such reason."""
LARGEST_MESSAGE = 16 * 2**20
MOST_WAITING = 1000
"""Messages to a tab that does not take them; then it is closed."""
MOST_PICTURES = 20
USED = "This link has been used: it opens one tab, once. Ask for another one in the notebook."
EXPIRED = "This link has expired. Ask for another one in the notebook."
UNKNOWN = "A link from the notebook opens this page, once. Ask for another one there."
CLOSED = "The notebook has let go of this tab: its widget was closed, or its cell was run again."
SHOWN = {"companion.js", "hub.js", "spnb.css"}
TYPES = {"js": "text/javascript", "css": "text/css", "html": "text/html"}
PAGE = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Camera</title><link rel="icon" href="data:,"><link rel="stylesheet" href="spnb.css"></head>
<body><script type="module" src="companion.js"></script></body></html>
"""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' http: https: ws: wss:; "
    "img-src 'self' data: blob: http: https:; media-src blob: data: http: https:; font-src data:; worker-src blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Scripts and styles are ours alone; LiveKit and recordings may be anywhere."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class CompanionPart(WebcamPart):
    """A widget that can open its page's part in a tab of its own."""

    in_tab: ClassVar[str] = ""
    """The module that the tab shows, of ours."""
    _companion: Companion | None = None

    async def do_companion(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A page that is given no camera asks for a tab that has one."""
        companion = self._companion = self._companion or Companion(self)
        client = str(content.get("client") or "")
        told = await companion.link(client, str(content.get("base") or ""))
        if self.comm is not None:
            self.send({"type": "companion", "client": client, **told})

    def _in_tab(self, client: str) -> bool:
        """Whether a page is the tab, and not one of the notebook's."""
        return self._companion is not None and self._companion.holds(client)

    def _send(self, msg: Any, buffers: Any = None) -> None:
        if self._companion is None or not self._companion.take(msg, buffers or []):
            super()._send(msg, buffers)

    def close(self) -> None:
        """Take the widget off the page, and its tab."""
        companion, self._companion = self._companion, None
        super().close()
        if companion is not None:
            self._spawn(companion.end())


class Companion:
    """Serves one widget's tabs. Lives on the background loop.

    Args:
        widget: whose.
    """

    def __init__(self, widget: CompanionPart) -> None:
        self._widget = widget
        self._server: Server | None = None
        self._starting = asyncio.Lock()
        self._proof = secrets.token_bytes(32)
        self._hosts: set[str] = set()
        self._waiting: dict[bytes, tuple[str, asyncio.TimerHandle]] = {}
        self._over: dict[bytes, str] = {}
        self._tabs: tuple[_Tab, ...] = ()
        self._ended = False

    async def link(self, asker: str, base: str) -> dict[str, Any]:
        """A fresh link, for one tab; it takes the place of one that was not used.

        Args:
            asker: the page that wants it, which is told what becomes of it.
            base: the address of that page's Jupyter server; empty where it has none.

        Returns:
            The address on this machine, the secret, and what proves a road to it.
        """
        port = await self._serve()
        with contextlib.suppress(ValueError):
            self._hosts.add(urlsplit(base).netloc.lower())
        for earlier in list(self._waiting):
            self._drop(earlier, EXPIRED)
        token, challenge = secrets.token_urlsafe(32), secrets.token_hex(16)
        key = _digest(token)
        timer = asyncio.get_running_loop().call_later(LINK_SECONDS, self._expire, key)
        self._waiting[key] = asker, timer
        signpost = {"challenge": challenge, "answer": self._proves(challenge)}
        return {"url": f"http://127.0.0.1:{port}/", "token": token, "signpost": signpost, "seconds": LINK_SECONDS}

    def _drop(self, key: bytes, why: str) -> str:
        asker, timer = self._waiting.pop(key)
        timer.cancel()
        self._over[key] = why
        return asker

    def _expire(self, key: bytes) -> None:
        if key in self._waiting:
            self._tell(self._drop(key, EXPIRED), "expired")

    def _tell(self, asker: str, state: str) -> None:
        if not self._ended and self._widget.comm is not None:
            self._widget.send({"type": "companion", "client": asker, "state": state})

    def holds(self, client: str) -> bool:
        """Whether a page goes by that name here."""
        return any(client in tab.clients for tab in self._tabs)

    def take(self, message: Any, buffers: Sequence[Any]) -> bool:
        """Hand what the widget sends to its tabs, from any thread. Returns whether it was for one of them alone."""
        content = message.get("content") if message.get("method") == "custom" else None
        client = content.get("client") if isinstance(content, dict) else None
        tabs = [tab for tab in self._tabs if client in tab.clients] if client else self._tabs
        if tabs:
            packed = _pack(message, buffers)
            picture = isinstance(content, dict) and content.get("type") == "picture"
            for tab in tabs:
                tab.put(packed, picture)
        return bool(client and tabs)

    # -- the server

    async def _serve(self) -> int:
        from websockets.asyncio.server import serve

        async with self._starting:
            if self._server is None:
                self._server = await serve(
                    self._connected,
                    "127.0.0.1",
                    0,
                    process_request=lambda _connection, request: self._asked(request),
                    compression=None,
                    max_size=LARGEST_MESSAGE,
                    logger=log.getChild("server"),
                    server_header=None,
                )
                log.getChild("server").setLevel(logging.CRITICAL)
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def end(self) -> None:
        """Close the tabs and the server."""
        self._ended = True
        for key in list(self._waiting):
            self._drop(key, EXPIRED)
        if self._server is not None:
            self._server.close(close_connections=False)
            for tab in self._tabs:
                if tab.away is not None:
                    tab.away.cancel()
                await tab.close(CLOSED)
            await self._server.wait_closed()

    def _proves(self, challenge: str) -> str:
        return hmac.new(self._proof, challenge.encode(), hashlib.sha256).hexdigest()

    def _knows(self, host: str) -> bool:
        return bool(host) and (is_loopback(f"http://{host}") or host.lower() in self._hosts)

    def _asked(self, request: Request) -> Response | None:
        """Answer what is no WebSocket, and who has no business here."""
        host, origin = request.headers.get("Host", ""), request.headers.get("Origin", "")
        if not self._knows(host):
            return _answer(HTTPStatus.FORBIDDEN, b"This answers on loopback, and through its own Jupyter server.")
        address = urlsplit(request.path)
        if address.path == "/sandbox/proof":
            # A page of the notebook's looks for a road. What it learns is that this is its end.
            told = {"proof": self._proves("".join(parse_qs(address.query).get("challenge", [])))}
            allowed = {"Access-Control-Allow-Origin": origin} if self._knows(_netloc(origin)) else {}
            return _answer(HTTPStatus.OK, json.dumps(told).encode(), "application/json", {**allowed, "Vary": "Origin"})
        if origin and _netloc(origin) != host.lower():
            return _answer(HTTPStatus.FORBIDDEN, b"This answers its own page only.")
        if address.path == "/socket":
            return None
        name = address.path.removeprefix("/")
        if name in SHOWN or name == self._widget.in_tab:
            kind = TYPES[name.rpartition(".")[2]]
            return _answer(HTTPStatus.OK, (STATIC / name).read_bytes(), kind)
        if not name:
            return _answer(HTTPStatus.OK, PAGE, TYPES["html"])
        return _answer(HTTPStatus.NOT_FOUND, b"There is no such page.")

    async def _connected(self, socket: ServerConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            async with asyncio.timeout(TOKEN_SECONDS):
                key = _digest(str(await socket.recv()))
        except (ConnectionClosed, TimeoutError):
            return
        tab = self._let_in(key, socket)
        if tab is None:
            await _Tab(socket).close(self._over.get(key, UNKNOWN))
            return
        resume = secrets.token_urlsafe(32)
        tab.key = _digest(resume)
        told = {"method": "hello", "state": _state(self._widget), "module": self._widget.in_tab, "resume": resume}
        tab.begin(_pack(told, []))
        self._tell(tab.asker, "open")
        writing = tab.writing = asyncio.create_task(tab.write(socket), name="spnb-companion")
        try:
            async for message in socket:
                if isinstance(message, bytes):
                    self._heard(tab, message)
        except ConnectionClosed:
            log.debug("a tab was closed without a word")
        finally:
            writing.cancel()
            if tab.socket is socket:
                self._parted(tab, left=tab.left or socket.close_code in LEFT)

    def _let_in(self, key: bytes, socket: ServerConnection) -> _Tab | None:
        """The tab that has the word of a link, or comes back by the one it was told; None for anybody else."""
        if key in self._waiting:
            tab = _Tab(socket, self._drop(key, USED))
            # What is sent from now on waits behind what the tab is told first: nothing is missed between.
            self._tabs = (*self._tabs, tab)
            return tab
        for tab in self._tabs:
            if tab.key == key:
                before, tab.socket = tab.socket, socket
                if tab.away is not None:
                    tab.away.cancel()
                # This end may not have noticed yet; nothing that is meant for the new line goes to the old one.
                if tab.writing is not None:
                    tab.writing.cancel()
                before.transport.abort()
                return tab
        return None

    def _parted(self, tab: _Tab, *, left: bool) -> None:
        if left or self._ended:
            self._gone(tab)
            return
        tab.away = asyncio.get_running_loop().call_later(RESUME_SECONDS, self._gone, tab)
        self._tell(tab.asker, "cut")

    def _gone(self, tab: _Tab) -> None:
        self._tabs = tuple(each for each in self._tabs if each is not tab)
        for client in tab.clients:
            self._widget._received(None, {"do": "camera_off", "client": client}, [])
        self._tell(tab.asker, "closed")

    def _heard(self, tab: _Tab, message: bytes) -> None:
        content, buffers = _unpack(message)
        if content.get("do") == "bye":
            tab.left = True
            return
        if client := content.get("client"):
            tab.clients.add(str(client))
        self._widget._received(None, content, buffers)


class _Tab:
    """One tab: what is to be sent to it, and the names by which its views go."""

    def __init__(self, socket: ServerConnection, asker: str = "") -> None:
        self.socket = socket
        self.asker = asker
        self.key = b""
        """Of the word by which it comes back."""
        self.away: asyncio.TimerHandle | None = None
        self.writing: asyncio.Task[None] | None = None
        self.left = False
        self._loop = background_loop()
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.clients: set[str] = set()

    def put(self, packed: bytes, picture: bool) -> None:
        """Send, from any thread; a picture is left out where the tab is behind."""
        self._loop.call_soon_threadsafe(self._put, packed, picture)

    def begin(self, packed: bytes) -> None:
        """What is sent first. On the loop itself: it comes before what other threads put meanwhile."""
        while not self._queue.empty():
            self._queue.get_nowait()  # the state it begins with has it
        self._queue.put_nowait(packed)

    def _put(self, packed: bytes, picture: bool) -> None:
        waiting = self._queue.qsize()
        if waiting > MOST_WAITING:
            self._queue.put_nowait(None)
        elif not (picture and waiting > MOST_PICTURES):
            self._queue.put_nowait(packed)

    async def write(self, socket: ServerConnection) -> None:
        """Send what is put, for as long as this line to the tab is there."""
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            while (packed := await self._queue.get()) is not None:
                await socket.send(packed)
            self.left = True
            await self.close("This tab does not take what it is sent.")

    async def close(self, why: str) -> None:
        """Take leave of the tab, and tell it why: proxies leave out the reason of an end."""
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            await self.socket.send(_pack({"method": "over", "why": why}, []))
        await self.socket.close()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _answer(status: HTTPStatus, body: bytes, kind: str = "text/plain", more: dict[str, str] | None = None) -> Response:
    from websockets.datastructures import Headers
    from websockets.http11 import Response

    own = {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(body)), "Connection": "close"}
    return Response(status, status.phrase, Headers({**HEADERS, **own, **(more or {})}), body)


def _state(widget: Widget) -> dict[str, Any]:
    """What the tab begins with: the widget's traits, its code left out."""
    return {name: value for name, value in widget.get_state().items() if name not in ("_esm", "_css")}


def _pack(message: Any, buffers: Sequence[Any]) -> bytes:
    """One message of the socket: the length of its text, the text, and the buffers it names the lengths of."""
    parts = [bytes(buffer) for buffer in buffers]
    text = json.dumps({**message, "lengths": [len(part) for part in parts]}, default=str).encode()
    return b"".join([len(text).to_bytes(4, "big"), text, *parts])


def _unpack(message: bytes) -> tuple[dict[str, Any], list[memoryview]]:
    """Read what a tab sends; what cannot be read is nothing."""
    view = memoryview(message)
    begins = 4 + int.from_bytes(view[:4], "big")
    try:
        content = json.loads(bytes(view[4:begins]))
        lengths = [int(length) for length in content.pop("lengths")]
        if min(lengths, default=0) < 0 or begins + sum(lengths) != len(view):
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}, []
    buffers = []
    for length in lengths:
        buffers.append(view[begins : begins + length])
        begins += length
    return content, buffers
