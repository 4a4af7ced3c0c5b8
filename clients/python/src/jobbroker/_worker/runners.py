"""Where handlers run: in a thread, on an event loop, or in a process. Each run is a future of its ending; its context's
``cancel`` tells it to stop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Callable, Optional, Protocol

from ..context import JobContext
from .ending import Ending, Stopped, ending_of_exception, ending_of_result
from .processes import ProcessPool

Result = Optional[Mapping[str, Any]]
Function = Callable[[JobContext], Result]
Coroutine = Callable[[JobContext], Awaitable[Result]]


class Runner(Protocol):
    """Runs one handler."""

    def start(self, context: JobContext) -> Future[Ending]:
        """Begins a run."""


class FunctionRunner:
    """Calls a plain function in a thread. Nothing stops it but its own look at ``cancelled``, or its next report. What
    it returns may be awaited, as with a decorated coroutine function: then it runs on as a coroutine."""

    def __init__(
        self,
        function: Callable[[JobContext], Result | Awaitable[Result]],
        threads: ThreadPoolExecutor,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._function = function
        self._threads = threads
        self._loop = loop

    def start(self, context: JobContext) -> Future[Ending]:
        return self._threads.submit(self._run, context)

    def _run(self, context: JobContext) -> Ending:
        try:
            result = self._function(context)
            if inspect.isawaitable(result):
                return CoroutineRunner(lambda _: result, self._loop).start(context).result()
            return ending_of_result(result)
        except BaseException as error:
            return ending_of_exception(error)


class ProcessRunner:
    """Calls a plain function in a process of its own; a thread waits for it."""

    def __init__(self, function: Function, threads: ThreadPoolExecutor, processes: ProcessPool) -> None:
        self._function = function
        self._threads = threads
        self._processes = processes

    def start(self, context: JobContext) -> Future[Ending]:
        return self._threads.submit(self._processes.run, self._function, context)


class CoroutineRunner:
    """Runs a coroutine function as a task of an event loop; cancelling it cancels the task."""

    def __init__(self, function: Coroutine, loop: asyncio.AbstractEventLoop) -> None:
        self._function = function
        self._loop = loop

    def start(self, context: JobContext) -> Future[Ending]:
        ending: Future[Ending] = Future()
        self._loop.call_soon_threadsafe(self._begin, context, ending)
        return ending

    def _begin(self, context: JobContext, ending: Future[Ending]) -> None:
        task = self._loop.create_task(self._run(context))

        def done(task: asyncio.Task[Ending]) -> None:
            try:
                ending.set_result(task.result())
            except asyncio.CancelledError:
                ending.set_result(Stopped())
            except Exception as error:
                ending.set_exception(error)

        task.add_done_callback(done)

        def cancel(_: str) -> None:
            self._loop.call_soon_threadsafe(task.cancel)

        context.on_cancel(cancel)

    async def _run(self, context: JobContext) -> Ending:
        try:
            return ending_of_result(await self._function(context))
        except asyncio.CancelledError:
            return Stopped()
        except BaseException as error:
            return ending_of_exception(error)
