"""The asyncio client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

from ._async_watch import AsyncWatch
from ._base import ClientBase, tells_the_end
from ._core import calls
from ._core.call import Call
from ._core.session import Session
from ._held import AsyncHeldClaim
from ._tasks import AsyncSession
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

_NOT_CONNECTED = "the client is not connected: use async with, or await connect()"


class AsyncClient(ClientBase):
    """A connection to the broker, for the tasks of one event loop. Made, then connected by ``async with`` or
    ``await connect()``.

    Behaves as :class:`Client`, whose methods say more about arguments, replies and errors. A caller whose task is
    cancelled loses nothing: its claim is withdrawn, and jobs that still come are given back at once.
    """

    _tasks: AsyncSession | None = None

    async def connect(self) -> AsyncClient:
        """Connects and says hello, unless it has on this event loop. A connection on another one is ended.

        :raises Unavailable: there is no broker; the message names the socket and how to start one.
        """
        if self._tasks is None or self.is_closed:
            await self.close()
            self._tasks = AsyncSession(Session(self.options, asyncio.get_running_loop().time))
        await self._tasks.open()
        return self

    async def close(self) -> None:
        """Ends the connection, and every call that waits. What this client claimed and did not finish goes back to the
        queue when the broker's reconnect grace is over."""
        if self._tasks is not None:
            self._tasks.stop()

    async def __aenter__(self) -> AsyncClient:
        return await self.connect()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def is_closed(self) -> bool:
        """Whether every further call will fail."""
        return self._tasks is None or self._tasks.session.ending is not None or self._tasks.is_elsewhere

    @property
    def welcome(self) -> Welcome:
        """What the broker said when this client last connected."""
        welcome = None if self._tasks is None else self._tasks.session.welcome
        if welcome is None:
            raise Unavailable(_NOT_CONNECTED)
        return welcome

    @property
    def _connection(self) -> AsyncSession:
        if self._tasks is None or self._tasks.is_elsewhere:
            raise Unavailable(_NOT_CONNECTED)
        return self._tasks

    async def _run(self, call: Call[T]) -> T:
        return await self._connection.run(call)

    def _withdraw(self, claim: Call[Any]) -> None:
        tasks = self._connection
        tasks.do(lambda: tasks.session.withdraw(claim))

    # ------------------------------------------------------------------------------------------ producing

    async def create(
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
        return await self._run(
            calls.create_one(type, metadata or {}, id, priority, max_retries, max_lost, not_before, unique_key)
        )

    async def create_many(self, jobs: Sequence[NewJob]) -> tuple[CreatedJob, ...]:
        """Creates 1 to 1,000 jobs: all of them or none. One outcome a job, in order.

        :raises AlreadyExists: an id belongs to a job with other content.
        """
        return await self._run(calls.create(jobs))

    async def cancel(self, job_id: JobId) -> Job:
        """Calls a job off; its holder is told at once. A finished job stays as it is.

        :raises NotFound:
        """
        return await self._run(calls.cancel(job_id))

    async def retry(self, job_id: JobId) -> Job:
        """Puts a failed or cancelled job back into the queue, with its retries renewed.

        :raises NotFound:
        :raises InvalidArgument: it is neither failed nor cancelled.
        """
        return await self._run(calls.retry(job_id))

    # ------------------------------------------------------------------------------------------ reading

    async def get(self, job_id: JobId) -> Job | None:
        """One job, with its history; None when there is none of that id."""
        try:
            return await self._run(calls.get(job_id))
        except NotFound:
            return None

    async def list(
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
        return await self._run(calls.list_jobs(status, type, id_prefix, limit, cursor))

    async def position(self, job_id: JobId) -> QueuePosition:
        """The place of a job in the queue; −1 when it is not pending, or unknown."""
        return await self._run(calls.position(job_id))

    def watch(self, *, ids: Iterable[JobId] = (), types: Iterable[str] = ()) -> AsyncWatch:
        """Follows jobs, of these ids and these types, or all: a snapshot, then every change."""
        return AsyncWatch(self._connection, calls.watch(ids, types))

    async def finished(self, job_id: JobId, *, timeout: float | None = None) -> Job:
        """Waits until a job is complete, failed or cancelled. Each call that waits is a watch, and a connection may
        have 100; to wait for more jobs at a time, watch them together.

        :param timeout: how many seconds at most; None: for ever.
        :return: the job, with its result.
        :raises NotFound: there is no such job, or it was deleted.
        :raises ResourceExhausted: the connection has as many watches as it may.
        :raises TimeoutError: it did not finish in that time, or the broker did not say so.
        """
        try:
            return await asyncio.wait_for(self._finished(job_id), timeout)
        except asyncio.TimeoutError:
            # The built-in one only from Python 3.11 on.
            raise TimeoutError(f"job {job_id} did not finish within {timeout} s") from None

    async def _finished(self, job_id: JobId) -> Job:
        async with self.watch(ids=[job_id]) as watch:
            while not tells_the_end(await watch.next()):
                pass
        return await self._run(calls.get(job_id))

    # ------------------------------------------------------------------------------------------ working

    async def claim(
        self, types: Iterable[str] = (), *, max_jobs: int = 1, wait: float = 0.0, lease: float = 30.0
    ) -> tuple[Job, ...]:
        """Takes the next jobs, waiting for the first. While the broker is away, the claim waits for its return.

        :param types: only these; none: any.
        :param max_jobs: 1 to 100.
        :param wait: how many seconds at most; ``math.inf``: for ever.
        :param lease: how many seconds the claims hold without a sign of life, 0.01 to 604,800. See ``hold``.
        :return: the jobs now held; none when the time ran out.
        """
        return await self._run(calls.claim(types, max_jobs, wait, lease))

    def hold(self, job: Job, lease: float = 30.0) -> AsyncHeldClaim:
        """Keeps a claim alive by heartbeats, from now on, to be used with ``with``.

        :param lease: what the claim was made with.
        """
        return AsyncHeldClaim(self._connection, job, lease)

    async def update(
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
        return await self._run(
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

    async def complete(
        self, job_id: JobId, result: Mapping[str, Any] | None = None, *, attempt: int | None = None
    ) -> Job:
        """Finishes a job with success; raises as ``update``."""
        return await self._run(calls.complete(job_id, result, attempt))

    async def fail(self, job_id: JobId, error: str = "", *, retryable: bool = False, attempt: int | None = None) -> Job:
        """Finishes a job without success, or puts it back into the queue if it is retryable and has retries left;
        raises as ``update``."""
        return await self._run(calls.fail(job_id, error, retryable, attempt))

    async def release(self, job_id: JobId, *, delay: float = 0.0, attempt: int | None = None) -> Job:
        """Gives a job back unharmed, to be claimed after so many seconds; raises as ``update``."""
        return await self._run(calls.release(job_id, delay, attempt))

    # ------------------------------------------------------------------------------------------ operating

    async def ping(self) -> None:
        """Asks for a sign of life."""
        await self._run(calls.ping())

    async def stats(self) -> BrokerStats:
        """The broker's counters."""
        return await self._run(calls.stats())

    async def workers(self) -> WorkerList:
        """Who is connected, waits for what and holds what."""
        return await self._run(calls.workers())

    async def delete(self, job_id: JobId) -> None:
        """Removes a job. Operators only, as what follows.

        :raises NotFound:
        """
        await self._run(calls.delete(job_id))

    async def reap(self, timeout: float, *, type: str | None = None) -> int:
        """Fails the jobs that have been processing without a sign of life for so many seconds; says how many."""
        return await self._run(calls.reap(timeout, type))

    async def prune(self, older_than: float, *, status: JobStatus | str | None = None, type: str | None = None) -> int:
        """Deletes the jobs that finished at least so many seconds ago; says how many."""
        return await self._run(calls.prune(older_than, status, type))

    async def pause(self, type: str) -> None:
        """Stops claims of a type; its running jobs go on."""
        await self._run(calls.pause(type))

    async def resume(self, type: str) -> None:
        """Allows claims of a type again."""
        await self._run(calls.resume(type))

    async def backup(self, path: str) -> None:
        """Writes a consistent copy of the store to a new file on the broker's host."""
        await self._run(calls.backup(path))
