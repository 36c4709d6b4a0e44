"""The logged-in session: its token, kept fresh, and requests that survive what networks do."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import os
import secrets
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from json import dumps
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

import httpx

from spnb.client.answers import read_answer, read_object
from spnb.client.budget import Budget
from spnb.client.clock import ServiceClock
from spnb.client.discretion import be_discreet
from spnb.client.errors import error_of
from spnb.client.login import login_call
from spnb.client.reach import Reach, is_loopback
from spnb.client.retries import Retries
from spnb.config import Credentials, Endpoints, Network
from spnb.errors import (
    BadAnswer,
    ClientClosed,
    ConfigError,
    InvalidInput,
    RateLimited,
    ServerFault,
    ServiceError,
    SpnbError,
    Unauthorized,
    Unreachable,
)
from spnb.models import User

__all__ = ["Session", "Whereabouts"]

log = logging.getLogger(__name__)
be_discreet()

Json = dict[str, Any]
RENEW_AT = 0.8
"""Share of a token's life after which it is renewed, as the service's SDKs do."""
RENEW_AGAIN_SECONDS = 60.0
"""After a renewal that failed, while the token still works."""
MARGIN = dt.timedelta(minutes=5)
ANSWER_SECONDS = 90.0
"""A whole answer, however slowly it trickles."""
MOST_REDIRECTS = 5
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
"""What goes wrong before anything has left this machine for the service."""
LOOK_AGAIN_SECONDS = 0.5
"""Between two looks for a service that may have moved: many calls fail at once when it does."""


def system_time() -> dt.datetime:
    """Now, in UTC."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """How a service is found again that may come back elsewhere.

    Args:
        find: gives where it is now and its API key; None while it is nowhere.
        hint: what to do while it is nowhere, for error messages.
    """

    find: Callable[[], Awaitable[tuple[Endpoints, str] | None]]
    hint: str


class Session:
    """Sends requests in a user's name.

    Args:
        endpoints, credentials: where and as whom.
        network: the way to the service.
        clock: gives the present moment in UTC.
        whereabouts: for a service that may come back elsewhere.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        credentials: Credentials,
        *,
        network: Network | None = None,
        clock: Callable[[], dt.datetime] = system_time,
        whereabouts: Whereabouts | None = None,
    ) -> None:
        self._whereabouts = whereabouts
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self.endpoints = endpoints
        self.credentials = credentials
        self.device_id = credentials.device_id or f"spnb-{secrets.token_hex(12)}"
        self.user: User | None = None
        self.retries = Retries()
        self._clock = clock
        self.clock = ServiceClock(clock)
        network = network or Network()
        limits = httpx.Limits(max_connections=32, max_keepalive_connections=16)
        packed = {"Accept-Encoding": "gzip"}
        # Loopback goes through no proxy that the environment names for the outside world. Not httpx reads it, but the
        # same reading serves real time too.
        proxy = network.proxy_for(endpoints.rest)
        try:
            self._http = httpx.AsyncClient(
                timeout=network.timeout,
                trust_env=False,
                proxy=proxy,
                verify=network.trusted() if urlsplit(endpoints.rest).scheme == "https" else False,
                limits=limits,
                headers=packed,
            )
        except (ImportError, ValueError, httpx.InvalidURL):
            raise ConfigError("the proxy named is none that can be used: http://host:port is") from None
        self._process = os.getpid()
        self._closed = False
        self._spends: Budget | None = None
        self._token = ""
        self._renew_after: dt.datetime | None = None
        self._logging_in: asyncio.Task[None] | None = None
        self._expires = clock()
        self._renewal: asyncio.TimerHandle | None = None

    async def login(self) -> User:
        """Open the session; while one login is under way, others wait for it.

        Raises:
            Unauthorized, Forbidden: the key, user or auth token was refused.
            Unreachable: no answer.
        """
        if self._logging_in is None or self._logging_in.done():
            self._logging_in = asyncio.create_task(self._log_in(), name="spnb-login")
            # Who waited for it may have gone meanwhile: nobody need be told then.
            self._logging_in.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(self._logging_in)
        assert self.user is not None  # noqa: S101 - set by the login
        return self.user

    async def _log_in(self) -> None:
        credentials = self.credentials
        path, body = await login_call(credentials, self.device_id)
        answer = await self._with_retries(
            "POST",
            path,
            "log in",
            headers={"X-API-Key": credentials.api_key},
            json=body,
        )
        told = read_object(answer, "log in")
        try:
            token = told["accessToken"]
            users = User.many(told.get("users"))
            if not isinstance(token, str) or not token or not token.isascii():
                raise ValueError("no token")
        except (KeyError, TypeError, ValueError):
            raise BadAnswer("could not log in: the answer is not what the service's are like", status=200) from None
        self._token = token
        self.user = next((user for user in users if user.user_id == credentials.user_id), users[0] if users else None)
        if self.user is None:
            raise Unauthorized("could not log in: the answer names no user", status=200)
        self._plan_renewal(told)

    def _plan_renewal(self, told: Json) -> None:
        now = self._clock()
        # How long it lives is told by the service's own two times: this machine's clock may be wrong by days.
        issued, expires = _moment(told.get("issuedAt")), _moment(told.get("expiresAt"))
        life = dt.timedelta(days=30) if expires is None else expires - (issued or now)
        if life <= dt.timedelta(0):
            life = dt.timedelta(days=30)
        margin = min(MARGIN, life / 10)
        self._renew_after = now + (life - margin) * RENEW_AT
        self._expires = now + life
        if self._renewal is not None:
            self._renewal.cancel()
        loop = asyncio.get_running_loop()
        # Long sleeps of the machine stop this timer; `token()` looks at the clock again before each use.
        delay = min((self._renew_after - now).total_seconds(), 86_400.0)
        self._renewal = loop.call_later(max(0.05, delay), self._renew)

    def _renew(self) -> None:
        if self._renew_after is not None and self._clock() < self._renew_after:
            self._renewal = asyncio.get_running_loop().call_later(3600.0, self._renew)
            return
        renewal = asyncio.ensure_future(self.token())
        # The token still has a fifth of its life: a failure is told by the next request that needs it.
        renewal.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def token(self) -> str:
        """The access token, logged in or renewed first where that is due. Secret."""
        self.check_open()
        if not self._token:
            await self.login()
        elif self._renew_after is not None and self._clock() >= self._renew_after:
            try:
                await self.login()
            except SpnbError as error:
                left = (self._expires - self._clock()).total_seconds()
                if isinstance(error, ClientClosed) or left <= 0:
                    raise
                # It still works: it is kept, and renewed at the next try.
                log.warning("the session could not be renewed yet (%s); it still works", type(error).__name__)
                pause = min(RENEW_AGAIN_SECONDS, left / 4)
                self._renew_after = self._clock() + dt.timedelta(seconds=pause)
                if self._renewal is not None:
                    self._renewal.cancel()
                self._renewal = asyncio.get_running_loop().call_later(pause + 0.05, self._renew)
        return self._token

    def check_open(self) -> None:
        """See that this session can be used.

        Raises:
            ClientClosed: it was closed, or is another process's.
        """
        if self._process != os.getpid():
            raise ClientClosed("this client was connected before this process was forked: connect again in this one")
        if self._closed:
            raise ClientClosed("this client is closed: connect again")

    async def request(
        self,
        method: Literal["GET", "POST", "PUT", "DELETE"],
        path: str,
        *,
        doing: str,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        files: Any = None,
        data: Mapping[str, str] | None = None,
        upload: bool = False,
        repeatable: bool | None = None,
        follow: bool = True,
        admin_token: str | None = None,
    ) -> httpx.Response:
        """Send one call and return its successful answer.

        Args:
            doing: what is tried, for error messages.
            json: the body; what no JSON can say is refused.
            params: query; lists become `name[]=`, dicts `name[key]=`, None is left out.
            upload: whether it goes to the upload host.
            repeatable: whether it may be sent again when its fate is unknown (5xx, time-out); by default everything
                but POST may. A 429 was not carried out, nor what was surely never sent: they are always sent again.

        Raises:
            ServiceError, Unreachable: see `spnb.errors`.
            InvalidInput: the body holds what no JSON can say.
        """
        content, kind = (None, {}) if json is None else (_encoded(json, doing), {"Content-Type": "application/json"})
        may_repeat = method != "POST" if repeatable is None else repeatable
        for renewed in (False, True):
            token = admin_token or await self.token()
            try:
                return await self._with_retries(
                    method,
                    path,
                    doing,
                    repeatable=may_repeat,
                    upload=upload,
                    headers={"Authorization": f"Bearer {token}", **kind},
                    params=_flat(params or {}),
                    content=content,
                    files=files,
                    data=data,
                    follow_redirects=follow,
                )
            except Unauthorized:
                if renewed or admin_token:
                    raise
                # Somebody else's 401 may have renewed it meanwhile.
                if token == self._token:
                    await self.login()
        raise AssertionError("unreachable")

    async def _with_retries(
        self, method: str, path: str, doing: str, *, repeatable: bool = True, **options: Any
    ) -> httpx.Response:
        unanswered = False
        async for attempt in self.retries.of(doing, repeatable=repeatable):
            with attempt:
                try:
                    async with self._budget().place():
                        return await self._once(method, path, doing, **options)
                except ServiceError as error:
                    if isinstance(error, RateLimited):
                        self._budget().refused(error.retry_after)
                    error.repeated = unanswered
                    unanswered = unanswered or isinstance(error, ServerFault)
                    raise
                except Unreachable as error:
                    unanswered = unanswered or error.sent
                    raise
        raise AssertionError("unreachable")

    def _budget(self) -> Budget:
        if self._spends is None:
            self._spends = Budget.of(self.endpoints.rest, self.credentials.user_id)
        return self._spends

    async def _once(
        self, method: str, path: str, doing: str, *, upload: bool = False, **options: Any
    ) -> httpx.Response:
        if self._closed or self._process != os.getpid():
            self.check_open()
        given = {name: value for name, value in options.items() if value is not None}
        follow = bool(given.pop("follow_redirects", True))
        at = self.endpoints
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._answered(method, f"{at.upload if upload else at.rest}{path}", doing, follow, given)
        except TimeoutError:
            raise Unreachable(f"could not {doing}: {at.rest} did not answer in time") from None
        except httpx.HTTPError as error:
            if await self.look_around() and self.endpoints != at and isinstance(error, httpx.ConnectError):
                # Nobody was there, so nothing was carried out: it may go where the service is now.
                return await self._once(method, path, doing, upload=upload, **options)
            if isinstance(error, httpx.TimeoutException) and not isinstance(error, NEVER_SENT):
                raise Unreachable(f"could not {doing}: {at.rest} did not answer in time") from None
            hint = f": {self._whereabouts.hint}" if self._whereabouts is not None else ""
            reason = _why(error)
            unreachable = Unreachable(f"could not {doing}: {at.rest} cannot be reached ({reason}){hint}")
            unreachable.sent = not isinstance(error, NEVER_SENT)
            raise unreachable from None
        if answer.is_success or answer.is_redirect:
            return answer
        raise error_of(answer, doing)

    async def _answered(
        self, method: str, url: str, doing: str, follow: bool, options: dict[str, Any]
    ) -> httpx.Response:
        """The answer, read within bounds. Redirects are followed within the service only: the token goes along."""
        for _ in range(MOST_REDIRECTS):
            request = self._http.build_request(method, url, **options)
            asked = self._clock()
            sent = await self._http.send(request, stream=True)
            self.clock.answered(sent.headers.get("date"), self._clock() - asked)
            answer = await read_answer(sent, doing)
            if not follow or not answer.is_redirect or "location" not in answer.headers:
                return answer
            target = _joined(url, answer.headers["location"])
            if target is None or _origin(target) != _origin(url) or (method != "GET" and answer.status_code < 307):
                raise BadAnswer(
                    f"could not {doing}: the answer redirects away from the service and is not followed;"
                    " does this network want a sign-in?",
                    status=answer.status_code,
                )
            url = target
            options.pop("params", None)
        raise BadAnswer(f"could not {doing}: the service redirects over and over", status=310)

    async def look_around(self) -> bool:
        """Look where the service is, if it is one that may have moved; whether it was found."""
        if self._whereabouts is None:
            return False
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if now - self._looked_at < LOOK_AGAIN_SECONDS:
                return True
            found = await self._whereabouts.find()
            self._looked_at = asyncio.get_running_loop().time()
            if found is None:
                return False
            endpoints, key = found
            if endpoints != self.endpoints:
                log.info("the service is at %s now, no longer at %s", endpoints.rest, self.endpoints.rest)
                self.endpoints = endpoints
            if key != self.credentials.api_key:
                self.credentials = replace(self.credentials, api_key=key)
            return True

    async def signed(self, address: str, *, doing: str) -> str | None:
        """Where an address of the service's own redirects to, for this user; others are given back as they are.

        The token goes to the service only, never to where it redirects.
        """
        base = self.endpoints.rest
        rest = f"{urlsplit(base).path}/"
        if _origin(address) != _origin(base) or not urlsplit(address).path.startswith(rest):
            return address
        parts = urlsplit(address)
        path = f"{parts.path.removeprefix(rest[:-1])}{f'?{parts.query}' if parts.query else ''}"
        answer = await self.request("GET", path, doing=doing, follow=False)
        location: str | None = answer.headers.get("location")
        return location

    async def fetch(self, address: str, *, most: int = 4_000_000) -> bytes | None:
        """Bytes behind an address the service gave (a thumbnail); None where it gives none, or more than `most`.

        The address may be signed: no log gets it, and no token goes along.
        """
        content = bytearray()
        try:
            async with (
                asyncio.timeout(ANSWER_SECONDS),
                Reach(loopback=is_loopback(self.endpoints.rest)) as reach,
                reach.ask(address) as answer,
            ):
                if not 200 <= answer.status < 300:
                    return None
                async for chunk in answer.body:
                    content += chunk
                    if len(content) > most:
                        return None
        except (SpnbError, TimeoutError, OSError) as error:
            log.info("a picture could not be fetched: %s", type(error).__name__)
            return None
        return bytes(content)

    async def logout(self) -> None:
        """End the session at the service: its token is worth nothing then. One that has ended already is no error."""
        if self._token:
            headers = {"Authorization": f"Bearer {self._token}"}
            try:
                await self._with_retries("DELETE", "/api/v4/sessions", "log out", headers=headers)
            except Unauthorized:
                log.info("the session had ended already")

    async def aclose(self) -> None:
        """Close all connections. The service's session stays: it ends by itself."""
        self._closed = True
        if self._renewal is not None:
            self._renewal.cancel()
        if self._logging_in is not None and not self._logging_in.done():
            self._logging_in.cancel()
        await self._http.aclose()


