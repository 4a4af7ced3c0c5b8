"""A real broker for each test that asks for one, and a time limit for all."""

from __future__ import annotations

import faulthandler
import gc
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobbroker import Backoff, Client

CLIENT = Path(__file__).resolve().parents[1]
TIME_LIMIT = 180.0
"""Seconds for one test; what takes longer hangs."""

QUICK = Backoff(initial=0.005, maximum=0.05)


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    # Nothing less ends a thread that waits for ever. pytest keeps sys.stderr for itself.
    assert sys.__stderr__ is not None
    faulthandler.dump_traceback_later(TIME_LIMIT, exit=True, file=sys.__stderr__)
    yield
    faulthandler.cancel_dump_traceback_later()


def open_files() -> int:
    """How many descriptors this process has, without those that earlier tests left to the garbage collector."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


@contextmanager
def no_descriptors() -> Iterator[None]:
    """This process can open nothing. What is open can be used, but for a poll of more than three."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Broker:
    """A jobbrokerd with its own socket and store."""

    def __init__(self, folder: str) -> None:
        self.socket_path = f"{folder}/s"
        self.database = f"{folder}/jobs.db"
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        program = os.environ["JOBBROKERD"]
        process = subprocess.Popen(
            [program, "--socket", self.socket_path, "--db", self.database],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready "), f"the broker did not start: {line!r}"
        self._process = process

    def kill(self) -> None:
        """As a crash: nothing is said, nothing is flushed."""
        self._end(signal="kill")

    def stop(self) -> None:
        """As an operator does: the broker drains."""
        self._end(signal="terminate")

    def _end(self, signal: str) -> None:
        if self._process is not None:
            getattr(self._process, signal)()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


@pytest.fixture
def broker() -> Iterator[Broker]:
    # A short path: a socket's may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="jb-", dir="/tmp") as folder:
        broker = Broker(folder)
        yield broker
        broker.kill()


@pytest.fixture
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="jb-", dir="/tmp") as path:
        yield path


@pytest.fixture
def client(broker: Broker) -> Iterator[Client]:
    with Client(broker.socket_path, backoff=QUICK) as client:
        yield client
