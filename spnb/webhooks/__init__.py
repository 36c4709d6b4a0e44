"""Webhooks of social.plus and LiveKit: received, verified, kept once, handled afterwards.

receiver = spnb.webhooks.Receiver("the secret of the webhook")

@receiver.on("room.live")
def went_live(delivery):
    ...

receiver.serve()          # on 127.0.0.1; or mount `receiver`, an ASGI app, in a server of your own

`Prehook` is asked before something is stored, and decides; `Rehearsal` is what its rules would have done to a chat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import late_names
from spnb.webhooks.asked import Asked, Decision
from spnb.webhooks.delivery import Delivery, Refusal
from spnb.webhooks.names import EventNames
from spnb.webhooks.prehook import AsyncPrehook
from spnb.webhooks.receiver import AsyncReceiver
from spnb.webhooks.rehearsal import Rehearsal
from spnb.webhooks.signature import is_signed, signed

if TYPE_CHECKING:
    from spnb.sync.webhooks.prehook import Prehook
    from spnb.sync.webhooks.receiver import Receiver

__all__ = [
    "Asked",
    "AsyncPrehook",
    "AsyncReceiver",
    "Decision",
    "Delivery",
    "EventNames",
    "Prehook",
    "Receiver",
    "Refusal",
    "Rehearsal",
    "is_signed",
    "signed",
]

__getattr__, __dir__ = late_names(
    __name__, {"Prehook": "spnb.sync.webhooks.prehook", "Receiver": "spnb.sync.webhooks.receiver"}
)
