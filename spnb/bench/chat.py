"""The live chat: how soon a message is shown elsewhere, what a flood costs, and a long history as a table."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import psutil

from spnb._loop import run
from spnb.bench.figures import Figure, at_least, at_most, quantile
from spnb.bench.sandboxed import OwnSandbox, own_sandbox
from spnb.bench.studio import CONNECT, busy_percent, kernel_of, lab_on, opened

__all__ = ["chat_history", "chat_widget", "flood"]

MESSAGES = 60
RATE, SECONDS, SENDERS = 500, 30.0, 8
HISTORY = 100_000
SEEN = """(text) => new Promise((resolve) => {
    const look = () => [...document.querySelectorAll('.spnb-words')].some((words) => words.textContent === text)
        ? resolve(performance.timeOrigin + performance.now()) : requestAnimationFrame(look);
    look();
})"""
LONG_FRAMES = """() => {
    window.spnbFrames = [];
    new PerformanceObserver((list) => window.spnbFrames.push(...list.getEntries().map((entry) => entry.duration)))
        .observe({type: 'long-animation-frame'});
}"""


def chat_widget() -> Iterator[Figure]:
    """A chat widget in a notebook; another process writes, first now and then, afterwards 500 messages a second."""
    with own_sandbox() as sandbox:
        yield from run(_chat_widget(sandbox))


async def _chat_widget(sandbox: OwnSandbox) -> list[Figure]:
    import spnb

    writer = await spnb.connect_async("writer", url=sandbox.info["url"], api_key=sandbox.info["apiKey"])
    async with lab_on(sandbox) as lab:
        await opened(lab, "chat.ipynb", CONNECT + "room = sp.rooms.create('Busy')\nchat = spnb.Chat(room)\nchat")
        await lab.page.get_by_text("Nobody has said anything yet.").wait_for()
        room_id = (await lab.run_code("print(room.room_id)")).strip()
        chat = (await writer.rooms.get(room_id)).chat
        delays = [await _sent_to_shown(lab.page, chat, number) for number in range(MESSAGES)]
        await lab.page.evaluate(LONG_FRAMES)
        process = await kernel_of(lab)
        before = await _sent_so_far(lab)
        flooding = asyncio.create_task(flood(sandbox, await writer.access_token(), chat.channel.feed_id))
        await asyncio.sleep(3)  # the flood is under way
        began = time.monotonic()
        busy = await busy_percent(process, SECONDS - 6)
        after, lasted = await _sent_so_far(lab), time.monotonic() - began + 3
        rate = await flooding
        frames = await lab.page.evaluate("window.spnbFrames")
        await lab.close()
    await writer.aclose()
    worst = max(frames, default=0.0)
    note = f"{RATE}/s for {SECONDS:g} s"
    return [
        at_most("message sent → shown in a notebook, p95", quantile(delays, 0.95) * 1000, 150, "ms", f"of {MESSAGES}"),
        at_least("chat flood: messages sent", rate, RATE * 0.95, "/s", note),
        at_most("chat flood: longest frame of the page", worst, 50, "ms", f"{note}; 0: none above 50 ms"),
        at_most("chat flood: kernel in all", busy, 30, "% of a core", note),
        at_most("chat flood: bytes to the page", (after[0] - before[0]) / lasted / 1e6, 1, "MB/s", note),
        at_most("chat flood: messages to the page", (after[1] - before[1]) / lasted, 11, "/s", note),
    ]


async def _sent_so_far(lab: Any) -> list[int]:
    told: list[int] = orjson.loads(await lab.run_code("print([chat.chat_bytes, chat.chat_messages])"))
    return told


async def _sent_to_shown(page: Any, chat: Any, number: int) -> float:
    text = f"message {number} to be seen"
    seen = asyncio.create_task(page.evaluate(SEEN, text))
    await asyncio.sleep(0.2)  # the page is looking
    began = time.time()
    await chat.send(text)
    return float(await seen) / 1000 - began


async def flood(sandbox: OwnSandbox, token: str, feed_id: str) -> float:
    """Write as fast as `RATE` for a while, from a process of its own. Returns messages per second that were sent."""
    arguments = (str(sandbox.info["url"]), token, feed_id)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return float(await asyncio.to_thread(pool.apply, _send_many, arguments))


def _send_many(url: str, token: str, feed_id: str) -> float:
    parts = urlsplit(url)

    async def one(sender: int, began: float) -> int:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        sent = 0
        while (due := began + sent * SENDERS / RATE) < began + SECONDS:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            text = f"message {sent} of sender {sender}, about as long as messages in a busy chat are"
            content = {"messageFeedId": feed_id, "referenceId": f"{sender}-{sent}", "data": {"text": text}}
            body = orjson.dumps(content)
            head = (
                f"POST /api/v5/messages HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"the sandbox answered {answer.splitlines()[0]!r} under load")
            length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
            sent += 1
        writer.close()
        await writer.wait_closed()
        return sent

    async def all_of_them() -> float:
        began = time.perf_counter()
        sent = sum(await asyncio.gather(*(one(sender, began) for sender in range(SENDERS))))
        return sent / (time.perf_counter() - began)

    return asyncio.run(all_of_them())


def chat_history() -> Iterator[Figure]:
    """A hundred thousand messages: read page by page without keeping them, and as a table."""
    with own_sandbox() as sandbox, sandbox.connect() as client:
        chat = client.rooms.create("Long").chat
        chat.send("the first of many")
        _write_history(sandbox, chat.channel.feed_id)
        process, early, most, count = psutil.Process(), 0, 0, 0
        for number, page in enumerate(chat.pages()):
            count += len(page)
            if number == 100:
                early = process.memory_info().rss
            if number > 100 and number % 20 == 0:
                most = max(most, process.memory_info().rss)
        began = time.perf_counter()
        rows = len(chat.df)
        taken = time.perf_counter() - began
    if not count == rows == HISTORY:
        raise RuntimeError(f"of {HISTORY} messages {count} were read and {rows} are in the table")
    grown = max(0, most - early) / 2**20
    yield at_most("history → DataFrame", taken, 15, "s", f"{HISTORY} messages")
    yield at_most("memory growth while paging", grown, 10, "MB", f"{HISTORY} messages, from the 100th page on")


def _write_history(sandbox: OwnSandbox, feed_id: str) -> None:
    """More messages like the first one, straight into the sandbox's database: sending them would take minutes."""
    from spnb.sandbox.store import Store

    store = Store(Path(sandbox.info["dataDir"]) / "sandbox.sqlite")
    try:
        first = store.messages.find({"messageFeedId": feed_id})[0]
        for segment in range(2, HISTORY + 1):
            name = f"{segment:024x}"
            text = {"text": f"message {segment}, about as long as messages in a busy chat are"}
            own = {"messageId": name, "publicId": name, "referenceId": name, "segment": segment, "data": text}
            store.messages.insert({**first, **own})
    finally:
        store.close()
