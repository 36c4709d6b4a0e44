"""Where a download may go: which schemes, which addresses, and which redirects are followed.

The address of a recording comes from the service, and what it redirects to from whoever serves the file. Neither may
make this machine ask itself or its neighbours for something (SSRF): names are resolved here, the addresses checked, and
the connection made to the very address that was checked, so that a name cannot change in between (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import httpcore

from spnb._proxies import proxy_of
from spnb.config import is_loopback
from spnb.errors import DownloadError, Unreachable

__all__ = ["Answer", "Reach", "is_loopback"]

MOST_REDIRECTS = 5
CONNECT_SECONDS, READ_SECONDS = 15.0, 30.0
NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer, its body unread."""

    status: int
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]


class Reach:
    """Fetches over HTTP, only from where it is safe.

    Args:
        loopback: whether this machine itself may be asked: only where the service runs on it, as the sandbox does.
        private: whether the local network may be asked, where whoever gave the address says so.
        what: what is fetched, for messages.
    """

    def __init__(self, *, loopback: bool, private: bool = False, what: str = "recording") -> None:
        self.loopback = loopback
        self.private = private
        self.what = what
        self._pools: dict[str | None, httpcore.AsyncConnectionPool] = {}

    def checked(self, url: str, *, before: str | None = None) -> SplitResult:
        """The parts of an address that may be asked.

        Args:
            before: the address that redirected here.

        Raises:
            DownloadError: its scheme or host is not allowed.
        """
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise DownloadError(f"the {self.what}'s address is malformed: nothing was fetched") from None
        where = "redirects to" if before is not None else "is"
        if parts.scheme not in ("http", "https"):
            raise DownloadError(
                f"the {self.what}'s address {where} {parts.scheme or 'no'}:, and only http(s) is followed"
            )
        if before is not None and urlsplit(before).scheme == "https" and parts.scheme != "https":
            raise DownloadError(f"the {self.what}'s address redirects from https to http: it is not followed")
        if not host or parts.username is not None or parts.password is not None:
            raise DownloadError(
                f"the {self.what}'s address {where} one without a host or with a password: not followed"
            )
        if (literal := _literal(host)) is not None:
            self._check(literal)
        elif host == "localhost" and not self.loopback:
            self._check(ipaddress.ip_address("127.0.0.1"))
        return parts

    def _check(self, address: Address) -> None:
        if not self.allows(address):
            # The address itself is told: it is no secret, and whoever serves the file should know.
            raise DownloadError(
                f"the {self.what}'s address leads to {address}, which is private or local: not followed"
            )

    def allows(self, address: Address) -> bool:
        """Whether a network address may be asked."""
        plain = _unwrapped(address)
        if plain.is_loopback:
            return self.loopback
        return (
            plain.is_global or (self.private and plain.is_private and not plain.is_link_local)
        ) and not plain.is_multicast

    @asynccontextmanager
    async def ask(self, url: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[Answer]:
        """GET an address, following redirects that are allowed.

        Raises:
            DownloadError: it leads somewhere it must not.
            Unreachable: no answer.
        """
        before: str | None = None
        for _ in range(MOST_REDIRECTS + 1):
            self.checked(url, before=before)
            async with self._answer(url, headers or {}) as answer:
                location = answer.headers.get("location")
                if answer.status not in (301, 302, 303, 307, 308) or location is None:
                    yield answer
                    return
            before, url = url, _joined(url, location)
        raise DownloadError(
            f"the {self.what}'s address redirects more than {MOST_REDIRECTS} times: not followed further"
        )

    @asynccontextmanager
    async def _answer(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[Answer]:
        # httpcore itself rather than httpx: that logs every address, and these are signed.
        timeouts = {"connect": CONNECT_SECONDS, "read": READ_SECONDS, "write": READ_SECONDS, "pool": READ_SECONDS}
        asked = [("Accept-Encoding", "identity"), ("User-Agent", "spnb"), *headers.items()]
        proxy = None if self.loopback else proxy_of(url)
        if proxy not in self._pools:
            self._pools[proxy] = self._open_pool(proxy)
        try:
            async with self._pools[proxy].stream("GET", url, headers=asked, extensions={"timeout": timeouts}) as answer:
                told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
                yield Answer(answer.status, told, answer.aiter_stream())
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            if isinstance(error, OSError) and not isinstance(error, ConnectionError | TimeoutError):
                raise
            raise Unreachable(f"the {self.what} could not be fetched: {type(error).__name__}") from None

    def _open_pool(self, proxy: str | None) -> httpcore.AsyncConnectionPool:
        if proxy is not None:
            # The proxy resolves names: what is left to check here are addresses given as numbers.
            return httpcore.AsyncConnectionPool(proxy=httpcore.Proxy(proxy))
        return httpcore.AsyncConnectionPool(network_backend=_Pinned(self), keepalive_expiry=5.0)

    async def aclose(self) -> None:
        """Close its connections."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.aclose()

    async def __aenter__(self) -> Reach:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class _Pinned(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked, never to a name."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._plain = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise httpcore.ConnectError("the name is not known") from None
        addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        allowed = [address for address in addresses if self._reach.allows(address)]
        if not allowed:
            raise DownloadError(
                f"the {self._reach.what}'s address leads to {addresses[0]}, which is private or local: not followed"
            )
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in allowed:
            try:
                return await self._plain.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        assert failure is not None  # noqa: S101 - there was an address, and it failed
        raise failure

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("recordings are not fetched over sockets of this machine")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise DownloadError("the address redirects to a malformed one: not followed") from None


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _unwrapped(address: Address) -> Address:
    """The IPv4 address an IPv6 one stands for, where it does."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
