"""`python -m spnb.sandbox`: a sandbox in the foreground, with all its choices as options."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from pydantic import ValidationError

from spnb.errors import SandboxError

KEY_NAME = "SPNB_SANDBOX_API_KEY"


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run; 2 where it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m spnb.sandbox", description=__doc__)
    parser.add_argument(
        "--port", type=int, default=0, help="port on 127.0.0.1; 0 takes the last one again, or a free one"
    )
    parser.add_argument("--data-dir", type=Path, help="folder for rooms and recordings")
    parser.add_argument("--json", action="store_true", help="print one line of JSON when ready")
    parser.add_argument("--tell-progress", action="store_true", help="print lines of JSON while it starts, before that")
    parser.add_argument("--grace", type=float, help="seconds a room waits for its publisher")
    parser.add_argument("--heartbeat", type=int, help="seconds between heartbeats of viewers")
    parser.add_argument("--flag-at", type=float, default=0.4, help="how sure moderation flags a stream, 0 to 1")
    parser.add_argument("--terminate-at", type=float, default=0.75, help="how sure it terminates one, 0 to 1")
    parser.add_argument("--most-co-hosts", type=int, help="co-hosts a room may have beside its host")
    parser.add_argument("--secure", action="store_true", help="a network in secure mode: a login wants an auth token")
    parser.add_argument("--watch-key", type=Path, help="a public key in PEM that watch sessions must be signed for")
    parser.add_argument("--no-rate-limit", action="store_true", help="never answer 429")
    parser.add_argument(
        "--livekit", default="", metavar="auto|embedded|PATH|ws://…", help="which media server; else SPNB_LIVEKIT says"
    )
    parser.add_argument(
        "--egress", type=Path, help="folder that the deployment's LiveKit Egress writes recordings into"
    )
    parser.add_argument("--idle-exit", action="store_true", help="end when nobody holds a lease any more")
    parser.add_argument("--api-key", help=f"the network's key, else {KEY_NAME} or the data folder's own; others see it")
    parser.add_argument("--running-file", type=Path, help=argparse.SUPPRESS)
    wish = parser.parse_args(arguments)

    from spnb.sandbox import default_data_dir
    from spnb.sandbox.server.process import run_foreground
    from spnb.sandbox.server.settings import CATEGORIES, SandboxSettings

    choices: dict[str, object] = {}
    choices["livekit"] = wish.livekit
    choices["moderation"] = {name: {"flag": wish.flag_at, "terminate": wish.terminate_at} for name in CATEGORIES}
    if wish.egress is not None:
        choices["egress"] = wish.egress.resolve()
    if key := wish.api_key or os.environ.get(KEY_NAME):
        choices["api_key"] = key
    if wish.grace is not None:
        choices["grace_seconds"] = wish.grace
    if wish.heartbeat is not None:
        choices["heartbeat_seconds"] = wish.heartbeat
    if wish.most_co_hosts is not None:
        choices["most_co_hosts"] = wish.most_co_hosts
    if wish.secure:
        choices["secure_mode"] = True
    if wish.watch_key is not None:
        choices["watch_key"] = wish.watch_key.resolve()
    if wish.no_rate_limit:
        choices["rate_limit"] = False
    try:
        choices["data_dir"] = (wish.data_dir or default_data_dir()).resolve()
        try:
            settings = SandboxSettings.model_validate(choices)
        except ValidationError as error:
            # What was given is not repeated: it may be a key.
            wrong = "; ".join(f"{fault['loc'][-1] if fault['loc'] else ''}: {fault['msg']}" for fault in error.errors())
            raise SandboxError(f"the options do not fit: {wrong}") from None
        return run_foreground(
            settings,
            port=wish.port,
            as_json=wish.json,
            tell_progress=wish.tell_progress,
            idle_exit=wish.idle_exit,
            running_file=wish.running_file,
        )
    except SandboxError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
