"""The sandbox's process: binds its port, says when it is ready, ends cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import uvicorn

from spnb.errors import SandboxError
from spnb.sandbox.control.found import make_private_folder, remove_running, write_running
from spnb.sandbox.media.denial import deny_quietly
from spnb.sandbox.server.app import Sandbox
from spnb.sandbox.server.limits import impatient
from spnb.sandbox.server.log_size import keep_log_small
from spnb.sandbox.server.road import FILE as ROAD
from spnb.sandbox.server.road import road_socket
from spnb.sandbox.server.settings import SandboxSettings

if TYPE_CHECKING:
    from filelock import BaseFileLock

__all__ = ["run_foreground"]

IDLE_SECONDS = 5.0
PORT = "port"
"""Name of the file in a data folder that holds the port its sandbox had last."""


class _Server(uvicorn.Server):
    """Tells when it really listens."""

    def __init__(self, config: uvicorn.Config, ready: asyncio.Event) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The sandbox handles them itself, so that a second one does not raise out of a clean shutdown.
        yield


@contextlib.contextmanager
def _for_this_user_only() -> Iterator[None]:
    """The data folder may be one that others can enter: what is written there is for this user only."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)  # of a process that goes on, e.g. a notebook's


@_for_this_user_only()
def run_foreground(
    settings: SandboxSettings,
    *,
    port: int = 0,
    as_json: bool = False,
    tell_progress: bool = False,
    idle_exit: bool = False,
    running_file: Path | None = None,
    starting: BaseFileLock | None = None,
) -> int:
    """Run a sandbox until SIGTERM or SIGINT, or until nobody uses it any more.

    Args:
        settings: see `SandboxSettings`.
        port: port on 127.0.0.1; 0 takes the one this data folder had last, where it is free, else any free one.
        as_json: print one line of JSON when ready instead of text.
        tell_progress: print lines of JSON before that, `{"starting": …}`, as long as starting goes on.
        idle_exit: end some seconds after the last lease is gone and nothing is on air.
        running_file: a file that tells where it runs, for as long as it does.
        starting: let go when that file is there, or it cannot be: whoever wants to join waits for it meanwhile.

    Returns:
        0 after a clean end.

    Raises:
        SandboxError: the port is taken, or the data folder is in use.
    """
    progress = _Progress(told=tell_progress)
    progress.step("process")
    listener = _bind(port or _last_port(settings.data_dir), otherwise=port)
    try:
        lock = _lock(settings.data_dir)
        (settings.data_dir / PORT).write_text(str(listener.getsockname()[1]))
    except OSError as error:
        listener.close()
        raise SandboxError(
            f"the sandbox cannot write into {settings.data_dir} ({error.strerror}):"
            " choose another --data-dir, or set SPNB_HOME to a folder of your own"
        ) from None
    loop_factory = None
    if sys.platform != "win32":
        import uvloop

        loop_factory = uvloop.new_event_loop
    try:
        road = running_file.parent / ROAD if running_file is not None else None
        with asyncio.Runner(loop_factory=loop_factory) as runner, road_socket(road) as by_road:
            listeners = [listener] if by_road is None else [listener, by_road]
            told = functools.partial(_tell_where, running_file, starting)
            runner.run(_serve(settings, listeners, progress, told, as_json=as_json, idle_exit=idle_exit))
    finally:
        if running_file is not None:
            remove_running(running_file, os.getpid())
        listener.close()
        lock.release()
    return 0


def _tell_where(running_file: Path | None, starting: BaseFileLock | None, sandbox: Sandbox) -> None:
    if running_file is not None:
        write_running(running_file, sandbox.describe())
    if starting is not None:
        starting.release()


class _Progress:
    """Says that starting goes on, so that whoever waits for it knows."""

    def __init__(self, *, told: bool) -> None:
        self._told = told
        self._last = float("-inf")

    def step(self, what: str) -> None:
        """A step has begun."""
        self._last = time.monotonic()
        if self._told:
            sys.stdout.write(json.dumps({"starting": what}) + "\n")
            sys.stdout.flush()

    def work(self, what: str) -> None:
        """A step goes on; told once a second at most."""
        if time.monotonic() - self._last >= 1:
            self.step(what)


def _last_port(folder: Path) -> int:
    """The port this data folder's sandbox had last, so that whoever knows its address finds it again; 0 without."""
    with contextlib.suppress(OSError, ValueError):
        port = int((folder / PORT).read_text())
        return port if 0 < port < 65536 else 0
    return 0


def _bind(port: int, *, otherwise: int) -> socket.socket:
    """Take a port of 127.0.0.1, or another where it is taken: `otherwise`, 0 for any that is free."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform != "win32":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()
        if port != otherwise:
            return _bind(otherwise, otherwise=otherwise)
        raise SandboxError(f"port {port} is taken: choose another, or 0 for a free one") from None
    return listener


def _lock(folder: Path) -> BaseFileLock:
    """Hold the data folder for as long as this process lives: the system frees it, however the process ends."""
    from filelock import FileLock, Timeout

    make_private_folder(folder)
    try:
        lock = FileLock(folder / "lock", blocking=False, thread_local=False)
        lock.acquire()
    except Timeout:
        raise SandboxError(f"another sandbox is using {folder}: end it, or choose another --data-dir") from None
    return lock


async def _serve(
    settings: SandboxSettings,
    listeners: list[socket.socket],
    progress: _Progress,
    told: Callable[[Sandbox], None],
    *,
    as_json: bool,
    idle_exit: bool,
) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    timer: asyncio.TimerHandle | None = None

    def look_idle() -> None:
        nonlocal timer
        if sandbox.leases:
            return
        if sandbox.lifecycle.busy:
            timer = loop.call_later(IDLE_SECONDS, look_idle)
        else:
            server.should_exit = True

    def when_idle() -> None:
        nonlocal timer
        if idle_exit:
            if timer is not None:
                timer.cancel()
            timer = loop.call_later(IDLE_SECONDS, look_idle)

    progress.step("database")
    port = listeners[0].getsockname()[1]
    sandbox = Sandbox(settings, port, on_idle=when_idle, on_work=lambda: progress.work("database"))
    progress.step("server")
    deny_quietly()
    config = uvicorn.Config(
        sandbox.app,
        log_level="warning",
        # Addresses of signalling and media hold tokens: no request is ever logged.
        access_log=False,
        lifespan="off",
        ws="websockets-sansio",
        ws_max_size=1 << 20,
        ws_ping_interval=None,
        timeout_graceful_shutdown=2,
    )
    config.load()
    config.http_protocol_class = impatient(cast("type[Any]", config.http_protocol_class))
    server = _Server(config, ready)
    keep_log_small(settings.data_dir / "sandbox.log")
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, lambda: setattr(server, "should_exit", True))
    await sandbox.start()
    serving = asyncio.create_task(server.serve(sockets=listeners))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
    if ready.is_set():
        told(sandbox)
        _say(sandbox, as_json=as_json)
        when_idle()
    await serving
    waiting.cancel()
    await sandbox.aclose()


def _say(sandbox: Sandbox, *, as_json: bool) -> None:
    facts = sandbox.describe()
    if as_json:
        text = json.dumps(facts)
    else:
        text = (
            f"spnb sandbox {facts['version']} is ready (Ctrl-C ends it)\n"
            f"  REST     {facts['url']}\n"
            f"  MQTT     {facts['mqtt']}\n"
            f"  LiveKit  {facts['livekit']}\n"
            f"  API key  {facts['apiKey']}\n"
            f"  network  {facts['networkId']}\n"
            f"  data     {facts['dataDir']}"
        )
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
