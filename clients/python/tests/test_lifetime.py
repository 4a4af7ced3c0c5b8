"""When a blocking client ends, and what it leaves behind."""

from __future__ import annotations

import gc
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import Broker, open_files

from jobbroker import Changed, Client, Snapshot, Unavailable
from jobbroker._core.session import Session


def test_a_closed_client_says_so_and_leaves_nothing_behind(broker: Broker) -> None:
    files, threads = open_files(), threading.active_count()
    client = Client(broker.socket_path)
    client.close()
    client.close()
    with pytest.raises(Unavailable, match="closed"):
        client.ping()
    assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == (files, threads)


def thread_of(client: Client) -> threading.Thread:
    thread = client._threads._thread
    assert thread is not None
    return thread


def test_a_client_that_nobody_closes_ends_with_its_last_reference(broker: Broker) -> None:
    files = open_files()
    thread_of(Client(broker.socket_path)).join()
    assert len(os.listdir("/proc/self/fd")) == files


def test_a_client_may_be_collected_by_its_own_thread(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    run_timers, collected = Session.run_timers, threading.Event()

    def collecting(session: Session) -> None:
        run_timers(session)
        if threading.current_thread() is thread:
            gc.collect()
            collected.set()

    client = Client(broker.socket_path)
    gc.disable()
    try:
        thread, threads = thread_of(client), client._threads
        monkeypatch.setattr(Session, "run_timers", collecting)
        client.itself = client  # type: ignore[attr-defined]
        del client
        with threads.lock:
            threads._alarm.ring()
        assert collected.wait(30), "the thread waits for the lock that it holds"
        thread.join()
    finally:
        gc.enable()


def test_a_watch_and_a_held_claim_keep_their_client(broker: Broker) -> None:
    with Client(broker.socket_path).watch() as watch, Client(broker.socket_path) as client:
        assert watch.next(timeout=30) == Snapshot((), truncated=False)
        client.create("ingest")
        (job,) = client.claim()
        assert isinstance(watch.next(timeout=30), Changed)
        with Client(broker.socket_path).hold(job) as held:
            held.report(stage="mixing")
            while not (isinstance(event := watch.next(timeout=30), Changed) and event.job.stage == "mixing"):
                pass


def test_a_held_claim_that_nobody_closes_ends_with_its_last_reference(broker: Broker) -> None:
    client = Client(broker.socket_path)
    client.create("ingest")
    thread, held = thread_of(client), client.hold(client.claim()[0])
    del client, held
    thread.join()


def test_a_waiting_call_ends_when_the_client_is_closed(broker: Broker) -> None:
    with ThreadPoolExecutor() as threads, Client(broker.socket_path) as operator:
        client = Client(broker.socket_path)
        claim = threads.submit(client.claim, wait=60)
        while operator.stats().waiting_claims == 0:
            pass
        client.close()
        with pytest.raises(Unavailable, match="closed"):
            claim.result()


def test_a_forked_child_neither_uses_nor_keeps_the_connection(broker: Broker) -> None:
    with Client(broker.socket_path) as client:
        child = os.fork()
        if child == 0:
            try:
                client.ping()
            except Unavailable as error:
                os._exit(0 if "process" in error.message else 1)
            os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        client.ping()
