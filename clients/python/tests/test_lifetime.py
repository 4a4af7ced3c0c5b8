"""When a blocking client ends, and what it leaves behind."""

from __future__ import annotations

import gc
import os
import signal
import threading
import traceback
from collections.abc import Callable
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


def in_a_child(check: Callable[[], object]) -> None:
    """Makes a check in a fork of this process."""
    child = os.fork()
    if child == 0:
        # No other thread, and so no other time limit, is there.
        signal.alarm(30)
        try:
            check()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_forked_child_neither_uses_nor_keeps_the_connection(broker: Broker) -> None:
    def check() -> None:
        with pytest.raises(Unavailable, match="process"):
            client.ping()
        with pytest.raises(Unavailable, match="process"):
            client.watch()
        client.close()

    with Client(broker.socket_path) as client:
        in_a_child(check)
        client.ping()


@pytest.mark.parametrize("action", ["read", "read with a time limit", "close"])
@pytest.mark.parametrize("has_news", [False, True])
def test_a_watch_in_a_forked_child_says_that_it_is_the_parents(broker: Broker, action: str, has_news: bool) -> None:
    def check() -> None:
        if action == "close":
            watch.close()
            assert list(watch) == []
        else:
            with pytest.raises(Unavailable, match="process"):
                watch.next(timeout=None if action == "read" else 30)

    with Client(broker.socket_path) as client, client.watch() as watch:
        if not has_news:
            watch.next()
        in_a_child(check)
        client.create("ingest")
        assert isinstance(watch.next(timeout=30), Snapshot if has_news else Changed)


def test_a_watch_that_is_being_read_when_a_child_is_forked_ends_in_the_child_only(broker: Broker) -> None:
    def check() -> None:
        with pytest.raises(Unavailable, match="process"):
            watch.next()
        watch.close()

    with ThreadPoolExecutor(1) as threads, Client(broker.socket_path) as client, client.watch() as watch:
        watch.next()
        reading = threads.submit(watch.next)
        with watch._arrival:
            # The reader's thread, which is not there, has the lock for ever in the child.
            in_a_child(check)
        client.create("ingest")
        assert isinstance(reading.result(), Changed)


def test_a_held_claim_in_a_forked_child_says_that_it_is_the_parents(broker: Broker) -> None:
    def check() -> None:
        with pytest.raises(Unavailable, match="process"):
            held.report(progress=1)
        held.close()

    with Client(broker.socket_path) as client:
        client.create("ingest")
        with client.hold(client.claim()[0]) as held:
            in_a_child(check)
