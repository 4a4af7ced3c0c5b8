"""The worker and the real broker: stopping, and the broker's crashes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import process_handlers
import pytest
from conftest import QUICK, Broker, open_files
from scripted import JOB, ScriptedBroker
from working import finished, running, staged, worker_of

from jobbroker import Client, Job, JobContext, JobStatus, PermanentFailure, Worker
from jobbroker._proto import jobbroker_pb2 as pb
from jobbroker._worker import engine

CLAIMED = pb.Job(**{**JOB, "status": pb.PROCESSING}, attempt=1)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last word of a worker that is cut short comes through, however slow the machine is."""
    monkeypatch.setattr(engine, "_LAST_WORD", 600)


def test_stopping_finishes_the_current_job_and_takes_no_other(broker: Broker, client: Client) -> None:
    worker, go = worker_of(broker), threading.Event()

    @worker.handler("a")
    def handler(context: JobContext) -> dict[str, bool]:
        context.report(stage="waiting")
        go.wait()
        return {"done": True}

    with running(worker):
        job, other = (client.create("a").job for _ in range(2))
        staged(client, job, "waiting")
        worker.stop()
        go.set()
    done, left = client.get(job.id), client.get(other.id)
    assert done is not None and done.result == {"done": True}
    assert left is not None and (left.status, left.attempt) == (JobStatus.PENDING, 0)


@pytest.mark.parametrize(("error", "status"), [(RuntimeError, JobStatus.PENDING), (PermanentFailure, JobStatus.FAILED)])
def test_a_job_that_fails_while_its_worker_stops_is_given_back_unless_that_would_last(
    broker: Broker, client: Client, error: type[Exception], status: JobStatus
) -> None:
    worker = worker_of(broker)

    @worker.handler("a")
    def handler(context: JobContext) -> None:
        worker.stop()
        # As a program does that has the same signal as the worker.
        raise error("ended by a signal")

    created = client.create("a", max_retries=0).job
    with ThreadPoolExecutor(1) as threads:
        threads.submit(worker.run).result()
    job = client.get(created.id)
    assert job is not None and (job.status, job.retry_count) == (status, 0)


def test_a_stopped_worker_gives_back_each_job_that_comes_while_its_claim_is_withdrawn(folder: str) -> None:
    with ScriptedBroker(folder) as broker, ThreadPoolExecutor(1) as threads:
        worker = Worker(broker.socket_path, concurrency=2)
        worker.handler()(lambda context: pytest.fail("it takes no new jobs"))
        run = threads.submit(worker.run)
        connection = broker.welcome()
        claim = connection.next("claim")
        worker.stop()
        withdrawal = connection.next("withdraw")
        assert withdrawal.withdraw.claim_id == claim.id
        jobs = [pb.Job(**{**JOB, "id": bytes([n] * 16), "status": pb.PROCESSING}, attempt=2) for n in range(2)]
        connection.reply(claim, claimed=pb.Claimed(jobs=jobs))
        connection.reply(withdrawal, done=pb.Done())
        for job in jobs:
            release = connection.next("release")
            assert (release.release.id, release.release.attempt) == (job.id, 2)
            assert not run.done()
            connection.reply(release, error=pb.Error(code=pb.STALE_CLAIM, message="it is another's"))
        run.result()
        connection.close()


def test_the_grace_period_begins_at_the_stop_not_when_the_broker_answers(folder: str) -> None:
    with ScriptedBroker(folder) as broker, ThreadPoolExecutor(1) as threads:
        worker, told = Worker(broker.socket_path, concurrency=2, grace=0.05), threading.Event()

        @worker.handler()
        def handler(context: JobContext) -> None:
            context.cancelled.wait()
            told.set()
            context.raise_if_cancelled()

        run = threads.submit(worker.run)
        connection = broker.welcome()
        connection.reply(connection.next("claim"), claimed=pb.Claimed(jobs=[CLAIMED]))
        claim = connection.next("claim")
        worker.stop()
        assert told.wait(10)
        withdrawal, release = connection.next("withdraw"), connection.next("release")
        connection.reply(claim, claimed=pb.Claimed())
        connection.reply(withdrawal, done=pb.Done())
        connection.reply(release, job=CLAIMED)
        run.result()
        connection.close()


@pytest.mark.parametrize("unanswered", ["claim", "release"])
def test_a_second_stop_shortens_the_wait_for_a_broker_that_is_silent(
    folder: str, monkeypatch: pytest.MonkeyPatch, unanswered: str
) -> None:
    monkeypatch.setattr(engine, "_LAST_WORD", 0.05)
    with ScriptedBroker(folder) as broker, ThreadPoolExecutor(1) as threads:
        worker = Worker(broker.socket_path)
        worker.handler()(lambda context: pytest.fail("it takes no new jobs"))
        run = threads.submit(worker.run)
        connection = broker.welcome()
        claim = connection.next("claim")
        worker.stop()
        connection.next("withdraw")
        if unanswered == "release":
            connection.reply(claim, claimed=pb.Claimed(jobs=[CLAIMED]))
            connection.next("release")
        worker.stop()
        run.result(timeout=10)
        connection.close()


