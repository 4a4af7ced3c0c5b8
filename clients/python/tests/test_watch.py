"""Watches of the blocking client."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from benched import Bench
from conftest import QUICK, Broker
from scripted import JOB, ScriptedBroker

from jobbroker import (
    Changed,
    Client,
    Deleted,
    Interrupted,
    InvalidArgument,
    JobBrokerError,
    JobStatus,
    Snapshot,
    Unavailable,
)
from jobbroker._core import calls, watches
from jobbroker._core.watches import Feed
from jobbroker._proto import jobbroker_pb2 as pb


def test_a_snapshot_then_every_change(broker: Broker) -> None:
    with Client(broker.socket_path) as client:
        first = client.create("a").job
        client.create("b")
        with client.watch(types=["a"]) as watch:
            snapshot = watch.next(timeout=30)
            assert isinstance(snapshot, Snapshot) and [job.id for job in snapshot.jobs] == [first.id]
            client.claim(["a"])
            client.cancel(first.id)
            client.delete(first.id)
            seen = [next(watch) for _ in range(3)]
            assert [event.job.status for event in seen if isinstance(event, Changed)] == [
                JobStatus.PROCESSING,
                JobStatus.CANCELLED,
            ]
            assert seen[2] == Deleted(first.id)
            with pytest.raises(TimeoutError):
                watch.next(timeout=0)
        assert list(watch) == []
        assert client.stats().watches == 0


def test_a_crash_of_the_broker_interrupts_and_begins_anew(broker: Broker) -> None:
    with Client(broker.socket_path, backoff=QUICK) as client, client.watch() as watch:
        assert watch.next() == Snapshot((), truncated=False)
        broker.kill()
        assert watch.next() == Interrupted()
        broker.start()
        assert watch.next() == Snapshot((), truncated=False)
        created = client.create("a").job
        assert watch.next() == Changed(created)


def test_a_refused_watch_raises(broker: Broker) -> None:
    with Client(broker.socket_path) as client:
        with pytest.raises(InvalidArgument):
            client.watch(types=[""])
        client.ping()


def test_a_reader_that_waits_ends_with_the_watch_or_the_client(broker: Broker) -> None:
    with Client(broker.socket_path) as client, ThreadPoolExecutor() as threads:
        watch = client.watch()
        watch.next()
        reading = threads.submit(lambda: list(watch))
        watch.close()
        assert reading.result() == []
        other = client.watch()
        other.next()
        reading = threads.submit(lambda: list(other))
        client.close()
        with pytest.raises(Unavailable, match="closed"):
            reading.result()


def test_a_slow_reader_is_told_so_and_gets_a_new_snapshot(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "CAPACITY", 2)
    job = pb.Job(**JOB)
    with ScriptedBroker(folder) as broker, ThreadPoolExecutor() as threads:
        connecting = threads.submit(Client, broker.socket_path)
        connection = broker.welcome()
        with connecting.result() as client:
            opening = threads.submit(client.watch)
            request = connection.next("watch")
            connection.reply(request, snapshot=pb.Snapshot())
            for _ in range(2):
                connection.reply(request, event=pb.Event(changed=job))
            watch = opening.result()
            stopped = connection.next("unwatch")
            assert stopped.unwatch.watch_id == request.id
            connection.reply(stopped, done=pb.Done())
            assert watch.next() == Interrupted()
            connection.reply(connection.next("watch"), snapshot=pb.Snapshot(jobs=[job]))
            snapshot = watch.next()
            assert isinstance(snapshot, Snapshot) and len(snapshot.jobs) == 1
        connection.close()


def test_a_refusal_that_crosses_the_end_of_a_watch_harms_nobody(folder: str) -> None:
    with ScriptedBroker(folder) as broker, ThreadPoolExecutor() as threads:
        connecting = threads.submit(Client, broker.socket_path)
        connection = broker.welcome()
        with connecting.result() as client:
            opening = threads.submit(client.watch)
            request = connection.next("watch")
            connection.reply(request, snapshot=pb.Snapshot())
            opening.result().close()
            connection.next("unwatch")
            connection.reply(request, error=pb.Error(code=pb.UNAVAILABLE, message="shutting down"))
            ping = threads.submit(client.ping)
            connection.reply(connection.next("ping"), pong=pb.Pong())
            ping.result()
        connection.close()


def test_a_resync_begins_the_watch_anew(folder: str) -> None:
    with ScriptedBroker(folder) as broker, ThreadPoolExecutor() as threads:
        connecting = threads.submit(Client, broker.socket_path)
        connection = broker.welcome()
        with connecting.result() as client:
            opening = threads.submit(client.watch)
            request = connection.next("watch")
            # A snapshot in two frames is one.
            connection.reply(request, snapshot=pb.Snapshot(jobs=[pb.Job(**JOB)], more=True))
            connection.reply(request, snapshot=pb.Snapshot(jobs=[pb.Job(**JOB)], truncated=True))
            connection.reply(request, event=pb.Event(resync=True))
            watch = opening.result()
            first = watch.next()
            assert isinstance(first, Snapshot) and (len(first.jobs), first.truncated) == (2, True)
            assert watch.next() == Interrupted()
            connection.next("unwatch")
            connection.reply(connection.next("watch"), snapshot=pb.Snapshot())
            assert watch.next() == Snapshot((), truncated=False)
        connection.close()


class Watched:
    """A watch on a bench, whose reader may leave two events unread, and has."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(watches, "CAPACITY", 2)
        self.bench = Bench().connect()
        self.watches = self.bench.session.watches
        self.feed = Feed(calls.watch([], []), lambda: None)
        self.watches.open(self.feed)
        (self.request,) = self.bench.sent()
        self.bench.reply(self.request, snapshot=pb.Snapshot())
        self.change()

    def change(self) -> None:
        self.bench.reply(self.request, event=pb.Event(changed=pb.Job(**JOB)))

    def read(self) -> list[type]:
        """What can be read; last, why there will be no more."""
        seen: list[type] = []
        while self.feed.has_news and (not seen or not issubclass(seen[-1], JobBrokerError)):
            seen.append(type(self.watches.read(self.feed)))
        return seen

    def begun(self) -> int:
        """How many watches the client has begun since it was asked last."""
        return [request.WhichOneof("operation") for request in self.bench.sent()].count("watch")


@pytest.mark.parametrize("cause", ["the connection is lost", "the broker says so"])
def test_a_watch_that_is_interrupted_while_its_reader_can_take_no_more_stays_one(
    monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    watched = Watched(monkeypatch)
    if cause == "the broker says so":
        watched.bench.reply(watched.request, event=pb.Event(resync=True))
    else:
        watched.bench.session.lost("gone")
        watched.bench.reconnect()
    assert watched.begun() == 1
    assert watched.read() == [Snapshot, Changed, Interrupted]
    assert watched.begun() == 0


def test_a_watch_that_is_closed_when_its_reader_has_fallen_behind_is_not_begun_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch)
    watched.change()
    watched.watches.close(watched.feed)
    assert watched.read() == [Interrupted, Unavailable]
    assert watched.begun() == 0


def test_a_watch_whose_reader_has_fallen_behind_ends_with_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    watched.change()
    watched.bench.session.close()
    assert watched.read() == [Interrupted, Unavailable]
