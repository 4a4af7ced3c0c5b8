"""What a crash, a restart and a drain of the broker mean to a client."""

from __future__ import annotations

import asyncio
import errno
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import QUICK, Broker, no_descriptors
from scripted import JOB, ScriptedBroker

from jobbroker import (
    AsyncClient,
    Client,
    JobBrokerError,
    JobStatus,
    NewJob,
    Unavailable,
    UnknownOutcome,
    new_job_id,
)
from jobbroker._core.session import Session
from jobbroker._proto import jobbroker_pb2 as pb

PATIENCE = 10.0
"""Seconds until a client that does not come back fails its test."""


def wait_for_claim(client: Client) -> None:
    while client.stats().waiting_claims == 0:
        pass


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_waiting_claim_survives_the_brokers_end(broker: Broker, end: str) -> None:
    with Client(broker.socket_path, backoff=QUICK) as client, ThreadPoolExecutor() as threads:
        claim = threads.submit(client.claim, ["ingest"], wait=60)
        wait_for_claim(client)
        getattr(broker, end)()
        broker.start()
        created = client.create("ingest").job
        assert [job.id for job in claim.result()] == [created.id]


def test_nothing_is_lost_or_doubled_while_the_broker_crashes_again_and_again(broker: Broker) -> None:
    with Client(broker.socket_path, backoff=QUICK) as client, ThreadPoolExecutor(4) as threads:
        stop = threading.Event()

        def produce() -> int:
            made = 0
            while not stop.is_set():
                client.create("ingest", {"n": made})
                made += 1
            return made

        producers = [threads.submit(produce) for _ in range(3)]
        for _ in range(5):
            # Something was made since the last crash.
            before = client.stats().types[0].pending if client.stats().types else 0
            while not client.stats().types or client.stats().types[0].pending < before + 20:
                pass
            broker.kill()
            broker.start()
        stop.set()
        made = sum(producer.result() for producer in producers)
        assert client.stats().types[0].pending == made


def test_a_holder_keeps_its_job_over_a_crash_and_completes_it_once(broker: Broker) -> None:
    with Client(broker.socket_path, backoff=QUICK) as client:
        job_id = client.create("ingest").job.id
        (job,) = client.claim()
        with client.hold(job) as held:
            broker.kill()
            broker.start()
            # The heartbeat goes first, so this is answered after it.
            assert client.complete(job.id, {"a": 1}, attempt=1).status is JobStatus.COMPLETE
            assert not held.cancelled.is_set()
        done = client.get(job_id)
        assert done is not None and (done.attempt, done.lost_count, done.history) == (1, 0, ())


def test_a_create_cut_off_by_a_lost_connection_is_sent_again(folder: str) -> None:
    with ScriptedBroker(folder) as broker, ThreadPoolExecutor() as threads:
        connecting = threads.submit(Client, broker.socket_path, backoff=QUICK)
        connection = broker.welcome()
        with connecting.result() as client:
            creating = threads.submit(client.create_many, [NewJob("ingest", {"a": 1})])
            completing = threads.submit(client.complete, new_job_id(), {"b": 2}, attempt=4)
            requests = sorted((connection.next_any(), connection.next_any()), key=lambda request: request.id)
            connection.close()
            connection = broker.welcome()
            for request in requests:
                again = connection.next_any()
                assert again == request
                if again.WhichOneof("operation") == "create":
                    entry = pb.Created.Entry(job=pb.Job(**JOB), created=False)
                    connection.reply(again, created=pb.Created(jobs=[entry]))
                else:
                    connection.reply(again, job=pb.Job(**JOB))
            assert not creating.result()[0].created
            assert completing.result().type == "ingest"
        connection.close()


def test_what_is_not_safe_to_repeat_has_an_unknown_outcome(folder: str) -> None:
    with ScriptedBroker(folder) as broker, ThreadPoolExecutor() as threads:
        connecting = threads.submit(Client, broker.socket_path, backoff=QUICK)
        connection = broker.welcome()
        with connecting.result() as client:
            completing = threads.submit(client.complete, new_job_id())
            connection.next("complete")
            connection.close()
            with pytest.raises(UnknownOutcome, match="read the job before repeating it"):
                completing.result()
            broker.welcome().close()


def test_a_client_that_does_not_reconnect_ends_with_its_connection(broker: Broker) -> None:
    with Client(broker.socket_path, reconnect=False) as client:
        broker.kill()
        with pytest.raises(Unavailable):
            client.ping()
        with pytest.raises(JobBrokerError):
            client.ping()
        assert client.is_closed


def test_a_client_can_wait_for_its_broker(broker: Broker) -> None:
    broker.kill()
    with ThreadPoolExecutor() as threads:
        connecting = threads.submit(Client, broker.socket_path, wait_for_broker=True, backoff=QUICK)
        broker.start()
        with connecting.result() as client:
            client.ping()


@pytest.fixture
def out_of_descriptors(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when a client could not dial because this process may open nothing more."""
    happened, dial_failed = threading.Event(), Session.dial_failed

    def noted(session: Session, error: OSError) -> None:
        dial_failed(session, error)
        if error.errno == errno.EMFILE:
            happened.set()

    monkeypatch.setattr(Session, "dial_failed", noted)
    return happened


def test_a_client_that_has_no_descriptor_left_dials_again(broker: Broker, out_of_descriptors: threading.Event) -> None:
    with Client(broker.socket_path, backoff=QUICK, timeout=PATIENCE) as client:
        with no_descriptors():
            broker.kill()
            assert out_of_descriptors.wait(PATIENCE)
        broker.start()
        client.ping()


def test_an_asyncio_client_that_has_no_descriptor_left_dials_again(
    broker: Broker, out_of_descriptors: threading.Event
) -> None:
    async def main() -> None:
        async with AsyncClient(broker.socket_path, backoff=QUICK, timeout=PATIENCE) as client:
            with no_descriptors():
                broker.kill()
                assert await asyncio.to_thread(out_of_descriptors.wait, PATIENCE)
            broker.start()
            await client.ping()

    asyncio.run(main())
