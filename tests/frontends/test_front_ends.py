"""Every widget in every front end: what the guide's table says of it is what is seen there."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import anywidget
import httpx
import nbformat
import pytest
import pytest_asyncio
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from playwright.async_api import Browser, Frame, Locator, Page, Request, Route, async_playwright, expect

import spnb
from spnb import analytics, widgets
from spnb.bench.lab import browser_options, calm_camera
from spnb.widgets.companion import USED
from tests.conftest import start_sandbox
from tests.frontends.apps import CELL, EVERY, NAMES, serve
from tests.frontends.editor import open_editor
from tests.lab.audience import good_pictures
from tests.lab.test_dashboard import planted
from tests.lab.test_every_widget import CARRIERS
from tests.lab.test_story import PLAYING
from tests.media.conftest import Viewer
from tests.recordings.planted import film, plant

CAMERA = [640, 360]
"""Small: what is looked at is whether it goes where it is to go."""
SIZES = re.compile("640×360|320×180")
"""A page that has no time to encode all of it sends half of it."""
pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.slow, pytest.mark.timeout(300)]

expect.set_options(timeout=60_000)
ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "test-output" / "screenshots"
GUIDE = ROOT / "notebooks" / "guide" / "frontends.md"
HERE = {"127.0.0.1", "localhost", "editor.example", "webview.example"}
NO_CAMERA = "no camera"
"""What the table says where a front end gives none: the widget tells it, and what to do."""
IN_A_TAB = "camera in a tab"
WORDS = "The page around this notebook gives it no camera"


def table() -> dict[str, dict[str, str]]:
    """The guide's table: front end → widget → what it says."""
    rows = [line for line in GUIDE.read_text().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    head, body = cells[0][1:], cells[2:]
    return {name: {row[0].strip("`"): row[at + 1] for row in body} for at, name in enumerate(head)}


@dataclass
class World:
    """What the apps show: a room on air, one that is recorded, numbers."""

    browser: Browser
    given: dict[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    base = tmp_path_factory.mktemp("frontends")
    sandbox = start_sandbox(base / "sandbox", "--no-rate-limit", "--grace", "8")
    host = await spnb.connect_async("host", url=sandbox.url, api_key=sandbox.api_key)
    try:
        air = await host.rooms.create("On air", chat=True)
        await air.post()
        show = await air.go_live(spnb.TestCard(320, 180, 10))
        await air.until("live")
        over = await host.rooms.create("Over")
        plant(sandbox, over.room_id, [film(base / "talk.mp4", 6, size=(320, 180))])
        analytics.load(planted(over.room_id)).save(base / "tables")
        known = {"URL": sandbox.url, "KEY": sandbox.api_key, "AIR": air.room_id, "OVER": over.room_id}
        given = {f"TEST_{name}": value for name, value in known.items()}
        given |= {"TEST_TABLES": str(base / "tables"), "SPNB_HOME": str(base / "home")}
        calm_camera(base, *CAMERA)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(**browser_options(base))
            yield World(browser, given)
            await browser.close()
        await show.stop()
    finally:
        await host.aclose()
        sandbox.stop()


async def answers(page: Page, address: str) -> None:
    """Open an address once its server is there."""
    async with asyncio.timeout(60):
        while True:
            try:
                await page.goto(address, wait_until="commit")
                return
            except Exception:  # noqa: BLE001 - whatever a server that is about to start makes of it
                await asyncio.sleep(0.2)


async def from_here(route: Route) -> None:
    """Answer with what a content delivery network has of a package that is installed."""
    await route.fulfill(path=Path(anywidget.__file__).parent / "nbextension" / "index.js")


@asynccontextmanager
async def opened(
    front_end: str, world: World, folder: Path, asked: list[str]
) -> AsyncIterator[tuple[Page, Page | Frame]]:
    """The app in a front end: its page, and where in it the widgets stand; `asked` gets what elsewhere is asked."""

    def listen(request: Request) -> None:
        if (urlsplit(request.url).hostname or "127.0.0.1") not in HERE:
            asked.append(request.url)

    (folder / "every.py").write_text(EVERY)
    page = await world.browser.new_page(viewport={"width": 1280, "height": 1400})
    page.set_default_timeout(60_000)
    page.on("request", listen)
    try:
        if front_end == "editor":
            async with open_editor(page, folder, world.given) as frame:
                yield page, frame
            return
        if (
            front_end == "Panel"
        ):  # it fetches the part of anywidget's that is the page's, from where the page's server is
            await page.route("https://unpkg.com/anywidget@**", from_here)
        served = serve(front_end, folder, world.given)
        try:
            await answers(page, served.address)
            if front_end == "Notebook 7":
                await page.wait_for_function("window.jupyterapp?.shell?.currentWidget?.sessionContext?.isReady")
                await page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
            yield page, page
        finally:
            served.stop()
    finally:
        await page.close()


@asynccontextmanager
async def watched(world: World, room_id: str) -> AsyncIterator[Viewer]:
    """Somebody else in the room."""
    async with httpx.AsyncClient(base_url=world.given["TEST_URL"], trust_env=False, timeout=60) as client:
        ticket = await client.post(
            "/sandbox/livekit-token",
            headers={"X-API-Key": world.given["TEST_KEY"]},
            json={"room": room_id, "identity": "viewer"},
        )
    watching = Viewer()
    await watching.room.connect(ticket.json()["url"], ticket.json()["token"])
    try:
        yield watching
    finally:
        await watching.room.disconnect()


async def studio(root: Locator) -> None:
    await root.get_by_role("button", name="Camera on").click()
    assert await root.locator(".spnb-preview video").first.evaluate(PLAYING) == CAMERA
    await root.get_by_label("Title").fill("From here")
    await root.get_by_role("button", name="Create room").click()
    await expect(root.locator(".spnb-title").first).to_have_text("From here")
    await root.get_by_role("button", name="Go live").click()
    await expect(root.locator(".spnb-head .spnb-badge")).to_have_text("LIVE")
    await root.get_by_role("button", name="End", exact=True).click()
    await root.get_by_role("button", name="End now").click()
    await expect(root.get_by_role("button", name="New stream")).to_be_visible()


async def create_room(root: Locator) -> None:
    await root.get_by_label("Title").fill("A new one")
    await root.get_by_role("button", name="Create room").click()
    await expect(root.locator(".spnb-made")).to_contain_text("A new one")


async def preview(root: Locator) -> None:
    await root.get_by_role("button", name="Camera on").click()
    assert await root.locator("video").first.evaluate(PLAYING) == CAMERA
    await root.get_by_role("button", name="Turn camera off").click()


async def go_live(root: Locator) -> None:
    await root.get_by_role("button", name="Go live").click()
    await expect(root.locator(".spnb-badge").first).to_have_text("LIVE")
    await root.get_by_role("button", name="End broadcast").click()
    await root.get_by_role("button", name="End now").click()
    await expect(root).to_contain_text("This room is over for good")


async def plays(root: Locator) -> None:
    await expect(root.locator("video").first).to_be_visible()
    assert await root.locator("video").first.evaluate(PLAYING) == [320, 180]


async def chat(root: Locator) -> None:
    words = f"Hello from {secrets.token_hex(4)}"
    await root.get_by_role("textbox").fill(words)
    await root.get_by_role("button", name="Send").click()
    await expect(root.locator(".spnb-said", has_text=words)).to_have_count(1)


async def replay(root: Locator) -> None:
    await root.get_by_role("button", name="Play").click()
    assert await root.locator("video").first.evaluate(PLAYING) == [320, 180]


async def report(root: Locator) -> None:
    await expect(root.locator(".spnb-page[data-drawn]")).to_be_visible()


async def dashboard(root: Locator) -> None:
    await root.locator(".spnb-streams tbody tr", has_text="Talk with moments").get_by_role("button").click()
    await expect(root.locator(".spnb-page[data-drawn] .js-plotly-plot")).to_have_count(3)


async def faults(root: Locator) -> None:
    await root.get_by_label("matching").fill("GET /nowhere")
    await root.get_by_role("button", name="Add fault").click()
    await root.get_by_role("button", name="GET /nowhere").click()
    await expect(root).to_contain_text("the sandbox is healthy")


async def doctor(root: Locator) -> None:
    await expect(root.get_by_role("button", name="Check again")).to_be_enabled()
    await expect(root.locator(".spnb-verdict")).to_contain_text("Streams reach this page")
    await expect(root.locator("tr[data-rung=messages]")).to_contain_text("works")


def shows(selector: str, text: str) -> Callable[[Locator], Awaitable[None]]:
    """What a kernel knows is seen."""

    async def seen(root: Locator) -> None:
        await expect(root.locator(selector).filter(has_text=text).first).to_be_visible()

    return seen


WORKS: dict[str, Callable[[Locator], Awaitable[None]]] = {
    "Player": plays,
    "RoomStatus": shows(".spnb-step[aria-current=step]", "Live"),
    "RoomCard": shows(".spnb-badge", "LIVE"),
    "ViewerCount": shows("strong, span, p, div", "viewer"),
    "Chat": chat,
    "LiveNow": shows(".spnb-room", "On air"),
    "RoomTable": shows("tbody tr", "On air"),
    "RecordingPlayer": replay,
    "StreamReport": report,
    "Dashboard": dashboard,
    "LiveDashboard": shows(".spnb-badge", "Live"),
    "WebhookInspector": shows("tbody tr", "no signature"),
    "CreateRoom": create_room,
    "CameraPreview": preview,
    "GoLive": go_live,
    "Faults": faults,
    "Doctor": doctor,
    "Studio": studio,
}
"""What a widget does where it works, in the order in which it is looked at."""


async def no_camera(_world: World, root: Locator) -> None:
    await root.get_by_role("button", name="Camera on").click()
    await expect(root).to_contain_text(WORDS)


SOCKETS = """window.spnbSockets = [];
window.WebSocket = class extends WebSocket {
    constructor(...given) { super(...given); window.spnbSockets.push(this); }
};"""


async def in_a_tab(world: World, root: Locator) -> None:
    """The Studio's page has no camera: a tab has, by a link for one use, and the Studio knows of it."""
    pages, said = root.page.context, []

    def listen(tab: Page) -> None:
        tab.on("websocket", lambda socket: socket.on("framesent", lambda frame: said.append(frame)))

    pages.on("page", listen)
    await pages.add_init_script(SOCKETS)
    await root.get_by_label("Title").fill("From a tab")
    await root.get_by_role("button", name="Create room").click()
    await root.get_by_role("button", name="Turn camera on").click()
    await expect(root.locator(".spnb-preview")).to_contain_text(WORDS)
    async with pages.expect_page() as opening:
        await root.get_by_role("button", name="Open camera in a tab").click()
    tab = await opening.value
    tab.set_default_timeout(60_000)
    await tab.set_viewport_size({"width": 1000, "height": 900})
    studio = tab.locator(".spnb-studio")
    await expect(studio.locator(".spnb-title").first).to_have_text("From a tab")
    await expect(root).to_contain_text("The camera is in its tab")
    assert not urlsplit(tab.url).fragment
    await studio.get_by_role("button", name="Turn camera on").click()
    assert await tab.locator(".spnb-preview video").first.evaluate(PLAYING) == CAMERA
    await expect(root.locator(".spnb-preview")).to_contain_text("On in another tab")
    await studio.get_by_role("button", name="Go live").click()
    await expect(studio.locator(".spnb-head .spnb-badge")).to_have_text("LIVE")
    await expect(studio.locator(".spnb-health")).to_contain_text(SIZES)
    await expect(studio).to_contain_text("Sent straight from the camera's tab")
    # Its line to the kernel is cut: what is on air stays there, and the tab comes back.
    await tab.evaluate("window.spnbSockets.filter((one) => one.url.endsWith('/socket')).at(-1).close(3001)")
    await expect(tab.locator(".spnb-tab-away")).to_be_visible()
    await expect(root).to_contain_text("has lost its line to the kernel")
    await expect(tab.locator(".spnb-tab-away")).to_be_hidden()
    await expect(root).to_contain_text("The camera is in its tab")
    await expect(studio.locator(".spnb-head .spnb-badge")).to_have_text("LIVE")

    # Somebody else sees it, and the Studio in the notebook says and steers what is on air.
    guest = await spnb.connect_async("onlooker", url=world.given["TEST_URL"], api_key=world.given["TEST_KEY"])
    try:
        [room] = [found async for found in guest.rooms.query(statuses=["live"]) if found.title == "From a tab"]
        async with watched(world, room.room_id) as watching:
            track, _ = await watching.track()
            await good_pictures(track)
            await expect(root.locator(".spnb-head .spnb-badge")).to_have_text("LIVE")
            await expect(root.locator(".spnb-health")).to_contain_text(SIZES)
            await root.get_by_role("button", name="Mute").click()
            await expect(studio.get_by_role("button", name="Unmute")).to_be_visible()
            async with asyncio.timeout(60):
                while "track_muted" not in watching.events:
                    await asyncio.sleep(0.05)
    finally:
        await guest.aclose()
    for scheme in ("light", "dark"):
        for name, page in (("tab", tab), ("notebook", root.page)):
            await page.emulate_media(color_scheme=scheme)
            await page.screenshot(path=SHOTS / f"camera-tab-{name}-{scheme}.png")

    # Once is once.
    async with pages.expect_page() as opening:
        await tab.evaluate("(address) => void window.open(address)", f"{tab.url}#{said[0]}")
    again = await opening.value
    await expect(again.locator("body")).to_have_text(USED)
    await again.close()

    await tab.close()
    await expect(root).to_contain_text("The camera's tab was closed.")
    await expect(root).to_contain_text("the page that sent the picture is gone")
    await root.get_by_role("button", name="End", exact=True).last.click()
    await root.get_by_role("button", name="End now").click()
    await expect(root.get_by_role("button", name="New stream")).to_be_visible()
    pages.remove_listener("page", listen)


DARK = {
    "Notebook 7": "window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})",
    "Shiny": "document.documentElement.setAttribute('data-bs-theme', 'dark')",
}
"""How a front end is made dark that does not ask the browser."""
DARK_AT_FIRST = {"Voila", "Panel"}
"""They are light or dark by an option of their own."""
THEMES: list[tuple[Literal["light", "dark"], str]] = [("light", "dark"), ("dark", "light")]
"""Each with the other."""
THEIRS = re.compile(r"font-?awesome|https://unpkg\.com/anywidget@")
"""What Voila and Panel themselves ask of the network: an icon font, the page's part of anywidget."""
SAYS = {NO_CAMERA: no_camera, IN_A_TAB: in_a_tab}
NO_KERNEL = "No kernel (JupyterLite, a saved page)"
STILL = {"a still", "its state, in words", "its name, in words"}
KEPT = {
    "Player": "On air (live)",
    "RoomStatus": "On air: live",
    "RoomCard": "On air (live)",
    "ViewerCount": "On air: 0 watching",
    "LiveNow": "As of 20",
    "RoomTable": "As of 20",
    "RecordingPlayer": "As of 20",
    "StreamReport": "Unique viewers: 25",
    "Dashboard": "Dashboard: 1 stream, ",
    "LiveDashboard": "On air (live): viewers not known",
    "WebhookInspector": "Webhooks: 1",
    "Faults": "Faults: 0",
    "Doctor": "No page has been examined yet",
}
"""What a saved page tells of a widget's last state, where it has one."""


def test_the_guide_names_every_widget() -> None:
    assert set(NAMES) == set(WORKS) == set(widgets.__all__) - CARRIERS
    for front_end, rows in table().items():
        assert set(rows) == set(NAMES), front_end
        assert set(rows.values()) <= (STILL if front_end == NO_KERNEL else {"works", *SAYS}), front_end


def test_every_widget_is_driven_in_a_lab() -> None:
    """In JupyterLab 4 itself each has tests of its own, beside the one that looks at all of them at once."""
    assert set(table()["JupyterLab 4"].values()) == {"works"}
    told = "".join(path.read_text() for path in (ROOT / "tests" / "lab").glob("test_*.py") if "every" not in path.name)
    assert not [name for name in NAMES if f"spnb.{name}(" not in told]


async def test_a_saved_notebook_shows_of_every_widget_what_the_guide_says(world: World, tmp_path: Path) -> None:
    """Opened in a JupyterLite, whose kernels are not to be had, and exported by nbconvert: no kernel, no model."""
    (tmp_path / "every.py").write_text(EVERY)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(CELL)], metadata=nbformat.NotebookNode(kernelspec=kernel)
    )
    running = NotebookClient(notebook, timeout=120, store_widget_state=False, kernel_name="python3")
    given = {**os.environ, **world.given, "PYTHONPATH": str(tmp_path)}
    await running.async_execute(env=given)
    page = await world.browser.new_page(viewport={"width": 1280, "height": 1400})
    try:
        async with lite(notebook, tmp_path) as address:
            await page.goto(f"{address}notebooks/index.html?path=app.ipynb")
            await kept_as_told(page.locator(".jp-OutputArea-output"))
            await page.screenshot(path=SHOTS / "front-end-lite.png")
        await page.context.set_offline(True)
        await page.set_content(HTMLExporter(template_name="basic").from_notebook_node(notebook)[0], wait_until="commit")
        await kept_as_told(page.locator(".jp-OutputArea-output, .output_area .output_subarea"))
    finally:
        await page.close()


