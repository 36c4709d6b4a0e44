"""The table of the vendor's calls: each Python name in it exists, and the first one's docstring names the call."""

from __future__ import annotations

import inspect
import re
from typing import Any

import spnb
from spnb.client import AsyncClient
from spnb.client.audience import AsyncPresence, AsyncReactions, AsyncUsers
from spnb.client.chat import AsyncChannels, AsyncMessages
from spnb.client.comments import AsyncComments
from spnb.client.files import AsyncFiles
from spnb.client.products import AsyncProducts
from spnb.client.rooms import AsyncRooms
from spnb.client.social import AsyncCommunities, AsyncPosts
from spnb.live.chat import AsyncChat
from spnb.live.invitation import AsyncLiveInvitation
from spnb.live.invitations import AsyncLiveInvitations
from spnb.live.products import AsyncRoomProducts
from spnb.live.room import AsyncLiveRoom
from spnb.live.stage import AsyncStage
from spnb.realtime import Realtime
from tests.docs import GUIDE
from tests.vendor.calls import table

ROW = re.compile(r"^\| `([^`]+)` \| (.+) \|$", re.MULTILINE)
OPTION = re.compile(r"^\| ([\w.]+) \| (.+) \| (.+) \|$", re.MULTILINE)
CALLS = ROW.findall((GUIDE / "vendor.md").read_text())
PARTS: dict[str, Any] = {
    "sp.rooms": AsyncRooms,
    "sp.posts": AsyncPosts,
    "sp.communities": AsyncCommunities,
    "sp.comments": AsyncComments,
    "sp.channels": AsyncChannels,
    "sp.messages": AsyncMessages,
    "sp.reactions": AsyncReactions,
    "sp.presence": AsyncPresence,
    "sp.users": AsyncUsers,
    "sp.files": AsyncFiles,
    "sp.products": AsyncProducts,
    "room.chat": AsyncChat,
    "room.products": AsyncRoomProducts,
    "room.stage": AsyncStage,
    "spnb.LiveInvitations(sp)": AsyncLiveInvitations,
    "spnb.broadcast": spnb.broadcast,
    "room": AsyncLiveRoom,
    "invitation": AsyncLiveInvitation,
    "sp.realtime": Realtime,
    "sp": AsyncClient,
    "spnb": spnb,
}


def meant(name: str) -> Any:
    """What a name of the table is: `room.chat.send` is a method of the chat."""
    start = next(part for part in PARTS if name.startswith(f"{part}."))
    if start in ("spnb", "spnb.broadcast"):
        return getattr(PARTS[start], name.removeprefix(f"{start}."))
    return inspect.getattr_static(PARTS[start], name.removeprefix(f"{start}."))


def names(ours: str) -> list[str]:
    """The Python names of a cell, in their order."""
    return re.findall(r"((?<![\w.\x22])(?:spnb\.LiveInvitations\(sp\)|sp|room|invitation|spnb)\.\w[\w.]*)", ours)


def test_the_table_has_each_call_once() -> None:
    assert len(CALLS) > 60
    assert len({call for call, _ in CALLS}) == len(CALLS)


def test_no_function_of_the_sdk_is_forgotten() -> None:
    """`tests/vendor/calls.tsv` has them all, as the SDK itself exports them."""
    told = set(re.findall(r"`([\w.]+)`", (GUIDE / "vendor.md").read_text()))
    assert not sorted(table().keys() - told)


def test_no_function_is_told_of_that_the_sdk_has_not() -> None:
    """Of what it exports; methods of its records (`room.getLiveChat`) are no exports."""
    rows = [line.split("|")[1] for line in (GUIDE / "vendor.md").read_text().splitlines() if line.startswith("| `")]
    told = {name for cell in rows for name in re.findall(r"`([\w.]+)`", cell)}
    assert len(told) > 130
    assert not {name for name in told if name[0].isupper() or "." not in name} - table().keys()


def test_the_options_of_the_table_are_arguments_of_ours() -> None:
    uses = [
        (name, argument)
        for name, arguments in re.findall(
            r"`((?:sp|room)\.[\w.]+)\(([^)`]*=…[^)`]*)\)`", (GUIDE / "vendor.md").read_text()
        )
        for argument in re.findall(r"(\w+)=…", arguments)
    ]
    assert len(uses) > 25
    assert not [use for use in uses if use[1] not in inspect.signature(meant(use[0])).parameters]


def rows() -> list[tuple[list[str], list[str]]]:
    """The rows that have a name in Python: the vendor's names, and ours."""
    lines = (GUIDE / "vendor.md").read_text().partition("\n## Without a name")[0].splitlines()
    cells = [line.strip("|").rpartition(" | ") for line in lines if line.startswith("| ")]
    return [(re.findall(r"`([\w.]+)`", theirs), names(ours)) for theirs, _, ours in cells]


def test_the_names_of_the_page_exist() -> None:
    """Those of calls, events, options and parts of the vendor's guide."""
    told = {name for _, ours in rows() for name in ours}
    assert len(told) > 100
    for name in told:
        assert callable(found := meant(name)) or isinstance(found, property), name


def test_each_event_is_named_where_it_is_heard() -> None:
    """In the docstring of one of the names that stand beside it."""
    events = [(name, ours) for theirs, ours in rows() for name in theirs if re.search(r"\.on[A-Z]", name)]
    assert len(events) > 35
    unnamed = [
        (event, ours)
        for event, ours in events
        if not any(f"`{event}`" in (inspect.getdoc(meant(name)) or "") for name in ours)
    ]
    assert not unnamed


def test_docstrings_name_the_vendors_calls() -> None:
    missing = [
        (call, names(ours)[0])
        for call, ours in CALLS
        if f"`{call}`" not in (inspect.getdoc(meant(names(ours)[0])) or "")
    ]
    assert not missing, "these docstrings do not name the vendor's call"
