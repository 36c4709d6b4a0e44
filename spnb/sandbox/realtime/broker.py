"""Real time: an MQTT 3.1.1 broker (amqtt) behind the sandbox's own WebSocket route.

Users log in with their internal id and access token, follow topics of the network, and publish nothing; all events come
from the sandbox through `Broker.publish`. What clients send is looked at before the broker sees it (see `gate` and
`connection`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amqtt.broker import Broker as MqttBroker
from amqtt.contexts import Action, BaseContext, BrokerConfig, ListenerConfig, ListenerType
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from spnb._lasting import kept_up
from spnb.sandbox.clock import Clock, new_id, stamp, system_clock
from spnb.sandbox.realtime.connection import Reader, Writer
from spnb.sandbox.realtime.gate import NOT_AUTHORIZED, Login, LoginRefused, Violation
from spnb.sandbox.written import written

__all__ = ["Broker", "may_follow_topic"]

log = logging.getLogger(__name__)

LOGIN_SECONDS = 10.0
MOST_HALF_OPEN = 64
"""Connections that have not logged in yet."""
MOST_CONNECTIONS = 64
"""Connections of one user."""

Authenticate = Callable[[str, str], bool]
"""`(username, password) → welcome?`"""
Disturb = Callable[[str, Callable[[], None]], None]
"""`(event type, deliver)`: calls `deliver` once, or as faults on demand will have it."""


def may_follow_topic(network_id: str, internal_id: str, topic: str) -> bool:
    """Whether a user may subscribe to a topic filter.

    The network's topics are open to its users; what belongs to one user (`user`, `smartfeed`, `marker/user`) only to
    that one, and a wildcard must not reach it from above.
    """
    levels = topic.split("/")
    if levels[0] != network_id:
        return False
    if len(levels) == 1:
        return True
    if levels[1] in ("#", "+"):
        return False
    owner = {"user": 2, "smartfeed": 2, "marker": 3}.get(levels[1])
    return owner is None or (len(levels) > owner and levels[owner] == internal_id)


class _Gate(BaseAuthPlugin, BaseTopicPlugin):
    """Asks the sandbox about logins and topics."""

    @dataclass
    class Config:
        """Nothing to configure: the sandbox sets `gate` after start."""

    authenticate_user: Authenticate = staticmethod(lambda _user, _password: False)
    network_id = ""

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)

    async def authenticate(self, *, session: Session) -> bool | None:
        """Check user name and password; keep no session beyond its connection."""
        return bool(self.authenticate_user(session.username or "", session.password or ""))

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool | None:
        """Allow subscriptions to the network's topics; nobody but the sandbox publishes."""
        if action == Action.PUBLISH or session is None:
            return False
        if action == Action.RECEIVE:
            return True
        return may_follow_topic(self.network_id, session.username or "", topic or "")


class _Subscriptions(dict[str, Any]):
    """The broker's table of who follows what. amqtt waits while it goes through it, and others subscribe meanwhile: it
    is given a copy to go through, or an event would be lost for those who come after the change."""

    def items(self) -> Any:
        """Filters and their subscribers as they are now."""
        return [(topic, list(subscribers)) for topic, subscribers in super().items()]


