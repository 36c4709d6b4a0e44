"""One small app with every widget, as each front end takes it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from spnb.bench.lab import free_port, write_settings

__all__ = ["CELL", "EVERY", "NAMES", "Served", "serve"]

EVERY = """
import os, tempfile, types
import httpx, spnb
from spnb import analytics
from spnb.webhooks import Receiver

def make():
    given = os.environ
    sp = spnb.connect('guest-' + os.urandom(4).hex(), url=given['TEST_URL'], api_key=given['TEST_KEY'])
    air, over = sp.rooms.get(given['TEST_AIR']), sp.rooms.get(given['TEST_OVER'])
    dataset = analytics.load(given['TEST_TABLES'])
    receiver = Receiver('a secret', path=tempfile.mkdtemp() + '/webhooks.sqlite').serve()
    httpx.post(receiver.url, json={'from': 'somebody'}, trust_env=False)
    here = types.SimpleNamespace(url=given['TEST_URL'], api_key=given['TEST_KEY'])
    return [
        spnb.Studio(sp, countdown=0),
        spnb.CreateRoom(sp),
        spnb.CameraPreview(),
        spnb.GoLive(sp.rooms.create('A talk from here'), countdown=0),
        spnb.Player(air),
        spnb.RoomStatus(air),
        spnb.RoomCard(air),
        spnb.ViewerCount(air),
        spnb.Chat(air),
        spnb.LiveNow(sp),
        spnb.RoomTable(sp),
        spnb.RecordingPlayer(over, marks=[(1, 'Beginning')]),
        spnb.StreamReport(dataset.report(over.room_id)),
        spnb.Dashboard(dataset),
        spnb.LiveDashboard(air, source=here),
        spnb.WebhookInspector(receiver),
        spnb.Faults(sp),
        spnb.Doctor(sp),
    ]
"""
NAMES = [line.strip().removeprefix("spnb.").partition("(")[0] for line in EVERY.split("return [")[1].splitlines()[1:-1]]
"""The widgets, in the order in which every app shows them."""

CELL = "from IPython.display import display\nfrom every import make\ndisplay(*make())"
"""All of it, in a notebook's cell."""

MARIMO = """
import marimo
app = marimo.App()

@app.cell
def _():
    import marimo as mo
    from every import make
    mo.vstack([mo.ui.anywidget(widget) for widget in make()])
    return

if __name__ == '__main__':
    app.run()
"""
SHINY = """
from shiny import App, ui
from shinywidgets import output_widget, register_widget
from every import make

def server(input, output, session):
    for number, widget in enumerate(make()):
        register_widget(f'w{number}', widget)

app = App(ui.page_fluid(*(output_widget(f'w{number}', fillable=False) for number in range(%d))), server)
"""

PANEL = """
import panel
panel.extension('ipywidgets')
from every import make

panel.Column(*(panel.pane.IPyWidget(widget, width=760) for widget in make())).servable()
"""


@dataclass
class Served:
    """A front end's server, with the app on it."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path

    def stop(self) -> None:
        """End it, with the kernels it has started."""
        self.process.terminate()
        self.process.wait(60)


def serve(front_end: str, folder: Path, given: dict[str, str]) -> Served:
    """Start a front end's server on the app, which says so in its log when it can be opened.

    Args:
        front_end: whose.
        folder: holds `every.py`, and takes the rest.
        given: what the app is told by its environment.
    """
    port, token = free_port(), secrets.token_hex(16)
    address = f"http://127.0.0.1:{port}/"
    if front_end == "marimo":
        (folder / "app.py").write_text(MARIMO)
        (folder / "pyproject.toml").write_text('[tool.marimo.display]\ntheme = "system"\n')
        command = ["marimo", "run", "app.py", "--headless", "--no-token", f"--port={port}"]
    elif front_end == "Shiny":
        (folder / "app.py").write_text(SHINY % len(NAMES))
        command = ["shiny", "run", "app.py", f"--port={port}"]
    elif front_end == "Panel":
        (folder / "app.py").write_text(PANEL)
        command = ["panel", "serve", "app.py", f"--port={port}"]
        address += "app?theme=dark"
    else:
        cell = {
            "cell_type": "code",
            "id": "one",
            "source": CELL,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = {"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
        (folder / "app.ipynb").write_text(json.dumps(notebook))
        if front_end == "Voila":
            command = ["voila", "app.ipynb", "--theme=dark", "--no-browser", f"--port={port}"]
        else:
            write_settings(folder / "settings")
            given = {**given, "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
            command = ["notebook", "app.ipynb", "--no-browser", "--allow-root", f"--port={port}"]
            command += [f"--IdentityProvider.token={token}", "--JupyterNotebookApp.expose_app_in_browser=True"]
            address += f"notebooks/app.ipynb?token={token}"
    path = folder / "server.log"
    with path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, **given, "PYTHONPATH": str(folder)},
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    return Served(process, address, path)
