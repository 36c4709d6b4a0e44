"""A relay of TCP connections, as an SSH tunnel or a hub's proxy is: `relay.py LISTEN TARGET`.

An address is a port of 127.0.0.1, `HOST:PORT`, or the path of a Unix socket, which leads out of a network namespace.
Says `ready`. A line on its stdin tells how many seconds everything takes from now on, each way: this kernel may have no
`netem`, so a long line is made here.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Held = tuple[float, bytes]
MOST_HELD = 256
"""Pieces on their way in one direction."""
late = 0.0


def place(address: str) -> tuple[str, int] | None:
    """Host and port; None for a Unix socket."""
    if "/" in address:
        return None
    host, _, port = address.rpartition(":")
    return host or "127.0.0.1", int(port)


async def connect(address: str) -> Streams:
    there = place(address)
    return await (asyncio.open_connection(*there) if there else asyncio.open_unix_connection(address))


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Each piece when it is due."""
    clock = asyncio.get_running_loop().time
    held: asyncio.Queue[Held] = asyncio.Queue(MOST_HELD)

    async def take() -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                await held.put((clock() + late, data))
        await held.put((clock() + late, b""))

    taking = asyncio.create_task(take())
    with contextlib.suppress(ConnectionError):
        while True:
            due, data = await held.get()
            if (left := due - clock()) > 0:
                await asyncio.sleep(left)
            if not data:
                break
            writer.write(data)
            await writer.drain()
    taking.cancel()
    with contextlib.suppress(ConnectionError):
        writer.close()


async def heed() -> None:
    """What stdin tells."""
    global late
    while line := await asyncio.to_thread(sys.stdin.readline):
        late = float(line)


async def main(listen: str, target: str) -> None:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await connect(target)
        await asyncio.gather(pass_on(reader, there[1]), pass_on(there[0], writer))

    here = place(listen)
    server = await (asyncio.start_server(relay, *here) if here else asyncio.start_unix_server(relay, listen))
    heeding = asyncio.create_task(heed())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()
    await heeding


asyncio.run(main(*sys.argv[1:]))
