"""Real time heals, and goes the same way as REST."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import spnb
from spnb import realtime
from spnb._loop import on_loop
from spnb.config import Network
from spnb.errors import Unreachable
from spnb.models import Room
from tests.certificates import write_certificate
from tests.conftest import RunningSandbox
from tests.live.conftest import Wire, until

Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


@contextlib.asynccontextmanager
async def listening(connected: Connected, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def pipe(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, named: tuple[bytes, bytes] = (b"", b"")
) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data.replace(*named) if named[0] else data)
            await sink.drain()
        sink.close()


async def there(place: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = place.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def test_a_lost_acknowledgement_leads_to_a_new_connection(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker takes the login and then says nothing more, though the connection stays."""
    monkeypatch.setattr(realtime, "ANSWER_SECONDS", 1.0)
    connections = 0

    async def half_dead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        back, forth = await there(sandbox.url.removeprefix("http://"))
        sending = asyncio.ensure_future(pipe(reader, forth))
        if connections > 1:
            await pipe(back, writer)
        else:
            seen = b""
            while b"\x20\x02" not in seen.partition(b"\r\n\r\n")[2]:  # CONNACK
                data = await back.read(65536)
                seen += data
                writer.write(data)
            while await back.read(65536):
                pass  # what the broker says gets lost
        await sending

    async with (
        listening(half_dead) as place,
        spnb.connect_async("healer", url=sandbox.url, api_key=sandbox.api_key) as sp,
    ):
        sp._session.endpoints = replace(sp._session.endpoints, mqtt=f"ws://{place}/mqtt")
        room = await sp.rooms.create("Healed", chat=False)
        changed: asyncio.Queue[Room] = asyncio.Queue()
        end = room.observe(changed.put_nowait)
        topic = f"{sp.network_id}/room/{room.record.id}"
        done = await granted(sp, topic)
        assert connections == 2
        assert sp.realtime.is_subscribed(topic)
        done()
        end()


def acknowledgements(frames: bytes) -> int:
    """How many SUBACK packets there are in what a broker said in a web socket."""
    count = 0
    while len(frames) > 4:
        head, length = (4, int.from_bytes(frames[2:4], "big")) if frames[1] == 126 else (2, frames[1])
        count += frames[head] >> 4 == 9
        frames = frames[head + length :]
    return count


async def test_many_topics_are_asked_for_in_few_packets(sandbox: RunningSandbox) -> None:
    said = bytearray()

    async def overheard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await there(sandbox.url.removeprefix("http://"))
        sending = asyncio.ensure_future(pipe(reader, forth))
        while data := await back.read(65536):
            said.extend(data)
            writer.write(data)
        writer.close()
        await sending

    async with (
        listening(overheard) as place,
        spnb.connect_async("follower", url=sandbox.url, api_key=sandbox.api_key) as sp,
    ):
        sp._session.endpoints = replace(sp._session.endpoints, mqtt=f"ws://{place}/mqtt")

        @on_loop
        async def followed() -> None:
            settled = {f"{sp.network_id}/room/{number:024x}": asyncio.Event() for number in range(120)}
            for topic, event in settled.items():
                sp.realtime.subscribe(topic, lambda _: None, settled=lambda yes, event=event: yes and event.set())
            async with asyncio.timeout(60):
                for event in settled.values():
                    await event.wait()

        await followed()
    assert 3 <= acknowledgements(bytes(said).partition(b"\r\n\r\n")[2]) < 10


