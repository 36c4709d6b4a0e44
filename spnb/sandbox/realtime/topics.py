"""MQTT topics by subject (social.plus TypeScript SDK 7.20)."""

from __future__ import annotations

from typing import Any

__all__ = ["channel", "live_reactions", "message", "post", "room", "user"]

Json = dict[str, Any]


def room(network_id: str, room: Json) -> list[str]:
    """Watchers' and streamers' topics of a room; which event goes to which is undocumented, so both get all."""
    return [f"{network_id}/room/{room['_id']}", f"{network_id}/room/{room['roomId']}/streamer"]


def user(network_id: str, internal_id: str) -> list[str]:
    """A user's own topic."""
    return [f"{network_id}/user/{internal_id}"]


def channel(channel: Json) -> list[str]:
    """A channel; followers subscribe to `{path}/#`."""
    return [channel["path"]]


def message(message: Json) -> list[str]:
    """A message; it lies below its channel's path, so followers of the channel get it too."""
    return [message["path"]]


def post(post: Json) -> list[str]:
    """A post."""
    return [post["path"]]


def live_reactions(post: Json) -> list[str]:
    """The floating reactions of a post."""
    return [f"{post['path']}/liveReaction"]
