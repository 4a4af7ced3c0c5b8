"""The blocking client and the real broker."""

from __future__ import annotations

import inspect
import math
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, fields, replace
from datetime import datetime, timedelta, timezone

import pytest
from conftest import Broker
from scripted import ScriptedBroker

from jobbroker import (
    AlreadyExists,
    AsyncClient,
    Cause,
    Changed,
    Client,
    InvalidArgument,
    Job,
    JobCancelled,
    JobFinished,
    JobStatus,
    NewJob,
    NotFound,
    PermissionDenied,
    Snapshot,
    StaleClaim,
    Unavailable,
    WorkerList,
    new_job_id,
)
from jobbroker._proto import jobbroker_pb2 as pb
from jobbroker.options import objection


def test_a_job_from_its_creation_to_its_result(broker: Broker) -> None:
    with Client(broker.socket_path, worker_name="w-1") as client:
        created = client.create("ingest", {"url": "ž", "big": 2**70, "deep": [{"a": None}]}, priority=3)
        assert created.created and created.job.status is JobStatus.PENDING
        assert client.position(created.job.id).overall == 0
        (job,) = client.claim(["ingest"], wait=math.inf)
        assert job.metadata == {"url": "ž", "big": 2**70, "deep": [{"a": None}]}
        assert (job.id, job.attempt, job.priority) == (created.job.id, 1, 3)
        reported = client.update(job.id, attempt=1, stage="downloading", progress=40)
        assert (reported.stage, reported.progress) == ("downloading", 40)
        assert client.update(job.id, attempt=1, stage=None).stage is None
        assert client.complete(job.id, {"seconds": 12.5}, attempt=1).progress == 100
        done = client.get(str(job.id))
        assert done is not None and done.result == {"seconds": 12.5} and done.status == "complete"
        assert done.worker is not None and (done.worker.name, done.worker.pid) == ("w-1", os.getpid())
        assert done.finished_at is not None and done.finished_at.tzinfo is timezone.utc


def test_creating_twice_with_one_id_makes_one_job(broker: Broker) -> None:
    with Client(broker.socket_path) as client:
        job = NewJob("ingest", {"a": 1}, id=new_job_id())
        assert [entry.created for entry in client.create_many([job]) + client.create_many([job])] == [True, False]
        with pytest.raises(AlreadyExists) as info:
            client.create("ingest", {"a": 2}, id=job.id)
        assert info.value.job is not None and info.value.job.id == job.id


def test_refusals_are_the_exceptions_of_their_codes(broker: Broker) -> None:
    with Client(broker.socket_path) as client, Client(broker.socket_path, read_only=True) as reader:
        job_id = client.create("ingest").job.id
        with pytest.raises(PermissionDenied):
            reader.create("ingest")
        with pytest.raises(NotFound):
            client.cancel(new_job_id())
        with pytest.raises(StaleClaim) as stale:
            client.complete(job_id, attempt=7)
        assert stale.value.job is not None and stale.value.job.status is JobStatus.PENDING
        client.complete(job_id)
        with pytest.raises(JobFinished):
            client.fail(job_id, "late")
        assert client.get(new_job_id()) is None


@pytest.mark.parametrize(
    "wrong",
    [
        lambda client: client.create(""),
        lambda client: client.create("a\0b"),
        lambda client: client.create("\udc80"),
        lambda client: client.create("ingest", priority=2**40),
        lambda client: client.create("ingest", {"a": math.nan}),
        lambda client: client.create("ingest", not_before=datetime(2030, 1, 1)),
        lambda client: client.create("ingest", {"a": "b" * 2_000_000}),
        lambda client: client.get("no-id"),
        lambda client: client.list(status="done"),
        lambda client: client.claim(wait=-1),
        lambda client: client.update(new_job_id(), progress=101),
        lambda client: client.update(new_job_id(), stage="\udcff"),
    ],
)
def test_what_makes_no_sense_is_an_invalid_argument(broker: Broker, wrong: object) -> None:
    with Client(broker.socket_path) as client:
        with pytest.raises(InvalidArgument):
            wrong(client)  # type: ignore[operator]
        client.ping()


def test_a_type_given_for_a_list_of_types_is_a_type_error(broker: Broker) -> None:
    with Client(broker.socket_path) as client, pytest.raises(TypeError):
        client.claim("ingest")


def test_text_that_is_no_utf_8_survives_in_metadata(broker: Broker) -> None:
    with Client(broker.socket_path) as client:
        client.create("ingest", {"file": os.fsdecode(b"caf\xe9.wav")})
        assert client.claim()[0].metadata == {"file": os.fsdecode(b"caf\xe9.wav")}


