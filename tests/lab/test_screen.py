"""What a host chooses on air: a screen beside the camera, volume and switches, and the words that tell of it."""

from __future__ import annotations

import itertools
import time
from typing import Any

import av
import numpy as np
import pytest
from livekit import rtc
from playwright.async_api import expect

from spnb.broadcast.sources import read_counter
from spnb.sandbox.recorder.layout import layout
from tests.broadcast.booth import SILENT, Listener
from tests.lab.audience import House
from tests.lab.conftest import Lab
from tests.lab.test_studio import ended, go_live
from tests.live.conftest import until

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.slow, pytest.mark.timeout(300)]

CAMERA = {"SOURCE_CAMERA", "SOURCE_MICROPHONE"}
SCREEN = {"SOURCE_SCREENSHARE", "SOURCE_SCREENSHARE_AUDIO"}
STOP = """() => {
    const [track] = document.querySelector('.spnb-preview video').srcObject.getVideoTracks();
    track.stop();
    track.dispatchEvent(new Event('ended'));
}"""
"""What the browser's own button for it does."""


def published(listener: Listener) -> dict[str, Any]:
    """The host's tracks by what they are announced as."""
    hosts = listener.room.remote_participants.values()
    tracks = [track for host in hosts for track in host.track_publications.values()]
    return {rtc.TrackSource.Name(track.source): track for track in tracks}


def inset_pictures(path: Any) -> list[int]:
    """Numbers of the camera's pictures in a recording where the browser's pretended screen, all green, is large."""
    found = []
    with av.open(str(path)) as file:
        for frame in itertools.islice(file.decode(video=0), 0, None, 5):
            red, green, blue = frame.to_ndarray(format="rgb24")[frame.height // 2, frame.width // 10].astype(int)
            if green <= 90 or green <= 2 * max(red, blue):
                continue
            luma = np.asarray(frame.to_ndarray(format="gray"))
            at = layout([True, False], frame.width, frame.height)[1]
            number = read_counter(luma[at.y : at.y + at.height, at.x : at.x + at.width])
            if number is not None:
                found.append(number)
    return found


async def test_a_screen_goes_out_beside_the_camera(lab: Lab) -> None:
    room_id = await go_live(lab, "screen.ipynb")
    page, house = lab.page, House(lab)
    await expect(page.get_by_text("Sent straight from this page")).to_be_visible()
    async with house.listener(room_id) as listener:
        await until(lambda: set(published(listener)) == CAMERA)
        await page.get_by_role("button", name="Share screen").click()
        await until(lambda: set(published(listener)) == CAMERA | SCREEN)
        await until(lambda: all(track.track is not None for track in published(listener).values()))
        await expect(page.get_by_label("your camera")).to_be_visible()
        await listener.sees()
        await listener.hears()

        # Hidden is both, and said so where the host looks.
        await page.get_by_role("button", name="Hide camera").click()
        await until(lambda: all(published(listener)[name].muted for name in ("SOURCE_CAMERA", "SOURCE_SCREENSHARE")))
        await expect(page.get_by_text("Hidden from viewers")).to_be_visible()
        await page.get_by_role("button", name="Show camera").click()
        await until(lambda: not any(track.muted for track in published(listener).values()))

        # The volume is the broadcast's own: at nothing, neither voice nor screen is heard.
        await page.get_by_text("Sound and background").click()
        before = {track.sid for track in published(listener).values()}
        volume = page.get_by_label("Volume")
        await volume.fill("0")
        await until(lambda: max(listener.heard_since(time.monotonic() - 1.5), default=1e9) < SILENT)
        assert (await lab.run_code("print(studio.broadcast.audio.volume)")).strip() == "0.0"
        await volume.fill("1")
        await listener.hears()
        assert {track.sid for track in published(listener).values()} == before, "a volume takes no other track"

        # Stopped by the browser's own button, the camera is alone again.
        await page.evaluate(STOP)
        await until(lambda: set(published(listener)) == CAMERA)
        await expect(page.get_by_role("button", name="Share screen")).to_be_visible()
        await expect(page.get_by_label("your camera")).to_be_hidden()

        # Switches hold for the microphone that is open: another one takes its place.
        for name in ("Echo cancellation", "Noise suppression"):
            await page.get_by_label(name).uncheck()
        await page.wait_for_function(
            "window.spnbTracks.some((track) => track.kind === 'audio' && track.readyState === 'live'"
            " && track.getSettings().echoCancellation === false && track.getSettings().noiseSuppression === false)"
        )
        await expect(page.get_by_text("This browser cannot blur")).to_be_visible()
        await listener.hears()
    await page.get_by_role("button", name="End", exact=True).click()
    await expect(page.get_by_text("over for good").first).to_be_visible()
    await page.get_by_role("button", name="End now").click()
    await ended(page)
    await expect(page.get_by_text("To go live again, start a new stream")).to_be_visible()
    await lab.shot("studio-over")
    files = [path for path in lab.sandbox.data_dir.rglob("*.mp4") if room_id in str(path)]
    assert files
    beside = [number for path in files for number in inset_pictures(path)]
    assert len(set(beside)) > 5, "the recording shows the screen large and the camera inset, both moving"
