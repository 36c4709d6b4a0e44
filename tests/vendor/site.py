"""The vendor's SDK and Web UIKit as pages on loopback: fetched and bundled at the first use."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.node import bundled

__all__ = ["APP", "served"]

APP = Path(__file__).parent / "app"
PAGE = """<!doctype html><meta charset="utf-8"><title>{name}</title>
<link rel="stylesheet" href="bundles/{name}.css">
<style>html, body, #root {{ margin: 0; height: 100% }}</style>
<div id="root"></div>
<script>window.onerror = (message) => (window.failed = [...(window.failed ?? []), String(message)]);</script>
<script type="module" src="bundles/{name}.js"></script>"""


@contextmanager
def served() -> Iterator[str]:
    """The address of `sdk.html` and `uikit.html`, on loopback."""
    app = bundled(APP)
    uikit = app.parent / "node_modules/@amityco/ui-kit-open-source/dist"

    class Pages(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            name, dot, kind = self.path.partition("?")[0].strip("/").partition(".")
            if (dot, kind) == (".", "html"):
                content = PAGE.format(name=name).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            else:
                super().do_GET()

        def translate_path(self, path: str) -> str:
            # The Web UIKit names its own pictures as lying beside the page.
            picture = uikit / Path(path.partition("?")[0]).name
            return str(picture) if picture.suffix == ".png" and picture.is_file() else super().translate_path(path)

        def log_message(self, *_: object) -> None:
            return

    handler = functools.partial(Pages, directory=str(app))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