class Broker:
    """The broker and its one route. Implements `ports.Events`.

    Args:
        network_id: root of all topics.
        authenticate: `(user's internal id, access token) → bool`.
        clock: gives `sentTime`.
        disturb: lets faults on demand strike events on their way.
    """

    def __init__(
        self,
        network_id: str,
        authenticate: Authenticate,
        *,
        clock: Clock = system_clock,
        disturb: Disturb | None = None,
    ) -> None:
        self._network_id = network_id
        self._authenticate = authenticate
        self._clock = clock
        self._disturb: Disturb = disturb or (lambda _event_type, deliver: deliver())
        self._sockets: set[WebSocket] = set()
        self._clients: dict[tuple[str, str], Reader] = {}
        self._half_open: dict[WebSocket, asyncio.Timeout] = {}
        self._queue: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._sender: asyncio.Task[None] | None = None
        self._broker: MqttBroker | None = None

    async def start(self) -> None:
        """Start the broker; it listens on nothing by itself."""
        listener = ListenerConfig(type=ListenerType.EXTERNAL, bind="external")
        gate = f"{_Gate.__module__}.{_Gate.__qualname__}"
        self._broker = MqttBroker(BrokerConfig(listeners={"default": listener}, plugins={gate: {}}))
        self._broker._subscriptions = _Subscriptions()
        await self._broker.start()
        for plugin in self._broker.plugins_manager.plugins:
            if isinstance(plugin, _Gate):
                plugin.authenticate_user = self._authenticate
                plugin.network_id = self._network_id
        self._sender = asyncio.create_task(kept_up(self._send, "sending events"), name="mqtt-events")

    async def aclose(self) -> None:
        """Stop the broker."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        if self._broker is not None:
            await self._broker.shutdown()

    def routes(self) -> list[BaseRoute]:
        """The WebSocket route, where SDKs look for it."""
        return [WebSocketRoute("/mqtt", self._connected)]

    async def _connected(self, socket: WebSocket) -> None:
        offered = socket.headers.get("sec-websocket-protocol", "")
        names = [name.strip() for name in offered.split(",")]
        await socket.accept(subprotocol=next((name for name in ("mqtt", "mqttv3.1") if name in names), None))
        reader, writer = Reader(socket), Writer(socket)
        login = await self._logged_in(reader, socket)
        if login is None:
            reader.feed_eof()
            await writer.close()
            return
        mine = (login.username, login.client_id or new_id())
        if (before := self._clients.get(mine)) is not None:
            # The same client of the same user came back before its old connection was seen to be dead.
            before.feed_eof()
        self._clients[mine] = reader
        self._sockets.add(socket)
        writer.on_overflow = reader.feed_eof
        reader.admit(login.packet(f"{login.username}.{new_id()}"))
        assert self._broker is not None  # noqa: S101 - routes are served only after start
        try:
            await self._broker.external_connected(reader, writer, "default")
        finally:
            if self._clients.get(mine) is reader:
                del self._clients[mine]
            self._sockets.discard(socket)
            reader.feed_eof()
            await self._forget()
            await writer.close()

    async def _logged_in(self, reader: Reader, socket: WebSocket) -> Login | None:
        """The login of a new connection, once it is known to be good; None where it is not, and was told so."""
        try:
            async with asyncio.timeout(LOGIN_SECONDS) as limit:
                if len(self._half_open) >= MOST_HALF_OPEN:
                    # A good client logs in at once: who has waited longest is the one to go.
                    oldest = next(iter(self._half_open))
                    self._half_open.pop(oldest).reschedule(asyncio.get_running_loop().time())
                self._half_open[socket] = limit
                login = await reader.login()
        except LoginRefused as refused:
            await _answer(socket, refused.answer)
            return None
        except (Violation, TimeoutError):
            return None
        finally:
            self._half_open.pop(socket, None)
        connections = sum(username == login.username for username, _ in self._clients)
        if connections >= MOST_CONNECTIONS or not self._authenticate(login.username, login.password):
            await _answer(socket, NOT_AUTHORIZED)
            return None
        return login

    async def _forget(self) -> None:
        """Drop sessions of ended connections: SDKs ask for lasting ones, subscribe anew at every connect, and would
        leave a session behind with each new device id."""
        assert self._broker is not None  # noqa: S101
        for client_id, (session, _handler) in list(self._broker._sessions.items()):
            if session is not None and session.transitions.is_disconnected():
                await self._broker._delete_session(client_id)

    def publish(
        self,
        topics: Sequence[str],
        event_type: str,
        data: Mapping[str, Any],
        *,
        subject_id: str = "",
        sender_id: str = "",
    ) -> None:
        """Send one event on each topic, in the service's envelope."""
        sent = stamp(self._clock())
        packets: list[tuple[str, bytes]] = []
        for topic in dict.fromkeys(topics):
            envelope = {
                "eventType": event_type,
                "id": subject_id,
                "networkId": self._network_id,
                "path": topic,
                "senderId": sender_id,
                "sentTime": sent,
                "version": 1,
                "data": data,
            }
            packets.append((topic, written(envelope)))
        self._disturb(event_type, lambda: self._enqueue(packets))

    def _enqueue(self, packets: list[tuple[str, bytes]]) -> None:
        for packet in packets:
            self._queue.put_nowait(packet)

    async def cut(self, _room_id: str | None = None) -> int:
        """Drop all connections, as a network would; clients come back by themselves. Returns how many."""
        sockets = list(self._sockets)
        for socket in sockets:
            try:
                await socket.close(1011)
            except (WebSocketDisconnect, RuntimeError):
                log.debug("an MQTT socket was closed by the client first")
        return len(sockets)

    async def _send(self) -> None:
        assert self._broker is not None  # noqa: S101 - started together
        while True:
            topic, payload = await self._queue.get()
            await self._broker.internal_message_broadcast(topic, payload, 0)


async def _answer(socket: WebSocket, packet: bytes) -> None:
    try:
        await socket.send_bytes(packet)
    except (WebSocketDisconnect, RuntimeError):
        log.debug("an MQTT client left before it was answered")
