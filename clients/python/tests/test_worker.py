"""The worker and the real broker: the three kinds of handlers, their endings, cancellation."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable
from typing import Any

import process_handlers
import pytest
from conftest import Broker
from working import finished, running, seen, staged, worker_of

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
    Worker,
)
from jobbroker._held import AsyncHeldClaim
from jobbroker._tasks import AsyncSession
from jobbroker._worker import engine, processes, runners
from jobbroker._worker.ending import Ending

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


class AsyncCallable:
    async def __call__(self, context: JobContext) -> dict[str, int]:
        context.report(stage="waiting")
        while context.metadata["waits"]:
            await asyncio.sleep(0.001)
        return {"n": 1}


def wrapped(context: JobContext) -> Awaitable[dict[str, int]]:
    return AsyncCallable()(context)


@pytest.mark.parametrize("handler", [AsyncCallable(), wrapped])
def test_what_a_function_returns_may_be_awaited(broker: Broker, client: Client, handler: Any) -> None:
    worker = worker_of(broker)
    worker.handler("a")(handler)
    with running(worker):
        assert finished(client, client.create("a", {"waits": False}).job).result == {"n": 1}
        job = client.create("a", {"waits": True}).job
        staged(client, job, "waiting")
        client.cancel(job.id)
        # It was cancelled, for the worker is free.
        assert finished(client, client.create("a", {"waits": False}).job).result == {"n": 1}


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

    for handler in (coroutine, AsyncCallable()):
        with pytest.raises(TypeError, match="plain function"):
            worker.handler("b", process=True)(handler)
    with pytest.raises(ValueError, match="concurrency"):
        worker_of(broker, concurrency=0)


# ---------------------------------------------------------------------------------------------- endings


def fail(error: Exception) -> Any:
    def handler(context: JobContext) -> None:
        raise error

    return handler


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("it has no text")


@pytest.mark.parametrize(
    ("handler", "error", "attempts"),
    [
        (fail(PermanentFailure("no such file: ä\0b")), "no such file: ä b", 1),
        (fail(RetryableFailure("busy")), "busy", 2),
        (fail(KeyError("url")), "KeyError: 'url'", 2),
        (fail(ValueError("é" * 20_000)), "ValueError: " + "é" * 8186, 2),
        (fail(Unprintable()), "Unprintable", 2),
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


def test_a_coroutine_fails_its_job_even_with_an_exception_that_has_no_text(broker: Broker, client: Client) -> None:
    worker = worker_of(broker)

    @worker.handler("a")
    async def handler(context: JobContext) -> None:
        raise Unprintable

    with running(worker):
        job = finished(client, client.create("a", max_retries=0).job)
    assert job.status is JobStatus.FAILED and "Unprintable" in (job.error or "")


@pytest.mark.parametrize("kind", ["function", "coroutine"])
def test_a_run_that_breaks_fails_its_job(
    broker: Broker, client: Client, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def broken(error: BaseException) -> Ending:
        raise OSError("it broke")

    monkeypatch.setattr(runners, "ending_of_result", broken)
    monkeypatch.setattr(runners, "ending_of_exception", broken)
    worker = worker_of(broker)
    register(worker, kind)
    with running(worker):
        job = finished(client, client.create("double", {"n": 1}, max_retries=0).job)
    assert (job.status, job.error) == (JobStatus.FAILED, "OSError: it broke")


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


@pytest.mark.parametrize("has_pidfd", [True, False])
def test_a_process_that_dies_fails_its_job_whatever_it_has_forked(
    broker: Broker, client: Client, monkeypatch: pytest.MonkeyPatch, has_pidfd: bool
) -> None:
    if not has_pidfd:
        monkeypatch.setattr(processes, "_pidfd_of", lambda pid: None)
    worker = worker_of(broker)
    worker.handler("bad", process=True)(process_handlers.leave_a_fork_and_die)
    with running(worker):
        created = client.create("bad", max_retries=0).job
        left = int(next(job.stage for job in seen(client, created) if job.stage))
        try:
            job = finished(client, created)
        finally:
            os.kill(left, signal.SIGKILL)
    assert (job.status, job.error) == (JobStatus.FAILED, "the handler's process exited with 3")


def test_what_a_process_starts_hears_the_signals_that_it_leaves_to_its_worker(broker: Broker, client: Client) -> None:
    worker = worker_of(broker)
    worker.handler("start", process=True)(process_handlers.start_others)
    with running(worker):
        job = finished(client, client.create("start", max_retries=0).job)
    assert job.result == {"the fork hears": True, "the program hears": True}


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
        # The worker is free for the next one, and its handler is at it.
        staged(client, client.create("a").job, "waiting")
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


def test_a_handler_that_keeps_its_event_loop_busy_does_not_lose_its_job(
    broker: Broker, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hold(session: AsyncSession, job: Job, lease: float, just_claimed: bool) -> AsyncHeldClaim:
        # As if its lease were short; the one it has outlasts a standstill of the machine.
        return AsyncHeldClaim(session, job, lease / 100, just_claimed)

    monkeypatch.setattr(engine, "AsyncHeldClaim", hold)
    worker = worker_of(broker, lease=30)
    beats = threading.Event()

    @worker.handler("a")
    async def handler(context: JobContext) -> None:
        beats.wait()  # blocks the loop that other handlers share

    with running(worker):
        job = client.create("a").job
        with client.watch(ids=[job.id]) as watch:
            # The claim, or a snapshot with it, and six heartbeats.
            changes = 0
            while changes < 7:
                event = watch.next(timeout=30)
                changes += isinstance(event, Changed) and event.job.status is JobStatus.PROCESSING
        beats.set()
        done = finished(client, job)
    assert (done.status, done.attempt, done.lost_count) == (JobStatus.COMPLETE, 1, 0)
