"""Two users' Studios in a browser: invited, on stage together, seen and heard, removed, over."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.lab.audience import House
from tests.lab.conftest import CAMERA, CONNECT, Lab
from tests.lab.test_story import PLAYING

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.slow, pytest.mark.timeout(300)]

HOST = CONNECT + "studio = spnb.Studio(sp, countdown=0)\nstudio"
GUEST = (
    "guest = spnb.connect(f'guest-{sp.user_id}', display_name='Gus <i>Guest</i>',"
    " url=os.environ['TEST_URL'], api_key=os.environ['TEST_KEY'])\n"
    "theirs = spnb.Studio(guest, countdown=0)\ntheirs"
)


async def test_two_studios_share_a_stage(lab: Lab) -> None:
    await lab.write_and_run("co-hosts.ipynb", HOST, GUEST)
    page = lab.page
    studios = page.locator(".spnb:has(.spnb-studio)")
    host, guest = studios.nth(0), studios.nth(1)
    badge = ".spnb-head .spnb-badge"

    await host.get_by_label("Title").fill("Two of us")
    await host.get_by_role("button", name="Create room").click()
    await host.get_by_role("button", name="Go live").click()
    await expect(host.locator(badge)).to_have_text("LIVE")
    room_id = await House(lab).room_id()

    # Invited by keyboard, taken back, invited again, accepted.
    guest_id = (await lab.run_code("print(guest.user_id)")).strip()
    await host.get_by_text("Co-hosts", exact=True).click()
    await host.get_by_label("user to invite").fill(guest_id)
    await host.get_by_label("user to invite").press("Enter")
    asked = guest.get_by_text("invites you to co-host “Two of us”, which is live now")
    await expect(asked).to_be_visible()
    await host.get_by_role("button", name="take the invitation").click()
    await expect(asked).to_be_hidden()
    await host.get_by_label("user to invite").fill(guest_id)
    await host.get_by_role("button", name="Invite", exact=True).click()
    await expect(host.get_by_text("Co-hosts · 1 invited")).to_be_visible()
    await lab.shot("co-hosts-invited")
    await guest.get_by_role("button", name="Accept").click()
    await expect(guest.locator(".spnb-title")).to_have_text("Two of us")
    await expect(host.locator(".spnb-invited")).to_contain_text("accepted")
    await expect(host.locator(".spnb-tile")).to_contain_text("co-host · off stage")

    # On the stage: each sees the other.
    await guest.get_by_role("button", name="Join stage").click()
    await expect(guest.locator(badge)).to_have_text("LIVE")
    name = host.locator(".spnb-tile figcaption")
    await expect(name).to_have_text("Gus <i>Guest</i>co-host · on stage")
    await expect(guest.locator(".spnb-tile figcaption")).to_contain_text("host · on stage")
    for studio in (host, guest):
        width, height = await studio.locator(".spnb-tile video").evaluate(PLAYING)
        assert width / height == pytest.approx(16 / 9, abs=0.01)
    await guest.get_by_role("button", name="Mute").click()
    await expect(name).to_contain_text("muted")
    await guest.get_by_role("button", name="Hide camera").click()
    await expect(name).to_contain_text("camera off")
    await expect(host.locator(".spnb-tile video")).to_be_hidden()
    await guest.get_by_role("button", name="Show camera").click()
    await expect(host.locator(".spnb-tile video")).to_be_visible()
    await lab.shot("co-hosts-stage")
    # The host makes the guest large: both Studios follow.
    await host.get_by_label("layout").select_option(label="Spotlight: \u2068Gus <i>Guest</i>\u2069")
    for studio in (host, guest):
        await expect(studio.locator(".spnb-tiles")).to_have_attribute("data-shape", "spotlight")
    await expect(host.locator(".spnb-tile")).to_have_attribute("data-focus", "")
    await expect(guest.get_by_label("layout")).to_be_hidden()
    await lab.shot("co-hosts-spotlight")
    await host.get_by_label("layout").select_option("Side by side")
    await expect(guest.locator(".spnb-tiles")).to_have_attribute("data-shape", "side-by-side")
    await host.get_by_role("button", name="manage products").click()
    await expect(host.get_by_role("button", name="manage products")).to_have_attribute("aria-pressed", "true")

    # Off it: removed by the host, whose stream goes on; then it ends, and the replay plays.
    await host.get_by_role("button", name="from the stage").click()
    await expect(guest.get_by_text("The host took you off the stage.").first).to_be_visible()
    await expect(host.locator(".spnb-tile")).to_have_count(0)
    await expect(host.locator(".spnb-invited")).to_contain_text("no co-host any more")
    await expect(host.locator(badge)).to_have_text("LIVE")
    assert await House(lab).status(room_id) == "live"
    await lab.shot("co-hosts-removed")
    await host.get_by_role("button", name="End", exact=True).click()
    await host.get_by_role("button", name="End now").click()
    await expect(host.locator(".spnb-player .spnb-badge").last).to_have_text("REPLAY")
    replay = host.locator(".spnb-player video").last
    assert await replay.evaluate(PLAYING) == CAMERA
    through = """async (video) => {
        for (const part of [0.1, 0.5, 0.9]) {
            video.currentTime = video.duration * part;
            await new Promise((resolve) => video.addEventListener('seeked', resolve, {once: true}));
        }
        return video.error === null;
    }"""
    assert await replay.evaluate(through), "one recording from the first picture to the last"
    assert not [line for line in lab.said() if line.startswith("pageerror") or "eyJ" in line]


CHANGES = """(image) => new Promise((resolve) => {
    const began = performance.now();
    let changes = 0;
    const watch = () => ++changes < 20 || resolve(1000 * changes / (performance.now() - began));
    new MutationObserver(watch).observe(image, {attributeFilter: ['src']});
})"""
"""Resolves once there have been twenty, with how many a second."""

KERNEL = (
    CONNECT
    + """