def _origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port; all names of this machine's loopback are one."""
    parts = urlsplit(url)
    host = "127.0.0.1" if is_loopback(url) else (parts.hostname or "").lower()
    return parts.scheme, host, parts.port or (443 if parts.scheme == "https" else 80)


def _joined(url: str, location: str) -> str | None:
    try:
        joined = urljoin(url, location)
        _origin(joined)
    except ValueError:
        return None
    return joined


def _encoded(body: Any, doing: str) -> bytes:
    """A body as httpx would write it: once for all attempts, and with a refusal of ours."""
    try:
        return dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"could not {doing}: what was given is no JSON ({error})") from None


def _flat(params: Mapping[str, Any]) -> list[tuple[str, str]] | None:
    """Query parameters as the service's SDK writes them."""
    flat: list[tuple[str, str]] = []
    for name, value in params.items():
        if value is None:
            continue
        if isinstance(value, dict):
            flat += [(f"{name}[{key}]", _text(inner)) for key, inner in value.items() if inner is not None]
        elif isinstance(value, (list, tuple, set, frozenset)):
            flat += [(f"{name}[]", _text(inner)) for inner in value]
        else:
            flat.append((name, _text(value)))
    return flat or None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _moment(text: Any) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _why(error: httpx.HTTPError) -> str:
    """Why nothing could be sent, without what may be in an error's own words: addresses, and keys in them."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"{cause.verify_message}: connect(verify=…) or SSL_CERT_FILE names a certificate that is to be believed"
            )
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
