"""Sends events to the registered endpoints: signed, within the time limit, again after a failure.

Body, signature and time limit are the service's: `{"event", "data"}`, base64 of HMAC-SHA256 over the raw body in
`x-amity-signature`, 1.5 s; a twin with the legacy header `x-eko-signature` follows. Retries are a choice, and so is
that they outlive the process: nobody documents them.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import hashlib
import hmac
import logging
import sqlite3
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import httpx

from spnb.sandbox.clock import new_id
from spnb.sandbox.fault_injection import Disturbance, Faults
from spnb.sandbox.rooms.network_settings import NetworkSettings
from spnb.sandbox.rooms.ports import Json
from spnb.sandbox.store import Store
from spnb.sandbox.webhook_delivery.names import names_of, webhook_name
from spnb.sandbox.written import written

__all__ = ["TIME_LIMIT_SECONDS", "WebhookSender"]

log = logging.getLogger(__name__)

TIME_LIMIT_SECONDS = 1.5
MOST_WAITING = 10_000
MOST_REMEMBERED = 200


@dataclass(slots=True)
class _Outgoing:
    """One event on its way to one endpoint."""

    event: str
    body: bytes
    delivery_id: str = field(default_factory=new_id)
    attempts: int = 0
    status: int | None = None
    done: bool = False

    def describe(self) -> Json:
        return {
            "deliveryId": self.delivery_id,
            "event": self.event,
            "attempts": self.attempts,
            "status": self.status,
            "delivered": self.done,
        }


class _Outbox:
    """Deliveries to one endpoint: first attempts in their order, retries beside them.

    What is neither taken nor given up lies in the store: a process that ends or is killed leaves it to the next, which
    goes on where this one was. An attempt that was under way is made again, so a receiver may get a delivery twice.
    """

    def __init__(self, endpoint: Json, client: httpx.AsyncClient, store: Store) -> None:
        self._endpoint = endpoint
        self._client = client
        self._kept = store.deliveries
        self._queue: asyncio.Queue[_Outgoing] = asyncio.Queue()
        self._retries: set[asyncio.Task[None]] = set()
        self.log: deque[_Outgoing] = deque(maxlen=MOST_REMEMBERED)
        for left in self._kept.find({"webhookId": endpoint["webhookId"]}):
            self._take_up(_Outgoing(left["event"], left["body"].encode(), left["deliveryId"], left["attempts"]))
        self._worker = asyncio.create_task(self._run(), name=f"webhook {endpoint['webhookId']}")

    def put(self, outgoing: _Outgoing) -> None:
        """Queue a delivery."""
        self.log.append(outgoing)
        if self._queue.qsize() + len(self._retries) >= MOST_WAITING:
            log.warning("a webhook endpoint is %d deliveries behind: one was dropped", MOST_WAITING)
            return
        with _as_the_disk_allows():
            self._kept.insert(self._document(outgoing))
        self._queue.put_nowait(outgoing)

    def _take_up(self, outgoing: _Outgoing) -> None:
        self.log.append(outgoing)
        if outgoing.attempts:
            self._try_again(outgoing)
        else:
            self._queue.put_nowait(outgoing)

    def _document(self, outgoing: _Outgoing) -> Json:
        return {
            "deliveryId": outgoing.delivery_id,
            "webhookId": self._endpoint["webhookId"],
            "event": outgoing.event,
            "body": outgoing.body.decode(),
            "attempts": outgoing.attempts,
        }

    async def _run(self) -> None:
        while True:
            outgoing = await self._queue.get()
            if not await self._attempt(outgoing):
                self._try_again(outgoing)

    def _try_again(self, outgoing: _Outgoing) -> None:
        task = asyncio.create_task(self._retry(outgoing))
        self._retries.add(task)
        task.add_done_callback(self._retries.discard)

    async def _retry(self, outgoing: _Outgoing) -> None:
        for wait in self._endpoint["retrySeconds"][outgoing.attempts - 1 :]:
            await asyncio.sleep(wait)
            if await self._attempt(outgoing):
                return
        with _as_the_disk_allows():
            self._kept.delete(outgoing.delivery_id)
        log.info("webhook %s was given up after %d attempts", outgoing.event, outgoing.attempts)

    async def _attempt(self, outgoing: _Outgoing) -> bool:
        outgoing.attempts += 1
        outgoing.status = await self._post(outgoing.body, "x-amity-signature")
        taken = outgoing.status is not None and 200 <= outgoing.status < 300
        if taken and self._endpoint["legacy"]:
            await self._post(outgoing.body, "x-eko-signature")
        with _as_the_disk_allows():
            if taken:
                self._kept.delete(outgoing.delivery_id)
            else:
                self._kept.save(self._document(outgoing))
        outgoing.done = taken  # told only now: a process that ended before would send it again
        return outgoing.done

    async def _post(self, body: bytes, header: str) -> int | None:
        digest = hmac.new(self._endpoint["secret"].encode(), body, hashlib.sha256).digest()
        headers = {
            header: base64.b64encode(digest).decode(),
            "Content-Type": "application/json",
            "User-Agent": "spnb-sandbox",
        }
        try:
            async with asyncio.timeout(TIME_LIMIT_SECONDS):
                answer = await self._client.post(self._endpoint["url"], content=body, headers=headers)
        except (TimeoutError, httpx.HTTPError) as error:
            log.info("a webhook was not taken: %s", type(error).__name__)
            return None
        except Exception:  # an address that nobody foresaw: the endpoint gets nothing now, and is tried again
            log.exception("a webhook could not be sent")
            return None
        return answer.status_code

    async def aclose(self) -> None:
        """Stop sending; what waits stays in the store."""
        tasks = [self._worker, *self._retries]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def _as_the_disk_allows() -> Iterator[None]:
    """A disk that is full for a while costs what waits its place there, and stops nothing that is being sent."""
    try:
        yield
    except sqlite3.Error:
        log.exception("a webhook delivery could not be kept")


class WebhookSender:
    """All endpoints and their deliveries. Implements `ports.Events`.

    Args:
        store: keeps the endpoints, and what waits to be taken by them.
        faults: may drop, double, delay or reorder what is sent.
        network: says whether webhooks are on.
    """

    def __init__(self, store: Store, faults: Faults, network: NetworkSettings) -> None:
        self._store = store
        self._network = network
        self._disturb = Disturbance(faults, "webhook")
        # Redirects are not followed: they could lead away from loopback.
        self._client = httpx.AsyncClient(trust_env=False, timeout=TIME_LIMIT_SECONDS)
        self._outboxes: dict[str, _Outbox] = {}

    async def start(self) -> None:
        """Take up the endpoints of an earlier process, and what they have not taken."""
        for endpoint in self._store.webhooks.find({}):
            self.open(endpoint)

    def open(self, endpoint: Json) -> None:
        """Begin to send to an endpoint."""
        self._outboxes[endpoint["webhookId"]] = _Outbox(endpoint, self._client, self._store)

    async def close(self, webhook_id: str) -> None:
        """Send no more to an endpoint, nor what waits for it."""
        outbox = self._outboxes.pop(webhook_id, None)
        if outbox is not None:
            await outbox.aclose()
        for left in self._store.deliveries.find({"webhookId": webhook_id}):
            self._store.deliveries.delete(left["deliveryId"])

    def deliveries(self, webhook_id: str) -> list[Json]:
        """The last deliveries to an endpoint, oldest first."""
        outbox = self._outboxes.get(webhook_id)
        return [outgoing.describe() for outgoing in outbox.log] if outbox else []

    def publish(
        self,
        topics: Sequence[str],  # noqa: ARG002 - webhooks know no topics
        event_type: str,
        data: Mapping[str, Any],
        *,
        subject_id: str = "",  # noqa: ARG002
        sender_id: str = "",  # noqa: ARG002
    ) -> None:
        """Send one event to all endpoints that want it."""
        if not self._outboxes or not self._network.webhooks:
            return
        for endpoint in self._store.webhooks.find({}):
            name = webhook_name(endpoint["style"], event_type)
            called = names_of(event_type)
            if name is None or not any(fnmatchcase(one, each) for one in called for each in endpoint["events"]):
                continue
            body = written({"event": name, "data": data})
            put = functools.partial(self._put, endpoint["webhookId"], name, body)
            self._disturb(event_type, put)

    def _put(self, webhook_id: str, name: str, body: bytes) -> None:
        outbox = self._outboxes.get(webhook_id)  # a fault may have held the event until the endpoint was gone
        if outbox is not None:
            outbox.put(_Outgoing(name, body))

    async def aclose(self) -> None:
        """Stop sending; what was not taken yet is left to the next process."""
        self._disturb.let_go()
        for outbox in self._outboxes.values():
            await outbox.aclose()
        self._outboxes.clear()
        await self._client.aclose()
