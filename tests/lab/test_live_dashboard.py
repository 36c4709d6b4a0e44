"""The live dashboard in a browser: seconds are appended while on air, and at the end its numbers are the exact ones."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest
from playwright.async_api import expect

import spnb
from spnb import analytics
from spnb.client.watch_key import throwaway
from tests.lab.conftest import CONNECT, Lab
from tests.lab.test_dashboard import pictured

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.slow, pytest.mark.timeout(300)]

CELL = (
    CONNECT + "from types import SimpleNamespace\nroom = sp.rooms.create('Live <b>numbers</b>')\nroom.post()\n"
    "here = SimpleNamespace(url=os.environ['TEST_URL'], api_key=os.environ['TEST_KEY'])\n"
    "board = spnb.LiveDashboard(room, source=here)\nboard"
)
FANS, WRITTEN, GIVEN = 3, 12, 9


async def test_live_numbers_are_the_exact_ones_at_the_end(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    # Only credentials of the environment bring the key with which watch sessions are signed.
    known = {"API_KEY": lab.sandbox.api_key, "URL": lab.sandbox.url, "USER_ID": "fan", "WATCH_KEY": throwaway()}
    for name, value in known.items():
        monkeypatch.setenv(f"SOCIALPLUS_{name}", value)
    page = lab.page
    await lab.write_and_run("live.ipynb", CELL)
    board = page.locator(".spnb-live-dashboard")
    await expect(board.locator(".spnb-badge").first).to_have_text("Not started")
    room_id = (await lab.run_code("print(room.room_id)")).strip()
    await lab.run_code("show = room.go_live(spnb.TestCard(320, 180))\nroom.until('live')")
    await expect(board.locator(".spnb-badge").first).to_have_text("Live")

    async def fan(number: int) -> None:
        client = await spnb.connect_async(f"fan-{number}")
        room = await client.rooms.get(room_id)
        viewing = room.watch_session()
        await viewing.start()
        sent = [await room.chat.send(f"{number} says {line}") for line in range(WRITTEN // FANS)]
        for _ in range(GIVEN // FANS):
            await room.react("heart")
            await asyncio.sleep(0.1)
        await room.reactions.flush()
        if number == 0:
            await room.chat.delete(sent[0])
        await expect(board.locator("[data-name=viewers] strong")).to_have_text(str(FANS))
        await viewing.tell(5.0)
        await viewing.end()
        await client.aclose()

    await asyncio.gather(*(fan(number) for number in range(FANS)))
    shown = {
        "peak": str(FANS),
        "messages": str(WRITTEN - 1),
        "reactions": str(GIVEN),
    }
    for name, value in shown.items():
        await expect(board.locator(f"[data-name={name}] strong")).to_have_text(value)
    assert await board.locator(".uplot").count() == 3
    # A view that comes later is given what was so far, and the same seconds from then on.
    before = json.loads(await lab.run_code("import json\nprint(json.dumps(board.sent_messages))"))
    await page.evaluate("window.jupyterapp.commands.execute('notebook:create-output-view')")
    await expect(page.locator(".spnb-live-dashboard")).to_have_count(2)
    await expect(page.locator(".spnb-live-dashboard [data-name=messages] strong").last).to_have_text(shown["messages"])
    await pictured(lab, "live-dashboard", ".spnb-live-dashboard")
    assert json.loads(await lab.run_code("print(json.dumps(board.sent_messages))")) > before
    kept = json.loads(
        await lab.run_code("s = board.series\nprint(json.dumps([sum(s.messages), sum(s.reactions), len(s.viewers)]))")
    )
    assert kept[:2] == [WRITTEN, GIVEN]
    bins = [
        int(count or 0)
        for count in await page.evaluate(
            "[...document.querySelectorAll('[data-bins]')].map((widget) => widget.dataset.bins)"
        )
    ]
    assert len(bins) == 2
    assert abs(bins[0] - bins[1]) <= 1

    # The end: what was shown is what the rows say, and the stream's page takes over.
    await lab.run_code("show.stop()\nroom.until('ended', 'recorded')")
    first = board.first
    await expect(first.locator(".spnb-page[data-drawn]")).to_be_visible()
    dataset = await asyncio.to_thread(analytics.load, SimpleNamespace(url=lab.sandbox.url, api_key=lab.sandbox.api_key))
    exact = dataset.kpis.loc[room_id]
    told = json.loads(
        await lab.run_code("print(json.dumps([board.peak, board.messages, board.reactions, board.over]))")
    )
    assert told == [exact["peak_viewers"], exact["messages"], exact["reactions"], True]
    for name in ("peak_viewers", "messages", "reactions", "unique_viewers"):
        card = first.locator(f".spnb-page .spnb-kpi[data-name={name}] .spnb-kpi-value")
        await expect(card).to_have_text(f"{exact[name]:g}")  # NaN beside it makes floats of whole numbers
    await expect(first.locator("h3").first).to_have_text("Live <b>numbers</b>")
    changes = json.loads(await lab.run_code("print(json.dumps([status for _, status in board.changes]))"))
    assert changes[0] == "live"
    assert changes[-1] in ("ended", "recorded")
    sent = json.loads(await lab.run_code("print(json.dumps(board.sent_messages))"))
    await lab.run_code("import time; time.sleep(2.5)")
    assert json.loads(await lab.run_code("print(json.dumps(board.sent_messages))")) == sent
    await pictured(lab, "live-dashboard-over", ".spnb-live-dashboard")
    assert not [line for line in lab.console if "pageerror" in line]
