"""STUN and TURN servers that a notebook names are those of its page, which is told them and shows them nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.broadcast.relay import PASSWORD, relay
from tests.lab.conftest import CONNECT, Lab
from tests.lab.test_studio import ended, make_room, on_air
from tests.live.conftest import until

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.slow, pytest.mark.timeout(300)]

KEPT = """() => {
    window.spnbWays = [];
    const Before = RTCPeerConnection;
    window.RTCPeerConnection = class extends Before {
        constructor(given) {
            super(given);
            window.spnbWays.push(...(this.getConfiguration().iceServers ?? []).flatMap((server) => server.urls));
        }
    };
}"""


async def test_a_page_previews_and_goes_live_by_the_relays_it_is_told(lab: Lab, tmp_path: Path) -> None:
    page = lab.page
    async with relay(tmp_path) as turn:
        cell = CONNECT.replace("url=", f"ice_servers=['{turn.url('page')}'], url=")
        lab.write("relayed.ipynb", cell + "studio = spnb.Studio(sp, countdown=0)\nstudio")
        await lab.open("relayed.ipynb")
        await lab.run_all()
        await page.evaluate(KEPT)
        await page.get_by_role("button", name="Camera on").click()
        await until(lambda: turn.allocated("page") >= 2)  # the page's, and the kernel's
        await page.evaluate("window.spnbWays = []")
        await make_room(page)
        await page.get_by_role("button", name="Go live").click()
        await on_air(page)
        await expect(page.get_by_text("Sent straight from this page")).to_be_visible()
        assert set(await page.evaluate("window.spnbWays")) == {f"turn:127.0.0.1:{turn.port}?transport=udp"}
        await page.get_by_role("button", name="End", exact=True).click()
        await page.get_by_role("button", name="End now").click()
        await ended(page)
    await lab.save()
    saved = json.loads((lab.folder / "relayed.ipynb").read_text())
    for cell in saved["cells"]:
        del cell["source"]  # the user's own words
    assert PASSWORD not in json.dumps(saved)
    assert not [line for line in lab.console if PASSWORD in line or line.startswith("pageerror")]
