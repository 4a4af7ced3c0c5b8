"""What a worker does: claims, runs handlers, tells the broker. Lives on an event loop and a thread of its own, so that
no handler can keep it from its heartbeats."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from .._core import calls
from .._core.claims import Report
from .._held import AsyncHeldClaim
from ..aio import AsyncClient
from ..context import JobContext
from ..errors import (
    Internal,
    InvalidArgument,
    JobBrokerError,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
    UnknownOutcome,
    Unsupported,
)
from ..models import Job
from .ending import Done, Ending, Failed, Stopped, ending_of_exception
from .runners import Runner

T = TypeVar("T")

logger = logging.getLogger("jobbroker.worker")

_CLAIM_WAIT = 60.0
"""Seconds one claim waits; then comes the next."""
_CLAIM_BATCH = 100
_LAST_WORD = 5.0
"""Seconds for which a worker that was cut short goes on telling the broker what became of a job. After that the job is
left to its lease: the broker gives it to another when that is over."""
_HOPELESS = (InvalidArgument, PermissionDenied, Unsupported)
_TEMPORARY = (Unavailable, UnknownOutcome, ResourceExhausted, Internal)


class Engine:
    """One run of a worker."""

    def __init__(
        self, client: AsyncClient, runners: Mapping[str, Runner], concurrency: int, lease: float, grace: float
    ) -> None:
        self._client = client
        self._runners = runners
        """By type; "" takes the types of no other."""
        self._types = () if "" in runners else tuple(runners)
        self._concurrency = concurrency
        self._lease = lease
        self._grace = grace
        self._failures = 0
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._has_ended = False
        self._running: set[asyncio.Task[None]] = set()

    def run(self, ended: Future[None]) -> None:
        """Works until it is stopped; then ``ended`` is done."""
        error: BaseException | None = None
        # Until Python 3.10 an event belongs to the loop that is set when it is made.
        asyncio.set_event_loop(self._loop)
        self._stopping = asyncio.Event()
        self._cutting = asyncio.Event()
        try:
            self._loop.run_until_complete(self._work())
        except BaseException as raised:
            error = raised
        with self._lock:
            self._has_ended = True
            self._loop.close()
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)

    def stop(self, *, at_once: bool) -> None:
        """Takes no new jobs and finishes the current ones; at once: gives them back. Any thread may call it."""
        with self._lock:
            if not self._has_ended:
                self._loop.call_soon_threadsafe(self._stop, at_once)

    def _stop(self, at_once: bool) -> None:
        if not self._stopping.is_set():
            self._stopping.set()
            # From now on, whatever the broker makes the worker wait for. It ends with the loop.
            self._loop.call_later(self._grace, self._cutting.set)
        if at_once:
            self._cutting.set()

    async def _work(self) -> None:
        try:
            await self._unless(self._stopping, self._client.connect())
            try:
                while not self._stopping.is_set():
                    await self._claim()
            finally:
                await self._drain()
        finally:
            await self._client.close()

    # ------------------------------------------------------------------------------------------ claiming

    async def _claim(self) -> None:
        """Waits for a free place and a job, and starts it.

        :raises JobBrokerError: it makes no sense to go on.
        """
        if len(self._running) >= self._concurrency:
            await self._unless(self._stopping, _first(*self._running))
            return
        free = min(self._concurrency - len(self._running), _CLAIM_BATCH)
        try:
            jobs = await self._next_jobs(free)
        except JobBrokerError as error:
            if isinstance(error, _HOPELESS) or self._client.is_closed:
                raise
            self._failures += 1
            delay = self._client.options.backoff.delay(self._failures)
            logger.warning("can't claim, trying again in %.1f s: %s", delay, error)
            await self._unless(self._stopping, asyncio.sleep(delay))
            return
        self._failures = 0
        for job in jobs:
            task = self._loop.create_task(self._work_on(job))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _next_jobs(self, count: int) -> tuple[Job, ...]:
        """Waits for jobs; none when the worker was stopped first."""
        call = calls.claim(self._types, count, _CLAIM_WAIT, self._lease)
        claim = self._loop.create_task(self._client._run(call))
        stopping = self._loop.create_task(self._stopping.wait())
        await _first(claim, stopping)
        stopping.cancel()
        if claim.done():
            return claim.result()
        self._client._withdraw(call)
        # For the client is closed soon, and jobs that are on their way must not be lost with it.
        with contextlib.suppress(JobBrokerError):
            await self._unless(self._cutting, self._give_back(claim), _LAST_WORD)
        claim.cancel()
        return ()

    async def _give_back(self, claim: asyncio.Task[tuple[Job, ...]]) -> None:
        """Returns the jobs that a withdrawn claim still brings."""
        await asyncio.wait({claim}, timeout=self._client.options.timeout)
        if claim.done():
            releases = [self._client.release(job.id, attempt=job.attempt) for job in claim.result()]
            await asyncio.gather(*releases, return_exceptions=True)

    async def _unless(self, event: asyncio.Event, work: Awaitable[T], patience: float = 0.0) -> T | None:
        """Waits for something; None when the event came first and so many seconds more were not enough."""
        task = asyncio.ensure_future(work)
        happening = self._loop.create_task(event.wait())
        await _first(task, happening)
        happening.cancel()
        await asyncio.wait({task}, timeout=patience)
        if task.done():
            return task.result()
        task.cancel()
        await asyncio.wait({task})
        return None

    async def _drain(self) -> None:
        """Lets the current jobs finish, within the grace period."""
        # Nobody may have stopped it: then it ends for an error.
        self._stop(at_once=False)
        await asyncio.gather(*self._running)

    # ------------------------------------------------------------------------------------------ working

    async def _work_on(self, job: Job) -> None:
        runner = self._runners.get(job.type) or self._runners[""]
        with AsyncHeldClaim(self._client._connection, job, self._lease, just_claimed=True) as claim:
            context = JobContext(job, lambda report: self._relay(claim, report))
            run = self._loop.create_task(_ending(runner, context))
            over = self._loop.create_task(claim.cancelled.wait())
            cut = self._loop.create_task(self._cutting.wait())
            await _first(run, over, cut)
            over.cancel()
            cut.cancel()
            if not run.done():
                reason = "the worker is stopping" if claim.revocation is None else claim.revocation.reason
                context.cancel(reason)
            was_told = context.cancelled.is_set()
            ending = self._judged(await run, was_told)
            if claim.revocation is None:
                await self._unless(self._cutting, self._tell(claim, ending), _LAST_WORD)
            else:
                logger.info("job %s was taken away: %s", job.id, claim.revocation.reason)

    def _judged(self, ending: Ending, was_told: bool) -> Ending:
        """What a handler that has just ended came to. Judged once: a worker that is cut short while it tells the broker
        changes nothing.

        :param was_told: whether the handler was told to stop.
        """
        # A signal to the whole group ends the programs that the handler has started, too.
        if isinstance(ending, Failed) and (was_told or (ending.retryable and self._stopping.is_set())):
            return Stopped()
        # Its own event loop may end, and cancel it, before this one has told it.
        if isinstance(ending, Stopped) and not self._cutting.is_set():
            return Failed("the handler cancelled itself", retryable=True)
        return ending

    def _relay(self, claim: AsyncHeldClaim, report: Report) -> None:
        """Called by the handler, from its thread."""
        self._loop.call_soon_threadsafe(self._report, claim, report)

    def _report(self, claim: AsyncHeldClaim, report: Report) -> None:
        if claim.revocation is None:
            claim.report(stage=report.stage, progress=report.progress)

    async def _tell(self, claim: AsyncHeldClaim, ending: Ending) -> None:
        """Tells the broker what became of a job, again and again as long as that may help."""
        failures = 0
        while claim.revocation is None:
            try:
                await self._send(claim.job, ending)
                return
            except _TEMPORARY as error:
                if self._client.is_closed:
                    return
                failures += 1
                logger.warning("the broker did not take the ending of job %s: %s", claim.job.id, error)
                await asyncio.sleep(self._client.options.backoff.delay(failures))
            except asyncio.CancelledError:
                logger.warning("job %s is left to its lease: the broker did not take its ending in time", claim.job.id)
                raise
            except InvalidArgument as error:
                if not isinstance(ending, Done):
                    raise
                ending = Failed(f"the handler's result was refused: {error}", retryable=False)
            except JobBrokerError as error:
                logger.warning("the broker did not take the ending of job %s: %s", claim.job.id, error)
                return

    async def _send(self, job: Job, ending: Ending) -> None:
        if isinstance(ending, Done):
            await self._client._run(calls.complete_with_text(job.id, ending.result, job.attempt))
        elif isinstance(ending, Failed):
            await self._client.fail(job.id, ending.error, retryable=ending.retryable, attempt=job.attempt)
        else:
            await self._client.release(job.id, attempt=job.attempt)


async def _ending(runner: Runner, context: JobContext) -> Ending:
    """Runs a handler. What runs it may break, too."""
    try:
        return await asyncio.wrap_future(runner.start(context))
    except Exception as error:
        return ending_of_exception(error)


async def _first(*futures: asyncio.Future[Any]) -> None:
    """Waits for the first of several."""
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
