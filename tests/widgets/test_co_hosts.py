"""Two Studios on one stage, by what their pages would send."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import spnb
from spnb.widgets import Studio, co_hosts
from tests.conftest import RunningSandbox
from tests.widgets.test_widgets import Sent, command, state_of, until

pytestmark = pytest.mark.media


@pytest.fixture
def pair(sandbox: RunningSandbox) -> Iterator[tuple[Any, Any, Any]]:
    """A host's Studio with a room, a guest's without, and the host's client."""
    with (
        spnb.connect("company-host", url=sandbox.url, api_key=sandbox.api_key, display_name="<b>Hana</b>") as sp,
        spnb.connect("company-guest", url=sandbox.url, api_key=sandbox.api_key, display_name="Gus") as guest,
    ):
        host, theirs = Studio(sp, sp.rooms.create("Shared"), countdown=0), Studio(guest, countdown=0)
        yield host, theirs, sp
        host.close()
        theirs.close()


def on_stage(studio: Any) -> dict[str, bool | None]:
    return {row["user"]: row["on"] for row in studio.people}


def accept(studio: Any) -> None:
    until(lambda: studio.invited)
    command(studio, "accept", invitation=studio.invited[0]["id"])
    until(lambda: studio.has_room)


def join(studio: Any) -> None:
    until(lambda: studio.status == "live")
    command(studio, "start", source="test-card")
    until(lambda: studio.phase == "live")


def test_a_guest_is_invited_joins_is_removed_comes_back_and_leaves(pair: tuple[Any, Any, Any]) -> None:
    host, guest, sp = pair
    assert (host.role, guest.role, guest.has_room) == ("host", "host", False)
    command(host, "invite", user="")
    until(lambda: "by id" in host.invite_error)
    command(host, "invite", user="company-guest")
    until(lambda: [row["status"] for row in host.invitations] == ["pending"])
    assert host.invite_error == ""
    until(lambda: guest.invited)
    assert guest.invited[0] | {"id": ""} == {"id": "", "title": "Shared", "from": "<b>Hana</b>", "live": False}

    accept(guest)
    assert (guest.role, guest.title, guest.phase) == ("coHost", "Shared", "idle")
    until(lambda: not guest.invited and [row["status"] for row in host.invitations] == ["approved"])
    command(guest, "start", source="test-card")
    until(lambda: "not live yet" in guest.error)
    assert guest.phase == "idle"

    command(host, "start", source="test-card")
    until(lambda: host.phase == "live")
    join(guest)
    both = {"company-host": True, "company-guest": True}
    until(lambda: on_stage(host) == both and on_stage(guest) == both)
    assert [(row["me"], row["role"]) for row in guest.people] == [(False, "host"), (True, "coHost")]
    until(lambda: [row["name"] for row in host.people] == ["<b>Hana</b>", "Gus"])
    command(host, "let_manage_products", user="company-guest", allowed=True)
    until(lambda: host.people[1]["products"])

    command(host, "remove", user="company-host")
    until(lambda: "no such co-host" in host.error)
    command(host, "remove", user="company-guest")
    until(lambda: not guest.has_room)
    assert (guest.phase, guest.role, guest.error) == ("idle", "host", "The host took you off the stage.")
    until(lambda: on_stage(host) == {"company-host": True})
    assert host.phase == "live"

    command(host, "invite", user="company-guest")
    accept(guest)
    join(guest)
    until(lambda: on_stage(host) == both)
    guest.broadcast.stop()
    until(lambda: guest.phase == "idle")
    assert guest.has_room, "off the air, and still a co-host"
    join(guest)
    command(guest, "leave_stage")
    until(lambda: not guest.has_room)
    assert guest.error == ""
    assert host.phase == "live"
    until(lambda: on_stage(host) == {"company-host": True})
    for studio in (host, guest):
        assert "eyJ" not in state_of(studio)
        assert sp.access_token() not in state_of(studio)
    command(host, "stop")
    until(lambda: host.phase == "ended")


def test_invitations_are_declined_and_taken_back(pair: tuple[Any, Any, Any]) -> None:
    host, guest, _sp = pair
    command(host, "invite", user="nobody of this network")
    until(lambda: "not found" in host.invite_error)
    command(host, "invite", user="company-guest")
    until(lambda: guest.invited)
    command(guest, "reject", invitation="not mine")
    command(guest, "reject", invitation=guest.invited[0]["id"])
    until(lambda: not guest.invited and [row["status"] for row in host.invitations] == ["rejected"])
    command(host, "invite", user="company-guest")
    until(lambda: guest.invited and host.invitations[0]["status"] == "pending")
    command(host, "cancel_invite", invitation=host.invitations[0]["id"])
    until(lambda: not guest.invited and [row["status"] for row in host.invitations] == ["cancelled"])
    command(guest, "leave_stage")
    command(host, "leave_stage")
    assert host.has_room, "a host does not leave, it ends"


def test_a_guest_comes_by_a_link_that_goes_to_one_page_alone(pair: tuple[Any, Any, Any]) -> None:
    host, guest, _sp = pair
    sent = Sent(host)
    command(guest, "accept_link", link="not one")
    until(lambda: "no invite link" in guest.error)
    command(host, "invite_link")
    told = lambda: [content for content, _ in sent.messages if content["type"] == "invite_link"]  # noqa: E731
    until(told)
    (reply,) = told()
    assert reply["client"] == "page"
    command(guest, "accept_link", link=reply["address"])
    until(lambda: guest.has_room)
    assert (guest.role, guest.title, guest.error) == ("coHost", "Shared", "")
    until(lambda: [row["user"] for row in host.people] == ["company-host", "company-guest"])
    for studio in (host, guest):
        assert reply["address"] not in state_of(studio)
    # A guest invites nobody, and is told so.
    command(guest, "invite_link")
    until(lambda: "only the room's host" in guest.invite_error)


KILLED = """import os, signal, sys, spnb
sp = spnb.connect("killed-host", url=sys.argv[1], api_key=sys.argv[2])
print(sp.rooms.create("Killed").invite_link().address, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_link_of_a_killed_host_is_told_to_lead_nowhere(
    pair: tuple[Any, Any, Any], sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    _host, guest, _sp = pair
    program = [sys.executable, "-c", KILLED, sandbox.url, sandbox.api_key]
    killed = subprocess.run(program, capture_output=True, text=True, timeout=60)
    assert killed.stdout.startswith("spnb:co-host#"), killed.stderr
    monkeypatch.setattr(co_hosts, "SILENT_SECONDS", 0.1)
    monkeypatch.setattr(co_hosts, "LINK_SECONDS", 2.0)
    errors: list[str] = []
    guest.observe(lambda change: errors.append(change["new"]), "error")
    command(guest, "accept_link", link=killed.stdout.strip())
    until(lambda: "has to be running" in guest.error)
    assert co_hosts.SILENT in errors, "told while it waits"
    assert "Ask the host for a fresh one" in guest.error
    assert not guest.has_room


def test_the_room_ends_under_a_co_host(pair: tuple[Any, Any, Any]) -> None:
    host, guest, _sp = pair
    command(host, "start", source="test-card")
    until(lambda: host.phase == "live")
    command(host, "invite", user="company-guest")
    accept(guest)
    join(guest)
    command(guest, "accept", invitation="none")
    command(host, "stop")
    until(lambda: guest.phase == "ended" and host.phase == "ended")
    assert "stopped elsewhere" in guest.error
    command(guest, "new")
    until(lambda: not guest.has_room and guest.phase == "idle")
