"""The vendor's SDK and Web UIKit as pages on loopback: fetched and bundled at the first use."""

from __future__ import annotations

import functools
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["APP", "served", "set_up"]

APP = Path(__file__).parent / "app"
UIKIT = APP / "node_modules/@amityco/ui-kit-open-source/dist"
PAGE = """<!doctype html><meta charset="utf-8"><title>{name}</title>
<link rel="stylesheet" href="bundles/{name}.css">
<style>html, body, #root {{ margin: 0; height: 100% }}</style>
<div id="root"></div>
<script>window.onerror = (message) => (window.failed = [...(window.failed ?? []), String(message)]);</script>
<script type="module" src="bundles/{name}.js"></script>"""


def set_up() -> Path:
    """Bundles of what is installed by the lock file; skips where there is no Node or no way to the registry."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("the vendor's SDK is bundled by Node, which is not here")
    bundles = APP / "bundles"
    sources = [path for path in (*APP.glob("*.js*"), *APP.glob("*.mjs"), *APP.glob("stubs/*")) if path.is_file()]
    newest = max(path.stat().st_mtime for path in sources)
    if not (APP / "node_modules" / "esbuild").is_dir():
        fetched = subprocess.run([npm, "ci", "--loglevel=error"], cwd=APP, capture_output=True, text=True)
        if fetched.returncode:
            pytest.skip(f"the vendor's SDK cannot be fetched: {fetched.stderr[-300:]}")
    if not (bundles / "sdk.js").is_file() or (bundles / "sdk.js").stat().st_mtime < newest:
        built = subprocess.run([npm, "run", "--silent", "build"], cwd=APP, capture_output=True, text=True)
        assert built.returncode == 0, built.stderr
    return bundles


@contextmanager
def served() -> Iterator[str]:
    """The address of `sdk.html` and `uikit.html`, on loopback."""
    bundles = set_up()

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
            picture = UIKIT / Path(path.partition("?")[0]).name
            return str(picture) if picture.suffix == ".png" and picture.is_file() else super().translate_path(path)

        def log_message(self, *_: object) -> None:
            return

    handler = functools.partial(Pages, directory=str(bundles.parent))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
