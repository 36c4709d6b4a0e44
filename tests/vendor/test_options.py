"""The guide's table of options names those of the SDK's own types: none is forgotten, none invented."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from tests.docs import GUIDE
from tests.guide.test_vendor import OPTION
from tests.node import bundled
from tests.vendor.site import APP

WHERE = {
    "createRoom": ("roomRepository/api/createRoom.d.ts", r"\(bundle: \{(.*?)\n\}\)"),
    "updateRoom": ("roomRepository/api/updateRoom.d.ts", r"Partial<\{(.*?)\n\}>"),
    "getRooms": ("@types/domains/room.d.ts", r"type RoomLiveCollection = \{(.*?)\};"),
    "createMessage": ("messageRepository/api/createMessage.d.ts", r"type createMessageParam<(.*?)\n\};"),
    "getMessages": ("@types/domains/message.d.ts", r"type QueryMessages = \{(.*?)\};"),
    "createReaction": ("liveReactionRepository/api/createReaction.d.ts", r"\(\{(.*?)\}:"),
    "login": ("@types/domains/client.d.ts", r"type ConnectClientParams = \{(.*?)\};"),
    "createRoomPost": ("postRepository/api/createRoomPost.d.ts", r"\(bundle: (.*)\) =>"),
    "createChannel": ("channelRepository/api/createChannel.d.ts", r"\(bundle: (.*)\) =>"),
    "getMembers": ("@types/domains/channel.d.ts", r"type QueryChannelMembers = \{(.*?)\};"),
    "getInvitations": ("invitationRepository/observers/getInvitations.d.ts", r"\(params: (.*)\n\}, callback"),
    "searchProducts": ("@types/domains/product.d.ts", r"type QueryProducts = \{(.*?)\};"),
    "getReactions": ("@types/domains/reaction.d.ts", r"type QueryReactions = \{(.*?)\};"),
    "getPosts": ("@types/domains/post.d.ts", r"type QueryPosts = \{(.*?)\};"),
    "createComment": ("commentRepository/api/createComment.d.ts", r"\(bundle: Pick<[^,]*,(.*)>\) =>"),
    "getComments": ("@types/domains/comment.d.ts", r"type QueryComments = \{(.*?)\n        \};"),
    "createCommunity": ("communityRepository/api/createCommunity.d.ts", r"\(bundle: (.*)\) =>"),
    "getCommunities": ("@types/domains/community.d.ts", r"type QueryCommunities = \{(.*?)\};"),
    "searchUserByDisplayName": ("@types/domains/user.d.ts", r"type QuerySearchUsers = \{(.*?)\};"),
    "room.analytics": ("@types/domains/room.d.ts", r"interface RoomAnalytics \{(.*?)\n        \}"),
}
"""The file and the part of it that name each call's options."""
FIELD, PICKED, TAKEN_APART = r"^ {4,12}(\w+)\??[:(]", r"""['"](\w+)['"]""", r"(\w+),"
COMPOSED = ("createMessage", "createRoomPost", "createChannel", "getInvitations", "createComment", "createCommunity")
NAMES = {**dict.fromkeys(COMPOSED, f"{FIELD}|{PICKED}"), "createReaction": TAKEN_APART}
"""How they are written there, where it is not as fields."""
MORE = {call: {"limit"} for call in ("getMessages", "getMembers", "getReactions", "getPosts", "getComments")}
"""By `LiveCollectionParams`, which it shares with all collections."""


@pytest.mark.parametrize("call", WHERE)
def test_the_table_has_the_options_of_the_sdk(call: str) -> None:
    types: Path = bundled(APP).parent / "node_modules/@amityco/ts-sdk-react-native/dist"
    path, part = WHERE[call]
    found = re.search(part, (types / path).read_text(), re.DOTALL)
    assert found, f"{path} has changed: {part} is not in it"
    names = re.finditer(NAMES.get(call, FIELD), found[1], re.MULTILINE)
    theirs = {name for each in names for name in each.groups() if name} | MORE.get(call, set())
    told = defaultdict(set)
    for name, options, _ in OPTION.findall((GUIDE / "vendor.md").read_text()):
        told[name] |= set(re.findall(r"`(\w+)`", options))
    assert told[call] == theirs
