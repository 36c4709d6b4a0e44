"""Clients of the vendor's SDK, each in a browser context of its own, as two people's phones would be."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, Page

from tests.conftest import RunningSandbox

__all__ = ["CALLED", "PATIENCE", "TOLD", "SdkClient", "SdkError"]

PATIENCE = 60_000
"""Milliseconds to wait for what another client must see; a loaded machine takes its time."""

CALLED: set[str] = set()
"""Functions of the SDK that were called since this was emptied, by any client."""

TOLD: list[tuple[str, str]] = []
"""What the service answered and told since this was emptied: the call or event, and the JSON."""

_names = itertools.count(1)


@dataclass
class SdkClient:
    """A page with one SDK client."""

    page: Page
    user_id: str
    sandbox: RunningSandbox
    problems: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @classmethod
    async def open(
        cls, browser: Browser, site: str, sandbox: RunningSandbox, user_id: str, *, clock: bool = False
    ) -> SdkClient:
        """A page of its own.

        Args:
            clock: whether the test moves the page's time.
        """
        context = await browser.new_context()
        page = await context.new_page()
        page.set_default_timeout(60_000)
        if clock:
            await page.clock.install()
        client = cls(page, user_id, sandbox)
        page.on("pageerror", lambda error: client.problems.append(str(error)))
        page.on(
            "response",
            lambda answer: (
                client.refused.append(f"{answer.status} {answer.request.method} {answer.url}")
                if answer.status >= 400
                else None
            ),
        )
        await page.goto(f"{site}/sdk.html")
        await page.wait_for_function("window.sdk")
        return client

    async def start(self, *, visitor: bool = False, bot: bool = False, access_token: str = "", **options: Any) -> None:
        """Create the SDK's client against the sandbox and log in.

        Args:
            visitor: log in as nobody in particular.
            bot: log in as a machine that reads, a search engine's say.
            access_token: log in by a session that is there already.
            options: further ones of the login.
        """
        await self.run(
            """
            const client = sdk.Client.createClient(
                a.key, "sandbox", { apiEndpoint: { http: a.url, mqtt: a.mqtt, upload: a.url } });
            for (const { interceptors } of [client.http, client.upload]) interceptors.response.use((answer) => {
                const path = new URL(answer.config.url, a.url).pathname;
                note(`${answer.config.method.toUpperCase()} ${path}`, answer.data);
                return answer;
            });
            const sessionHandler = { sessionWillRenewAccessToken: async (renewal) => (window.authToken
                ? renewal.renewWithAuthToken(await window.authToken()) : renewal.renew()) };
            await (a.token ? sdk.Client.loginWithAccessToken(a.token)
                : a.visitor ? sdk.Client.loginAsVisitor({ sessionHandler, ...a.options })
                : a.bot ? sdk.Client.loginAsBot({ sessionHandler })
                : sdk.Client.login({ userId: a.userId, displayName: a.name, ...a.options }, sessionHandler));
            sdk.Client.enableUnreadCount();
            """,
            visitor=visitor,
            bot=bot,
            token=access_token,
            key=self.sandbox.api_key,
            # With the slash: some calls of the SDK (`flagUser`) join their path to it by hand, without one.
            url=f"{self.sandbox.url}/",
            mqtt=self.sandbox.info["mqtt"],
            userId=self.user_id,
            name=self.user_id.capitalize(),
            options=options,
        )

    async def run(self, statements: str, /, **arguments: Any) -> Any:
        """Run statements in the page, with `sdk` and the arguments as `a`; what they return comes back as JSON.

        An error of the SDK is raised with the server's words.
        """
        told = await self.page.evaluate(
            f"""async (a) => {{
                const sdk = window.sdk;
                let told;
                try {{
                    const found = await (async () => {{ {statements} }})();
                    told = {{ found }};
                }} catch (error) {{
                    told = {{ failed: String(error.message ?? error), code: error.code ?? null,
                              stack: String(error.stack ?? "") }};
                }}
                told.called = [...window.called];
                window.called.clear();
                told.told = window.told.splice(0);
                return JSON.stringify(told);
            }}""",
            arguments,
        )
        answer = json.loads(told)
        CALLED.update(answer["called"])
        TOLD.extend(answer["told"])
        if "failed" in answer:
            raise SdkError(answer["failed"], answer["code"], answer["stack"] + "\n" + "\n".join(self.refused[-5:]))
        return answer.get("found")

    async def follow(self, start: str, /, *, name: str = "", **arguments: Any) -> str:
        """Open a live object or collection: `start` is a call of the SDK with `told` for its callback."""
        name = name or f"live-{next(_names)}"
        await self.run(f"window.follow(a.name, (told) => {start});", name=name, **arguments)
        return name

    async def until(self, name: str, condition: str, /, **arguments: Any) -> Any:
        """Wait until the newest snapshot `s` of what is followed meets a condition; returns what that is worth."""
        handle = await self.page.wait_for_function(
            f"""([name, a]) => {{
                const s = window.followed[name].snapshot;
                if (!s) return false;
                const worth = ({condition});
                return worth === undefined || worth === false || worth === null ? false : JSON.stringify(worth);
            }}""",
            arg=[name, arguments],
            timeout=PATIENCE,
        )
        return json.loads(await handle.json_value())

    async def hear(self, observer: str, /, *, name: str = "") -> str:
        """Start an event observer of the SDK, e.g. `sdk.PostRepository.onPostCreated`."""
        name = name or f"heard-{next(_names)}"
        await self.run(f"window.hear(a.name, (told) => {observer});", name=name)
        return name

    async def heard(self, name: str, condition: str = "true", /, **arguments: Any) -> Any:
        """Wait until an observer was told something `e` (its first argument) that meets the condition."""
        handle = await self.page.wait_for_function(
            f"""([name, a]) => {{
                const met = window.heard[name].find(([e, f]) => {condition});
                return met === undefined ? false : JSON.stringify(met[0] ?? true);
            }}""",
            arg=[name, arguments],
            timeout=PATIENCE,
        )
        return json.loads(await handle.json_value())

    async def http(self, method: str, path: str, body: Any = None) -> Any:
        """The server's own answer, past the SDK's cache, in this client's name."""
        return await self.run(
            """
            const { data } = await sdk.Client.getActiveClient().http.request(
                { method: a.method, url: a.path, data: a.body ?? undefined });
            return data;
            """,
            method=method,
            path=path,
            body=body,
        )


class SdkError(AssertionError):
    """What the SDK threw."""

    def __init__(self, message: str, code: int | None, detail: str) -> None:
        super().__init__(f"{message} ({code})\n{detail}")
        self.code = code
