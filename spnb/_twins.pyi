# Written by `uv run --group dev python -m tests.blocking`: what `sync` gives for each async class.
from typing import TypeVar, overload

from spnb.analytics.capture.capture import AsyncCapture
from spnb.broadcast.broadcast import AsyncBroadcast
from spnb.client.client import AsyncClient
from spnb.live.audience import AsyncAudience
from spnb.live.chat import AsyncChat
from spnb.live.collection import AsyncLiveRooms
from spnb.live.invitation import AsyncLiveInvitation
from spnb.live.invitations import AsyncLiveInvitations
from spnb.live.invite_link import AsyncInviteLink
from spnb.live.products import AsyncRoomProducts
from spnb.live.reactions import AsyncLiveReactions
from spnb.live.room import AsyncLiveRoom
from spnb.live.stage import AsyncStage
from spnb.live.viewing import AsyncViewing
from spnb.recordings.recording import AsyncRecording
from spnb.sandbox.audience.simulation import AsyncSimulation
from spnb.sandbox.control.faults import AsyncFaults
from spnb.sandbox.control.webhooks import AsyncWebhooks
from spnb.sync.analytics.capture.capture import Capture
from spnb.sync.broadcast.broadcast import Broadcast
from spnb.sync.client.client import Client
from spnb.sync.live.audience import Audience
from spnb.sync.live.chat import Chat
from spnb.sync.live.collection import LiveRooms
from spnb.sync.live.invitation import LiveInvitation
from spnb.sync.live.invitations import LiveInvitations
from spnb.sync.live.invite_link import InviteLink
from spnb.sync.live.products import RoomProducts
from spnb.sync.live.reactions import LiveReactions
from spnb.sync.live.room import LiveRoom
from spnb.sync.live.stage import Stage
from spnb.sync.live.viewing import Viewing
from spnb.sync.recordings.recording import Recording
from spnb.sync.sandbox.audience.simulation import Simulation
from spnb.sync.sandbox.control.faults import Faults
from spnb.sync.sandbox.control.webhooks import Webhooks
from spnb.sync.webhooks.prehook import Prehook
from spnb.sync.webhooks.receiver import Receiver
from spnb.webhooks.prehook import AsyncPrehook
from spnb.webhooks.receiver import AsyncReceiver

R = TypeVar("R")

class Blocking:
    @overload
    def __get__(self, twin: None, owner: type) -> Blocking: ...
    @overload
    def __get__(self, twin: AsyncAudience, owner: type | None = ...) -> Audience: ...
    @overload
    def __get__(self, twin: AsyncBroadcast, owner: type | None = ...) -> Broadcast: ...
    @overload
    def __get__(self, twin: AsyncCapture, owner: type | None = ...) -> Capture: ...
    @overload
    def __get__(self, twin: AsyncChat, owner: type | None = ...) -> Chat: ...
    @overload
    def __get__(self, twin: AsyncClient[AsyncLiveRoom], owner: type | None = ...) -> Client[LiveRoom]: ...
    @overload
    def __get__(self, twin: AsyncClient[R], owner: type | None = ...) -> Client[R]: ...
    @overload
    def __get__(self, twin: AsyncFaults, owner: type | None = ...) -> Faults: ...
    @overload
    def __get__(self, twin: AsyncInviteLink, owner: type | None = ...) -> InviteLink: ...
    @overload
    def __get__(self, twin: AsyncLiveInvitation, owner: type | None = ...) -> LiveInvitation: ...
    @overload
    def __get__(self, twin: AsyncLiveInvitations, owner: type | None = ...) -> LiveInvitations: ...
    @overload
    def __get__(self, twin: AsyncLiveReactions, owner: type | None = ...) -> LiveReactions: ...
    @overload
    def __get__(self, twin: AsyncLiveRoom, owner: type | None = ...) -> LiveRoom: ...
    @overload
    def __get__(self, twin: AsyncLiveRooms, owner: type | None = ...) -> LiveRooms: ...
    @overload
    def __get__(self, twin: AsyncPrehook, owner: type | None = ...) -> Prehook: ...
    @overload
    def __get__(self, twin: AsyncReceiver, owner: type | None = ...) -> Receiver: ...
    @overload
    def __get__(self, twin: AsyncRecording, owner: type | None = ...) -> Recording: ...
    @overload
    def __get__(self, twin: AsyncRoomProducts, owner: type | None = ...) -> RoomProducts: ...
    @overload
    def __get__(self, twin: AsyncSimulation, owner: type | None = ...) -> Simulation: ...
    @overload
    def __get__(self, twin: AsyncStage, owner: type | None = ...) -> Stage: ...
    @overload
    def __get__(self, twin: AsyncViewing, owner: type | None = ...) -> Viewing: ...
    @overload
    def __get__(self, twin: AsyncWebhooks, owner: type | None = ...) -> Webhooks: ...
