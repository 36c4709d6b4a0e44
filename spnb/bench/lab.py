"""A JupyterLab with a Chromium on it, for benchmarks and tests. Needs Playwright, which spnb does not bring."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

if TYPE_CHECKING:
    from playwright.async_api import Page

__all__ = [
    "BASE",
    "HUB",
    "LEAN",
    "Lab",
    "another_page",
    "browser_options",
    "calm_camera",
    "chromium",
    "fine_camera",
    "open_lab",
    "restless_camera",
    "start_page",
]

BASE = "/user/ann/"
HUB = "hub.example"
"""A name that Chromium here takes for this machine, as a page of a hub has a name of its own."""


TRACKS = """
window.spnbTracks = [];
if (navigator.mediaDevices) {
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wish) => {
        const stream = await open(wish);
        window.spnbTracks.push(...stream.getTracks());
        return stream;
    };
}
"""
"""Keeps every track the page opens in sight: whether a camera's light is on."""
LATE = "[anywidget] Failed to initialize model."
"""What anywidget says where a busy page made a model too late for it: no fault of a widget, which hears its kernel all
the same."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def chromium() -> str:
    return os.environ.get("SPNB_CHROMIUM") or "/usr/bin/chromium"


PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
"""The notebook in sight."""
LEAN: dict[str, Any] = {
    # Whether JupyterLab could be built anew: it asks Node at each page.
    "buildCheck": False,
    "buildAvailable": False,
    "disabledExtensions": {
        **{
            f"@jupyterlab/{name}-extension": True
            for name in (
                *("audio", "celltags", "csvviewer", "debugger", "extensionmanager", "help", "htmlviewer", "hub"),
                *("imageviewer", "inspector", "javascript", "logconsole", "markdownviewer", "mathjax"),
                *("mermaid", "pdf", "pluginmanager", "settingeditor", "terminal", "theme-dark-high-contrast"),
                *("tooltip", "vega5", "video"),
            )
        },
        "@jupyter-notebook/lab-extension": True,
        "@pyviz/jupyterlab_pyviz": True,
        "@voila-dashboards/jupyterlab-preview": True,
    },
}
"""A page without what no notebook of ours uses: two thirds of the work to open one."""


def write_settings(folder: Path) -> None:
    settings = {
        "notebook-extension/tracker": {"windowingMode": "none"},
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "docmanager-extension/plugin": {"autosave": False},
    }
    for name, content in settings.items():
        path = folder / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))


CAMERAS = ("camera.mjpeg", "camera.y4m")
CALM_RATE = 15


def calm_camera(folder: Path, width: int = 640, height: int = 360) -> None:
    """What Chromium's fake camera shows where only what happens counts: 15 a second, light to read and to encode.

    A browser looks at it anew whenever the camera is opened: it may be made in another size meanwhile.
    """
    path = folder / CAMERAS[1]
    being_made = path.with_suffix(".part")
    with being_made.open("wb") as out:
        out.write(b"YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420\n" % (width, height, CALM_RATE))
        for planes in _counted(f"testsrc2=size={width}x{height}:rate={CALM_RATE}:duration=2,format=yuv420p"):
            out.write(b"FRAME\n" + planes.tobytes())
    being_made.replace(path)


def fine_camera(folder: Path) -> None:
    """The same at 1280×720: four times as much to encode."""
    calm_camera(folder, 1280, 720)


def restless_camera(folder: Path) -> None:
    """What it shows where loads are measured: 720p30 with noise and movement, as hard to encode as a real room."""
    import av

    path = folder / CAMERAS[0]
    with av.open(str(path), "w", format="mjpeg") as made:
        stream = made.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuvj420p"
        stream.options = {"qmin": "6", "qmax": "6"}
        for planes in _counted("testsrc2=size=1280x720:rate=30:duration=3,noise=alls=12:allf=t,format=yuvj420p"):
            made.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuvj420p")))
        made.mux(stream.encode(None))


def _counted(graph: str) -> Iterator[Any]:
    """The planes of what a filter graph draws, with a test card's counter as the row at the bottom: it tells the
    pictures apart, and a camera from a card."""
    import av

    from spnb.broadcast.sources.card import draw_counter

    with av.open(graph, "r", format="lavfi") as source:
        for number, frame in enumerate(source.decode(video=0)):
            planes: Any = frame.to_ndarray()
            draw_counter(planes[: frame.height], number)
            yield planes


def browser_options(folder: Path) -> dict[str, Any]:
    """How Chromium is started: with the camera that `folder` holds and a microphone, and pages that may play."""
    camera = next((name for name in CAMERAS if (folder / name).exists()), CAMERAS[0])
    return {
        "executable_path": chromium(),
        "args": [
            "--no-sandbox",
            "--disable-gpu",
            "--use-fake-device-for-media-stream=fps=30",
            f"--use-file-for-fake-video-capture={folder / camera}",
            "--use-fake-ui-for-media-stream",
            "--autoplay-policy=no-user-gesture-required",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            f"--host-resolver-rules=MAP {HUB} 127.0.0.1",
        ],
    }


@dataclass
class Lab:
    """A running lab, one page of it, and where its notebooks lie."""

    url: str
    token: str
    folder: Path
    home: Path
    page: Page
    console: list[str]
    shots: Path

    def write(self, name: str, *cells: str) -> Path:
        """A notebook with these code cells."""
        nbformat: Any = import_module("nbformat")
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = self.folder / name
        nbformat.write(notebook, path)
        return path

    async def open(self, name: str) -> None:
        """Open a notebook and wait until its kernel is idle."""
        await self.page.evaluate(
            """async (path) => {
                const app = window.jupyterapp;
                const panel = await app.commands.execute('docmanager:open', {path});
                await panel.context.ready;
                await panel.sessionContext.ready;
                window.spnbPanel = panel;
            }""",
            name,
        )
        await self.page.wait_for_function("window.spnbPanel.sessionContext.kernelDisplayStatus === 'idle'")

    async def write_and_run(self, name: str, *cells: str) -> None:
        """Write a notebook, open it, run it."""
        self.write(name, *cells)
        await self.open(name)
        await self.run_all()

    async def run_all(self) -> list[list[dict[str, Any]]]:
        """Run all cells of the open notebook; the outputs of each code cell. Fails where a cell fails."""
        await self.page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        outputs = await self.outputs()
        for cell in outputs:
            for output in cell:
                if output["output_type"] == "error":
                    raise AssertionError("\n".join(output["traceback"]))
        return outputs

    async def outputs(self) -> list[list[dict[str, Any]]]:
        """The outputs of each code cell."""
        cells = await self.page.evaluate("window.spnbPanel.content.model.sharedModel.toJSON().cells")
        return [cell.get("outputs", []) for cell in cells if cell["cell_type"] == "code"]

    async def run_code(self, code: str) -> str:
        """Run code in the open notebook's kernel, aside of its cells; what it printed."""
        return str(
            await self.page.evaluate(
                """async (code) => {
                    const kernel = window.spnbPanel.sessionContext.session.kernel;
                    const future = kernel.requestExecute({code, store_history: false});
                    let text = '';
                    future.onIOPub = (message) => {
                        if (message.header.msg_type === 'stream') text += message.content.text;
                        if (message.header.msg_type === 'error')
                            text += 'ERROR ' + message.content.traceback.join('\\n');
                    };
                    await future.done;
                    return text;
                }""",
                code,
            )
        )

    async def save(self) -> None:
        """Save the open notebook."""
        await self.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")

    async def close(self) -> None:
        """Shut the kernel down and close the notebook."""
        await self.page.evaluate(
            """async () => {
                const panel = window.spnbPanel;
                window.spnbPanel = undefined;
                if (!panel || panel.isDisposed) return;
                await panel.sessionContext.shutdown();
                await panel.context.save();
                panel.close();
            }"""
        )

    async def shot(self, name: str, selector: str = PANEL) -> Path:
        """A screenshot kept as test output."""
        self.shots.mkdir(parents=True, exist_ok=True)
        path = self.shots / f"{name}.png"
        wanted = self.page.locator(selector).first
        if selector == PANEL:  # it is in sight, and stands still: on a busy machine that takes long to be seen for sure
            box = await wanted.bounding_box()
            assert box is not None, "no notebook is in sight"  # noqa: S101
            await self.page.screenshot(path=path, clip={**box})
        else:
            await wanted.screenshot(path=path)
        return path


