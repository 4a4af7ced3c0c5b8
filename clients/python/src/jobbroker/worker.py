"""Claims jobs and runs a handler for each."""

from __future__ import annotations

import asyncio
import inspect
import signal
import threading
from collections.abc import Awaitable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Callable, TypeVar, Union, cast

from ._worker.engine import Engine
from ._worker.processes import ProcessPool
from ._worker.runners import Coroutine, CoroutineRunner, Function, FunctionRunner, ProcessRunner, Result, Runner
from .aio import AsyncClient
from .context import JobContext
from .options import Backoff

HandlerFunction = Callable[[JobContext], Union[Result, Awaitable[Result]]]
H = TypeVar("H", bound=HandlerFunction)


class Worker:
    """Claims jobs by a blocking call and runs a handler for each::

        worker = Worker(concurrency=4)

        @worker.handler("ingest")
        def ingest(context: JobContext) -> dict[str, object]:
            context.report(stage="downloading", progress=40)
            return {"seconds": 12.5}

        worker.run()

    A plain function runs in a thread, a coroutine function on the event loop of ``run_async`` (or of ``run``), and with
    ``process=True`` a plain function in a process of its own, for work that keeps a CPU busy.

    What a handler comes to:

    - it returns: the job is complete, with that JSON object, or None, as its result;
    - it raises PermanentFailure: the job fails;
    - it raises anything else: the job fails retryably, for most errors that no one foresaw do not last;
    - its job is taken away: its context's ``cancelled`` is set, its next report raises JobCancelled, a coroutine is
      cancelled, a process is killed if it does not end. Nothing of it is told the broker any more;
    - the worker is stopping and can't wait any longer: the same, but the job is given back once the handler has ended.

    Heartbeats come from a thread of the worker's own, whatever the handlers do.
    """

    def __init__(
        self,
        socket_path: str | None = None,
        *,
        name: str | None = None,
        concurrency: int = 1,
        lease: float = 30.0,
        grace: float = 30.0,
        kill_grace: float = 5.0,
        backoff: Backoff = Backoff(),
    ) -> None:
        """A worker; it connects when it runs, and waits for a broker that is not there yet.

        :param socket_path: as for :class:`Client`.
        :param name: the name under which its claims are shown; None: program and process id.
        :param concurrency: how many jobs it works on at a time.
        :param lease: how many seconds a job stays claimed when this worker falls silent, 0.01 to 604,800.
        :param grace: how many seconds the current jobs may go on when it stops; then their handlers are told to end.
        :param kill_grace: how many seconds a handler in a process has to end when told to; then it is killed.
        """
        if concurrency < 1:
            raise ValueError(f"concurrency is {concurrency}; it must be 1 or more")
        self._client = AsyncClient(socket_path, worker_name=name, wait_for_broker=True, backoff=backoff)
        self._concurrency = concurrency
        self._lease = lease
        self._grace = grace
        self._kill_grace = kill_grace
        self._handlers: dict[str, tuple[HandlerFunction, bool]] = {}
        self._engine: Engine | None = None
        self._stops = 0
        self._lock = threading.Lock()

    def handler(self, *types: str, process: bool = False) -> Callable[[H], H]:
        """Makes a function the handler of jobs of these types; without a type, of those that no other handler takes.

        :param process: runs it in a process of its own. It must be a plain function that the process can import: of a
            module's top level, in a module whose ``worker.run()`` is under ``if __name__ == "__main__"``.
        """

        def register(function: H) -> H:
            if process and _is_coroutine_function(function):
                raise TypeError("a handler in a process of its own is a plain function")
            for type in types or ("",):
                if type in self._handlers:
                    raise ValueError(f"there is a handler of {type or 'any type'} already")
                self._handlers[type] = (function, process)
            return function

        return register

    def run(self) -> None:
        """Works until SIGTERM or SIGINT: then it takes no new jobs and finishes the current ones, as far as the grace
        period allows. A second signal gives them back at once. For the main thread; elsewhere nothing but ``stop``
        ends it.

        :raises JobBrokerError: what makes claiming pointless: InvalidArgument, PermissionDenied, Unsupported.
        """
        asyncio.run(self._run_with_signals())

    async def run_async(self) -> None:
        """Works until ``stop``, as ``run``. Cancelling it gives the current jobs back at once; it returns when their
        handlers have ended."""
        if not self._handlers:
            raise ValueError("a worker needs a handler")
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._engine is not None:
                raise RuntimeError("the worker is running already")
            threads = ThreadPoolExecutor(self._concurrency, "jobbroker-handler")
            processes = ProcessPool(self._kill_grace)
            engine = self._engine = Engine(
                self._client,
                {type: self._runner(*handler, loop, threads, processes) for type, handler in self._handlers.items()},
                self._concurrency,
                self._lease,
                self._grace,
            )
            if self._stops:
                engine.stop(at_once=self._stops > 1)
        ended: Future[None] = Future()
        waiting = asyncio.wrap_future(ended)
        own = threading.Thread(target=engine.run, args=(ended,), name="jobbroker-worker")
        own.start()
        cancellation: asyncio.CancelledError | None = None
        while not waiting.done():
            try:
                await asyncio.shield(waiting)
            except asyncio.CancelledError as error:
                cancellation = error
                engine.stop(at_once=True)
            except Exception:
                break
        own.join()
        threads.shutdown()
        processes.close()
        with self._lock:
            self._engine = None
            self._stops = 0
        if cancellation is not None:
            raise cancellation
        waiting.result()

    async def _run_with_signals(self) -> None:
        loop = asyncio.get_running_loop()
        # Elsewhere Python does not let a program handle signals.
        in_main_thread = threading.current_thread() is threading.main_thread()
        signals = [signal.SIGTERM, signal.SIGINT] if in_main_thread else []
        for number in signals:
            loop.add_signal_handler(number, self.stop)
        try:
            await self.run_async()
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    def _runner(
        self,
        function: HandlerFunction,
        process: bool,
        loop: asyncio.AbstractEventLoop,
        threads: ThreadPoolExecutor,
        processes: ProcessPool,
    ) -> Runner:
        # What it returns was looked at; its type can't tell.
        if _is_coroutine_function(function):
            return CoroutineRunner(cast(Coroutine, function), loop)
        if process:
            return ProcessRunner(cast(Function, function), threads, processes)
        return FunctionRunner(function, threads, loop)

    def stop(self) -> None:
        """Takes no new jobs and finishes the current ones; the second time, gives them back at once. Any thread may
        call it."""
        with self._lock:
            self._stops += 1
            if self._engine is not None:
                self._engine.stop(at_once=self._stops > 1)


def _is_coroutine_function(function: HandlerFunction) -> bool:
    # An object that is called is none itself.
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
