"""The worker and the real broker: the three kinds of handlers, their endings, cancellation and stopping."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import process_handlers
import pytest
from conftest import QUICK, Broker
from scripted import JOB, ScriptedBroker

from jobbroker import (
    Changed,
    Client,
    Job,
    JobCancelled,
    JobContext,
    JobStatus,
    NewJob,
    PermanentFailure,
    RetryableFailure,
    Snapshot,
    Worker,
)
from jobbroker._proto import jobbroker_pb2 as pb


@pytest.fixture
def client(broker: Broker) -> Iterator[Client]:
    with Client(broker.socket_path, backoff=QUICK) as client:
        yield client


@contextmanager
def running(worker: Worker) -> Iterator[None]:
    """Runs a worker in a thread, and stops it."""
    with ThreadPoolExecutor(1) as threads:
        run = threads.submit(worker.run)
        try:
            yield
        finally:
            worker.stop()
            run.result()


def follow(client: Client, job: Job, *statuses: JobStatus) -> Job:
    """Waits until a job has one of these statuses, and says what it is then."""
    with client.watch(ids=[job.id]) as watch:
        for event in watch:
            jobs = event.jobs if isinstance(event, Snapshot) else (event.job,) if isinstance(event, Changed) else ()
            if any(job.status in statuses for job in jobs):
                break
    found = client.get(job.id)
    assert found is not None
    return found


def finished(client: Client, job: Job) -> Job:
    return follow(client, job, JobStatus.COMPLETE, JobStatus.FAILED, JobStatus.CANCELLED)


def staged(client: Client, job: Job, stage: str) -> None:
    """Waits until a job's worker says that it does this."""
    with client.watch(ids=[job.id]) as watch:
        for event in watch:
            jobs = event.jobs if isinstance(event, Snapshot) else (event.job,) if isinstance(event, Changed) else ()
            if any(job.stage == stage for job in jobs):
                return


def worker_of(broker: Broker, **arguments: Any) -> Worker:
    return Worker(broker.socket_path, backoff=QUICK, **arguments)


# ---------------------------------------------------------------------------------------------- kinds of handlers


def register(worker: Worker, kind: str) -> None:
    """A handler of each kind that doubles a number."""
    if kind == "function":

        @worker.handler("double")
        def function(context: JobContext) -> dict[str, int]:
            context.report(stage="doubling", progress=50)
            return {"n": context.metadata["n"] * 2}

    elif kind == "coroutine":

        @worker.handler("double")
        async def coroutine(context: JobContext) -> dict[str, int]:
            context.report(stage="doubling", progress=50)
            await asyncio.sleep(0)
            return {"n": context.metadata["n"] * 2}

    else:
        worker.handler("double", process=True)(process_handlers.double)


@pytest.mark.parametrize("kind", ["function", "coroutine", "process"])
def test_each_kind_of_handler_completes_its_jobs(broker: Broker, client: Client, kind: str) -> None:
    worker = worker_of(broker, concurrency=3, name="w-1")
    register(worker, kind)
    with running(worker):
        jobs = [entry.job for entry in client.create_many([NewJob("double", {"n": n}) for n in range(9)])]
        done = [finished(client, job) for job in jobs]
    assert [job.result for job in done] == [{"n": 2 * n} for n in range(9)]
    assert {(job.stage, job.worker and job.worker.name, job.attempt) for job in done} == {("doubling", "w-1", 1)}


def test_handlers_take_their_types_and_one_the_rest(broker: Broker, client: Client) -> None:
    worker = worker_of(broker)
    worker.handler("a", "b")(lambda context: {"by": "first"})
    worker.handler()(lambda context: {"by": "rest"})
    with running(worker):
        results = [finished(client, client.create(type).job).result for type in ("a", "b", "c")]
    assert results == [{"by": "first"}, {"by": "first"}, {"by": "rest"}]


def test_what_can_not_work_is_said_when_it_is_written(broker: Broker) -> None:
    worker = worker_of(broker)
    with pytest.raises(ValueError, match="needs a handler"):
        worker.run()
    worker.handler("a")(lambda context: None)
    with pytest.raises(ValueError, match="already"):
        worker.handler("a")(lambda context: None)

    async def coroutine(context: JobContext) -> None: ...

    with pytest.raises(TypeError, match="plain function"):
        worker.handler("b", process=True)(coroutine)
    with pytest.raises(ValueError, match="concurrency"):
        worker_of(broker, concurrency=0)


# ---------------------------------------------------------------------------------------------- endings


def fail(error: Exception) -> Any:
    def handler(context: JobContext) -> None:
        raise error

    return handler