def test_a_job_that_was_read_is_whole(client: Client) -> None:
    job = client.create("ingest", {"a": 1}).job
    assert set(vars(job)) == {field.name for field in fields(Job)}
    assert job == replace(job)
    with pytest.raises(FrozenInstanceError):
        job.type = "other"  # type: ignore[misc]


def test_lists_are_filtered_and_paged(broker: Broker) -> None:
    with Client(broker.socket_path) as client:
        ids = [entry.job.id for entry in client.create_many([NewJob("a"), NewJob("b"), NewJob("a")])]
        client.cancel(ids[0])
        assert [job.id for job in client.list(type="a").jobs] == [ids[2], ids[0]]
        assert [job.id for job in client.list(status=JobStatus.CANCELLED).jobs] == [ids[0]]
        page = client.list(limit=2)
        assert [job.id for job in page.jobs] == [ids[2], ids[1]] and page.next_cursor is not None
        assert [job.id for job in client.list(cursor=page.next_cursor).jobs] == [ids[0]]


def test_operators_see_and_care_for_the_store(broker: Broker, folder: str) -> None:
    with Client(broker.socket_path, worker_name="w") as client:
        job_id = client.create("a").job.id
        client.pause("a")
        assert client.claim() == ()
        assert client.stats().types[0].paused
        client.resume("a")
        (job,) = client.claim()
        assert [held.id for worker in client.workers().workers for held in worker.holds] == [job_id]
        client.fail(job.id, "no", attempt=1)
        assert client.retry(job.id).status is JobStatus.PENDING
        failed = client.get(job_id)
        assert failed is not None and [entry.cause for entry in failed.history] == [Cause.FAILED]
        client.claim()
        client.backup(f"{folder}/copy.db")
        assert os.path.getsize(f"{folder}/copy.db") > 0
        assert client.reap(0) == 1
        assert client.prune(0, status="failed") == 1
        with pytest.raises(NotFound):
            client.delete(job_id)


def test_a_job_waits_for_its_time(broker: Broker) -> None:
    with Client(broker.socket_path) as client:
        later = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=1)
        assert client.create("a", not_before=later).job.not_before == later
        assert client.claim() == ()


def test_many_threads_share_a_client(broker: Broker) -> None:
    with Client(broker.socket_path) as client, ThreadPoolExecutor(16) as threads:
        made = threads.map(lambda n: client.create("ingest", {"n": n}), range(400))
        assert len({entry.job.id for entry in made}) == 400
        claimed = threads.map(lambda _: client.claim(max_jobs=4), range(100))
        assert sorted(job.metadata["n"] for jobs in claimed for job in jobs if job.metadata) == list(range(400))


def test_a_held_claim_is_renewed_by_heartbeats_and_tells_of_its_end(broker: Broker) -> None:
    with Client(broker.socket_path) as client, Client(broker.socket_path) as operator:
        created = client.create("ingest").job
        (job,) = client.claim(lease=30)
        # Held as if its lease were short; the one it has outlasts a standstill of the machine.
        with client.hold(job, lease=0.1) as held, operator.watch(ids=[created.id]) as watch:
            assert isinstance(watch.next(timeout=30), Snapshot) and job.lease_expires_at is not None
            # Each heartbeat is an event.
            for _ in range(5):
                beat = watch.next(timeout=30)
                assert isinstance(beat, Changed) and beat.job.attempt == 1
                assert beat.job.lease_expires_at is not None and beat.job.lease_expires_at > job.lease_expires_at
            held.report(stage="mixing", progress=50)
            while (event := watch.next(timeout=30)) and getattr(event, "job", created).stage != "mixing":
                pass
            assert not held.cancelled.is_set()
            operator.cancel(job.id)
            assert held.cancelled.wait(30)
            assert held.revocation is not None and held.revocation.status is JobStatus.CANCELLED
            with pytest.raises(JobCancelled):
                held.report(progress=60)


def test_without_a_broker_the_error_says_what_to_do(folder: str) -> None:
    with pytest.raises(Unavailable, match="start one with: jobbrokerd --socket"):
        Client(f"{folder}/nobody")
    with pytest.raises(InvalidArgument, match="too long"):
        Client("/tmp/" + "x" * 200)


def test_a_directory_in_tmp_that_belongs_to_somebody_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # A user that is not this one, nor that of another run.
    uid = 3_200_000_000 + os.getpid()
    directory = f"/tmp/jobbroker-{uid}"
    monkeypatch.setattr(os, "getuid", lambda: uid)
    with pytest.raises(FileNotFoundError):
        objection(f"{directory}/jobbroker.sock", uid)
    with pytest.raises(Unavailable, match=r"No such file or directory.*; start one with"):
        Client(f"{directory}/jobbroker.sock")
    os.mkdir(directory)
    try:
        with pytest.raises(PermissionDenied, match=f"{directory} belongs to another user"):
            Client(f"{directory}/jobbroker.sock", wait_for_broker=True)
    finally:
        os.rmdir(directory)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory to somebody else")