from spnb.broadcast.sources import TestCard
guest = spnb.connect(f'guest-{sp.user_id}', url=os.environ['TEST_URL'], api_key=os.environ['TEST_KEY'])
room = sp.rooms.create('From the kernel')
studio = spnb.Studio(sp, room, countdown=0)
studio"""
)


async def test_viewers_and_a_host_without_a_camera_see_who_comes_and_goes(lab: Lab) -> None:
    await lab.write_and_run("co-hosts-kernel.ipynb", KERNEL, "spnb.Player(room)")
    page = lab.page
    studio, video = page.locator(".spnb-studio"), page.locator(".spnb-player:not(.spnb-preview) video")
    await studio.get_by_label("source", exact=True).select_option("test-card")
    await studio.get_by_role("button", name="Go live").click()
    await expect(studio.locator(".spnb-head .spnb-badge")).to_have_text("LIVE")
    await expect(video).to_be_visible()
    await video.evaluate(PLAYING)
    said = await lab.run_code(
        "room.invite(guest.user_id)\nthere = guest.rooms.get(room.room_id).invitation().accept()\n"
        "show = there.join_stage(TestCard(640, 360))"
    )
    assert said == ""
    await expect(studio.locator(".spnb-tile")).to_contain_text("co-host · on stage")
    # The kernel is in the room, not this page: it hands on what it sees of them.
    still = studio.locator(".spnb-tile img")
    await expect(still).to_be_visible()
    await expect(studio.locator(".spnb-tile")).not_to_contain_text("no picture here")
    rate = await still.evaluate(CHANGES)
    assert rate > 0
    assert await still.evaluate("(image) => image.naturalWidth") == 320
    await lab.shot("co-hosts-kernel-tiles", ".spnb-studio")
    # The picture that viewers get becomes one with both, and theirs alone again, in one stream that never stands still.
    dark = "window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab %s'})"
    await page.evaluate(dark % "Dark")
    await page.wait_for_function(BOTH, timeout=60_000)
    await lab.shot("co-hosts-kernel-dark")
    await page.evaluate(dark % "Light")
    assert await lab.run_code("there.leave_stage()") == ""
    await expect(studio.locator(".spnb-tile")).to_have_count(0)
    await page.wait_for_function(f"{BOTH} === false", timeout=60_000)
    assert await video.evaluate(PLAYING) == [1280, 720]
    await studio.get_by_role("button", name="End", exact=True).click()
    await studio.get_by_role("button", name="End now").click()
    await expect(page.locator(".spnb-player .spnb-badge").last).to_have_text("REPLAY")
    assert not [line for line in lab.console if line.startswith("pageerror")]


BOTH = """(() => {
    const video = document.querySelector('.spnb-player:not(.spnb-preview) video');
    if (video.readyState < 2) return undefined;
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [16, 9];
    const pen = canvas.getContext('2d');
    pen.drawImage(video, 0, 0, 16, 9);
    const brightest = (x, y) => Math.max(...pen.getImageData(x, y, 1, 1).data.slice(0, 3));
    // Two pictures side by side have dark grey above and below them, and their colours begin a quarter down.
    const grey = [[2, 0], [13, 0], [2, 8], [13, 8]].every(([x, y]) => brightest(x, y) < 40);
    return grey && brightest(2, 3) > 100 && brightest(10, 3) > 100;
})()"""
