"""Front ends that are no Jupyter: what a widget's messages need there."""

from __future__ import annotations

import asyncio
import json
import logging
import struct
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["sender", "take_bytes"]

log = logging.getLogger(__name__)


def sender() -> Callable[[Callable[[], None]], None] | None:
    """What sends a message of a widget that is made here and now; None where it may be sent on any thread.

    Shiny sends only what a session says on the server's loop, and only when something else makes it flush: what a room
    tells on a thread of spnb's would stay where it is until somebody clicks.
    """
    if "shinywidgets" not in sys.modules:
        return None
    shiny: Any = import_module("shiny")
    session = shiny.session.get_current_session()
    if session is None or session.is_stub_session():
        return None
    session, loop = session.root_scope(), asyncio.get_running_loop()

    async def in_session(send: Callable[[], None]) -> None:
        async with shiny.reactive.lock():
            with shiny.session.session_context(session):
                try:
                    send()
                    await shiny.reactive.flush()
                except Exception:
                    log.exception("a Shiny session was not told of a change")

    def later(send: Callable[[], None]) -> None:
        if not loop.is_closed():
            asyncio.run_coroutine_threadsafe(in_session(send), loop)

    return later


def take_bytes() -> None:
    """Where Panel shows widgets: have it take what a page sends with bytes behind it (a picture, frames of its camera).

    Its part for them, ipywidgets-bokeh, sends such messages both ways, but reads what a page says as text alone: those
    with bytes end as an error in the server's log. What was sent before this is called stays so.
    """
    kernel: Any = sys.modules.get("ipywidgets_bokeh.kernel")
    session = getattr(kernel, "SessionWebsocket", None)
    if session is None or getattr(session.receive, "takes_bytes", False):
        return
    text_only = session.receive

    def receive(self: Any, data: str | bytes) -> None:
        if isinstance(data, str):
            text_only(self, data)
            return
        count = int.from_bytes(data[:4], "big")
        starts = struct.unpack_from(f">{count}I", data, 4)
        text, *rest = (data[start:end] for start, end in zip(starts, (*starts[1:], len(data)), strict=True))
        parts = [*map(kernel.BytesWrap, self.serialize(json.loads(text))), *rest]

        async def dispatch() -> None:
            await self.parent.dispatch_shell(parts)

        document = self.document
        later = document.add_next_tick_callback if document.session_context else self.parent.io_loop.add_callback
        later(dispatch)

    receive.takes_bytes = True  # type: ignore[attr-defined]
    session.receive = receive
