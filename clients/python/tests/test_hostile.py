"""Peers that are no broker, or a broken one: an error, never a hang, a crash or a leak. For both clients."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from conftest import QUICK
from scripted import JOB, Connection, ScriptedBroker

from jobbroker import (
    AsyncClient,
    Client,
    Internal,
    JobBrokerError,
    Unavailable,
    UnknownOutcome,
    Unsupported,
    new_job_id,
)
from jobbroker._proto import jobbroker_pb2 as pb

Submit = Callable[..., "Future[Any]"]
"""Begins a call by the name of the client's method."""


class Blocking:
    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads

    def connect(self, path: str) -> Future[Any]:
        def connect() -> None:
            self._client = Client(path, backoff=QUICK)

        return self._threads.submit(connect)

    def call(self, name: str, *arguments: Any) -> Future[Any]:
        return self._threads.submit(getattr(self._client, name), *arguments)

    def close(self) -> None:
        self._client.close()


class Asynchronous:
    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def connect(self, path: str) -> Future[Any]:
        self._client = AsyncClient(path, backoff=QUICK)
        return asyncio.run_coroutine_threadsafe(self._client.connect(), self._loop)

    def call(self, name: str, *arguments: Any) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(getattr(self._client, name)(*arguments), self._loop)

    def close(self) -> None:
        self.call("close").result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(params=[Blocking, Asynchronous])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    with ThreadPoolExecutor() as threads:
        yield request.param(threads)


@pytest.fixture
def broker(folder: str) -> Iterator[ScriptedBroker]:
    with ScriptedBroker(folder) as broker:
        yield broker


@pytest.fixture
def connection(client: Any, broker: ScriptedBroker) -> Iterator[Connection]:
    connecting = client.connect(broker.socket_path)
    connection = broker.welcome()
    connecting.result()
    yield connection
    client.close()
    connection.close()


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\0\0\0\4\xff\xff\xff\xff",
        b"\0\0\0\4\x08\x7f\x1a\0",
    ],
    ids=["a length of 0", "4 GiB", "another protocol", "no message", "an answer to nobody"],
)
def test_garbage_ends_the_connection_and_the_calls_but_not_the_client(
    client: Any, broker: ScriptedBroker, connection: Connection, garbage: bytes
) -> None:
    read, change = client.call("stats"), client.call("delete", new_job_id())
    connection.next_any(), connection.next_any()
    connection.send(garbage)
    with pytest.raises(Internal):
        read.result()
    with pytest.raises(UnknownOutcome):
        change.result()
    assert connection.is_closed_by_client()
    again = broker.welcome()
    ping = client.call("ping")
    again.reply(again.next("ping"), pong=pb.Pong())
    ping.result()
    again.close()


@pytest.mark.parametrize(
    ("name", "arguments", "reply", "error"),
    [
        ("stats", (), {"pong": pb.Pong()}, Internal),
        ("get", (new_job_id(),), {}, Internal),
        ("get", (new_job_id(),), {"job": pb.Job(type="a", status=pb.PENDING)}, Internal),
        ("get", (new_job_id(),), {"job": pb.Job(id=bytes(16), type="a")}, Unsupported),
        ("get", (new_job_id(),), {"job": pb.Job(**{**JOB, "history": [pb.Attempt(attempt=1)]})}, Unsupported),
        ("create", ("ingest",), {"created": pb.Created()}, Internal),
        ("ping", (), {"error": pb.Error(message="a code of later")}, Internal),
        ("workers", (), {"workers": pb.WorkerList(workers=[{"holds": [{"id": b"short"}]}])}, Internal),
    ],
)
def test_a_reply_that_makes_no_sense_fails_its_call_alone(
    client: Any,
    connection: Connection,
    name: str,
    arguments: tuple[Any, ...],
    reply: dict[str, Any],
    error: type[JobBrokerError],
) -> None:
    other = client.call("ping")
    request = connection.next("ping")
    call = client.call(name, *arguments)
    connection.reply(connection.next_any(), **reply)
    with pytest.raises(error):
        call.result()
    connection.reply(request, pong=pb.Pong())
    other.result()


@pytest.mark.parametrize("size", [1, 3, 64])
def test_replies_may_come_in_pieces_of_any_size(client: Any, connection: Connection, size: int) -> None:
    call = client.call("get", new_job_id())
    request = connection.next("get")
    connection.drip(pb.Response(id=request.id, job=pb.Job(**JOB)), size)
    assert call.result().type == "ingest"


def test_a_peer_that_answers_the_hello_wrongly_is_no_broker(client: Any, broker: ScriptedBroker) -> None:
    connecting = client.connect(broker.socket_path)
    connection = broker.accept()
    connection.reply(connection.next("hello"), pong=pb.Pong())
    with pytest.raises(Unavailable, match="does not answer the hello"):
        connecting.result()
    assert connection.is_closed_by_client()
    connection.close()
    stop(client)


def test_another_version_of_the_protocol_is_unsupported(client: Any, broker: ScriptedBroker) -> None:
    connecting = client.connect(broker.socket_path)
    connection = broker.accept()
    connection.reply(connection.next("hello"), welcome=pb.Welcome(protocol_version=9))
    with pytest.raises(Unsupported, match="version 9"):
        connecting.result()
    connection.close()
    stop(client)


def test_a_parting_word_is_passed_on(client: Any, broker: ScriptedBroker, connection: Connection) -> None:
    call = client.call("delete", new_job_id())
    connection.next("delete")
    connection.notify(error=pb.Error(code=pb.RESOURCE_EXHAUSTED, message="too many frames"))
    connection.close()
    with pytest.raises(UnknownOutcome, match="too many frames"):
        call.result()
    broker.welcome().close()


def stop(client: Any) -> None:
    """Ends what a client that never connected runs on."""
    if isinstance(client, Asynchronous):
        client.close()
