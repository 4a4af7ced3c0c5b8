"""Workers that tests run, and waiting for what they do."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from conftest import QUICK, Broker

from jobbroker import Changed, Client, Job, JobStatus, Snapshot, Worker


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


def seen(client: Client, job: Job) -> Iterator[Job]:
    """A job as it is, and after each of its changes."""
    with client.watch(ids=[job.id]) as watch:
        for event in watch:
            yield from event.jobs if isinstance(event, Snapshot) else (event.job,) if isinstance(event, Changed) else ()


def follow(client: Client, job: Job, *statuses: JobStatus) -> Job:
    """Waits until a job has one of these statuses, and says what it is then."""
    next(found for found in seen(client, job) if found.status in statuses)
    found = client.get(job.id)
    assert found is not None
    return found


def finished(client: Client, job: Job) -> Job:
    return follow(client, job, JobStatus.COMPLETE, JobStatus.FAILED, JobStatus.CANCELLED)


def staged(client: Client, job: Job, stage: str) -> None:
    """Waits until a job's worker says that it does this."""
    next(found for found in seen(client, job) if found.stage == stage)


def worker_of(broker: Broker, **arguments: Any) -> Worker:
    return Worker(broker.socket_path, backoff=QUICK, **arguments)
