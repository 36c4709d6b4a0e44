"""A tab of its own for a Studio: who gets in, what it hears, and what its going leaves; without a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

import spnb
from spnb.widgets import Studio, companion
from tests.conftest import RunningSandbox
from tests.widgets.test_widgets import command, state_of, until

HUB = "hub.example:8000"


@pytest.fixture(scope="module")
def sp(sandbox: RunningSandbox) -> Iterator[Any]:
    with spnb.connect("tab-host", url=sandbox.url, api_key=sandbox.api_key) as client:
        yield client


class Notebook:
    """A Studio, and what its page in the notebook hears of its tab."""

    def __init__(self, sp: Any) -> None:
        self.studio = Studio(sp, sp.rooms.create("From a tab"))
        self.messages: list[dict[str, Any]] = []

        self.studio.comm.send = lambda data, buffers=None, **_: self.messages.append(data)

    def told(self, kind: str) -> list[dict[str, Any]]:
        customs = [message["content"] for message in self.messages if message["method"] == "custom"]
        return [content for content in customs if content.get("type") == kind]

    def link(self) -> dict[str, Any]:
        before = len(self.told("companion"))
        command(self.studio, "companion", base=f"https://{HUB}/user/x")
        until(lambda: len(self.told("companion")) > before)
        return next(told for told in reversed(self.told("companion")) if "token" in told)

    @property
    def states(self) -> list[str]:
        return [told["state"] for told in self.told("companion") if "state" in told]


@pytest.fixture
def notebook(sp: Any) -> Iterator[Notebook]:
    made = Notebook(sp)
    yield made
    made.studio.close()


def opened(link: dict[str, Any], host: str = "", origin: str = "") -> Any:
    """The socket of a tab; by another name than its own, and of another page, where these are given."""
    own = urlsplit(link["url"])
    address = f"ws://{host or own.netloc}/socket"
    return connect(
        address, origin=Origin(origin or f"http://{own.netloc}"), host=own.hostname, port=own.port, proxy=None
    )


async def let_in(socket: ClientConnection, link: dict[str, Any]) -> dict[str, Any]:
    await socket.send(link["token"])
    return read(await socket.recv())[0]


def read(message: Any) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(message[:4], "big")
    return json.loads(message[4 : 4 + length]), message[4 + length :]


def packed(content: dict[str, Any], *buffers: bytes) -> bytes:
    text = json.dumps({**content, "lengths": [len(buffer) for buffer in buffers]}).encode()
    return len(text).to_bytes(4, "big") + text + b"".join(buffers)


async def refused(link: dict[str, Any]) -> str:
    async with opened(link) as socket:
        told = await let_in(socket, link)
        assert told["method"] == "over"
        await socket.wait_closed()
    return str(told["why"])


async def test_a_link_lets_one_tab_in_once_and_the_tab_is_a_page_of_the_widget(notebook: Notebook) -> None:
    studio = notebook.studio
    link = notebook.link()
    async with opened(link) as socket:
        hello = await let_in(socket, link)
        assert hello["module"] == "studio.js"
        assert hello["state"]["title"] == "From a tab"
        assert not {"_esm", "_css"} & hello["state"].keys()
        until(lambda: notebook.states == ["open"])
        assert await refused(link) == companion.USED

        # What the tab says is heard as of any page, and what is for the tab alone goes nowhere else.
        await socket.send(packed({"do": "echo", "client": "tab"}, b"nothing heeds this"))
        await socket.send(packed({"do": "route", "client": "tab"}))
        while (told := read(await socket.recv())[0]).get("content", {}).get("type") != "route":
            pass
        assert told["content"]["url"].startswith("ws")
        assert notebook.told("route") == []
        studio.send({"type": "frame", "client": "page"})
        studio.send({"type": "picture", "client": "tab"}, [b"a picture"])
        told, picture = read(await socket.recv())
        assert (told["content"]["type"], picture) == ("picture", b"a picture")
        assert notebook.told("frame")
        assert not notebook.told("picture")
        # Traits go to both.
        studio.countdown = 7
        while "countdown" not in (told := read(await socket.recv())[0]).get("state", {}):
            pass
        await socket.send(packed({"do": "messages", "client": "tab", "fps": 30}))
        while (told := read(await socket.recv())[0]).get("state", {}).get("holder") != "tab":
            pass
        # What cannot be read does not disturb.
        for odd in (b"", b"\0\0\0\4ab", b"\0\0\0\2{}", packed({"do": "route"}, b"x")[:-1]):
            await socket.send(odd)
    until(lambda: notebook.states == ["open", "closed"])
    until(lambda: studio.holder == "")
    assert link["token"] not in state_of(studio) + repr(studio)
    assert await refused({**link, "token": "guessed"}) == companion.UNKNOWN


async def test_a_tab_whose_line_is_cut_comes_back_and_is_the_same_page(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio, link = notebook.studio, notebook.link()
    async with opened(link) as socket:
        hello = await let_in(socket, link)
        await socket.send(packed({"do": "messages", "client": "tab", "fps": 30}))
        until(lambda: studio.holder == "tab")
        socket.transport.abort()
    until(lambda: notebook.states == ["open", "cut"])
    studio.countdown = 9
    assert studio.holder == "tab", "what it publishes by itself goes on"
    # The link is used; what the tab was told is good for one return.
    assert await refused(link) == companion.USED
    again = {**link, "token": hello["resume"]}
    async with opened(link) as back:
        told = await let_in(back, again)
        assert (told["method"], told["state"]["countdown"]) == ("hello", 9)
        until(lambda: notebook.states == ["open", "cut", "open"])
        studio.send({"type": "picture", "client": "tab"}, [b"a picture"])
        while (told_now := read(await back.recv())[0]).get("content", {}).get("type") != "picture":
            pass
        assert told_now["content"]["client"] == "tab"
        assert not notebook.told("picture")
        assert await refused(again) == companion.UNKNOWN
        # Where this end has not noticed the cut, the newer line takes the place of the older.
        async with opened(link) as third:
            assert (await let_in(third, {**link, "token": told["resume"]}))["method"] == "hello"
            await back.wait_closed()
            assert studio.holder == "tab"
            # Who leaves says so, also through a proxy that gives no reason.
            await third.send(packed({"do": "bye"}))
            third.transport.abort()
    until(lambda: studio.holder == "")
    assert notebook.states[-1] == "closed"
    # Who stays away for too long is gone.
    monkeypatch.setattr(companion, "RESUME_SECONDS", 0.01)
    other = notebook.link()
    async with opened(other) as socket:
        hello = await let_in(socket, other)
        socket.transport.abort()
    until(lambda: notebook.states[-2:] == ["cut", "closed"])
    assert await refused({**other, "token": hello["resume"]}) == companion.UNKNOWN


async def test_a_link_expires_and_a_newer_one_takes_its_place(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = notebook.link(), notebook.link()
    assert await refused(first) == companion.EXPIRED
    async with opened(second) as socket:
        assert (await let_in(socket, second))["method"] == "hello"
    monkeypatch.setattr(companion, "LINK_SECONDS", 0.01)
    late = notebook.link()
    until(lambda: "expired" in notebook.states)
    assert await refused(late) == companion.EXPIRED
    assert await refused({**late, "token": "x" * 100_000}) == companion.UNKNOWN


async def test_the_tab_goes_with_its_widget(sp: Any) -> None:
    notebook = Notebook(sp)
    link = notebook.link()
    async with opened(link) as socket:
        await let_in(socket, link)
        notebook.studio.close()
        heard = [read(message)[0] async for message in socket]
    assert heard[-1]["why"] == companion.CLOSED

    def gone() -> bool:
        try:
            httpx.get(link["url"], trust_env=False)
        except httpx.ConnectError:
            return True
        return False

    until(gone)


async def test_only_its_own_page_and_this_jupyter_server_get_an_answer(notebook: Notebook) -> None:
    link = notebook.link()
    host = urlsplit(link["url"]).netloc
    async with httpx.AsyncClient(base_url=link["url"], trust_env=False, timeout=60) as client:

        async def status(path: str, **headers: str) -> int:
            return (await client.get(path, headers=headers)).status_code

        page = await client.get("/")
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        for name in ("companion.js", "studio.js", "hub.js", "spnb.css"):
            assert await status(f"/{name}") == 200, name
        for name in ("charts.js", "../__init__.py", "%2e%2e/__init__.py", "etc/passwd"):
            assert await status(f"/{name}") == 404, name
        assert await status("/", Host="evil.example") == 403
        assert await status("/", Host=HUB) == 200
        assert await status("/", Origin="https://evil.example") == 403
        assert await status("/", Origin=f"http://{host}") == 200
        # Its end proves itself to pages that may look for a road, and to no other page.
        challenge = link["signpost"]["challenge"]
        for origin, allowed in (
            ("http://localhost:8888", True),
            (f"https://{HUB}", True),
            ("https://x.example", False),
        ):
            told = await client.get("/sandbox/proof", params={"challenge": challenge}, headers={"Origin": origin})
            assert told.json() == {"proof": link["signpost"]["answer"]}
            assert (told.headers.get("access-control-allow-origin") == origin) is allowed
    for host, origin in (
        ("evil.example", "http://evil.example"),
        ("", "http://localhost:1"),
        (HUB, "https://x.example"),
    ):
        with pytest.raises(InvalidStatus, match="403"):
            async with opened(link, host, origin):
                pass
    async with opened(link, HUB, f"https://{HUB}") as socket:
        assert (await let_in(socket, link))["method"] == "hello"
