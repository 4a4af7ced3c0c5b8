"""What a handler knows of its job."""

from __future__ import annotations

import threading
from typing import Any, Callable

from ._core.claims import Report
from .errors import JobCancelled
from .models import UNSET, Job, Unset


class JobContext:
    """The job a handler works on, and how it reports. Any of its threads may use it."""

    def __init__(self, job: Job, send: Callable[[Report], None]) -> None:
        self.job = job
        """The job as it was claimed."""
        self.cancelled = threading.Event()
        """Set when the job was taken away (cancelled, reaped, lost), or when the worker is stopping and can't wait any
        longer: what the handler still does counts for nothing."""
        self._send = send
        self._reason = ""
        self._on_cancel: Callable[[str], None] | None = None
        self._lock = threading.Lock()

    @property
    def metadata(self) -> dict[str, Any]:
        """What the producer said of the job."""
        return self.job.metadata or {}

    def report(self, *, stage: str | Unset | None = UNSET, progress: float | None = None) -> None:
        """Says what the handler is doing. Returns at once: reports that come faster than the broker answers are
        merged, the latest wins.

        :param stage: at most 256 bytes; None clears it.
        :param progress: 0 to 100 within the stage.
        :raises JobCancelled: ``cancelled`` is set.
        :raises InvalidArgument:
        """
        report = Report(stage, progress)
        self.raise_if_cancelled()
        self._send(report)

    def raise_if_cancelled(self) -> None:
        """Ends the handler of a job that was taken away.

        :raises JobCancelled: ``cancelled`` is set.
        """
        if self.cancelled.is_set():
            raise JobCancelled(self._reason)

    def cancel(self, reason: str) -> None:
        """Sets ``cancelled``. The worker does this."""
        with self._lock:
            self._reason = reason
            self.cancelled.set()
            if self._on_cancel is not None:
                self._on_cancel(reason)

    def on_cancel(self, action: Callable[[str], None] | None) -> None:
        """Sets what ``cancel`` does besides: at once when it has been called. The worker does this."""
        with self._lock:
            self._on_cancel = action
            if action is not None and self.cancelled.is_set():
                action(self._reason)
