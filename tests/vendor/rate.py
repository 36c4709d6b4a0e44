"""`python -m tests.vendor.rate`: messages a second from one client of the vendor's SDK to another.

It stands beside `spnb bench`, which fetches nothing: the SDK comes from npm, as a tool of the tests.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.async_api import async_playwright

from spnb.bench.figures import Figure, at_least, at_most
from spnb.bench.lab import chromium
from spnb.bench.run import BENCHMARKS, run_benchmarks
from tests.conftest import start_sandbox
from tests.vendor.clients import SdkClient
from tests.vendor.site import served
from tests.vendor.test_chat import MESSAGES, live_chat

COUNT = 200
LINES = 8
"""Messages on their way at once."""
SEND = """
let next = 0;
const one = async () => {
    while (next < a.count) await sdk.MessageRepository.createMessage(
        { subChannelId: a.feed, dataType: "text", data: { text: `${a.word} ${next++}` } });
};
const began = performance.now();
await Promise.all(Array.from({ length: a.lines }, one));
return (performance.now() - began) / 1000;
"""


async def _figures(site: str) -> list[Figure]:
    found = []
    with tempfile.TemporaryDirectory() as folder:
        box = start_sandbox(Path(folder), "--no-rate-limit")
        try:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
                clients = [await SdkClient.open(browser, site, box, f"{name}-{os.urandom(3).hex()}") for name in "ab"]
                for client in clients:
                    await client.start()
                writer, reader = clients
                for lines in (1, LINES):
                    channel = await live_chat(writer, reader)
                    seen = await reader.follow(MESSAGES, feed=channel["feed"], query={"limit": 50})
                    await reader.until(seen, "!s.loading")
                    began = time.perf_counter()
                    took = await writer.run(SEND, feed=channel["feed"], count=COUNT, lines=lines, word=f"line{lines}")
                    said = f"s.data.find((m) => m.data.text === 'line{lines} {COUNT - 1}')"
                    await reader.until(seen, f"{said} && s.data.length >= {COUNT} && true")
                    late = time.perf_counter() - began - took
                    what = f"{COUNT} messages, {lines} at once"
                    found.append(
                        at_least("SDK: messages sent", COUNT / took, 20, "/s", f"{what}; the service takes 20")
                    )
                    found.append(
                        at_most("SDK: all seen by the other", late, 2, "s", f"after the last was sent; {what}")
                    )
                await browser.close()
        finally:
            box.stop()
    return found


def rate() -> Iterator[Figure]:
    """Messages sent one after the other, and several at once, until the other client has seen them all."""
    with served() as site:
        yield from asyncio.run(_figures(site))


if __name__ == "__main__":
    BENCHMARKS["sdk"] = "tests.vendor.rate:rate"
    sys.exit(run_benchmarks(["sdk"]))