def test_a_broker_is_found_when_its_directory_in_tmp_comes(
    monkeypatch: pytest.MonkeyPatch, broker: Broker, folder: str
) -> None:
    # Nobody's, so that no other test uses it.
    uid = 3_400_000_000 + os.getpid()
    directory = f"/tmp/jobbroker-{uid}"
    missed = threading.Event()

    def look(socket_path: str, uid: int) -> PermissionDenied | None:
        try:
            return objection(socket_path, uid)
        except FileNotFoundError:
            missed.set()
            raise

    def come() -> None:
        missed.wait()
        os.mkdir(f"{folder}/whole")
        os.symlink(broker.socket_path, f"{folder}/whole/jobbroker.sock")
        os.chown(f"{folder}/whole", uid, -1)
        # It comes with its owner.
        os.rename(f"{folder}/whole", directory)

    coming = threading.Thread(target=come)
    coming.start()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(os, "getuid", lambda: uid)
            patch.setattr("jobbroker._core.link.objection", look)
            with Client(f"{directory}/jobbroker.sock", wait_for_broker=True) as client:
                client.ping()
    finally:
        coming.join()
        os.remove(f"{directory}/jobbroker.sock")
        os.rmdir(directory)


def test_waiting_for_the_end_of_a_job(broker: Broker) -> None:
    with Client(broker.socket_path) as client, ThreadPoolExecutor(1) as threads:
        job = client.create("ingest").job
        with pytest.raises(TimeoutError):
            client.finished(job.id, timeout=0.01)
        waiting = threads.submit(client.finished, job.id, timeout=30)
        client.complete(job.id, {"a": 1})
        assert waiting.result().result == {"a": 1}
        assert client.finished(job.id).status is JobStatus.COMPLETE
        client.delete(job.id)
        with pytest.raises(NotFound):
            client.finished(job.id)


def test_an_interrupted_claim_takes_no_job_any_more(broker: Broker) -> None:
    program = """
import sys
from jobbroker import Client

client = Client(sys.argv[1])
try:
    client.claim(wait=60)
except KeyboardInterrupt:
    sys.stdin.read()  # keeps the connection
"""
    with Client(broker.socket_path) as client:
        arguments = [sys.executable, "-c", program, broker.socket_path]
        with subprocess.Popen(arguments, stdin=subprocess.PIPE) as process:
            while client.stats().waiting_claims == 0:
                pass
            process.send_signal(signal.SIGINT)
            while client.stats().waiting_claims > 0:
                pass
            job = client.create("ingest").job
            assert [(claimed.id, claimed.attempt) for claimed in client.claim()] == [(job.id, 1)]
            process.communicate()


def test_a_call_ends_when_the_broker_takes_too_long(folder: str) -> None:
    with ScriptedBroker(folder) as broker, ThreadPoolExecutor() as threads:
        connecting = threads.submit(Client, broker.socket_path)
        connection = broker.welcome()
        with connecting.result() as client:
            # It had more time for connecting, which may take a while.
            session = client._threads.session
            session.options = replace(session.options, timeout=0.05)
            with pytest.raises(Unavailable, match="no reply within"):
                client.ping()
        connection.close()


def test_counters_and_workers_say_when_something_is_left_out(folder: str) -> None:
    with ScriptedBroker(folder) as broker, ThreadPoolExecutor() as threads:
        connecting = threads.submit(Client, broker.socket_path)
        connection = broker.welcome()
        with connecting.result() as client:
            for truncated in (True, False):
                stats, workers = threads.submit(client.stats), threads.submit(client.workers)
                for _ in range(2):
                    request = connection.next_any()
                    if request.HasField("stats"):
                        connection.reply(request, stats=pb.Stats(truncated=truncated))
                    else:
                        connection.reply(request, workers=pb.WorkerList(truncated=truncated))
                assert stats.result().truncated is truncated
                assert workers.result() == WorkerList((), truncated)
        connection.close()


def test_both_clients_have_the_same_operations() -> None:
    def operations(client: type) -> dict[str, inspect.Signature]:
        return {
            name: inspect.signature(member).replace(return_annotation=None)
            for name, member in vars(client).items()
            if not name.startswith("_") and callable(member)
        }

    asynchronous = operations(AsyncClient)
    del asynchronous["connect"]
    assert operations(Client) == asynchronous
