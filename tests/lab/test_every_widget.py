"""Every widget on one page: what axe finds against it, light, dark and at 200 %, and what it says without a kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from spnb import analytics, widgets
from tests.lab.conftest import CONNECT, ROOT, Lab
from tests.lab.test_dashboard import planted
from tests.lab.test_operations import THEME
from tests.recordings.planted import film, plant

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.slow, pytest.mark.timeout(300)]

AXE = ROOT / "spnb" / "widgets" / "js" / "node_modules" / "axe-core" / "axe.min.js"
CARRIERS = {"Widget", "Hub", "Charts"}
"""What is no widget to look at."""
MAKE = """
import tempfile
from IPython.display import display
from spnb import analytics
from spnb.webhooks import Receiver
title = 'A talk, with \\u202eoops\\u202c and more'
air = sp.rooms.create(title, chat=True)
air.post()
air.products.tag('mug')
air.products.pin('mug')
show = air.go_live(spnb.TestCard(320, 180))
air.until('live')
air.chat.send('Hello there, everybody')
over = sp.rooms.create('A talk that is over')
idle = sp.rooms.create('A talk to come')
print(over.room_id)
"""
SHOW = """
dataset = analytics.load({tables!r})
receiver = Receiver('a secret', path=tempfile.mkdtemp() + '/webhooks.sqlite').serve()
here = __import__('types').SimpleNamespace(url=os.environ['TEST_URL'], api_key=os.environ['TEST_KEY'])
every = [
    spnb.Studio(sp, idle, countdown=0), spnb.Studio(sp), spnb.CreateRoom(sp), spnb.CameraPreview(), spnb.GoLive(air),
    spnb.Player(air), spnb.RoomStatus(air), spnb.RoomCard(air), spnb.ViewerCount(air), spnb.Chat(air),
    spnb.LiveNow(sp), spnb.RoomTable(sp), spnb.RecordingPlayer(over, marks=[(1, 'Beginning')]),
    spnb.StreamReport(dataset.report(over.room_id)), spnb.Dashboard(dataset), spnb.LiveDashboard(air, source=here),
    spnb.WebhookInspector(receiver), spnb.Faults(sp), spnb.Doctor(sp),
]
display(*every)
"""
LOOK = """
async (colours) => {
    const found = await window.axe.run({include: [['.spnb']]}, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
        resultTypes: ['violations', 'passes'],
    });
    const contrast = found.passes.find(({id}) => id === 'color-contrast')?.nodes ?? [];
    if (colours && !contrast.some(({any}) => any[0]?.data?.contrastRatio)) throw new Error('contrast was not measured');
    return found.violations.map(({id, help, nodes}) => ({id, help, nodes: nodes.map(({html, any, all, none}) =>
        `${html.slice(0, 300)} — ${[...any, ...all, ...none].map(({message}) => message).join('; ')}`)}));
}
"""
IN_SIGHT = """() => {
    const studio = document.querySelectorAll('.spnb-studio')[1];
    const go = [...studio.querySelectorAll('button')].find((button) => button.textContent === 'Go live');
    const inSight = (part) => {
        const { left, right, top, bottom, height } = part.getBoundingClientRect();
        const seen = [top + 1, bottom - 1].map((y) => document.elementFromPoint((left + right) / 2, y));
        return height && seen.every((one) => one && studio.contains(one));
    };
    return go && [studio.querySelector('.spnb-title'), studio.querySelector('.spnb-preview'), go].every(inSight);
}"""


def in_words(found: list[dict[str, Any]]) -> str:
    lines = [f"{one['id']}: {one['help']}\n  " + "\n  ".join(one["nodes"]) for one in found]
    return "\n".join(lines)


async def test_nothing_is_found_against_the_accessibility_of_any_widget(lab: Lab, tmp_path: Path) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not there: npm ci in spnb/widgets/js brings it")
    page = lab.page
    await lab.write_and_run("every.ipynb", CONNECT + MAKE)
    room_id = (await lab.run_code("print(over.room_id)")).strip()
    plant(lab.sandbox, room_id, [film(tmp_path / "talk.mp4", 6, size=(320, 180))])
    await lab.run_code("over.refresh()")
    analytics.load(planted(room_id)).save(tmp_path / "one")
    cell = SHOW.format(tables=str(tmp_path / "one"))
    assert all(f"spnb.{name}(" in cell for name in set(widgets.__all__) - CARRIERS)
    await page.evaluate(
        """async (source) => {
            const { commands } = window.jupyterapp;
            await commands.execute('notebook:insert-cell-below');
            window.spnbPanel.content.activeCell.model.sharedModel.setSource(source);
            await commands.execute('notebook:run-cell');
        }""",
        cell,
    )
    shown = page.locator(".jp-OutputArea .spnb:not(.spnb .spnb)")
    await expect(shown).to_have_count(cell.count("spnb."), timeout=60_000)
    await expect(page.locator(".spnb-page[data-drawn]")).to_be_visible(timeout=60_000)
    await expect(page.locator(".spnb-streams tbody tr")).to_have_count(1, timeout=60_000)
    await expect(page.locator(".spnb-room")).to_contain_text(["A talk"], timeout=60_000)
    await expect(page.locator(".spnb-player:not(.spnb-preview) video").first).to_be_visible(timeout=60_000)
    await page.add_script_tag(path=AXE)
    # Lab's body has no height of its own and hides what flows over: to axe all of it is hidden.
    style = await page.add_style_tag(content="body { overflow: visible !important; height: 100vh !important; }")
    await page.locator("[data-jp-kernel-user]").first.wait_for(state="attached")
    found = {"light": await page.evaluate(LOOK, True)}
    await page.set_viewport_size({"width": 720, "height": 450})
    found["200 %"] = await page.evaluate(LOOK, False)  # colours do not grow
    await page.set_viewport_size({"width": 1280, "height": 1400})
    await page.evaluate(THEME, "JupyterLab Dark")
    await page.wait_for_selector("body[data-jp-theme-light='false']", state="attached")
    await expect(page.locator(".jp-OutputArea .spnb[data-theme=light]")).to_have_count(0)
    found["dark"] = await page.evaluate(LOOK, True)
    await style.evaluate("(element) => element.remove()")
    await page.evaluate(THEME, "JupyterLab Light")
    await page.wait_for_selector("body[data-jp-theme-light='true']", state="attached")
    assert not any(found.values()), "\n".join(f"== {how}\n{in_words(what)}" for how, what in found.items())
    # A host's screen of 1440×900: what a room that was just made needs first is in sight at once.
    await page.set_viewport_size({"width": 1440, "height": 900})
    await shown.nth(1).get_by_label("Title").fill("In sight")
    await shown.nth(1).get_by_role("button", name="Create room").click()
    await page.wait_for_function(IN_SIGHT)
    # One that was shut down, by hand or since nobody used it, is seen on every widget.
    await page.evaluate("window.spnbPanel.sessionContext.shutdown()")
    await expect(page.locator(".jp-OutputArea .spnb-dead:not(.spnb .spnb)")).to_have_count(cell.count("spnb."))
