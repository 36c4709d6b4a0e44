"""A relay of TCP connections, as an SSH tunnel or a hub's proxy is: `relay.py LISTEN TARGET`.

An address is a port of 127.0.0.1, or the path of a Unix socket, which leads out of a network namespace. Says `ready`.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(address: str) -> Streams:
    if address.isdigit():
        return await asyncio.open_connection("127.0.0.1", int(address))
    return await asyncio.open_unix_connection(address)


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(ConnectionError):
        writer.close()


async def main(listen: str, target: str) -> None:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await connect(target)
        await asyncio.gather(pass_on(reader, there[1]), pass_on(there[0], writer))

    if listen.isdigit():
        server = await asyncio.start_server(relay, "127.0.0.1", int(listen))
    else:
        server = await asyncio.start_unix_server(relay, listen)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
