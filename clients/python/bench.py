#!/usr/bin/env python3
"""What the Python client costs:

    JOBBROKERD=/path/to/jobbrokerd clients/python/bench.py

The client's CPU time of a blocking create, in batches, each beside a batch of bare round trips of as many bytes (send,
recv, and a peer that answers as late as the broker did), which are the floor; and how soon after a create's reply a
worker that is blocked in a claim, in a process of its own, has its job. Medians; the broker is one of its own on an
empty store.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from jobbroker import Client

BATCHES = 50
BATCH = 100
REQUEST, REPLY = 145, 80
"""About as many bytes as a create's frame and its reply's have."""
WAKE_UPS = 500
METADATA = {"url": "https://example.org/audio/1234567890.flac", "gain": -3.5, "user": "somebody"}


@contextmanager
def broker() -> Iterator[str]:
    program = os.environ.get("JOBBROKERD") or sys.exit("bench.py: set JOBBROKERD to the path of the daemon")
    with tempfile.TemporaryDirectory(prefix="jb-", dir="/tmp") as folder:
        arguments = [program, "--socket", f"{folder}/s", "--db", f"{folder}/jobs.db"]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield f"{folder}/s"
        finally:
            process.terminate()
            process.wait()


def measure_creates(socket_path: str) -> None:
    creates, floors = [], []
    context = multiprocessing.get_context("spawn")
    ours, theirs = socket.socketpair()
    peer = context.Process(target=answer, args=(theirs,), daemon=True)
    peer.start()
    theirs.close()
    with Client(socket_path) as client:
        for _ in range(BATCHES):
            begun = time.monotonic()
            # Of all threads of this process.
            before = time.process_time_ns()
            for _ in range(BATCH):
                client.create("bench", METADATA)
            between = time.process_time_ns()
            request = struct.pack("d", (time.monotonic() - begun) / BATCH).ljust(REQUEST)
            for _ in range(BATCH):
                ours.sendall(request)
                ours.recv(REPLY)
            creates.append((between - before) // BATCH)
            floors.append((time.process_time_ns() - between) // BATCH)
    ours.close()
    peer.join()
    own = (statistics.median(creates) - statistics.median(floors)) / 1000
    print(f"create          client CPU {show(creates)}")
    print(f"bare round trip client CPU {show(floors)}; the client's own part {own:.1f} µs")


def answer(peer: socket.socket) -> None:
    """Answers round trips after the time that each asks for."""
    while request := peer.recv(REQUEST, socket.MSG_WAITALL):
        time.sleep(struct.unpack_from("d", request)[0])
        peer.send(bytes(REPLY))


def measure_wake_ups(socket_path: str) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    worker = context.Process(target=work, args=(socket_path, theirs), daemon=True)
    worker.start()
    delays = []
    with Client(socket_path) as client:
        for _ in range(WAKE_UPS):
            while client.stats().waiting_claims == 0:
                pass
            client.create("wake", METADATA)
            replied = time.monotonic_ns()
            delays.append(ours.recv() - replied)
    worker.join()
    print(f"wake-up  {WAKE_UPS}  after the create's reply {show(delays)}")


def work(socket_path: str, connection: Connection) -> None:
    with Client(socket_path) as client:
        for _ in range(WAKE_UPS):
            (job,) = client.claim(["wake"], wait=60)
            # The same clock in all processes of a host.
            connection.send(time.monotonic_ns())
            client.complete(job.id, attempt=job.attempt)


def show(nanoseconds: list[int]) -> str:
    ordered = sorted(nanoseconds)
    median, tail = statistics.median(ordered), ordered[len(ordered) * 99 // 100]
    return f"median {median / 1000:7.1f} µs, 99 % {tail / 1000:8.1f} µs"


if __name__ == "__main__":
    with broker() as path:
        measure_creates(path)
        measure_wake_ups(path)
