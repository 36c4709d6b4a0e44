"""The main job by mouse: create a room, go live, see it in live now, watch it, stop, play the recording."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from playwright.async_api import expect

from tests.lab.conftest import BASE, HUB, Lab

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.slow, pytest.mark.timeout(300)]

PLAYING = """(video) => new Promise((resolve, reject) => {
    const began = Date.now();
    const first = video.currentTime;
    const look = () => {
        if (video.videoWidth > 0 && video.currentTime > first + 0.5) resolve([video.videoWidth, video.videoHeight]);
        else if (Date.now() - began > 60000) reject(new Error('the video does not move: ' + JSON.stringify({
            ready: video.readyState, paused: video.paused, at: video.currentTime, wide: video.videoWidth,
            buffered: [...Array(video.buffered.length)].map((_, i) => [video.buffered.start(i), video.buffered.end(i)]),
        })));
        else setTimeout(look, 100);
    };
    look();
})"""


async def test_a_host_goes_live_by_mouse_and_watches_the_recording(lab: Lab) -> None:
    lab.write(
        "story.ipynb",
        "import spnb\nsp = spnb.connect()\nform = spnb.CreateRoom(sp)\nform",
        "now = spnb.LiveNow(sp)\nnow",
    )
    await lab.open("story.ipynb")
    await lab.run_all()
    page = lab.page

    # The form says what is missing, counts, and makes the room. Markup in a title is text.
    await page.get_by_role("button", name="Create room").click()
    await expect(page.get_by_role("alert").filter(has_text="Give the room a title")).to_be_visible()
    title = "<img src=x onerror=window.spnbBroken=1> Launch day"
    await page.get_by_label("Title").fill(title)
    await page.get_by_label("Description").fill("Everything at once")
    await lab.shot("create-room")
    await page.get_by_role("button", name="Create room").click()
    await expect(page.locator(".spnb-made strong")).to_have_text(title)
    assert not await page.evaluate("window.spnbBroken")

    # Go live with a countdown, which can be cancelled.
    await lab.run_code(
        "from IPython.display import display\n"
        "live = spnb.GoLive(form.room, countdown=2)\n"
        "status = spnb.RoomStatus(form.room)\n"
        "player = spnb.Player(form.room)"
    )
    await page.evaluate("window.jupyterapp.commands.execute('notebook:insert-cell-below')")
    await page.evaluate(
        "window.spnbPanel.content.activeCell.model.sharedModel.setSource('display(live, status, player)')"
    )
    await page.evaluate("window.jupyterapp.commands.execute('notebook:run-cell')")
    go = page.get_by_role("button", name="Go live")
    await go.click()
    await page.get_by_role("button", name="Cancel").click()
    await expect(go).to_be_visible()
    await go.click()
    await expect(page.locator(".spnb-golive .spnb-badge")).to_have_text("LIVE")
    await expect(page.locator(".spnb-golive .spnb-health")).to_contain_text("1280×720")

    # It is in the list of what is live, with a picture of it.
    card = page.locator(".spnb-rooms .spnb-room")
    await expect(card).to_contain_text("Launch day")
    await expect(card.locator("img")).to_be_visible()

    # A viewer sees it move.
    video = page.locator(".spnb-player video")
    await expect(video).to_be_visible()
    await video.evaluate(PLAYING)
    await video.scroll_into_view_if_needed()
    await lab.shot("on-air")

    # Stop: processing, then the replay, in the same player.
    await page.get_by_role("button", name="End broadcast").click()
    await page.get_by_role("button", name="End now").click()
    await expect(page.locator(".spnb-player .spnb-badge")).to_have_text("REPLAY")
    await expect(page.locator(".spnb-step[aria-current=step]")).to_contain_text("Recorded")
    await expect(page.locator(".spnb-rooms .spnb-room")).to_have_count(0)
    assert await video.evaluate(PLAYING) == [1280, 720]
    await video.evaluate("(video) => { video.currentTime = 1; }")
    await page.wait_for_function("document.querySelector('.spnb-player video').currentTime >= 1")
    await lab.shot("recorded")

    # Nothing secret is in the saved notebook or in what the widgets synchronise.
    secrets = json.loads(
        await lab.run_code(
            "import json\nfrom spnb.sandbox import ensure\ninfo = ensure()\n"
            "print(json.dumps([info.api_key, sp.access_token(), form.room.recording().urls[0].split('/')[4]]))"
        )
    )
    await lab.save()
    saved = (lab.folder / "story.ipynb").read_text()
    states = await lab.run_code("print([widget.get_state() for widget in (form, now, live, status, player)])")
    for secret in secrets:
        assert secret
        assert secret not in saved
        assert secret not in states
    assert "eyJ" not in saved
    assert not [line for line in lab.console if line.startswith("pageerror")]
    await lab.close()


async def test_a_visitor_of_a_hub_watches_through_its_proxy(lab: Lab) -> None:
    """As on Binder: the page has another host than the sandbox, which only the Jupyter server can reach."""
    assert lab.page.context.browser is not None
    page = await lab.page.context.browser.new_page()
    page.set_default_timeout(60_000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    home = lab.url.replace("127.0.0.1", HUB)
    await page.goto(f"{home}{BASE}lab?token={lab.token}&reset")
    await page.wait_for_function("window.jupyterapp && window.jupyterapp.started")
    visitor = replace(lab, page=page)
    lab.write(
        "hub.ipynb",
        "import spnb\nsp = spnb.connect()\nroom = sp.rooms.create('Seen from afar')\nshow = room.go_live()\n"
        "spnb.Player(room)",
    )
    await visitor.open("hub.ipynb")
    await visitor.run_all()
    video = page.locator(".spnb-player video")
    await expect(video).to_be_visible()
    assert await video.evaluate(PLAYING) == [1280, 720]
    await visitor.run_code("show.stop()\nroom.recording()")
    await expect(page.locator(".spnb-player .spnb-badge")).to_have_text("REPLAY")
    assert await video.evaluate(PLAYING) == [1280, 720]
    assert any(f"{BASE}spnb/media/" in url for url in asked)
    assert not [url for url in asked if url.startswith("http") and not url.startswith(home)]
    await visitor.close()
    await page.close()
