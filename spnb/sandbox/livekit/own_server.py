"""A real livekit-server as the sandbox's media server: started on free loopback ports, watched, and ended with it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import sys
import time
from pathlib import Path

import httpx

from spnb._lasting import kept_up
from spnb._loop import end_process
from spnb.errors import SandboxError
from spnb.sandbox.livekit.deployment import LiveKitDeployment

__all__ = ["LiveKitServer", "OwnLiveKit"]

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
UDP_PORTS = (50_000, 60_000)
START_SECONDS = 60.0
END_SECONDS = 10.0
STABLE_SECONDS = 10.0

# The server must not outlive a sandbox that is killed: this shell ends it once its standard input closes. A first
# SIGTERM makes livekit-server wait for everybody to leave; the second signal, of another kind so that they do not
# coalesce, ends it at once.
GUARD = """
exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ read -r _ <&3; kill -TERM $server; sleep 0.2; kill -INT $server; sleep 3; kill -KILL $server; } 2>/dev/null & guard=$!
wait $server; code=$?
kill $guard 2>/dev/null
exit $code
"""


class LiveKitServer:
    """One process of `livekit-server`, reachable on this machine alone.

    Args:
        binary: the program, of 1.9 or newer.
        api_key, api_secret: the key pair it is given.
        webhook: address that gets its signed webhooks; None for none.
        log_path: file its log is written to, anew at each start.
    """

    def __init__(self, binary: Path, api_key: str, api_secret: str, *, webhook: str | None, log_path: Path) -> None:
        self._binary = binary
        self._key, self._secret = api_key, api_secret
        self._webhook = webhook
        self._log_path = log_path
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Its WebSocket address, once it has been started."""
        return f"ws://{LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int | None:
        """The process that ends when the server ends."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start it and wait until it answers; whenever it ends by itself from then on, it is started again.

        Raises:
            SandboxError: it did not come up; the message ends with what its log says.
        """
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            self._port = probe.getsockname()[1]
        await self._launch()
        self._watching = asyncio.create_task(kept_up(self._watch, "watching livekit-server"), name="livekit-server")

    def _configuration(self) -> str:
        """What it is told, as YAML, of which JSON is a part (LiveKit's config-sample.yaml)."""
        first, last = UDP_PORTS
        rtc = {
            "node_ip": LOOPBACK,
            "use_external_ip": False,
            "enable_loopback_candidate": True,
            "ips": {"includes": [f"{LOOPBACK}/32"]},
            "port_range_start": first,
            "port_range_end": last,
            "tcp_port": 0,  # it would listen on all interfaces
            # Without one named, clients are sent to public STUN servers; nobody listens here, and nobody needs it.
            "stun_servers": [f"{LOOPBACK}:9"],
        }
        told: dict[str, object] = {
            "port": self._port,
            "bind_addresses": [LOOPBACK],
            "rtc": rtc,
            "keys": {self._key: self._secret},
            "logging": {"level": "warn"},
        }
        if self._webhook is not None:
            told["webhook"] = {"api_key": self._key, "urls": [self._webhook]}
        return json.dumps(told)

    async def _launch(self) -> None:
        command = [str(self._binary)]
        if sys.platform != "win32":
            command = ["/bin/sh", "-c", GUARD, "livekit-guard", *command]
        # The configuration holds the secret: it goes through the environment, which only this user can read.
        environment = {**os.environ, "LIVEKIT_CONFIG": self._configuration()}
        for name in ("LIVEKIT_KEYS", "NODE_IP", "UDP_PORT", "REDIS_HOST", "LIVEKIT_REGION"):
            environment.pop(name, None)
        descriptor = os.open(self._log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=descriptor,
                stderr=descriptor,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the sandbox, which ends it in order
            )
        except OSError as error:
            raise SandboxError(f"{self._binary} cannot be run: {error.strerror or error}") from None
        finally:
            os.close(descriptor)
        await self._answering(self._process)

    async def _answering(self, process: asyncio.subprocess.Process) -> None:
        ended = asyncio.create_task(process.wait())
        give_up = time.monotonic() + START_SECONDS
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
                while not ended.done() and time.monotonic() < give_up:
                    try:
                        if (await client.get(f"http://{LOOPBACK}:{self._port}/")).is_success:
                            return
                    except httpx.HTTPError:
                        # It does not listen yet; it tells nobody when it does, so it is asked again.
                        await asyncio.wait([ended], timeout=0.05)
        finally:
            ended.cancel()
        await self._end(process)
        said = self._log_path.read_text(errors="replace").strip().splitlines()[-5:]
        told = "\n  ".join(said) or "(its log is empty)"
        raise SandboxError(f"{self._binary} did not come up; {self._log_path} ends with:\n  {told}")

    async def _watch(self) -> None:
        while True:
            assert self._process is not None  # noqa: S101 - it was launched before
            began = time.monotonic()
            code = await self._process.wait()
            log.error("livekit-server ended by itself (exit code %s): it is started again", code)
            if time.monotonic() - began < STABLE_SECONDS:
                await asyncio.sleep(1)
            try:
                await self._launch()
            except SandboxError as error:
                log.error("%s", error)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is not None:
            process.stdin.close()  # what the guard waits for
        if sys.platform == "win32":
            end_process(process)
        try:
            async with asyncio.timeout(END_SECONDS):
                await process.wait()
        except TimeoutError:
            end_process(process, kill=True)
            await process.wait()

    async def aclose(self) -> None:
        """End it: everybody is put out of its rooms."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None
        if self._process is not None:
            await self._end(self._process)
            self._process = None


class OwnLiveKit(LiveKitDeployment):
    """A deployment whose server is the sandbox's own.

    Args:
        server: not started yet.
        api_key, api_secret: the key pair it was given.
    """

    def __init__(self, server: LiveKitServer, api_key: str, api_secret: str) -> None:
        # Its port is known once it runs; that it is on this machine, behind no proxy, is known now.
        super().__init__("ws://127.0.0.1", api_key, api_secret)
        self._server = server

    async def start(self) -> None:
        """Start the server.

        Raises:
            SandboxError: it did not come up.
        """
        await self._server.start()
        self.url = self._server.url
        await super().start()

    async def aclose(self) -> None:
        """Leave all rooms and end the server."""
        await super().aclose()
        await self._server.aclose()
