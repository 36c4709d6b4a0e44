"""How an encoder, as OBS, is pointed at a room: its address and a fresh key, for the page that asks."""

from __future__ import annotations

from typing import Any

import traitlets

from spnb.client.subscriber import revoke_stream_keys
from spnb.errors import ConfigError, ServiceError, Unreachable
from spnb.models import Room
from spnb.widgets.playback import Playback

__all__ = ["EncoderPart"]


class EncoderPart(Playback):
    """A widget that shows a host where an encoder publishes. The key goes to the page that asked, and nowhere else."""

    encoder = traitlets.Bool(False).tag(sync=True)
    """Whether this user can point an encoder at the room: their own, for direct streaming, and not over."""

    def _take(self, record: Room) -> None:
        super()._take(record)
        room = self._room
        mine = room is not None and record.created_by == room.user_id
        open_ = record.status in ("idle", "live", "waitingReconnect")
        self.encoder = mine and open_ and record.type == "directStreaming"

    async def do_ingest(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """Somebody wants to point an encoder at the room: a fresh key, shown this once."""
        if self._room is None:
            return
        told: dict[str, str] = {}
        try:
            found = await self._room.ingest()
            told = {"server": found.server, "key": found.stream_key}
            self.error = ""
        except (ConfigError, ServiceError, Unreachable) as error:
            self.error = str(error)
        self.send({"type": "ingest", "client": content.get("client"), **told})

    async def do_revoke(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """No key that was given out so far is to let anybody in any more."""
        if self._room is None:
            return
        try:
            revoked = await revoke_stream_keys(self._room.client, self._room.room_id)
            self.error = "" if revoked else "The service has no call that ends a stream key: only the room's end does."
        except (ServiceError, Unreachable) as error:
            revoked, self.error = False, str(error)
        self.send({"type": "revoked", "client": content.get("client"), "revoked": revoked})
