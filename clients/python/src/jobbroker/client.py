"""The blocking client."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

from ._base import ClientBase, tells_the_end
from ._core import calls
from ._core.call import Call
from ._core.session import Session
from ._held import HeldClaim
from ._threads import ThreadedSession
from ._watch import Watch
from .errors import NotFound, Unavailable
from .models import (
    UNSET,
    BrokerStats,
    CreatedJob,
    Job,
    JobId,
    JobPage,
    JobStatus,
    NewJob,
    QueuePosition,
    Unset,
    Welcome,
    WorkerList,
)

T = TypeVar("T")


class Client(ClientBase):
    """A connection to the broker, for any number of threads at a time.

    A lost connection is made again by itself. Calls that may be repeated are then sent again, in their order, with the
    same content; a waiting claim waits on; a watch tells that it was interrupted and begins anew. The others raise
    UnknownOutcome: read the job before repeating them.

    Every call raises the broker's refusal as the :class:`JobBrokerError` of its code; and when no answer came,
    Unavailable where nothing happened or repeating the call is safe, else UnknownOutcome.
    """

    def _begin(self) -> None:
        session = Session(self.options, time.monotonic)
        self._threads = ThreadedSession(session)
        # The thread knows only its session, so that a client nobody closes ends with its last reference.
        # A process that exits ends its connections anyway.
        weakref.finalize(self, self._threads.leave).atexit = False
        self._threads.start()
        try:
            self._threads.run(session.hello, start=session.open)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends the connection, and every call that waits. What this client claimed and did not finish goes back to the
        queue when the broker's reconnect grace is over."""
        self._threads.stop()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def is_closed(self) -> bool:
        """Whether every further call will fail."""
        return self._threads.session.ending is not None

    @property
    def welcome(self) -> Welcome:
        """What the broker said when this client last connected."""
        welcome = self._threads.session.welcome
        assert welcome is not None, "a client is made by connecting it"
        return welcome

    def _run(self, call: Call[T]) -> T:
        return self._threads.run(call)

    # ------------------------------------------------------------------------------------------ producing

    def create(
        self,
        type: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        id: JobId | None = None,
        priority: int = 0,
        max_retries: int = 1,
        max_lost: int = 3,
        not_before: datetime | None = None,
        unique_key: str | None = None,
    ) -> CreatedJob:
        """Creates one job; the arguments are those of :class:`NewJob`. Repeating it with the same id is safe.

        :raises AlreadyExists: the id belongs to a job with other content.
        """
        return self._run(
            calls.create_one(type, metadata or {}, id, priority, max_retries, max_lost, not_before, unique_key)
        )

    def create_many(self, jobs: Sequence[NewJob]) -> tuple[CreatedJob, ...]:
        """Creates 1 to 1,000 jobs: all of them or none. One outcome a job, in order.

        :raises AlreadyExists: an id belongs to a job with other content.
        """
        return self._run(calls.create(jobs))

    def cancel(self, job_id: JobId) -> Job:
        """Calls a job off; its holder is told at once. A finished job stays as it is.

        :raises NotFound:
        """
        return self._run(calls.cancel(job_id))

    def retry(self, job_id: JobId) -> Job:
        """Puts a failed or cancelled job back into the queue, with its retries renewed.

        :raises NotFound:
        :raises InvalidArgument: it is neither failed nor cancelled.
        """
        return self._run(calls.retry(job_id))

    # ------------------------------------------------------------------------------------------ reading

    def get(self, job_id: JobId) -> Job | None:
        """One job, with its history; None when there is none of that id."""
        try:
            return self._run(calls.get(job_id))
        except NotFound:
            return None

    def list(
        self,
        *,
        status: JobStatus | str | None = None,
        type: str | None = None,
        id_prefix: str | None = None,
        limit: int = 100,
        cursor: int | None = None,
    ) -> JobPage:
        """One page of jobs, newest first.

        :param id_prefix: hexadecimal digits, without dashes.
        :param limit: 1 to 1,000; a page may hold fewer.
        :param cursor: the ``next_cursor`` of the page before.
        """
        return self._run(calls.list_jobs(status, type, id_prefix, limit, cursor))

    def position(self, job_id: JobId) -> QueuePosition:
        """The place of a job in the queue; −1 when it is not pending, or unknown."""
        return self._run(calls.position(job_id))

    def watch(self, *, ids: Iterable[JobId] = (), types: Iterable[str] = ()) -> Watch:
        """Follows jobs, of these ids and these types, or all: a snapshot, then every change."""
        return Watch(self, self._threads, calls.watch(ids, types))

    def finished(self, job_id: JobId, *, timeout: float | None = None) -> Job:
        """Waits until a job is complete, failed or cancelled. Each call that waits is a watch, and a connection may
        have 100; to wait for more jobs at a time, watch them together.

        :param timeout: how many seconds at most; None: for ever.
        :return: the job, with its result.
        :raises NotFound: there is no such job, or it was deleted.
        :raises ResourceExhausted: the connection has as many watches as it may.
        :raises TimeoutError: it did not finish in that time, or the broker did not say so.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            with Watch(self, self._threads, calls.watch([job_id], ()), deadline) as watch:
                while not tells_the_end(watch.next(None if deadline is None else deadline - time.monotonic())):
                    pass
            return self._threads.run(calls.get(job_id), deadline=deadline)
        except (Unavailable, TimeoutError):
            if deadline is None or time.monotonic() < deadline:
                raise
            raise TimeoutError(f"job {job_id} did not finish within {timeout} s") from None

    # ------------------------------------------------------------------------------------------ working

    def claim(
        self, types: Iterable[str] = (), *, max_jobs: int = 1, wait: float = 0.0, lease: float = 30.0
    ) -> tuple[Job, ...]:
        """Takes the next jobs, waiting for the first. While the broker is away, the claim waits for its return.

        :param types: only these; none: any.
        :param max_jobs: 1 to 100.
        :param wait: how many seconds at most; ``math.inf``: for ever.
        :param lease: how many seconds the claims hold without a sign of life, 0.01 to 604,800. See ``hold``.
        :return: the jobs now held; none when the time ran out.
        """
        return self._run(calls.claim(types, max_jobs, wait, lease))

    def hold(self, job: Job, lease: float = 30.0) -> HeldClaim:
        """Keeps a claim alive by heartbeats, from now on, to be used with ``with``.

        :param lease: what the claim was made with.
        """
        return HeldClaim(self, self._threads, job, lease)

    def update(
        self,
        job_id: JobId,
        *,
        attempt: int | None = None,
        status: JobStatus | str | None = None,
        progress: float | None = None,
        stage: str | Unset | None = UNSET,
        result: Mapping[str, Any] | None = None,
        error: str | None = None,
        retry_count: int | None = None,
    ) -> Job:
        """Changes what is given. Under an attempt it renews the lease; with nothing else it is a heartbeat.

        :param attempt: the claim under which it is done; None for an operator or a webhook, who hold no claim.
        :param stage: None clears it.
        :return: the job as it is now, without metadata and result.
        :raises NotFound:
        :raises StaleClaim: the job is not held under that attempt.
        :raises JobFinished:
        """
        return self._run(
            calls.update(
                job_id,
                attempt=attempt,
                status=status,
                progress=progress,
                stage=stage,
                result=result,
                error=error,
                retry_count=retry_count,
            )
        )

    def complete(self, job_id: JobId, result: Mapping[str, Any] | None = None, *, attempt: int | None = None) -> Job:
        """Finishes a job with success; raises as ``update``."""
        return self._run(calls.complete(job_id, result, attempt))

    def fail(self, job_id: JobId, error: str = "", *, retryable: bool = False, attempt: int | None = None) -> Job:
        """Finishes a job without success, or puts it back into the queue if it is retryable and has retries left;
        raises as ``update``."""
        return self._run(calls.fail(job_id, error, retryable, attempt))

    def release(self, job_id: JobId, *, delay: float = 0.0, attempt: int | None = None) -> Job:
        """Gives a job back unharmed, to be claimed after so many seconds; raises as ``update``."""
        return self._run(calls.release(job_id, delay, attempt))

    # ------------------------------------------------------------------------------------------ operating

    def ping(self) -> None:
        """Asks for a sign of life."""
        self._run(calls.ping())

    def stats(self) -> BrokerStats:
        """The broker's counters."""
        return self._run(calls.stats())

    def workers(self) -> WorkerList:
        """Who is connected, waits for what and holds what."""
        return self._run(calls.workers())

    def delete(self, job_id: JobId) -> None:
        """Removes a job. Operators only, as what follows.

        :raises NotFound:
        """
        self._run(calls.delete(job_id))

    def reap(self, timeout: float, *, type: str | None = None) -> int:
        """Fails the jobs that have been processing without a sign of life for so many seconds; says how many."""
        return self._run(calls.reap(timeout, type))

    def prune(self, older_than: float, *, status: JobStatus | str | None = None, type: str | None = None) -> int:
        """Deletes the jobs that finished at least so many seconds ago; says how many."""
        return self._run(calls.prune(older_than, status, type))

    def pause(self, type: str) -> None:
        """Stops claims of a type; its running jobs go on."""
        self._run(calls.pause(type))

    def resume(self, type: str) -> None:
        """Allows claims of a type again."""
        self._run(calls.resume(type))

    def backup(self, path: str) -> None:
        """Writes a consistent copy of the store to a new file on the broker's host."""
        self._run(calls.backup(path))