@pytest.mark.parametrize(
    ("handler", "error", "attempts"),
    [
        (fail(PermanentFailure("no such file: ä\0b")), "no such file: ä b", 1),
        (fail(RetryableFailure("busy")), "busy", 2),
        (fail(KeyError("url")), "KeyError: 'url'", 2),
        (fail(ValueError("é" * 20_000)), "ValueError: " + "é" * 8186, 2),
        (lambda context: {"a": object()}, "no JSON object", 1),
        (lambda context: [1], "no JSON object", 1),
        (lambda context: {"a": "b" * 400_000}, "the handler's result was refused", 1),
    ],
)
def test_what_a_handler_raises_says_how_its_job_fails(
    broker: Broker, client: Client, handler: Any, error: str, attempts: int
) -> None:
    worker = worker_of(broker)
    worker.handler("a")(handler)
    with running(worker):
        job = finished(client, client.create("a").job)
    assert job.status is JobStatus.FAILED and error in (job.error or "")
    assert job.attempt == attempts


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (process_handlers.die, "killed by SIGKILL"),
        (process_handlers.leave, "SystemExit: 3"),
        (process_handlers.refuse, "it can't be done"),
        (lambda context: None, "pickle"),
    ],
)
def test_a_process_that_fails_fails_its_job_and_not_the_worker(
    broker: Broker, client: Client, handler: Any, error: str
) -> None:
    worker = worker_of(broker)
    worker.handler("bad", process=True)(handler)
    worker.handler("double", process=True)(process_handlers.double)
    with running(worker):
        job = finished(client, client.create("bad", max_retries=0).job)
        assert job.status is JobStatus.FAILED and error in (job.error or "")
        assert finished(client, client.create("double", {"n": 4}).job).result == {"n": 8}


# ---------------------------------------------------------------------------------------------- cancellation


def test_a_cancelled_function_hears_it_at_its_next_report_and_by_an_event(broker: Broker, client: Client) -> None:
    worker, heard = worker_of(broker), []

    @worker.handler("a")
    def handler(context: JobContext) -> None:
        context.report(stage="waiting")
        context.cancelled.wait()
        try:
            context.report(progress=5)
        except JobCancelled as error:
            heard.append(error.message)
            raise

    with running(worker):
        job = client.create("a").job
        staged(client, job, "waiting")
        client.cancel(job.id)
        # The worker is free for the next one.
        follow(client, client.create("a").job, JobStatus.PROCESSING)
        worker.stop()
    assert len(heard) == 2 and "cancel" in heard[0]
    cancelled = client.get(job.id)
    assert cancelled is not None and cancelled.status is JobStatus.CANCELLED


def test_a_cancelled_coroutine_is_cancelled_and_may_clean_up(broker: Broker, client: Client) -> None:
    worker, cleaned = worker_of(broker), threading.Event()

    @worker.handler("a")
    async def handler(context: JobContext) -> None:
        context.report(stage="waiting")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    with running(worker):
        job = client.create("a").job
        staged(client, job, "waiting")
        client.cancel(job.id)
        assert cleaned.wait(30)


@pytest.mark.parametrize("handler", [process_handlers.wait, process_handlers.ignore])
def test_a_cancelled_process_is_told_and_then_killed(broker: Broker, client: Client, handler: Any) -> None:
    worker = worker_of(broker, kill_grace=0.2)
    worker.handler("a", process=True)(handler)
    worker.handler("double", process=True)(process_handlers.double)
    with running(worker):
        job = client.create("a").job
        staged(client, job, "waiting")
        client.cancel(job.id)
        assert finished(client, client.create("double", {"n": 1}).job).result == {"n": 2}


def test_a_handler_that_keeps_its_event_loop_busy_does_not_lose_its_job(broker: Broker, client: Client) -> None:
    worker = worker_of(broker, lease=0.2)
    beats = threading.Event()

    @worker.handler("a")
    async def handler(context: JobContext) -> None:
        beats.wait()  # blocks the loop that other handlers share

    with running(worker):
        job = client.create("a").job
        with client.watch(ids=[job.id]) as watch:
            # Six heartbeats are two leases.
            seen = 0
            while seen < 7:
                event = watch.next(timeout=30)
                seen += isinstance(event, Changed) and event.job.status is JobStatus.PROCESSING
        beats.set()
        done = finished(client, job)
    assert (done.status, done.attempt, done.lost_count) == (JobStatus.COMPLETE, 1, 0)


# ---------------------------------------------------------------------------------------------- stopping


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


def test_a_stopped_worker_gives_back_what_comes_while_its_claim_is_withdrawn(folder: str) -> None:
    with ScriptedBroker(folder) as broker, ThreadPoolExecutor(1) as threads:
        worker = Worker(broker.socket_path)
        worker.handler()(lambda context: pytest.fail("it takes no new jobs"))
        run = threads.submit(worker.run)
        connection = broker.welcome()
        claim = connection.next("claim")
        worker.stop()
        withdrawal = connection.next("withdraw")
        assert withdrawal.withdraw.claim_id == claim.id
        connection.reply(claim, claimed=pb.Claimed(jobs=[pb.Job(**{**JOB, "status": pb.PROCESSING}, attempt=2)]))
        connection.reply(withdrawal, done=pb.Done())
        release = connection.next("release")
        assert (release.release.id, release.release.attempt) == (JOB["id"], 2)
        assert not run.done()
        connection.reply(release, job=pb.Job(**JOB, attempt=2))
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


@pytest.mark.parametrize("by", ["a second stop", "the end of the grace period", "cancellation"])
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


def test_a_worker_leaves_nothing_behind(broker: Broker, client: Client) -> None:
    client.ping()
    before = len(os.listdir("/proc/self/fd")), threading.active_count()
    worker = worker_of(broker, concurrency=2)
    worker.handler("double")(process_handlers.double)
    with running(worker):
        finished(client, client.create("double", {"n": 1}).job)
    assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == before