class Quiet(SimpleHTTPRequestHandler):
    """Gives out files and says nothing of it."""

    def log_message(self, *_words: object) -> None:
        """Nobody asked."""


@asynccontextmanager
async def lite(notebook: nbformat.NotebookNode, folder: Path) -> AsyncIterator[str]:
    """A JupyterLite site with the notebook, of static files."""
    (folder / "files").mkdir()
    nbformat.write(notebook, folder / "files" / "app.ipynb")
    build = [sys.executable, "-m", "jupyterlite_core", "build", "--contents", "files", "--output-dir", "site"]
    made = await asyncio.create_subprocess_exec(*build, "--apps", "notebooks", cwd=folder, stdout=DEVNULL, stderr=PIPE)
    _, said = await made.communicate()
    assert made.returncode == 0, said.decode()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder / "site")) as server:
        serving = asyncio.create_task(asyncio.to_thread(server.serve_forever))
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            await serving


async def kept_as_told(outputs: Locator) -> None:
    """What is kept of each widget is what the guide says."""
    await expect(outputs).to_have_count(len(NAMES))
    for name, says in table()[NO_KERNEL].items():
        kept = outputs.nth(NAMES.index(name))
        await expect(kept).to_contain_text(KEPT.get(name, f"{name}: "))
        await expect(kept.locator("section h3")).to_have_count(int(says == "a still"))
        assert (says == "its name, in words") is (name not in KEPT), name


