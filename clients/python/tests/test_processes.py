"""What a worker's child processes do, without a worker."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys

import process_handlers
import pytest
from scripted import JOB

from jobbroker import JobContext
from jobbroker._core.replies import read_job
from jobbroker._proto import jobbroker_pb2 as pb
from jobbroker._worker.ending import Stopped
from jobbroker._worker.processes import _Child, _Runs


class ShortRuns(_Runs):
    """Runs of which each is over as soon as it was looked at; it must not be changed without the lock."""

    _current: JobContext | None = None

    @property
    def _context(self) -> JobContext | None:
        context, self._current = self._current, None
        return context

    @_context.setter
    def _context(self, context: JobContext | None) -> None:
        assert context is None or self._lock.locked()
        self._current = context


@pytest.mark.parametrize("kind", [_Runs, ShortRuns])
def test_a_cancellation_that_comes_before_its_job_runs_is_heard(
    monkeypatch: pytest.MonkeyPatch, kind: type[_Runs]
) -> None:
    parent, child = multiprocessing.Pipe()
    parent.send((process_handlers.wait, read_job(pb.Job(**JOB))))
    parent.send("it was cancelled")
    with socket.socket(fileno=os.dup(parent.fileno())) as sending:
        sending.shutdown(socket.SHUT_WR)
    runs = kind(child)
    monkeypatch.setattr(os, "_exit", sys.exit)
    with pytest.raises(SystemExit):
        runs.listen()
    runs._run(*runs._arrivals.get())
    assert parent.recv() == Stopped()
    parent.close()
    child.close()


def test_a_process_is_ended_that_does_not_end_by_itself() -> None:
    child = _Child()
    assert child._process.pid is not None
    os.kill(child._process.pid, signal.SIGSTOP)
    assert child.end() == "the handler's process was killed by SIGKILL"
