"""Brokers and adapters as child processes, each with a time limit."""

import contextlib
import os
import subprocess
import tempfile
import threading
from pathlib import Path

CLIENTS = Path(__file__).resolve().parent.parent
TIME_LIMIT = 300  # seconds for one adapter, which may have to be compiled first, and for one broker to start


class Failure(Exception):
    """What is not as it should be, in words for a person."""


class Broker:
    """A real broker on a private socket and store."""

    def __init__(self, folder):
        self.socket = f"{folder}/broker.sock"
        self.arguments = [os.environ["JOBBROKERD"], "--socket", self.socket, "--db", f"{folder}/jobs.db"]
        self.spawn()
        with time_limit(self.process):
            line = self.process.stdout.readline()
        if not line.startswith(b"ready "):
            raise Failure(f"the broker did not start: {self.arguments}")

    def spawn(self):
        """Starts it, and does not wait until it is ready."""
        self.process = subprocess.Popen(
            self.arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    @staticmethod
    @contextlib.contextmanager
    def running():
        # A short path, for a socket's may have 107 bytes.
        with tempfile.TemporaryDirectory(prefix="jb-", dir="/tmp") as folder:
            broker = Broker(folder)
            try:
                yield broker
            finally:
                broker.kill()


@contextlib.contextmanager
def time_limit(process):
    """Kills a process that takes too long, so that reading from it ends."""
    timer = threading.Timer(TIME_LIMIT, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Adapter:
    """A client's adapter; what it writes to stderr is shown as it is."""

    def __init__(self, command):
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", errors="replace")
        except OSError as error:
            raise Failure(f"the adapter can't be started: {error}") from error

    def write(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise Failure("the adapter has ended") from error

    def read(self):
        line = self.process.stdout.readline()
        if not line.endswith("\n"):
            raise Failure("the adapter has ended")
        return line[:-1]

    def ask(self, *words):
        self.write(" ".join(words))
        return self.read()

    def open_files(self):
        """How many descriptors it has."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def end(self):
        """Its exit status."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()


def adapter_command(language):
    if language != "swift":
        return [str(CLIENTS / language / "conformance" / "run")]
    beside = Path(os.environ["JOBBROKERD"]).with_name("ConformanceAdapter")
    return [os.environ.get("JOBBROKER_SWIFT_ADAPTER", str(beside))]


@contextlib.contextmanager
def running_adapter(language, *arguments):
    adapter = Adapter(adapter_command(language) + list(arguments))
    try:
        with time_limit(adapter.process):
            yield adapter
            status = adapter.end()
    except BaseException:
        adapter.process.kill()
        adapter.end()
        raise
    if status != 0:
        raise Failure(f"the adapter ended with status {status}")
