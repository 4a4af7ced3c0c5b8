"""Hostile replies: a scripted broker misbehaves once, and the client must neither hang nor crash nor believe it, nor leave
a descriptor open."""

import contextlib
import socket
import tempfile
import threading
import time
from typing import Callable, NamedTuple

from .processes import TIME_LIMIT, Failure, running_adapter
from .vectors import SCHEMA, block, framed, load, number, read_frame, read_varint

PATIENCE = 60  # seconds until a connection that was ended must be closed

JOB = {"id": "0193a5f0c2007abc8def0123456789ab", "type": "ingest", "status": "PENDING", "progress": 0, "retry_count": 0,
       "max_retries": 1, "lost_count": 0, "max_lost": 3, "priority": 0, "metadata": "{}", "attempt": 0,
       "created_at": 1, "updated_at": 1, "sequence": 1}
WELCOME = {"protocol_version": 1, "server": "hostile", "max_frame": 1 << 20, "max_in_flight": 128}


class Case(NamedTuple):
    name: str
    answer: Callable[[int], bytes]  # what answers a request with this id
    outcome: str  # what the client's call comes to
    closes: bool = False  # whether the broker then closes the connection


def cases():
    """A peer that does not speak the protocol is asked nothing twice: INTERNAL. What a lost connection left unanswered is
    sent again: OK."""
    for vector in load("frames/hostile.json"):
        if vector["direction"] == "response":
            outcome = "UNSUPPORTED" if vector["error"]["code"] == "UNSUPPORTED" else "INTERNAL"
            body = bytes.fromhex(vector["hex"])[4:]
            yield Case(vector["name"], lambda id, body=body: framed(with_id(body, id)), outcome)
    for vector in load("frames/streams.json"):
        if vector["refused"]:
            yield Case(vector["name"], lambda id, stream=bytes.fromhex(vector["stream"]): stream, "INTERNAL")
    yield Case("an answer to a request that nobody made", lambda id: reply(id + 1000, {"job": JOB}), "INTERNAL")
    yield Case("an answer of another kind", lambda id: reply(id, {"pong": {}}), "INTERNAL")
    yield Case("an unknown code", lambda id: framed(number(1, id) + block(2, number(1, 99))), "INTERNAL")
    yield Case("half a frame, then the end", lambda id: reply(id, {"job": JOB})[:-5], "OK", closes=True)
    yield Case("the end", lambda id: b"", "OK", closes=True)


def reply(id, members):
    return framed(SCHEMA.encode("Response", {"id": id, **members}))


def with_id(body, id):
    """A response with the id of the request that it is to answer."""
    _, start = read_varint(body, 1)
    return number(1, id) + body[start:]


def hostile(language):
    wrong, count = [], 0
    for case in cases():
        count += 1
        with scripted_broker(case) as path, running_adapter(language, "hostile", path) as adapter:
            before = adapter.ask("get")
            open_files = adapter.open_files()
            outcomes = [before, adapter.ask("get"), adapter.ask("get")]
            leaked = leaks(adapter, open_files)
        if outcomes != ["OK", case.outcome, "OK"]:
            wrong.append(f"{case.name}: a good call, this one and the next come to {outcomes}, but should to "
                         f"{['OK', case.outcome, 'OK']}")
        if leaked:
            wrong.append(f"{case.name}: the client leaves {leaked} descriptors open")
    if wrong:
        raise Failure("\n".join(wrong))
    return f"{count} replies"


def leaks(adapter, before):
    """How many descriptors more than before it has, when there was time to close them."""
    deadline = time.monotonic() + PATIENCE
    while (more := adapter.open_files() - before) > 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    return max(0, more)


@contextlib.contextmanager
def scripted_broker(case):
    """A broker that answers the second get as the case says, the others as it should."""
    with tempfile.TemporaryDirectory(prefix="jb-", dir="/tmp") as folder, \
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(f"{folder}/s")
        listener.listen()
        good = Case("as it should", lambda id: reply(id, {"job": JOB}), "OK")
        thread = threading.Thread(target=serve, args=(listener, [good, case]))
        thread.start()
        try:
            yield f"{folder}/s"
        finally:
            # Ends an accept, and with the adapter ended there is nothing to read.
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def serve(listener, planned):
    """One connection after another: a client that does not end a bad one gets no other."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, contextlib.suppress(OSError):
            connection.settimeout(TIME_LIMIT)
            while frame := read_frame(connection):
                request = SCHEMA.decode("Request", frame[4:])
                if "hello" in request:
                    connection.sendall(reply(request["id"], {"welcome": WELCOME}))
                elif planned:
                    case = planned.pop(0)
                    connection.sendall(case.answer(request["id"]))
                    if case.closes:
                        break
                else:
                    connection.sendall(reply(request["id"], {"job": JOB}))
