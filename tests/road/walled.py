"""What runs behind a wall that lets no UDP out: `preview`, or `publish URL TOKEN`; lines of JSON.

Its relays are those of `SPNB_ICE_SERVERS`, the certificates it believes those of `SSL_CERT_FILE`.
"""

from __future__ import annotations

import asyncio
import json
import sys

from spnb.broadcast import go_live
from spnb.broadcast.peer import PagePeer
from spnb.broadcast.sources import TestCard
from spnb.broadcast.sources.monitor import Monitor
from spnb.ice import ice_servers
from spnb.models import BroadcasterData
from tests.broadcast.booth import Booth
from tests.live.conftest import until
from tests.media.conftest import LiveKit


def say(**told: object) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


async def preview() -> None:
    """A kernel whose page is on the other side: it answers the offer it reads, and tells when it sees pictures."""
    monitor = Monitor(None)
    states: list[str] = []
    peer = PagePeer(monitor, states.append, ice_servers())
    say(answer=await peer.answer(json.loads(await line())))
    await until(lambda: monitor.count >= 30)
    say(seen=monitor.count, state=states[-1])
    await line()


class Walled(Booth):
    """A room by the address and the token that were handed in."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(LiveKit(url, "", "", embedded=False), "walled")
        self.told = BroadcasterData(co_host_url=url, co_host_token=token)
        self.ice_servers = ice_servers()

    async def broadcaster_data(self) -> BroadcasterData:  # type: ignore[override]
        return self.told


async def publish(url: str, token: str) -> None:
    """A host on the air."""
    await go_live(Walled(url, token), TestCard(320, 180, 10, tone=False))
    say(live=True)
    await line()


async def line() -> str:
    return await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(preview() if sys.argv[1] == "preview" else publish(*sys.argv[2:]))
