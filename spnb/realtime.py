"""Real time: one MQTT connection, kept alive, whose messages become typed events.

MQTT 3.1.1 over WebSocket through aiomqtt. Delivery can be lost, doubled or reordered, so an event is news, not truth:
live objects read the service again after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

import orjson

from spnb._loop import in_loop, on_loop
from spnb.config import Network
from spnb.errors import InvalidInput, RealtimeError, SpnbError

if TYPE_CHECKING:
    import aiomqtt
    from paho.mqtt.reasoncodes import ReasonCode

__all__ = ["Event", "MqttLogin", "Realtime", "unheeded"]

log = logging.getLogger(__name__)
mqtt_log = logging.getLogger(f"{__name__}.mqtt")
# A connection that closes no longer waits for answers: one that comes all the same is no error to tell anybody.
mqtt_log.addFilter(lambda record: not str(record.msg).startswith("Unexpected message ID"))

KEEP_ALIVE_SECONDS = 30
FIRST_WAIT, LONGEST_WAIT = 1.0, 8.0
"""Reconnect after 1 s, doubling to 8 s, as the service's SDKs do; jittered so that many clients do not come at once."""
REFUSED_WAIT = 60.0
"""Seconds until a login that is refused is tried again: a ban may be lifted, a key put right."""
ANSWER_SECONDS = 10.0
"""How long the broker may take to acknowledge; after that the connection is taken for dead, and made anew."""
REFUSED = 128
MOST_TOPIC_BYTES = 65_535
TOPICS_AT_ONCE = 50
"""In one SUBSCRIBE: a thousand topics, one after the other, would take a thousand times the way there and back."""

State = Literal["idle", "connected", "away", "refused", "closed"]


@dataclass(frozen=True, slots=True)
class MqttLogin:
    """What a connection logs in with; the password is the access token."""

    username: str
    password: str = field(repr=False)
    client_id: str


@dataclass(frozen=True, slots=True)
class Event:
    """One message of the service."""

    type: str
    """e.g. `room.startBroadcasting`."""
    data: dict[str, Any]
    topic: str
    id: str = ""
    sent_at: datetime | None = None


Callback = Callable[[Event], None]


