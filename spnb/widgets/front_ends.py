"""Front ends that are no Jupyter: what a widget's messages need there."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["sender"]

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
