"""Child processes for CPU-bound handlers: each works on one job at a time, and is used again."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Mapping
from multiprocessing.connection import Connection, wait
from typing import Any, Callable, Optional

from .._core.claims import Report
from ..context import JobContext
from ..models import Job
from .ending import Ending, Failed, Stopped, ending_of_exception, ending_of_result

Function = Callable[[JobContext], Optional[Mapping[str, Any]]]

_LOOK = 1.0
"""Seconds between two looks at a process whose death nothing tells of."""


class ProcessPool:
    """As many child processes as there were jobs at a time."""

    def __init__(self, kill_grace: float) -> None:
        self._kill_grace = kill_grace
        """Seconds that a process has to end its job when told to; then it is killed."""
        self._idle: list[_Child] = []
        self._lock = threading.Lock()

    def run(self, function: Function, context: JobContext) -> Ending:
        """Runs a function in a process, and waits for its ending."""
        child = self._take_idle()
        try:
            child = child or _Child()
            ending = child.run(function, context, self._kill_grace)
        except EOFError:
            assert child is not None
            # Its own death explains more than what it would have said.
            death = child.end()
            return Stopped() if context.cancelled.is_set() else Failed(death, retryable=True)
        except BaseException as error:
            if child is not None:
                child.end()
            return ending_of_exception(error)
        with self._lock:
            self._idle.append(child)
        return ending

    def _take_idle(self) -> _Child | None:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.is_alive:
                    return child
                child.end()
        return None

    def close(self) -> None:
        """Ends the idle processes."""
        while self._idle:
            self._idle.pop().end()


class _Child:
    """A child process, seen by its parent."""

    def __init__(self) -> None:
        # A fork of a process with threads and a connection to the broker would be a copy of both.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), name="jobbroker-handler")
        self._process.start()
        theirs.close()
        assert self._process.pid is not None
        self._pidfd = _pidfd_of(self._process.pid)

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def run(self, function: Function, context: JobContext, kill_grace: float) -> Ending:
        """Runs a function.

        :raises EOFError: the process died.
        """
        killing = threading.Timer(kill_grace, self._process.kill)

        def interrupt(reason: str) -> None:
            killing.start()
            # It may be dying already.
            with contextlib.suppress(OSError):
                self._connection.send(reason)

        self._connection.send((function, context.job))
        context.on_cancel(interrupt)
        try:
            while True:
                message = self._receive()
                if not isinstance(message, Report):
                    ending: Ending = message
                    return ending
                if not context.cancelled.is_set():
                    context.report(stage=message.stage, progress=message.progress)
        finally:
            context.on_cancel(None)
            killing.cancel()

    def _receive(self) -> Any:
        """The next message. What the handler has forked keeps the connection open, so the process is watched, too.

        :raises EOFError: the process died.
        """
        is_dead = False
        while not self._connection.poll():
            if is_dead:
                raise EOFError
            # If so, the connection is looked at once more, for what it said before it died.
            if self._pidfd is None:
                wait([self._connection], _LOOK)
                is_dead = not self.is_alive
            else:
                is_dead = self._pidfd in wait([self._connection, self._pidfd])
        try:
            return self._connection.recv()
        except ConnectionResetError:
            raise EOFError from None

    def end(self) -> str:
        """Ends the process, which has nothing to do, or is dead; says what became of it."""
        self._connection.close()
        # It may have closed its end and live on. One that is dying keeps its own cause of death.
        self._process.kill()
        self._process.join()
        if self._pidfd is not None:
            os.close(self._pidfd)
        code = self._process.exitcode or 0
        what = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
        return f"the handler's process {what}"


def _pidfd_of(pid: int) -> int | None:
    """A descriptor that is readable once the process is dead; None where there is no such thing."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


# ---------------------------------------------------------------------------------------------- in the child


def _serve(connection: Connection) -> None:
    """What a child process does: runs what it is sent until its parent is gone."""
    _leave_signals_to_parent()
    runs = _Runs(connection)
    threading.Thread(target=runs.listen, daemon=True).start()
    runs.work()


def _leave_signals_to_parent() -> None:
    """A terminal, or a service manager, signals all processes at once: the parent decides. What a handler starts is its
    own, and hears them: a program, which does not inherit a function as it does SIG_IGN, and a fork."""
    usual = {number: signal.signal(number, lambda number, frame: None) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in usual.items():
            signal.signal(number, handler)

    os.register_at_fork(after_in_child=restore)


class _Runs:
    """The runs of a child process: the main thread works, another listens to the parent."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        """Guards the connection's sending side and the present run."""
        self._arrivals: queue.Queue[tuple[Function, JobContext]] = queue.Queue()
        self._context: JobContext | None = None

    def listen(self) -> None:
        while True:
            try:
                message = self._connection.recv()
            except (EOFError, OSError):
                # Whatever the handler does now, nobody will hear of it.
                os._exit(0)
            except BaseException as error:
                # The function can't be imported here.
                self._end(ending_of_exception(error))
                continue
            if not isinstance(message, str):
                self._arrive(*message)
            else:
                self._cancel(message)

    def _arrive(self, function: Function, job: Job) -> None:
        # Here, for the reason to stop may be the next message.
        context = JobContext(job, lambda report: self._report(context, report))
        with self._lock:
            self._context = context
        self._arrivals.put((function, context))

    def _cancel(self, reason: str) -> None:
        with self._lock:
            context = self._context
        # Its run may be over by now.
        if context is not None:
            context.cancel(reason)

    def work(self) -> None:
        while True:
            self._run(*self._arrivals.get())

    def _run(self, function: Function, context: JobContext) -> None:
        try:
            ending = ending_of_result(function(context))
        except BaseException as error:
            ending = ending_of_exception(error)
        self._end(ending)

    def _report(self, context: JobContext, report: Report) -> None:
        with self._lock:
            # A thread that a handler left behind must not speak of the next job.
            if self._context is context:
                self._connection.send(report)

    def _end(self, ending: Ending) -> None:
        with self._lock:
            self._context = None
            self._connection.send(ending)