def test_a_job_that_failed_before_the_worker_was_cut_short_stays_failed(folder: str) -> None:
    with ScriptedBroker(folder) as broker, ThreadPoolExecutor(1) as threads:
        worker = Worker(broker.socket_path, backoff=QUICK)

        @worker.handler()
        def handler(context: JobContext) -> None:
            raise PermanentFailure("the input is bad")

        run = threads.submit(worker.run)
        connection = broker.welcome()
        connection.reply(connection.next("claim"), claimed=pb.Claimed(jobs=[CLAIMED]))
        failure = connection.next("fail")
        worker.stop()
        worker.stop()
        connection.reply(failure, error=pb.Error(code=pb.RESOURCE_EXHAUSTED, message="the disk is full"))
        failure = connection.next("fail")
        assert (failure.fail.error, failure.fail.retryable) == ("the input is bad", False)
        connection.reply(failure, job=CLAIMED)
        run.result()
        connection.close()


PROGRAM = """
import sys
from jobbroker import Worker

class TellingWorker(Worker):
    def stop(self):
        super().stop()
        print("stopping", flush=True)

worker = TellingWorker(sys.argv[1])

@worker.handler("a")
def handler(context):
    context.report(stage="waiting")
    sys.stdin.read()
    return {"done": True}

worker.run()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_finishes_the_current_job_and_ends_the_program_well(
    broker: Broker, client: Client, number: signal.Signals
) -> None:
    job, other = (client.create("a").job for _ in range(2))
    arguments = [sys.executable, "-c", PROGRAM, broker.socket_path]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        staged(client, job, "waiting")
        program.send_signal(number)
        assert program.stdout is not None and program.stdout.readline() == "stopping\n"
        program.communicate()
    assert program.returncode == 0
    done, left = client.get(job.id), client.get(other.id)
    assert done is not None and done.result == {"done": True}
    assert left is not None and (left.status, left.attempt) == (JobStatus.PENDING, 0)


@pytest.mark.parametrize("by", ["a second stop", "the end of the grace period", "cancellation", "the end of its loop"])
def test_what_is_cut_short_is_given_back_unharmed(broker: Broker, client: Client, by: str) -> None:
    worker = worker_of(broker, grace=0.05 if by == "the end of the grace period" else 60)

    @worker.handler("a")
    async def handler(context: JobContext) -> None:
        context.report(stage="waiting")
        await asyncio.Event().wait()

    async def main(job: Job) -> None:
        run = asyncio.create_task(worker.run_async())
        await asyncio.to_thread(staged, client, job, "waiting")
        if by == "cancellation":
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
            return
        if by == "the end of its loop":
            # It cancels the handler, too.
            return
        worker.stop()
        if by == "a second stop":
            worker.stop()
        await run

    job = client.create("a").job
    asyncio.run(main(job))
    left = client.get(job.id)
    assert left is not None and (left.status, left.retry_count) == (JobStatus.PENDING, 0)
    assert [entry.cause for entry in left.history] == ["released"]


def test_a_worker_survives_a_crash_of_the_broker_with_its_job(broker: Broker, client: Client) -> None:
    worker, go = worker_of(broker), threading.Event()

    @worker.handler("a")
    def handler(context: JobContext) -> None:
        context.report(stage="waiting")
        go.wait()

    with running(worker):
        job = client.create("a").job
        staged(client, job, "waiting")
        broker.kill()
        go.set()
        broker.start()
        done = finished(client, job)
        assert (done.status, done.attempt) == (JobStatus.COMPLETE, 1)
        finished(client, client.create("a").job)


def test_a_worker_waits_for_a_broker_and_stops_without_one(broker: Broker) -> None:
    broker.kill()
    worker = worker_of(broker)
    worker.handler("a")(lambda context: None)
    with running(worker):
        pass


@pytest.mark.parametrize("ends", ["by itself", "when told to"])
def test_a_worker_that_is_cut_short_does_not_wait_for_a_broker_that_is_away(
    broker: Broker, client: Client, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    monkeypatch.setattr(engine, "_LAST_WORD", 0.05)
    worker, go = worker_of(broker), threading.Event()

    @worker.handler("a")
    def handler(context: JobContext) -> None:
        context.report(stage="waiting")
        (go if ends == "by itself" else context.cancelled).wait()

    with running(worker):
        staged(client, client.create("a").job, "waiting")
        broker.kill()
        go.set()
        worker.stop()


def test_a_worker_that_is_cut_short_tells_a_broker_that_comes_back(broker: Broker, client: Client) -> None:
    worker, told = worker_of(broker), threading.Event()

    @worker.handler("a")
    def handler(context: JobContext) -> None:
        context.report(stage="waiting")
        context.cancelled.wait()
        told.set()
        context.raise_if_cancelled()

    with running(worker):
        job = client.create("a").job
        staged(client, job, "waiting")
        broker.kill()
        worker.stop()
        worker.stop()
        assert told.wait(30)
        broker.start()
    left = client.get(job.id)
    assert left is not None and [entry.cause for entry in left.history] == ["released"]


def test_a_worker_leaves_nothing_behind(broker: Broker, client: Client) -> None:
    client.ping()
    before = open_files(), threading.active_count()
    worker = worker_of(broker, concurrency=2)
    worker.handler("double")(process_handlers.double)
    with running(worker):
        finished(client, client.create("double", {"n": 1}).job)
    assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == before