class Realtime:
    """A connection to the service's broker. It connects at the first subscription and again whenever it drops.

    Args:
        url: gives the `ws://` or `wss://` address of the broker, for each connection.
        login: gives fresh credentials for each connection.
        network: the way there, the same as REST takes.
        on_sent: called with each event's time of sending.
    """

    def __init__(
        self,
        url: Callable[[], str],
        login: Callable[[], Awaitable[MqttLogin]],
        *,
        network: Network | None = None,
        on_sent: Callable[[datetime | None], None] = lambda _at: None,
    ) -> None:
        self._network = network or Network()
        self._on_sent = on_sent
        self._url = url
        self._login = login
        self._callbacks: dict[str, list[Callback]] = {}
        self._settled: dict[str, list[Callable[[bool], None]]] = {}
        self._state_callbacks: list[Callable[[State], None]] = []
        self._state: State = "idle"
        self._task: asyncio.Task[None] | None = None
        self._client: aiomqtt.Client | None = None
        self._changed = asyncio.Event()
        self._subscribed: set[str] = set()
        self._refused: set[str] = set()
        self._hurry = asyncio.Event()
        self._closing = False

    @property
    def state(self) -> State:
        """`idle` before use, then `connected` or `away`; `refused` when the login is not taken; `closed` at the end.

        social.plus: `Client.isConnected`.
        """
        return self._state

    def is_refused(self, topic: str) -> bool:
        """Whether the broker refused this subscription."""
        return topic in self._refused

    def is_subscribed(self, topic: str) -> bool:
        """Whether events of this topic come in now."""
        return self._state == "connected" and topic in self._subscribed

    def subscribe(
        self, topic: str, callback: Callback, *, settled: Callable[[bool], None] | None = None
    ) -> Callable[[], None]:
        """Have `callback` called, on the background loop, with every event of a topic filter.

        social.plus: `subscribeTopic`.

        Args:
            topic: the filter.
            callback: takes each event.
            settled: called on the background loop with whether the broker granted the topic, after each connection.
                What happened before that is not told by events: a snapshot is to be read only now.

        Returns:
            A function that ends it. Both may be called from any thread.

        Raises:
            InvalidInput: it is no topic filter of MQTT (§ 4.7). Where `settled` is given that is told as not granted
                instead: it may be what an odd record of the service says.
        """
        try:
            _check_filter(topic)
        except InvalidInput:
            if settled is None:
                raise
            in_loop(lambda: settled(False))
            return lambda: None
        in_loop(lambda: self._add(topic, callback, settled))
        return lambda: in_loop(lambda: self._remove(topic, callback, settled))

    def on_state(self, callback: Callable[[State], None]) -> Callable[[], None]:
        """Have `callback` called, on the background loop, with every change of `state`.

        social.plus: `Client.onRTEConnectionStateChange`, `Client.onSessionStateChange`, `Client.onClientDisconnected`,
        `Client.onConnectionError`.

        Returns:
            A function that ends it.
        """
        self._state_callbacks.append(callback)

        def end() -> None:
            if callback in self._state_callbacks:
                self._state_callbacks.remove(callback)

        return end

    def tell(self, event: Event) -> None:
        """Hand in an event that came another way, by webhook say, as if it had come over this connection."""
        in_loop(lambda: self._heard(event))

    def reconnect_now(self) -> None:
        """Do not wait out the back-off: something says that the network is there again."""
        in_loop(self._hurry.set)

    @on_loop
    async def aclose(self) -> None:
        """Disconnect for good."""
        self._callbacks.clear()
        self._settled.clear()
        self._closing = True
        if self._task is not None:
            # Python 3.11's `wait_for`, in the library, may lose a cancellation that comes while it connects.
            while not self._task.done():
                self._task.cancel()
                await asyncio.wait({self._task}, timeout=1)
            self._task = None
        self._set_state("closed")

    def _add(self, topic: str, callback: Callback, settled: Callable[[bool], None] | None) -> None:
        if self._state == "closed":
            return
        self._callbacks.setdefault(topic, []).append(callback)
        if settled is not None:
            self._settled.setdefault(topic, []).append(settled)
            if topic in self._subscribed or topic in self._refused:
                settled(topic in self._subscribed)
        self._changed.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="spnb-realtime")

    def _remove(self, topic: str, callback: Callback, settled: Callable[[bool], None] | None) -> None:
        if settled is not None and settled in self._settled.get(topic, []):
            self._settled[topic].remove(settled)
        callbacks = self._callbacks.get(topic, [])
        if callback in callbacks:
            callbacks.remove(callback)
        if not callbacks:
            self._callbacks.pop(topic, None)
            self._settled.pop(topic, None)
            self._changed.set()

    def _tell_settled(self, topic: str, granted: bool) -> None:
        for settled in list(self._settled.get(topic, [])):
            try:
                settled(granted)
            except Exception:
                log.exception("a follower of %s failed", topic.rpartition("/")[2])

    def _set_state(self, state: State) -> None:
        if state == self._state:
            return
        self._state = state
        for callback in list(self._state_callbacks):
            try:
                callback(state)
            except Exception:
                log.exception("an observer of the real-time state failed")

    async def _run(self) -> None:
        import aiomqtt

        wait = FIRST_WAIT
        refusals = 0
        while True:
            try:
                await self._connected()
                wait, refusals = FIRST_WAIT, 0
            except aiomqtt.MqttCodeError as error:
                refusals = refusals + 1 if _is_refusal(error) else 0
                log.info("real time: %s", error)
            except (aiomqtt.MqttError, OSError, SpnbError, TimeoutError) as error:
                log.info("real time is away: %s", type(error).__name__)
            except RuntimeError as error:
                if "after shutdown" in str(error):
                    return  # the interpreter is ending, and its threads have ended already
                log.exception("real time is away")
            except Exception:
                # Whatever it is, there is a next try: nothing is worse than being deaf for good.
                log.exception("real time is away")
            finally:
                self._client = None
                self._subscribed.clear()
            if self._closing:
                return  # leaving a connection may turn a cancellation into an error of its own
            if refusals >= 2:
                # The first refusal may be a token that was renewed in between; a second one is meant.
                if self._state != "refused":
                    log.warning("%s", RealtimeError("the broker refuses this login: check the API key and user"))
                self._set_state("refused")
                wait = REFUSED_WAIT
            else:
                self._set_state("away")
            self._hurry.clear()
            try:
                async with asyncio.timeout(wait * random.uniform(0.75, 1.25)):
                    await self._hurry.wait()
            except TimeoutError:
                wait = min(LONGEST_WAIT, wait * 2)

    async def _connected(self) -> None:
        import aiomqtt

        login = await self._login()
        url = urlsplit(self._url())
        secure = url.scheme == "wss"
        proxy = _proxy(self._network.proxy_for(self._url()))
        client = aiomqtt.Client(
            hostname=url.hostname or "",
            port=url.port or (443 if secure else 80),
            username=login.username,
            password=login.password,
            identifier=login.client_id,
            transport="websockets",
            websocket_path=url.path or "/mqtt",
            tls_context=self._network.trusted() if secure else None,
            proxy=proxy,
            clean_session=True,
            keepalive=KEEP_ALIVE_SECONDS,
            timeout=ANSWER_SECONDS,
            logger=mqtt_log,
        )
        if proxy is None:
            # paho asks the environment by itself (`MQTT_PROXY`), also about this machine: the login would go there.
            client._client._get_proxy = lambda: None  # type: ignore[method-assign]
        async with contextlib.AsyncExitStack() as leaving:
            await _entered(client)
            leaving.push_async_exit(client)
            self._client = client
            self._changed.set()
            self._refused.clear()
            follow = asyncio.create_task(self._follow(client), name="spnb-subscriptions")
            receive = asyncio.create_task(self._receive(client), name="spnb-events")
            try:
                # A connection that takes no subscription is as dead as one that brings no message.
                done, _ = await asyncio.wait({follow, receive}, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in (follow, receive):
                    task.cancel()
                await asyncio.gather(follow, receive, return_exceptions=True)

    async def _receive(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            self._received(str(message.topic), message.payload)

    async def _follow(self, client: aiomqtt.Client) -> None:
        """Keep the broker's subscriptions what the callbacks ask for."""
        import aiomqtt

        task = asyncio.current_task()
        # Python 3.11's `wait_for`, in the library, loses a cancellation that comes together with its result:
        # the request for it is counted all the same.
        while not (task and task.cancelling()):
            await self._changed.wait()
            self._changed.clear()
            wanted = set(self._callbacks)
            for topics in _batches(wanted - self._subscribed - self._refused):
                granted: Sequence[int | ReasonCode] = await client.subscribe([(topic, 0) for topic in topics])
                self._set_state("connected")  # before the rest, of which there may be thousands
                if len(granted) != len(topics):
                    raise aiomqtt.MqttError("the broker acknowledged other topics than were asked for")
                for topic, code in zip(topics, granted, strict=True):
                    granted_now = (code if isinstance(code, int) else code.value) < REFUSED
                    (self._subscribed if granted_now else self._refused).add(topic)
                    self._tell_settled(topic, granted_now)
            for topic in self._subscribed - wanted:
                if topic in self._callbacks:
                    continue  # wanted again meanwhile
                # Before it is so: who asks for it while it is on its way out is not to rely on it.
                self._subscribed.discard(topic)
                await client.unsubscribe(topic)
            self._set_state("connected")

    def _received(self, topic: str, payload: Any) -> None:
        event = _read(topic, payload)
        if event is None:
            log.debug("a malformed message on %s was dropped", topic)
            return
        self._heard(event)

    def _heard(self, event: Event) -> None:
        self._on_sent(event.sent_at)
        for pattern, callbacks in list(self._callbacks.items()):
            if not _matches(pattern, event.topic):
                continue
            for callback in list(callbacks):
                try:
                    callback(event)
                except Exception:
                    # One observer's fault must not end the events of all the others.
                    log.exception("an observer of %s failed", event.type)


_leaving: set[asyncio.Task[None]] = set()


async def _entered(client: aiomqtt.Client) -> None:
    """Connect. The library does so in a thread, which no cancellation ends: the connection is left when it is there."""
    entering = asyncio.ensure_future(client.__aenter__())
    try:
        await asyncio.shield(entering)
    except asyncio.CancelledError:
        task = asyncio.create_task(_left(client, entering), name="spnb-realtime-leaving")
        _leaving.add(task)
        task.add_done_callback(_leaving.discard)
        raise


async def _left(client: aiomqtt.Client, entering: asyncio.Future[aiomqtt.Client]) -> None:
    import aiomqtt

    try:
        await entering
        await client.__aexit__(None, None, None)
    except (aiomqtt.MqttError, OSError) as error:
        log.debug("a connection that nobody wants any more failed: %s", type(error).__name__)


def _proxy(url: str | None) -> aiomqtt.ProxySettings | None:
    if url is None:
        return None
    import aiomqtt
    import socks  # type: ignore[import-untyped]

    parts = urlsplit(url)
    kinds = {"http": socks.HTTP, "socks5": socks.SOCKS5, "socks5h": socks.SOCKS5, "socks4": socks.SOCKS4}
    if parts.scheme not in kinds or not parts.hostname:
        raise RealtimeError(f"real time cannot pass a proxy of the kind {parts.scheme or '(none)'}: http://host:port")
    return aiomqtt.ProxySettings(
        proxy_type=kinds[parts.scheme],
        proxy_addr=parts.hostname,
        proxy_port=parts.port or (1080 if parts.scheme.startswith("socks") else 80),
        proxy_rdns=True,
        proxy_username=unquote(parts.username) if parts.username else None,
        proxy_password=unquote(parts.password) if parts.password else None,
    )


def _batches(topics: Iterable[str]) -> Iterator[list[str]]:
    left = iter(topics)
    while batch := list(itertools.islice(left, TOPICS_AT_ONCE)):
        yield batch


def _is_refusal(error: Exception) -> bool:
    code = getattr(error, "rc", None)
    value = getattr(code, "value", code)
    return value in (4, 5, 134, 135)


def _read(topic: str, payload: Any) -> Event | None:
    try:
        body = orjson.loads(payload)
        data = body.get("data")
        sent = body.get("sentTime") or body.get("sendTime")
        return Event(
            type=str(body["eventType"]),
            data=data if isinstance(data, dict) else {},
            topic=topic,
            id=str(body.get("id") or ""),
            sent_at=datetime.fromisoformat(sent) if sent else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def unheeded(_granted: bool) -> None:
    """As `settled`, of a topic out of a record: without it the rest goes on, and an odd one is nobody's fault here."""


def _check_filter(topic: str) -> None:
    # One that is none would be refused each time that all of them are asked for: nothing more would be heard at all.
    levels = topic.split("/")
    alone = all(level in ("+", "#") or not {"+", "#"} & {*level} for level in levels) and "#" not in levels[:-1]
    if not topic or "\0" in topic or len(topic.encode("utf-8", "replace")) > MOST_TOPIC_BYTES or not alone:
        raise InvalidInput(
            f"{topic[:100]!r} is no topic: levels between /, + for one of any name, # for all at the end"
        )


def _matches(pattern: str, topic: str) -> bool:
    """Whether a topic falls under a filter with `+` and `#`."""
    if pattern == topic:
        return True
    levels, parts = pattern.split("/"), topic.split("/")
    for index, level in enumerate(levels):
        if level == "#":
            return True
        if index >= len(parts) or level not in ("+", parts[index]):
            return False
    return len(levels) == len(parts)