@pytest.mark.parametrize("front_end", ["marimo", "Shiny", "Panel", "editor", "Notebook 7", "Voila"])
async def test_every_widget_does_in_a_front_end_what_the_guide_says(
    front_end: str, world: World, tmp_path: Path
) -> None:
    said = table()["VS Code, Colab" if front_end == "editor" else front_end]
    asked: list[str] = []
    async with opened(front_end, world, tmp_path, asked) as (page, place):
        roots = place.locator(".spnb:not(.spnb .spnb)")
        found: dict[str, str] = {}
        try:
            await expect(roots).to_have_count(len(NAMES), timeout=90_000)
            for name, works in WORKS.items():
                root = roots.nth(NAMES.index(name))
                try:
                    other = SAYS.get(said[name])
                    await (other(world, root) if other else works(root))
                except Exception as error:  # noqa: BLE001 - the whole row is told, not its first fault
                    found[name] = str(error)
        finally:
            SHOTS.mkdir(parents=True, exist_ok=True)
            for theme, other_theme in THEMES[front_end in DARK_AT_FIRST :]:
                await page.emulate_media(color_scheme=theme)
                if theme == "dark" and front_end in DARK:
                    await page.evaluate(DARK[front_end])
                try:  # a front end's own light and dark are the widgets' too
                    await expect(place.locator(f".spnb[data-theme={other_theme}]")).to_have_count(0)
                except AssertionError as error:
                    found[theme] = str(error)
                await page.screenshot(path=SHOTS / f"front-end-{front_end.replace(' ', '-')}-{theme}.png")
    outside = [url for url in asked if not THEIRS.search(url)]
    assert not outside, "nothing of ours needs more than the kernel"
    assert not found, "\n".join(f"{name}: {why}" for name, why in found.items())
