"""A plausible first guess works or is refused; it never does something else."""

from __future__ import annotations

from pathlib import Path

import pytest

import spnb
from spnb.errors import ConfigError, InvalidInput
from tests.conftest import RunningSandbox


def test_a_client_connects_to_the_very_sandbox_it_is_given(tmp_path: Path, sandbox: RunningSandbox) -> None:
    box = spnb.sandbox.start(tmp_path)
    try:
        with spnb.connect("ann", sandbox=box) as ann, spnb.connect("bo", sandbox=ann) as bo:
            ann.rooms.create("In the box", chat=False)
            assert [room.title for room in bo.rooms.query()] == ["In the box"]
            assert box.url in repr(ann)
            for odd in ("box", 1, tmp_path, object()):
                with pytest.raises(ConfigError, match=type(odd).__name__):
                    spnb.connect("cy", sandbox=odd)  # type: ignore[arg-type]
            with pytest.raises(ConfigError, match="without api_key"):
                spnb.connect("cy", sandbox=box, url=sandbox.url, api_key=sandbox.api_key)
    finally:
        box.stop()


def test_a_status_is_asked_for_by_itself_or_refused(sandbox: RunningSandbox) -> None:
    with spnb.connect("statuses", url=sandbox.url, api_key=sandbox.api_key) as sp:
        room = sp.rooms.create("Idle", chat=False)
        assert room.room_id in [found.room_id for found in sp.rooms.query(statuses="idle")]
        assert [found.room_id for found in sp.rooms.query(statuses=("waiting_reconnect",))] == []
        for odd in ("lve", ["live", "Recorded"], []):
            with pytest.raises(InvalidInput, match="waitingReconnect"):
                list(sp.rooms.query(statuses=odd))
            with pytest.raises(InvalidInput, match="waitingReconnect"):
                spnb.LiveRooms(sp, statuses=odd)
        with pytest.raises(InvalidInput, match="no room is ever lve"):
            room.until("lve")