async def test_an_acknowledgement_of_other_topics_leads_to_a_new_connection(
    sandbox: RunningSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Of two topics one is acknowledged: nobody knows which, so neither is relied on."""
    connections = 0

    async def forgetful(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        first = connections == 1
        back, forth = await there(sandbox.url.removeprefix("http://"))
        sending = asyncio.ensure_future(pipe(reader, forth))
        while data := await back.read(65536):
            # A frame of 6 bytes: SUBACK, of 4 bytes: the packet's id, and a code for each of two topics.
            at = data.find(b"\x82\x06\x90\x04")
            if first and at >= 0:
                data = data[:at] + b"\x82\x05\x90\x03" + data[at + 4 : at + 7] + data[at + 8 :]
            writer.write(data)
        writer.close()
        await sending

    async with (
        listening(forgetful) as place,
        spnb.connect_async("twice", url=sandbox.url, api_key=sandbox.api_key) as sp,
    ):
        sp._session.endpoints = replace(sp._session.endpoints, mqtt=f"ws://{place}/mqtt")
        topics = [f"{sp.network_id}/room/{number:024x}" for number in range(2)]
        told: dict[str, asyncio.Event] = {topic: asyncio.Event() for topic in topics}

        @on_loop
        async def followed() -> None:
            for topic in topics:
                sp.realtime.subscribe(topic, lambda _: None, settled=lambda yes, topic=topic: yes and told[topic].set())
            async with asyncio.timeout(60):
                for there_now in told.values():
                    await there_now.wait()

        await followed()
        assert connections == 2
        assert all(map(sp.realtime.is_subscribed, topics))
    assert not [record for record in caplog.records if record.name.startswith("spnb") and record.levelname == "ERROR"]


async def granted(sp: Any, topic: str) -> Callable[[], None]:
    """Follow a topic and wait until the broker has granted it; the result lets go of it."""
    yes = asyncio.Event()
    done: Callable[[], None] = sp.realtime.subscribe(
        topic, lambda _event: None, settled=lambda granted: granted and yes.set()
    )
    async with asyncio.timeout(60):
        await yes.wait()
    return done


@pytest.mark.parametrize("how", ["argument", "environment", "password"])
async def test_real_time_passes_the_proxy_that_rest_passes(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    heads: list[bytes] = []
    place_of = sandbox.url.removeprefix("http://")
    named = (b"service.example", b"127.0.0.1")  # the sandbox answers to no other name

    async def proxied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        heads.append(head)
        back, forth = await there(place_of)
        if head.startswith(b"CONNECT "):
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            forth.write(head.replace(*named))
        await asyncio.gather(pipe(reader, forth, named), pipe(back, writer))

    async with listening(proxied) as place:
        proxy, host = f"http://{place}", sandbox.url
        if how == "environment":
            # A name that is not this machine's, as far as spnb can see: only the proxy knows where it is.
            host = "http://service.example"
            for name in ("http_proxy", "HTTP_PROXY"):
                monkeypatch.setenv(name, proxy)
            for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
                monkeypatch.delenv(name, raising=False)
        elif how == "password":
            proxy = f"http://ann:s%40fe@{place}"
        given = None if how == "environment" else proxy
        async with spnb.connect_async(f"via-{how}", url=host, api_key=sandbox.api_key, proxy=given) as sp:
            room = await sp.rooms.create("Proxied", chat=False)
            await granted(sp, f"{sp.network_id}/room/{room.record.id}")
    kinds = {head.split(b" ")[0] for head in heads}
    assert b"CONNECT" in kinds
    assert b"POST" in kinds
    if how == "password":
        assert all(b"asic YW5uOnNAZmU=" in head for head in heads)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """The key and the certificate of this machine's address, signed by nobody whom anybody knows."""
    return write_certificate(tmp_path / "house.pem")


@pytest.mark.parametrize("how", ["argument", "environment", "none"])
async def test_real_time_believes_the_certificates_that_rest_believes(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, certificate: Path, how: str
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    asked: list[bytes] = []

    async def ended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n")
        asked.append(head.split()[1].partition(b"?")[0])
        back, forth = await there(sandbox.url.removeprefix("http://"))
        forth.write(head)
        await asyncio.gather(pipe(reader, forth), pipe(back, writer))

    if how == "environment":
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    given: Any = {"verify": certificate} if how == "argument" else {}
    async with listening(ended, tls) as place:
        connecting = spnb.connect_async(f"by-{how}", url=f"https://{place}", api_key=sandbox.api_key, **given)
        if how == "none":
            with pytest.raises(Unreachable, match=r"(?i)certificate"):
                await connecting
            return
        async with connecting as sp:
            room = await sp.rooms.create("Believed", chat=False)
            await granted(sp, f"{sp.network_id}/room/{room.record.id}")
    assert b"/mqtt" in asked


def test_what_needs_no_proxy_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "inside.example,10.0.0.5")
    way = Network()
    assert way.proxy_for("wss://sse.eu.amity.co:443/mqtt") == "http://proxy.example:3128"
    assert way.proxy_for("https://apix.eu.amity.co") == "http://proxy.example:3128"
    for straight in ("wss://a.inside.example/mqtt", "https://10.0.0.5", "http://127.0.0.1:8080", "ws://[::1]:8/mqtt"):
        assert way.proxy_for(straight) is None
    assert Network(proxy="http://own:1").proxy_for("http://127.0.0.1:8080") == "http://own:1"
    assert "own" not in repr(Network(proxy="http://own:1"))


def test_real_time_works_whatever_loop_the_process_prefers(sandbox: RunningSandbox) -> None:
    """Windows' usual loop cannot watch sockets: as here, where the policy makes one that cannot."""
    program = (
        "import asyncio, sys, threading\n"
        "class Deaf(asyncio.SelectorEventLoop):\n"
        "    def add_reader(self, *_):\n"
        "        raise NotImplementedError\n"
        "    add_writer = add_reader\n"
        "class Policy(asyncio.DefaultEventLoopPolicy):\n"
        "    def new_event_loop(self):\n"
        "        return Deaf()\n"
        "asyncio.set_event_loop_policy(Policy())\n"
        "import spnb\n"
        "sp = spnb.connect('loops', url=sys.argv[1], api_key=sys.argv[2])\n"
        "there = threading.Event()\n"
        "sp.asynchronous.realtime.on_state(lambda state: state == 'connected' and there.set())\n"
        "end = sp.rooms.create('Heard', chat=False).observe(lambda _record: None)\n"
        "print(there.wait(60))\n"
        "sp.close()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, sandbox.url, sandbox.api_key], capture_output=True, text=True, timeout=120
    )
    assert ran.stdout == "True\n", ran.stderr


async def test_a_topic_on_its_way_out_is_not_relied_on(sp: Any, wire: Wire) -> None:
    """What is asked for again before the broker has let go of it is followed anew, and said to be so only then."""
    await sp.login()
    topic = f"{sp.network_id}/chat/let-go-of/#"
    told: list[bool] = []
    end = sp.realtime.subscribe(topic, lambda _event: None, settled=told.append)
    await until(lambda: told == [True], 60)
    await wire.hold()
    end()
    await until(lambda: not sp.realtime.is_subscribed(topic), 60)
    assert sp.realtime.state == "connected", "it was let go of, not lost with the connection"
    again: list[bool] = []
    end = sp.realtime.subscribe(topic, lambda _event: None, settled=again.append)
    await on_loop(asyncio.sleep)(0)
    assert again == []
    await wire.release()
    await until(lambda: again == [True], 60)
    assert sp.realtime.is_subscribed(topic)
    end()
