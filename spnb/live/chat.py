"""The live chat of a room: send, read back, follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from spnb._loop import aiterate, iterate, on_loop, run
from spnb.models import Channel, Message
from spnb.realtime import Event

if TYPE_CHECKING:
    from spnb.client import AsyncClient

__all__ = ["AsyncChat", "Chat"]


class AsyncChat:
    """Messages of one channel.

    Args:
        client: whose user speaks.
        channel: the channel.
    """

    def __init__(self, client: AsyncClient[Any], channel: Channel) -> None:
        self._client = client
        self.channel = channel

    @on_loop
    async def send(self, text: str, *, reply_to: str | None = None) -> Message:
        """Send a text (1 to 20 000 characters).

        Args:
            reply_to: id of the message it answers.
        """
        return await self._client.messages.send(self.channel.feed_id, text, parent_id=reply_to)

    def history(self, *, page_size: int = 100) -> AsyncIterator[Message]:
        """All messages from the first on."""
        return self._client.messages.query(self.channel.feed_id, page_size=page_size, oldest_first=True)

    def watch(self) -> AsyncIterator[Message]:
        """All messages so far and then each new one, in their order, none twice. Ends only when it is left."""
        return aiterate(self._watch())

    async def _watch(self) -> AsyncIterator[Message]:
        arrived: asyncio.Queue[None] = asyncio.Queue()

        def heard(event: Event) -> None:
            if event.type.startswith("message."):
                arrived.put_nowait(None)

        realtime = self._client.realtime
        end_events = realtime.subscribe(
            f"{self.channel.path}/#", heard, settled=lambda _granted: arrived.put_nowait(None)
        )
        end_states = realtime.on_state(lambda _state: arrived.put_nowait(None))
        last = 0
        try:
            while True:
                # An event only says that there is something new: reading on from the last segment can neither miss
                # nor double a message, however events come.
                async for message in self._after(last):
                    last = message.segment
                    yield message
                await arrived.get()
                while not arrived.empty():
                    arrived.get_nowait()
        finally:
            end_events()
            end_states()

    async def _after(self, segment: int) -> AsyncIterator[Message]:
        if segment == 0:
            async for message in self.history():
                yield message
            return
        fresh: list[Message] = []
        async for message in self._client.messages.query(self.channel.feed_id, page_size=50):
            if message.segment <= segment:
                break
            fresh.append(message)
        for message in reversed(fresh):
            yield message

    @property
    def sync(self) -> Chat:
        """The blocking twin."""
        return Chat(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.channel.channel_id})"


class Chat:
    """Messages of one channel: the blocking twin of `AsyncChat`."""

    def __init__(self, twin: AsyncChat) -> None:
        self._twin = twin

    @property
    def channel(self) -> Channel:
        """The channel."""
        return self._twin.channel

    def send(self, text: str, *, reply_to: str | None = None) -> Message:
        """Send a text (1 to 20 000 characters).

        Args:
            reply_to: id of the message it answers.
        """
        return run(self._twin.send(text, reply_to=reply_to))

    def history(self, *, page_size: int = 100) -> Iterator[Message]:
        """All messages from the first on."""
        return iterate(self._twin.history(page_size=page_size))

    def watch(self) -> Iterator[Message]:
        """All messages so far and then each new one, in their order, none twice. Ends only when it is left."""
        return iterate(self._twin.watch())

    def __repr__(self) -> str:
        return repr(self._twin).removeprefix("Async")
