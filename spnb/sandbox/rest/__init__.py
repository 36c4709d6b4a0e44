"""The service's REST face over the sandbox's store."""

from __future__ import annotations

from starlette.routing import BaseRoute

from spnb.sandbox.rest import (
    channel_members,
    channels,
    comments,
    communities,
    community_members,
    feeds,
    files,
    first_party,
    follows,
    message_feeds,
    messages,
    network,
    notification_tray,
    pins,
    polls,
    posts,
    presence,
    products,
    quiet,
    reactions,
    roles,
    rooms,
    scheduled_events,
    sessions,
    stage,
    users,
)
from spnb.sandbox.rest.call import Services
from spnb.sandbox.rest.communities import found_standing_community
from spnb.sandbox.rest.payloads import room_payload
from spnb.sandbox.rest.products import found_catalogue
from spnb.sandbox.rest.refused import Refused, answer, envelope
from spnb.sandbox.rest.tokens import AccessTokens

__all__ = [
    "AccessTokens",
    "Refused",
    "Services",
    "answer",
    "envelope",
    "found_catalogue",
    "found_standing_community",
    "room_payload",
    "routes",
]


def routes(services: Services) -> list[BaseRoute]:
    """All REST routes, the most asked-for first: routing looks at them in order."""
    live = (rooms, presence, messages, reactions, stage)
    chat = (channels, channel_members, message_feeds)
    social = (posts, comments, feeds, pins, communities, community_members, polls, scheduled_events)
    people = (users, follows, sessions, notification_tray)
    parts = (*live, *chat, *social, *people, files, products, roles, network, first_party, quiet)
    return [route for part in parts for route in part.routes(services)]
