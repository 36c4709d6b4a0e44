"""`AsyncInviteLink`: an invitation to co-host that is handed over as text, for one guest, for a while.

The service invites users by id only. A link names a channel that the host's program opens for it, and a secret. Who
has the link says so in that channel by a proof that is bound to their user id, which the service vouches for; the
host's program invites the first such user by the service's own invitation, and closes the channel. So a link is
answered only while the program that made it runs.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from spnb._arguments import checked_class
from spnb._lasting import kept_up
from spnb._loop import on_loop
from spnb._twins import Blocking
from spnb.errors import BadRequest, Conflict, Forbidden, InvalidInput, NotFound, ServiceError, Unreachable
from spnb.live.chat import AsyncChat
from spnb.live.followed import FollowedRoom
from spnb.live.invitation import AsyncLiveInvitation
from spnb.models import Channel, Message, Room

if TYPE_CHECKING:
    from spnb.client import AsyncClient

__all__ = ["AsyncInviteLink", "LinkToken"]

log = logging.getLogger(__name__)

SCHEME = "spnb:co-host#"
PROOF, REFUSED = "coHostProof", "coHostRefused"
LONGEST = 7 * 86_400.0
"""Seconds a link may last."""


@dataclass(frozen=True, slots=True)
class LinkToken:
    """What a link says: where, for how long, and what only who has it knows."""

    room_id: str
    channel_id: str
    expires_at: float
    """Unix seconds by the service's clock."""
    secret: bytes = field(repr=False)

    def text(self) -> str:
        """The link."""
        told = [self.room_id, self.channel_id, self.expires_at, self.secret.hex()]
        return SCHEME + base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, link: str) -> LinkToken:
        """The parts of a link.

        Raises:
            InvalidInput: it is none.
        """
        coded = link.strip().rpartition("#")[2]
        try:
            room_id, channel_id, expires_at, secret = json.loads(
                base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4))
            )
            return cls(str(room_id), str(channel_id), float(expires_at), bytes.fromhex(secret))
        except (ValueError, TypeError, binascii.Error):
            raise InvalidInput("this is no invite link, or not the whole of it: copy it again") from None

    def proof(self, user_id: str) -> str:
        """That this user has the link. It is worth nothing in anybody else's message."""
        return hmac.new(self.secret, f"{self.channel_id}\n{user_id}".encode(), hashlib.sha256).hexdigest()

    def proves(self, message: Message) -> bool:
        """Whether who sent a message has the link."""
        told = message.data.get(PROOF)
        known = self.proof(message.creator_public_id or "")
        return isinstance(told, str) and hmac.compare_digest(told.encode(), known.encode())


