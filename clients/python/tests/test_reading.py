"""Who reads the socket of a blocking client."""

from __future__ import annotations

import gc
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from conftest import QUICK, Broker, no_descriptors, open_files
from scripted import ScriptedBroker

from jobbroker import Changed, Client, Unavailable
from jobbroker._core.session import Session
from jobbroker._proto import jobbroker_pb2 as pb
from jobbroker._reader import Reader
from jobbroker._threads import ThreadedSession

READERS = 5
"""Threads that share a client."""


@pytest.fixture
def reading_threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads that read something, in order."""
    names = []
    received = Session.received

    def noted(session: Session, data: bytes) -> None:
        names.append(threading.current_thread().name)
        received(session, data)

    monkeypatch.setattr(Session, "received", noted)
    return names


def test_a_caller_reads_its_own_reply(client: Client, reading_threads: list[str]) -> None:
    for _ in range(20):
        client.create("ingest")
    assert set(reading_threads) == {threading.current_thread().name}


def test_nobody_but_the_thread_reads_for_a_watch(client: Client, reading_threads: list[str]) -> None:
    with client.watch(types=["ingest"]) as watch:
        watch.next(timeout=30)
        reading_threads.clear()
        with Client(client.options.socket_path) as other:
            other.create("ingest")
            watch.next(timeout=30)
    assert "jobbroker-client" in reading_threads


def test_a_waiting_claim_reads_for_the_other_callers(broker: Broker) -> None:
    with Client(broker.socket_path) as client, ThreadPoolExecutor() as threads:
        claim = threads.submit(client.claim, ["wanted"], wait=60)
        while client.stats().waiting_claims == 0:
            pass
        for _ in range(20):
            client.create("other")
        client.create("wanted")
        assert [job.type for job in claim.result()] == ["wanted"]


def test_a_reader_makes_way_for_what_must_be_written(broker: Broker) -> None:
    """A request that the socket does not take at once is written while another caller waits."""
    with Client(broker.socket_path) as client, ThreadPoolExecutor(READERS) as threads:
        files = len(os.listdir("/proc/self/fd"))
        claim = threads.submit(client.claim, ["wanted"], wait=60)
        while client.stats().waiting_claims == 0:
            pass
        large = {"text": "x" * 390_000}
        made = [threads.submit(client.create, "other", large) for _ in range(20)]
        assert all(entry.result().created for entry in made)
        assert len(os.listdir("/proc/self/fd")) <= files + 2 * READERS
        client.create("wanted")
        assert len(claim.result()) == 1


def test_a_reader_survives_a_crash_of_the_broker(broker: Broker) -> None:
    with Client(broker.socket_path, backoff=QUICK) as client, ThreadPoolExecutor() as threads:
        claim = threads.submit(client.claim, ["wanted"], wait=60)
        for _ in range(5):
            while client.stats().waiting_claims == 0:
                pass
            broker.kill()
            broker.start()
        client.create("wanted")
        assert len(claim.result()) == 1


def test_a_reader_whose_time_is_over_leaves_the_socket_to_others(folder: str) -> None:
    with ScriptedBroker(folder) as broker, ThreadPoolExecutor() as threads:
        connecting = threads.submit(Client, broker.socket_path)
        connection = broker.welcome()
        with connecting.result() as client:
            session = client._threads.session
            patient, session.options = session.options, replace(session.options, timeout=0.01)
            with pytest.raises(Unavailable, match="no reply within"):
                client.ping()
            session.options = patient
            late, ping = connection.next("ping"), threads.submit(client.ping)
            connection.reply(late, pong=pb.Pong())
            connection.reply(connection.next("ping"), pong=pb.Pong())
            ping.result()
        connection.close()


def test_a_signals_handler_may_call_the_client_that_it_interrupts(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = Reader.wait

    def interrupted(reader: Reader, seconds: float | None) -> None:
        monkeypatch.undo()
        client.create("wanted")
        wait(reader, seconds)

    monkeypatch.setattr(Reader, "wait", interrupted)
    assert [job.type for job in client.claim(["wanted"], wait=60)] == ["wanted"]


def test_a_caller_that_is_interrupted_as_it_begins_takes_no_job_any_more(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = ThreadedSession._settle

    def interrupted(threads: ThreadedSession) -> None:
        settle(threads)
        monkeypatch.undo()
        raise KeyboardInterrupt

    client.ping()
    files = open_files()
    monkeypatch.setattr(ThreadedSession, "_settle", interrupted)
    with pytest.raises(KeyboardInterrupt):
        client.claim(["wanted"], wait=60)
    while client.stats().waiting_claims > 0:
        pass
    # On the new connection it reads its own reply again.
    client.ping()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == files


def test_a_client_that_is_interrupted_while_it_takes_in_a_reply_can_be_used_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = Session.received

    def interrupted(session: Session, data: bytes) -> None:
        monkeypatch.undo()
        received(session, data[:-1])
        raise KeyboardInterrupt

    client.ping()
    monkeypatch.setattr(Session, "received", interrupted)
    with pytest.raises(KeyboardInterrupt):
        client.ping()
    assert client.create("wanted").created


def test_the_thread_reads_for_a_caller_that_has_no_descriptor_left(client: Client, reading_threads: list[str]) -> None:
    with no_descriptors():
        client.ping()
    assert reading_threads == ["jobbroker-client"]


@pytest.mark.parametrize("moment", ["submit", "output"])
def test_a_report_that_is_interrupted_is_not_lost(client: Client, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """Before it is in line, or when it was taken out to be written."""
    session = client._threads.session
    original = getattr(session, moment)

    def interrupted(*arguments: Any, **options: Any) -> Any:
        # As Ctrl-C, which only the main thread gets.
        if threading.current_thread() is not threading.main_thread():
            return original(*arguments, **options)
        monkeypatch.undo()
        if moment == "output":
            original()
        raise KeyboardInterrupt

    client.create("ingest")
    (job,) = client.claim()
    with (
        Client(client.options.socket_path) as observer,
        observer.watch(ids=[job.id]) as watch,
        client.hold(job) as held,
    ):
        # The heartbeat with which it began is answered, or the report would wait for that.
        while any(claim.underway is not None for claim in session.claims._claims.values()):
            client.ping()
        monkeypatch.setattr(session, moment, interrupted)
        with pytest.raises(KeyboardInterrupt):
            held.report(stage="mixing")
        held.report(progress=50)
        reported = watch.next()
        while not (isinstance(reported, Changed) and reported.job.progress == 50):
            reported = watch.next(timeout=10)
        assert reported.job.stage == "mixing"
