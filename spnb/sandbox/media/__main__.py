"""`python -m spnb.sandbox.media`: the media server alone, as a stand-in for a LiveKit deployment.

Prints one line of JSON when it is ready. The API secret comes from `LIVEKIT_API_SECRET`, never from the command line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import sys

import uvicorn
from starlette.applications import Starlette

from spnb.sandbox.media.denial import deny_quietly
from spnb.sandbox.media.server import MediaServer
from spnb.sandbox.media.webhook import WebhookSender
from spnb.sandbox.server.security import LoopbackOnly


async def _serve(port: int, key: str, secret: str, webhook: str | None) -> None:
    sender = WebhookSender(webhook, key, secret) if webhook else None
    server = MediaServer(key, secret, on_event=sender or (lambda _event: None))
    app = LoopbackOnly(Starlette(routes=server.routes()))
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)  # whoever reads the line below may connect at once
    deny_quietly()
    config = uvicorn.Config(
        app, log_level="warning", lifespan="off", ws_max_size=1 << 20, ws_ping_interval=None, ws="websockets-sansio"
    )
    runner = uvicorn.Server(config)
    sys.stdout.write(json.dumps({"url": f"ws://127.0.0.1:{listener.getsockname()[1]}", "apiKey": key}) + "\n")
    sys.stdout.flush()
    await runner.serve(sockets=[listener])
    await server.aclose()
    if sender is not None:
        await sender.aclose()


def main() -> None:
    """Parse the command line and serve until ended."""
    parser = argparse.ArgumentParser(prog="python -m spnb.sandbox.media", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--api-key", default="devkey")
    parser.add_argument("--webhook", help="URL that gets LiveKit's signed webhooks")
    wish = parser.parse_args()
    secret = os.environ.get("LIVEKIT_API_SECRET")
    if not secret:
        parser.error("set LIVEKIT_API_SECRET to the secret that tokens are signed with (32 characters or more)")
    loop_factory = None
    if sys.platform != "win32":
        import uvloop

        loop_factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_serve(wish.port, wish.api_key, secret, wish.webhook))


if __name__ == "__main__":
    main()