@checked_class
class AsyncInviteLink:
    """A link that one guest becomes a co-host by. Made by `room.invite_link()`.

    Args:
        room: the room it is for.
        channel: the channel that was opened for it.
        expires_at: until when it may be used, by the service's clock.
    """

    def __init__(self, room: FollowedRoom, channel: Channel, expires_at: datetime) -> None:
        self._client: AsyncClient[Any] = room.client
        self._room = room
        self._channel = channel
        self._token = LinkToken(
            room.record.room_id, channel.channel_id, round(expires_at.timestamp(), 3), secrets.token_bytes(16)
        )
        self._status: Literal["open", "used", "expired", "cancelled", "over"] = "open"
        self._invitation: AsyncLiveInvitation | None = None
        self._over = asyncio.Event()
        self._refused: set[str] = set()
        self._closing: asyncio.Task[None] | None = None
        self._leave_room: Callable[[], None] = room.observe(self._room_changed)
        self._client.at_close(self.cancel)
        self._serving = asyncio.create_task(
            kept_up(self._serve, "an invite link"), name=f"spnb-invite-link {self._token.room_id}"
        )

    @property
    def address(self) -> str:
        """What to hand to the guest. Secret: whoever has it first is the guest."""
        return self._token.text()

    @property
    def expires_at(self) -> datetime:
        """Until when it may be used, in UTC."""
        return datetime.fromtimestamp(self._token.expires_at, UTC)

    @property
    def status(self) -> str:
        """`open`, `used`, `expired`, `cancelled`, or `over` where the room ended."""
        return self._status

    @property
    def invitation(self) -> AsyncLiveInvitation | None:
        """The invitation of the guest who used it."""
        return self._invitation

    @on_loop
    async def until_used(self, *, timeout: float | None = None) -> AsyncLiveInvitation | None:
        """Wait for the guest.

        Args:
            timeout: seconds; until the link expires without.

        Returns:
            The guest's invitation; None where the link expired, was cancelled, or the room ended.

        Raises:
            TimeoutError: nobody has used it in time; it stays open.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._over.wait()
        except TimeoutError:
            raise TimeoutError(f"nobody used the invite link within {timeout:g} s") from None
        return self._invitation

    @on_loop
    async def cancel(self) -> None:
        """Take it back. A guest who used it stays; `room.remove()` takes them off the stage."""
        if self._status == "open":
            await self._end("cancelled")
            self._serving.cancel()

    def _room_changed(self, record: Room) -> None:
        if record.is_over or record.is_deleted:
            self._serving.cancel()
            self._closing = asyncio.create_task(self._end("over"))

    async def _serve(self) -> None:
        left = self._token.expires_at - self._client.clock.now().timestamp()
        try:
            async with asyncio.timeout(left) as lasting:
                async for message in AsyncChat(self._client, self._channel).watch():
                    if self._token.proves(message) and await self._let_in(message):
                        break
        except TimeoutError:
            if not lasting.expired():
                raise
            await self._end("expired")
            return
        # Without a guest it was taken back by whoever closed its channel.
        await self._end("used" if self._invitation is not None else "cancelled")

    async def _let_in(self, message: Message) -> bool:
        """Invite who sent the proof; whether they are invited now."""
        try:
            record = await self._client.invitations.create(self._token.room_id, message.creator_public_id or "")
        except (BadRequest, Forbidden, NotFound, Conflict) as error:
            # A broadcaster already, or no place on the stage: the link is there for somebody else, or for later.
            if message.message_id not in self._refused:
                told = {REFUSED: str(error)}
                await self._client.messages.send_custom(self._channel.feed_id, told, parent_id=message.message_id)
                self._refused.add(message.message_id)
            return False
        self._invitation = AsyncLiveInvitation(self._client, record)
        return True

    async def _end(self, status: Literal["used", "expired", "cancelled", "over"]) -> None:
        self._settle(status)
        with contextlib.suppress(ServiceError, Unreachable):  # then guests wait for nothing, and are told so
            await self._client.channels.delete(self._channel.channel_id)

    def _settle(self, status: Literal["used", "expired", "cancelled", "over"]) -> None:
        if self._status == "open":
            self._status = status
            self._leave_room()
            self._over.set()

    sync = Blocking()
    """The blocking twin."""

    def __repr__(self) -> str:
        until = f"{self.expires_at:%Y-%m-%d %H:%M} UTC"
        return f"{type(self).__name__}(to {self._token.room_id}, {self._status}, until {until})"


async def used_link(client: AsyncClient[Any], link: str, timeout: float) -> AsyncLiveInvitation:
    """The invitation that a link brings.

    Args:
        client: the guest's connection.
        link: what the host handed over.
        timeout: seconds to wait for the host's program.

    Raises:
        InvalidInput: it is no link, has expired, was used or taken back, the host's program does not answer, or could
            not invite you.
    """
    token = LinkToken.read(link)
    await client.login()
    if client.clock.now().timestamp() >= token.expires_at:
        raise InvalidInput("this invite link has expired: ask the host for a fresh one")
    with contextlib.suppress(NotFound):  # its channel was closed meanwhile
        await _prove(client, token, timeout)
    invitations = await client.invitations.mine(room_id=token.room_id)
    waiting = next((one for one in invitations if one.status == "pending"), None)
    if waiting is not None:
        return AsyncLiveInvitation(client, waiting)
    if await _is_closed(client, token.channel_id):
        raise InvalidInput("this invite link was used, or taken back: ask the host for a fresh one")
    raise InvalidInput(
        f"nobody answered this invite link within {timeout:g} s: the program that made it has to be running, and was "
        "closed or is cut off. Ask the host for a fresh one"
    )


async def _prove(client: AsyncClient[Any], token: LinkToken, timeout: float) -> None:
    """Tell the host's program that this user has the link, and wait until it closes the channel."""
    if await _is_closed(client, token.channel_id):
        return
    chat = AsyncChat(client, await client.channels.join(token.channel_id))
    proof = await chat.send_custom({PROOF: token.proof(client.user_id)})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            async for message in chat.watch():
                if message.parent_id == proof.message_id and REFUSED in message.data:
                    raise InvalidInput(f"the host could not invite you: {message.data[REFUSED]}")


async def _is_closed(client: AsyncClient[Any], channel_id: str) -> bool:
    try:
        return bool((await client.channels.get(channel_id)).is_deleted)
    except NotFound:
        return True
