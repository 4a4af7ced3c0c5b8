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
