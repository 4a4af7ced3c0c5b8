#!/usr/bin/env python3
"""A TCP proxy that adds a round trip's time, to measure against a database that is far away.

    scripts/delay.py LISTEN_PORT TARGET_PORT MILLISECONDS

Each direction is delayed by half of it. At its end (SIGTERM) it says how many HTTP requests it passed on.
"""

import asyncio
import os
import signal
import sys

HOST = "127.0.0.1"


async def main(listen: int, target: int, delay: float) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    requests = 0

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asks: bool) -> None:
        nonlocal requests
        while data := await reader.read(1 << 16):
            requests += asks and data.startswith(b"POST ")
            loop.call_later(delay / 2, writer.write, data)
        loop.call_later(delay / 2, writer.close)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(HOST, target)
        await asyncio.gather(relay(reader, back, True), relay(there, writer, False), return_exceptions=True)

    loop.add_signal_handler(signal.SIGTERM, ended.set)
    await asyncio.start_server(serve, HOST, listen)
    print("ready", flush=True)
    await ended.wait()
    print("requests", requests, flush=True)
    # What is still on its way is of no interest to anybody.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000))
