"""A page with the rules of an editor's webview, and a kernel behind it: VS Code and Colab cannot be installed here.

An iframe of another, opaque origin in which the camera is not allowed, a policy that lets the page fetch nothing, no
`requirejs`: what a widget needs comes in the kernel's messages.
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from jupyter_client import AsyncKernelManager
from playwright.async_api import Frame, Page, Route

from tests.frontends.apps import CELL

__all__ = ["open_editor"]

OUTER, INNER = "https://editor.example/", "https://webview.example/"
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' blob:; style-src 'unsafe-inline'; "
    "img-src data: blob:; media-src blob:; font-src data:"
)


@asynccontextmanager
async def open_editor(page: Page, folder: Path, given: Mapping[str, str]) -> AsyncIterator[Frame]:
    """Run the cell in a kernel whose widgets are shown in such a page; the frame they stand in."""

    async def outer(route: Route) -> None:
        allowed = "allow-scripts allow-forms allow-popups allow-popups-to-escape-sandbox"
        style = "width:100%;height:1300px;border:0"
        frame = f'<iframe src="{INNER}" sandbox="{allowed}" style="{style}"></iframe>'
        await route.fulfill(content_type="text/html", body=f"<!doctype html>{frame}")

    async def inner(route: Route) -> None:
        body = Path(__file__).with_name("webview.html").read_text()
        await route.fulfill(content_type="text/html", body=body, headers={"Content-Security-Policy": POLICY})

    kernel = AsyncKernelManager()
    await kernel.start_kernel(cwd=str(folder), env={**os.environ, **given, "PYTHONPATH": str(folder)})
    client = kernel.client()
    client.start_channels()

    async def tell(_source: Any, comm: str, data: dict[str, Any], buffers: list[str]) -> None:
        message = client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        raw = [base64.b64decode(text) for text in buffers]
        client.session.send(client.shell_channel.socket, message, buffers=raw)

    async def hear(frame: Frame) -> None:
        while True:
            message = await client.get_iopub_msg(timeout=None)
            buffers = [base64.b64encode(bytes(buffer)).decode() for buffer in message["buffers"]]
            if message["msg_type"] == "error":
                raise AssertionError("\n".join(message["content"]["traceback"]))
            if message["msg_type"] in ("comm_open", "comm_msg", "display_data"):
                told = {"kind": message["msg_type"], "content": message["content"], "buffers": buffers}
                await frame.evaluate("(told) => spnbHear(told)", told)

    hearing: asyncio.Task[None] | None = None
    try:
        await client.wait_for_ready(timeout=60)
        await page.expose_binding("spnbTell", tell)
        await page.route(OUTER, outer)
        await page.route(INNER, inner)
        await page.goto(OUTER)
        frame = page.frames[1]
        await frame.wait_for_function("() => typeof spnbHear === 'function'")
        hearing = asyncio.create_task(hear(frame))
        client.execute(CELL)
        yield frame
    finally:
        if hearing is not None:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)
        client.stop_channels()
        await kernel.shutdown_kernel(now=True)
