"""Webhooks and faults in a browser: a table that fills by itself, bodies that stay text, a sandbox made to fail."""

from __future__ import annotations

import json

from playwright.async_api import expect

from tests.lab.conftest import CONNECT, Lab

RECEIVE = (
    CONNECT + "import json, httpx, tempfile\n"
    "from spnb.webhooks import Receiver, signed\n"
    "receiver = Receiver('a secret', path=tempfile.mkdtemp() + '/webhooks.sqlite').serve()\n"
    "handled = []\n"
    "def post(event, secret='a secret', **room):\n"
    "    body = json.dumps({'event': event, 'data': {'rooms': [room]}}).encode()\n"
    "    headers = {'x-amity-signature': signed(body, secret), 'content-type': 'application/json'}\n"
    "    return httpx.post(receiver.url, content=body, headers=headers, trust_env=False).status_code\n"
    "@receiver.on('room.live')\n"
    "def live(delivery):\n"
    "    handled.append(delivery.room_id)\n"
    "@receiver.on('room.ended')\n"
    "def ended(delivery):\n"
    "    raise RuntimeError('a fault of a handler')\n"
    "spnb.WebhookInspector(receiver)"
)
THEME = "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
ATTACK = "<img src=x onerror=window.struck=1>"


async def test_webhooks_are_seen_as_they_come(lab: Lab) -> None:
    await lab.write_and_run("webhooks.ipynb", RECEIVE)
    page = lab.page
    table = page.locator(".spnb-deliveries tbody")
    await expect(page.get_by_text("No webhooks yet.")).to_be_visible()
    await lab.run_code(
        f"post('stream.started', roomId='room-1', title={ATTACK!r}, url='https://cdn.example/x?sig=1')\n"
        f"post('stream.started', roomId='room-1', title={ATTACK!r}, url='https://cdn.example/x?sig=1')\n"
        "post('stream.ended', roomId='room-1')\n"
        "post('room.didUpdate', roomId='room-2')\n"
        "post('stream.started', secret='forged', roomId='room-3')"
    )
    await expect(page.get_by_role("heading", name="Webhooks · 4")).to_be_visible()
    row = table.locator("tr", has_text="stream.started").first
    await expect(row).to_contain_text("room.live")
    await expect(row).to_contain_text("✓ social.plus")
    await expect(row).to_contain_text("2")
    await expect(table.locator("tr", has_text="✕ 401")).to_have_count(1)
    await expect(table.locator("tr", has_text="✕ failed")).to_have_count(1)
    # By keyboard: open the body, which is text, and close it again.
    body = row.get_by_role("button", name="Body")
    await body.focus()
    await page.keyboard.press("Enter")
    shown = page.locator("pre.spnb-body")
    await expect(shown).to_contain_text(ATTACK)
    await expect(shown).to_contain_text("https://cdn.example/…")
    assert await page.evaluate("window.struck") is None
    await expect(row.get_by_role("button", name="Hide body")).to_be_focused()
    await lab.shot("webhook-inspector")
    await lab.page.evaluate(THEME, "JupyterLab Dark")
    await page.wait_for_selector("body[data-jp-theme-light='false']", state="attached")
    await lab.shot("webhook-inspector-dark")
    await lab.page.evaluate(THEME, "JupyterLab Light")
    await page.wait_for_selector("body[data-jp-theme-light='true']", state="attached")
    # What comes in moves the row but keeps it open, and the focus where it is.
    await lab.run_code("post('room.didUpdate', roomId='room-9')")
    await expect(page.get_by_role("heading", name="Webhooks · 5")).to_be_visible()
    await expect(row.get_by_role("button", name="Hide body")).to_be_focused()
    await row.get_by_role("button", name="replay room.live").click()
    await expect(page.get_by_role("status").filter(has_text="handled again")).to_be_visible()
    assert json.loads(await lab.run_code("print(json.dumps(handled))")) == ["room-1", "room-1"]
    await page.get_by_label("state", exact=True).select_option("refused")
    await expect(page.get_by_role("heading", name="Webhooks · 1")).to_be_visible()
    await page.get_by_label("state", exact=True).select_option("")
    await page.get_by_label("search webhooks").fill("room-9")
    await expect(page.get_by_role("heading", name="Webhooks · 1")).to_be_visible()
    await lab.run_code("receiver.close()")


async def test_faults_are_made_and_mended_by_hand(lab: Lab) -> None:
    await lab.write_and_run("faults.ipynb", CONNECT + "import httpx\nspnb.Faults(sp)")
    page = lab.page
    await expect(page.get_by_text("the sandbox is healthy")).to_be_visible()
    await page.get_by_label("fault", exact=True).select_option("server-error")
    await page.get_by_label("matching").fill("GET /api/v3/none*")
    await page.get_by_label("how often").fill("3")
    await page.get_by_role("button", name="Add fault").click()
    row = page.locator("tr[data-fault]")
    await expect(row).to_contain_text("Server error (500)")
    await lab.run_code("httpx.get(os.environ['TEST_URL'] + '/api/v3/none', trust_env=False)")
    await expect(row.locator("td").nth(3)).to_have_text("1")
    await expect(row.locator("td").nth(4)).to_have_text("2")
    await page.get_by_label("what is struck").select_option("webhook")
    await page.get_by_label("matching").fill("<b>room.*</b>")
    await page.get_by_label("share in percent").fill("25")
    await page.get_by_role("button", name="Add fault").click()
    await expect(row.nth(1)).to_contain_text("Webhook · 25 %")
    await expect(row.nth(1).locator("code")).to_have_text("<b>room.*</b>")
    await lab.shot("faults")
    await row.nth(0).get_by_role("button").press("Enter")
    await expect(row).to_have_count(1)
    await page.get_by_role("button", name="Signalling").click()
    await expect(page.get_by_role("status").filter(has_text="signalling: 0 cut")).to_be_visible()
    await page.get_by_role("button", name="Clear all faults").click()
    await expect(page.get_by_text("the sandbox is healthy")).to_be_visible()
