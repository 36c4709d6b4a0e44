"""The sandbox: a local process that speaks social.plus's REST, MQTT and LiveKit wire, no account needed.

`ensure()` starts or joins the one that all notebooks of a user share; `start()` runs a private one; `serve()` runs one
in the foreground. `simulate()` sends viewers into a live room, `backfill()` writes months of past streams, `faults()`
makes one misbehave, `webhooks()` has it send webhooks, `add_product()` puts a product into its catalogue; each has an
async twin, `simulate_async()` and so on. Nothing else of spnb imports what is inside.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

from spnb._arguments import checked, checked_port
from spnb._faces import late_names
from spnb.errors import InvalidInput, SandboxError
from spnb.sandbox.control.faults import faults_async
from spnb.sandbox.control.found import FILE
from spnb.sandbox.control.launch import SandboxInfo, default_data_dir, ensure, home, own_folder, running, start
from spnb.sandbox.control.products import add_product_async
from spnb.sandbox.control.webhooks import webhooks_async

if TYPE_CHECKING:
    from spnb.sandbox.audience import AsyncSimulation, Past, backfill_async, simulate_async
    from spnb.sync.sandbox.audience.past import backfill
    from spnb.sync.sandbox.audience.simulation import Simulation, simulate
    from spnb.sync.sandbox.control.faults import faults
    from spnb.sync.sandbox.control.products import add_product
    from spnb.sync.sandbox.control.webhooks import webhooks

__all__ = [
    "AsyncSimulation",
    "Past",
    "SandboxInfo",
    "Simulation",
    "add_product",
    "add_product_async",
    "backfill",
    "backfill_async",
    "default_data_dir",
    "ensure",
    "faults",
    "faults_async",
    "home",
    "running",
    "serve",
    "simulate",
    "simulate_async",
    "start",
    "webhooks",
    "webhooks_async",
]


@checked
def serve(
    *,
    port: int = 0,
    data_dir: Path | None = None,
    as_json: bool = False,
    grace: float | None = None,
    rate_limit: bool = True,
    api_key: str | None = None,
    livekit: str = "",
    egress: Path | None = None,
    secure: bool = False,
    watch_key: Path | None = None,
) -> int:
    """Run a sandbox in the foreground until it is interrupted.

    Args:
        port: port on 127.0.0.1; 0 takes a free one.
        data_dir: where rooms and recordings are kept; this user's folder without it.
        as_json: print one line of JSON when ready.
        grace: seconds a room waits for its publisher.
        rate_limit: whether to answer 429 beyond 100 requests in 5 s of a user.
        api_key: the network's key, so that apps of other SDKs keep theirs; else `SPNB_SANDBOX_API_KEY`, or the one that
            belongs to the data folder.
        livekit: which media server: `embedded`, `auto` (a livekit-server where one is found), the path of a
            livekit-server, or the `ws://` address of a deployment; without it `SPNB_LIVEKIT`, else embedded.
        egress: folder that the deployment's LiveKit Egress writes recordings into, in place of the sandbox's recorder.
        secure: whether it is a network in secure mode, where a login wants an auth token (`SandboxInfo.auth_token()`).
        watch_key: the file of a public key in PEM: watch sessions that another key has signed are refused.

    Returns:
        0 after a clean end.

    Raises:
        InvalidInput: a port or a grace that is none.
        SandboxError: the port is taken, the folder is in use, or the media server cannot be had.
    """
    from filelock import FileLock

    from spnb.sandbox.control.launch import STARTING
    from spnb.sandbox.server.process import run_foreground
    from spnb.sandbox.server.settings import SandboxSettings

    folder = (data_dir or default_data_dir()).resolve()
    checked_port(port)
    if grace is not None and not 0 <= grace < math.inf:
        raise InvalidInput(f"grace {grace:g} is no time to wait: give seconds, from 0 on")
    # One of no characters is refused like any other that is too short.
    key = api_key if api_key is not None else os.environ.get("SPNB_SANDBOX_API_KEY") or None
    try:
        settings = SandboxSettings(
            data_dir=folder,
            rate_limit=rate_limit,
            livekit=livekit,
            api_key=key,
            secure_mode=secure,
            watch_key=watch_key,
        )
    except ValueError:
        raise SandboxError("an API key has 16 to 200 visible ASCII characters") from None
    if egress is not None:
        settings = settings.model_copy(update={"egress": egress.resolve()})
    if grace is not None:
        settings = settings.model_copy(update={"grace_seconds": grace})
    # In its own folder it is *the* sandbox of this user: whoever connects joins it.
    if data_dir is not None:
        return run_foreground(settings, port=port, as_json=as_json)
    # Who connects while it starts waits for it, as for one that another notebook starts.
    with FileLock(own_folder() / STARTING) as starting:
        return run_foreground(settings, port=port, as_json=as_json, running_file=home() / FILE, starting=starting)


__getattr__, __dir__ = late_names(
    __name__,
    {
        # Audiences bring numpy along: they load on first use.
        "AsyncSimulation": "spnb.sandbox.audience",
        "Past": "spnb.sandbox.audience",
        "backfill_async": "spnb.sandbox.audience",
        "simulate_async": "spnb.sandbox.audience",
        "add_product": "spnb.sync.sandbox.control.products",
        "Simulation": "spnb.sync.sandbox.audience.simulation",
        "backfill": "spnb.sync.sandbox.audience.past",
        "faults": "spnb.sync.sandbox.control.faults",
        "simulate": "spnb.sync.sandbox.audience.simulation",
        "webhooks": "spnb.sync.sandbox.control.webhooks",
    },
)
