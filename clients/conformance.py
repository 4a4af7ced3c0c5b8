#!/usr/bin/env python3
"""Runs the adapters of all clients through proto/vectors against real brokers: see proto/vectors/conformance/README.md.

    JOBBROKERD=/path/to/jobbrokerd clients/conformance.py [LANGUAGE...]

The Swift adapter is the program ConformanceAdapter beside jobbrokerd, or $JOBBROKER_SWIFT_ADAPTER.
"""

import contextlib
import difflib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from vectors import FOLDER, SCHEMA, Pattern, framed, load

HERE = Path(__file__).resolve().parent
TIME_LIMIT = 60  # seconds for one adapter, and for one broker to start
LANGUAGES = ["swift", "c", "python", "typescript"]


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

    def end(self):
        """Its exit status."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()


def adapter_command(language):
    if language != "swift":
        return [str(HERE / language / "conformance" / "run")]
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


# ------------------------------------------------------------------------------------------------ the scenario

def scenario(language):
    expected = (FOLDER / "conformance" / "expected.jsonl").read_text(encoding="utf-8").splitlines()
    actual, failure = [], None
    with Broker.running() as broker:
        try:
            with running_adapter(language, "scenario", broker.socket) as adapter:
                for line in adapter.process.stdout:
                    actual.append(line.rstrip("\n"))
                    if actual[-1] == '{"step":"restart"}':
                        broker.kill()
                        broker.spawn()
                        # An adapter that has ended meanwhile is judged by its lines and its status.
                        with contextlib.suppress(Failure):
                            adapter.write("the broker was killed")
        except Failure as error:
            failure = error
    if actual and actual != expected:
        diff = difflib.unified_diff(expected, actual, "expected", "actual", lineterm="", n=1)
        raise Failure("\n".join([*([str(failure)] if failure else []), *diff]))
    if failure:
        raise failure
    return f"{len(actual)} lines"


# ------------------------------------------------------------------------------------------------ frames, sessions

def frames(language):
    wrong, count = [], 0
    with running_adapter(language, "frames") as adapter:
        for vector in load("frames/requests.json"):
            written = adapter.ask("request", vector["hex"], json.dumps(vector["message"]))
            count += 1
            wrong += report(vector, lambda: Pattern().mismatch(vector["message"], read_request(written)))
        for vector in load("frames/responses.json") + load("frames/hostile.json"):
            if vector["direction"] != "response":
                continue
            answer = adapter.ask("response", vector["hex"])
            count += 1
            wrong += report(vector, lambda: wrong_response(vector, json.loads(answer)))
        for vector in load("frames/streams.json"):
            answer = adapter.ask("stream", vector["stream"])
            count += 1
            wrong += report(vector, lambda: wrong_stream(vector, json.loads(answer)))
    if wrong:
        raise Failure("\n".join(wrong))
    return f"{count} vectors"


def report(vector, check):
    """The mismatch that a check finds, as a list of lines."""
    try:
        mismatch = check()
    except (ValueError, KeyError, IndexError) as error:
        mismatch = f"the adapter's answer can't be read: {error}"
    return [f"{vector['name']}: {mismatch}"] if mismatch else []


def read_request(text):
    frame = bytes.fromhex(text)
    if framed(frame[4:]) != frame:
        raise ValueError("not one frame")
    return SCHEMA.decode("Request", frame[4:])


def wrong_response(vector, answer):
    if "error" in vector:
        error = vector["error"]
        expected = {"fatal": True} if error["fatal"] else {"fatal": False, "id": error["id"]}
        return None if answer == expected else f"is {answer}, but should be refused as {expected}"
    return Pattern().mismatch(vector["message"], answer) or Pattern().mismatch(answer, vector["message"])


def wrong_stream(vector, answer):
    expected = {name: vector[name] for name in ("bodies", "refused", "partial")}
    if vector["refused"]:
        # What is left after a refusal is nobody's business.
        expected.pop("partial")
    return Pattern().mismatch(expected, answer)


def sessions(language):
    """Runs the sessions: the sockets are held here, the adapter writes the requests and reads the responses."""
    wrong, count = [], 0
    with running_adapter(language, "frames") as adapter:
        for path in sorted((FOLDER / "sessions").glob("*.json")):
            for session in load(path):
                count += 1
                with Broker.running() as broker:
                    mismatch = run_session(session["steps"], broker, adapter)
                if mismatch:
                    wrong.append(f"{path.stem}: {session['name']}: {mismatch}")
    if wrong:
        raise Failure("\n".join(wrong))
    return f"{count} sessions"


def run_session(steps, broker, adapter):
    """What is not as expected; None when all is."""
    pattern = Pattern()
    with contextlib.ExitStack() as open_connections:
        connections = {}

        def connection(name):
            if name not in connections:
                connections[name] = open_connections.enter_context(
                    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                connections[name].settimeout(TIME_LIMIT)
                connections[name].connect(broker.socket)
            return connections[name]

        for number, step in enumerate(steps, 1):
            peer = connection(step.get("on", ""))
            try:
                mismatch = run_step(step, peer, pattern, adapter)
            except OSError as error:
                mismatch = str(error)
            if mismatch:
                return f"step {number}: {mismatch}"
            if "disconnect" in step:
                del connections[step.get("on", "")]
    return None


def run_step(step, peer, pattern, adapter):
    if "send" in step:
        message = pattern.filled(step["send"])
        own = framed(SCHEMA.encode("Request", message)).hex()
        written = adapter.ask("request", own, json.dumps(message))
        # A client may be unable to say what the broker would refuse.
        peer.sendall(bytes.fromhex(own if written == "refused" else written))
    elif "send_hex" in step:
        peer.sendall(bytes.fromhex(step["send_hex"]))
    elif "expect" in step:
        frame = read_frame(peer)
        if not frame:
            return "the broker has closed the connection"
        return pattern.mismatch(step["expect"], json.loads(adapter.ask("response", frame.hex())))
    elif "close" in step:
        return "the broker goes on" if read_frame(peer) else None
    elif "disconnect" in step:
        peer.close()
    return None


def read_frame(peer):
    """A whole frame; empty at the end of the stream."""
    prefix = read_exactly(peer, 4)
    return prefix + read_exactly(peer, int.from_bytes(prefix, "big")) if prefix else b""


def read_exactly(peer, count):
    data = b""
    while len(data) < count:
        try:
            piece = peer.recv(count - len(data))
        except ConnectionResetError:
            # The broker closed while bytes that it did not want were on their way.
            piece = b""
        if not piece:
            return b""
        data += piece
    return data


# ------------------------------------------------------------------------------------------------ all of it

PARTS = {"scenario": scenario, "frames": frames, "sessions": sessions}


def main():
    if "JOBBROKERD" not in os.environ:
        sys.exit("JOBBROKERD is not set: the path of the broker's program")
    languages = sys.argv[1:] or LANGUAGES
    unknown = set(languages) - set(LANGUAGES)
    if unknown:
        sys.exit(f"no such language: {', '.join(sorted(unknown))}; there are {', '.join(LANGUAGES)}")
    failures = 0
    for language in languages:
        for name, part in PARTS.items():
            started = time.monotonic()
            try:
                outcome = f"ok      {part(language)}"
            except Failure as failure:
                print(f"--- {language}, {name}\n{failure}")
                outcome = "FAILED"
                failures += 1
            print(f"{language:11} {name:9} {outcome:20} {time.monotonic() - started:5.1f} s", flush=True)
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
