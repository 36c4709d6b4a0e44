"""A server of its own for an ASGI app, in a thread of its own, on 127.0.0.1."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from typing import Any

import uvicorn

from spnb.errors import ConfigError

__all__ = ["BackgroundServer"]

START_SECONDS = 15.0
GRACE_SECONDS = 2


class BackgroundServer:
    """Serves until it is stopped. A thread of its own: neither a busy cell nor a stream delays an answer.

    Args:
        app: the ASGI app.
        port: on 127.0.0.1; 0 takes a free one.

    Raises:
        ConfigError: the port is taken.
    """

    def __init__(self, app: Any, port: int) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            listener.close()
            raise ConfigError(f"port {port} is taken: choose another, or 0 for a free one") from None
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_keep_alive=60,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(listener,), name="spnb-webhook-server", daemon=True)
        self._thread.start()
        self._ready.wait(START_SECONDS)

    def _run(self, listener: socket.socket) -> None:
        factory = None
        if sys.platform != "win32":
            import uvloop

            factory = uvloop.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(self._serve(listener))
        listener.close()

    async def _serve(self, listener: socket.socket) -> None:
        # Bound and listening, a connection is queued by the system until the server accepts it.
        listener.listen(2048)
        self._ready.set()
        await self._server.serve(sockets=[listener])

    def stop(self) -> None:
        """Answer what is under way and stop."""
        self._server.should_exit = True
        self._thread.join(GRACE_SECONDS + 5)
