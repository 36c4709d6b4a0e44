"""The webcam in the notebook, by a browser with a camera: for the eye, for Python, and without UDP."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from playwright.async_api import expect

from spnb.bench.lab import CALM_RATE
from tests.lab.conftest import CAMERA, Lab
from tests.lab.test_story import PLAYING

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

CELL = "import spnb\npreview = spnb.CameraPreview()\npreview"
LEFT_OVER = (
    "import threading, gc\nfrom aiortc import RTCPeerConnection\n"
    "print(len([x for x in gc.get_objects() if isinstance(x, RTCPeerConnection)"
    " and getattr(x, 'connectionState', 'being made') != 'closed']),"
    " [t.name for t in threading.enumerate() if t.name.startswith(('spnb-filter', 'spnb-TestCard'))])"
)


async def nothing_left(lab: Lab) -> None:
    """Wait until no connection and no thread of a preview is left in the kernel."""
    async with asyncio.timeout(60):
        while (await lab.run_code(LEFT_OVER)).strip() != "0 []":
            pass


async def value(lab: Lab, expression: str) -> Any:
    return json.loads(await lab.run_code(f"import json; print(json.dumps({expression}))"))


async def test_the_camera_is_seen_by_eye_and_by_python(lab: Lab) -> None:
    lab.write("preview.ipynb", CELL)
    await lab.open("preview.ipynb")
    await lab.run_all()
    page = lab.page
    await page.get_by_role("button", name="Camera on").click()
    video = page.locator(".spnb-preview video")
    assert await video.evaluate(PLAYING) == CAMERA
    await expect(page.locator(".spnb-numbers")).to_contain_text(re.compile(r"640×360 · \d+ fps"))
    shape, moved = await value(
        lab,
        "(lambda a, b: [list(a.shape), bool((a != b).any())])(*[f for _, f in zip(range(2), preview.frames())])",
    )
    assert shape == [*CAMERA[::-1], 3]
    assert moved
    assert page.locator(".spnb-menus select").first is not None
    await expect(page.get_by_label("camera", exact=True)).to_be_visible()
    await lab.shot("preview")

    # A filter changes what is seen: here it paints everything red.
    await lab.run_code(
        "@preview.on_frame\ndef red(pixels):\n    pixels = pixels.copy()\n    pixels[..., 0] = 255\n"
        "    pixels[..., 1:] //= 8\n    return pixels"
    )
    await page.wait_for_function(
        """() => {
            const video = document.querySelector('.spnb-preview video');
            const canvas = document.createElement('canvas');
            canvas.width = canvas.height = 8;
            const pen = canvas.getContext('2d');
            pen.drawImage(video, 0, 0, 8, 8);
            const [red, green] = pen.getImageData(4, 4, 1, 1).data;
            return red > 180 && green < 90;
        }"""
    )
    await lab.run_code("preview.clear_filter()")

    # A cell that keeps the kernel busy does not touch the pictures.
    before = await value(lab, "preview.count")
    await lab.run_code("import time; time.sleep(2)")
    assert await value(lab, "preview.count") - before > CALM_RATE  # half of what the camera shows
    await page.get_by_role("button", name="Camera off").click()
    await expect(page.get_by_text("Camera is off")).to_be_visible()
    assert not await page.evaluate("[...document.querySelectorAll('video')].some((video) => video.srcObject)")
    await nothing_left(lab)
    await lab.close()


async def test_two_views_share_one_camera_and_closing_ends_it(lab: Lab) -> None:
    lab.write("views.ipynb", CELL, "preview")
    await lab.open("views.ipynb")
    await lab.run_all()
    page = lab.page
    await page.get_by_role("button", name="Camera on").first.click()
    for video in await page.locator(".spnb-preview video").all():
        assert await video.evaluate(PLAYING) == CAMERA
    streams = "new Set([...document.querySelectorAll('video')].map((video) => video.srcObject?.id)).size"
    assert await page.evaluate(streams) == 1
    await lab.run_code("preview.close()")
    await expect(page.locator(".spnb-preview")).to_have_count(0)
    await nothing_left(lab)
    await lab.close()


async def test_sources_of_the_kernel_are_previewed_too(lab: Lab) -> None:
    lab.write("card.ipynb", "import spnb\npreview = spnb.CameraPreview(spnb.TestCard(640, 360))\npreview")
    await lab.open("card.ipynb")
    await lab.run_all()
    await lab.page.get_by_role("button", name="Show preview").click()
    assert await lab.page.locator(".spnb-preview video").evaluate(PLAYING) == [640, 360]
    await lab.shot("preview-card")
    await lab.page.get_by_role("button", name="Camera off").click()
    await expect(lab.page.get_by_text("Preview is off")).to_be_visible()
    await nothing_left(lab)
    await lab.close()
