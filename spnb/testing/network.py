"""Networks for tests: each a sandbox process of its own, one of them always started ahead."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import spnb
from spnb._arguments import checked_class
from spnb._places import PassingFolder
from spnb.errors import SpnbError

if TYPE_CHECKING:
    from typing import Self

    from spnb.client import Client
    from spnb.config import AuthToken, Kind, VisitorSigner, WatchKey
    from spnb.live import LiveRoom
    from spnb.sandbox import SandboxInfo

__all__ = ["Reserve", "SocialPlus"]


@checked_class
@dataclass
class SocialPlus:
    """A network of one test's own, empty at its start and gone after it.

    Attributes:
        sandbox: the process behind it: `spnb.sandbox.faults(…)` and the like take it.
    """

    sandbox: SandboxInfo
    _clients: list[Client[LiveRoom]] = field(default_factory=list, repr=False)

    @property
    def url(self) -> str:
        """Where it answers, for REST, uploads and MQTT alike; the `apiEndpoint` of the vendor's SDKs."""
        return self.sandbox.url

    @property
    def api_key(self) -> str:
        """Its key."""
        return self.sandbox.api_key

    @property
    def environment(self) -> dict[str, str]:
        """What a process under test needs to find it: `SOCIALPLUS_URL`, `SOCIALPLUS_API_KEY`, `SOCIALPLUS_MQTT`,
        `SOCIALPLUS_LIVEKIT`. Programs that use spnb find it by the first two and `SOCIALPLUS_USER_ID`."""
        return {
            "SOCIALPLUS_URL": self.sandbox.url,
            "SOCIALPLUS_API_KEY": self.sandbox.api_key,
            "SOCIALPLUS_MQTT": self.sandbox.mqtt,
            "SOCIALPLUS_LIVEKIT": self.sandbox.livekit,
        }

    def connect(
        self,
        user_id: str = "host",
        *,
        display_name: str | None = None,
        auth_token: AuthToken | None = None,
        kind: Kind = "user",
        visitor_signature: VisitorSigner | None = None,
        watch_key: WatchKey | None = None,
        timeout: float = 30.0,
    ) -> Client[LiveRoom]:
        """Log a user in; the client is closed after the test.

        Args:
            user_id: who logs in.
            display_name, auth_token, kind, visitor_signature, watch_key: as for `spnb.connect`.
            timeout: seconds that a request may take.
        """
        client = spnb.connect(
            user_id,
            url=self.url,
            api_key=self.api_key,
            display_name=display_name,
            auth_token=auth_token,
            kind=kind,
            visitor_signature=visitor_signature,
            watch_key=watch_key,
            timeout=timeout,
        )
        self._clients.append(client)
        return client

    def close(self) -> None:
        """Close what was connected and end the network."""
        for client in self._clients:
            # A test may have ended the sandbox under its clients.
            with contextlib.suppress(SpnbError):
                client.close()
        self.sandbox.stop()


class Reserve:
    """Hands out virgin networks without a wait: while one is in use, the next one starts.

    Args:
        options: of `python -m spnb.sandbox`, for each of them.
    """

    def __init__(self, *options: str) -> None:
        self._options = options
        self._folder = PassingFolder("spnb-testing-")
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="spnb-testing")
        self._count = 0
        self._next: Future[SandboxInfo] | None = None

    def take(self) -> SocialPlus:
        """A network nobody has used.

        Raises:
            SandboxError: it did not start; the message ends with what its log says.
        """
        coming, self._next = self._next or self._begin(), None
        made = SocialPlus(coming.result())
        self._next = self._begin()
        return made

    def _begin(self) -> Future[SandboxInfo]:
        self._count += 1
        folder = Path(self._folder.name) / str(self._count)
        start: Callable[..., SandboxInfo] = spnb.sandbox.start
        return self._starter.submit(start, folder, options=self._options)

    def close(self) -> None:
        """End the one that waits; those handed out are ended by who took them."""
        self._starter.shutdown(wait=True)
        if self._next is not None and self._next.exception() is None:
            self._next.result().stop()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
