"""Settings of the network: webhooks on and off, moderation and its thresholds; changed by calls, kept, and felt."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import spnb
from spnb.client import Client, ModerationSettings, Thresholds
from spnb.errors import InvalidInput
from spnb.live import LiveRoom
from spnb.sandbox import SandboxInfo
from spnb.webhooks import Delivery, Receiver
from tests.conftest import RunningSandbox, start_sandbox

SECRET = "the secret of the webhook"


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[RunningSandbox]:
    """A sandbox of the test's own: settings are the whole network's."""
    running = start_sandbox(tmp_path / "alone", "--no-rate-limit", "--grace", "3")
    yield running
    running.stop()


def connected(sandbox: RunningSandbox) -> Client[LiveRoom]:
    return spnb.connect("host", url=sandbox.url, api_key=sandbox.api_key)


def test_while_webhooks_are_off_none_is_sent_and_none_made_up_for(alone: RunningSandbox, tmp_path: Path) -> None:
    come = threading.Event()
    with connected(alone) as sp, Receiver(SECRET, path=tmp_path / "webhooks.sqlite").serve() as receiver:

        @receiver.on("post.*")
        def heard(delivery: Delivery) -> None:
            if delivery.data["posts"][0]["data"].get("text") == "on again":
                come.set()

        spnb.sandbox.webhooks(sp).add(receiver.url, SECRET, legacy=False)
        assert sp.settings.webhooks()
        assert not sp.settings.set_webhooks(False)
        assert not sp.settings.webhooks()
        room = sp.rooms.create("Off", chat=False)
        room.post(text="while off")
        assert sp.settings.set_webhooks(True)
        room.post(text="on again")
        assert come.wait(60)
        texts = [delivery.data["posts"][0]["data"].get("text") for delivery in receiver.deliveries()]
        assert texts
        assert "while off" not in texts


def test_thresholds_are_percent_of_the_documented_defaults_until_they_are_changed(
    alone: RunningSandbox, tmp_path: Path
) -> None:
    with connected(alone) as sp:
        before = sp.settings.moderation()
        assert before.enabled
        assert before.thresholds.keys() == {"pornography", "violence", "prohibited", "inappropriate", "profanity"}
        assert set(before.thresholds.values()) == {Thresholds(0.4, 0.75)}
        assert "40%" in before._repr_html_()
        after = sp.settings.set_moderation({"violence": (0.1, 0.9), "profanity": Thresholds(1, 1)})
        assert after.thresholds == {
            **before.thresholds,
            "violence": Thresholds(0.1, 0.9),
            "profanity": Thresholds(1, 1),
        }
        assert after.enabled
        assert not sp.settings.set_moderation(enabled=False).enabled
        sp.settings.set_webhooks(False)
    alone.stop()
    again = start_sandbox(tmp_path / "alone", "--no-rate-limit")
    try:
        with connected(again) as sp:
            assert sp.settings.moderation() == ModerationSettings(False, after.thresholds)
            assert not sp.settings.webhooks()
    finally:
        again.stop()


@pytest.mark.media
def test_the_moderation_keeps_to_what_was_set(alone: RunningSandbox) -> None:
    judge = SandboxInfo.read(alone.info)
    with connected(alone) as sp:
        room = sp.rooms.create("Watched")
        with room.go_live(spnb.TestCard(320, 180)) as show:
            room.until("live", timeout=60)
            sp.settings.set_moderation(enabled=False)
            assert judge.moderate(room.room_id, "violence", 1.0) == "pass"
            sp.settings.set_moderation({"violence": (0.9, 1.0)}, enabled=True)
            assert judge.moderate(room.room_id, "violence", 0.8) == "pass"
            assert judge.moderate(room.room_id, "violence", 0.95) == "flag"
            assert room.refresh().moderation is not None
            sp.settings.set_moderation({"violence": (0.1, 0.2)})
            assert judge.moderate(room.room_id, "violence", 0.2) == "terminate"
            assert show.wait_ended(20)


def test_what_is_no_setting_is_refused_and_changes_nothing(alone: RunningSandbox) -> None:
    with connected(alone) as sp:
        for flag, terminate in ((0.8, 0.5), (-0.1, 0.5), (0.5, 1.1), (float("nan"), 0.5)):
            with pytest.raises(InvalidInput, match=r"e\.g\. 0\.4 and 0\.75"):
                sp.settings.set_moderation({"violence": (flag, terminate)})
        with pytest.raises(spnb.errors.BadRequest, match="validation"):
            sp.settings.set_moderation({"boredom": Thresholds()})
        base = f"{alone.url}/api/v3/network-settings"
        bearer = {"Authorization": f"Bearer {sp.access_token()}"}
        backwards = {"category": "violence", "flagThreshold": 0.8, "terminateThreshold": 0.5}
        for path, body in (
            ("webhook", {}),
            ("webhook", {"webhookEnabled": "perhaps"}),
            ("video-streaming", {"moderation": {"categories": [backwards]}}),
            ("video-streaming", {"moderation": {"categories": [{"category": "violence"}]}}),
        ):
            assert (
                httpx.put(f"{base}/{path}", json=body, headers=bearer, trust_env=False, timeout=60).status_code == 422
            )
            assert httpx.put(f"{base}/{path}", json=body, trust_env=False, timeout=60).status_code == 401
        assert sp.settings.webhooks()
        assert set(sp.settings.moderation().thresholds.values()) == {Thresholds()}


def test_what_the_service_leaves_out_is_the_default() -> None:
    told = {"moderation": {"enabled": True, "categories": [{"category": "weapons", "flagThreshold": None}]}}
    assert ModerationSettings.of(told) == ModerationSettings(True, {"weapons": Thresholds(0.4, 0.75)})
    assert ModerationSettings.of({}) == ModerationSettings(False)