@asynccontextmanager
async def open_lab(
    base: Path,
    *,
    environment: Mapping[str, str] | None = None,
    shots: Path | None = None,
    camera: Callable[[Path], None] = restless_camera,
    reach: Callable[[int], Awaitable[str]] | None = None,
    browser_program: str | None = None,
    browser_flags: Sequence[str] = (),
    page_config: Mapping[str, Any] | None = None,
    server: Sequence[str] = (sys.executable,),
) -> AsyncIterator[Lab]:
    """JupyterLab with a fresh home under `base`, and a page on it.

    Args:
        base: an empty folder.
        environment: more variables for kernels.
        shots: where screenshots go.
        camera: makes what the camera shows.
        reach: given the server's port, tells the origin by which the browser reaches it; by loopback without.
        browser_program: starts Chromium in a place of its own.
        browser_flags: more of Chromium's.
        page_config: what JupyterLab tells its pages, as `LEAN`.
        server: how the Python is started that serves and runs the notebooks.
    """
    from playwright.async_api import async_playwright

    folder, home = base / "notebooks", base / "home"
    folder.mkdir()
    home.mkdir()
    settings = base / "settings"
    write_settings(settings)
    if page_config:
        (base / "config" / "labconfig").mkdir(parents=True)
        (base / "config" / "labconfig" / "page_config.json").write_text(json.dumps(page_config))
    token, port = secrets.token_hex(16), free_port()
    variables = {
        **os.environ,
        "HOME": str(home),
        "SPNB_HOME": str(base / "spnb"),
        "JUPYTER_CONFIG_DIR": str(base / "config"),
        "JUPYTER_DATA_DIR": str(base / "data"),
        "JUPYTER_RUNTIME_DIR": str(base / "runtime"),
        "IPYTHONDIR": str(base / "ipython"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(base / "workspaces"),
        "PATH": os.pathsep.join([str(Path(server[-1]).parent), os.environ.get("PATH", "")]),
        **(environment or {}),
    }
    log = (base / "lab.log").open("wb")
    process = subprocess.Popen(  # noqa: ASYNC220 - started once
        [
            *(*server, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            f"--ServerApp.root_dir={folder}",
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            # As on a hub: under a path, and reached by another name than loopback.
            f"--ServerApp.base_url={BASE}",
            "--ServerApp.allow_remote_access=True",
            "--ServerApp.ip=127.0.0.1",
            f"--IdentityProvider.token={token}",
            "--LabApp.expose_app_in_browser=True",
            "--LabApp.news_url=",
            "--LabApp.extension_manager=readonly",
        ],
        env=variables,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        await _answers(f"http://127.0.0.1:{port}{BASE}api/status?token={token}", process)
        async with async_playwright() as playwright:
            camera(base)
            options = browser_options(base)
            options["args"] += browser_flags
            options["executable_path"] = browser_program or options["executable_path"]
            origin = await reach(port) if reach is not None else f"http://127.0.0.1:{port}"
            browser = await playwright.chromium.launch(**options)
            page = await browser.new_page(viewport={"width": 1280, "height": 1400})
            await page.add_init_script(TRACKS)
            console: list[str] = []
            page.on("console", lambda message: console.append(f"{message.type}: {message.text}"))
            page.on(
                "pageerror", lambda error: console.append(f"{'late' if LATE in str(error) else 'pageerror'}: {error}")
            )
            await start_page(page, f"{origin}{BASE}lab?token={token}")
            yield Lab(origin, token, folder, base, page, console, shots or base / "shots")
            await browser.close()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
        log.close()


async def start_page(page: Page, address: str) -> None:
    """Open a lab anew in a page, with nothing beside its notebooks."""
    await page.goto(address, timeout=120_000)
    await page.wait_for_function("window.jupyterapp && window.jupyterapp.started", timeout=120_000)
    # Not before: what is restored opens it again.
    await page.evaluate("window.jupyterapp.restored.then(() => window.jupyterapp.shell.collapseLeft())")


AnyLab = TypeVar("AnyLab", bound=Lab)


@asynccontextmanager
async def another_page(lab: AnyLab) -> AsyncIterator[AnyLab]:
    """Another user's page on the same lab, for notebooks of their own: no cookie and no workspace is shared."""
    browser = lab.page.context.browser
    assert browser is not None  # noqa: S101 - Playwright's own
    context = await browser.new_context(viewport={"width": 1280, "height": 1400})
    page = await context.new_page()
    await page.add_init_script(TRACKS)
    await page.goto(f"{lab.url}{BASE}lab/workspaces/{secrets.token_hex(4)}?token={lab.token}")
    await page.wait_for_function("window.jupyterapp && window.jupyterapp.started")
    await page.evaluate("window.jupyterapp.started")
    other = replace(lab, page=page)
    try:
        yield other
    finally:
        await other.close()
        await context.close()


async def _answers(url: str, server: subprocess.Popen[bytes]) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        async with asyncio.timeout(60):
            while server.poll() is None:
                try:
                    if (await client.get(url)).status_code == 200:
                        return
                except httpx.HTTPError:
                    await asyncio.sleep(0.1)
    raise AssertionError("JupyterLab did not start")
