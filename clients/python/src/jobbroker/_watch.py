"""Watches of the blocking client."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from ._core.call import Call
from ._core.watches import Feed
from ._threads import ThreadedSession
from .errors import JobBrokerError, Unavailable
from .models import WatchEvent

if TYPE_CHECKING:
    from .client import Client


class Watch:
    """The jobs a watch covers, as they change: first a snapshot, then every change, with no gap between. An iterator,
    for one reader, to be used with ``with``. Made by ``Client.watch``."""

    def __init__(
        self, client: Client, threads: ThreadedSession, request: Call[None], deadline: float | None = None
    ) -> None:
        """Begins it, before the deadline if there is one."""
        self._client = client
        """Kept, for the connection ends with it."""
        self._threads = threads
        self._arrival = threading.Condition(threads.lock)
        self._feed = Feed(request, self._arrival.notify_all)
        self._is_closed = False
        try:
            threads.run(request, lambda: threads.session.watches.open(self._feed), deadline)
        except BaseException:
            self.close()
            raise

    def next(self, timeout: float | None = None) -> WatchEvent:
        """The next event.

        :param timeout: how many seconds to wait for it; None: for ever.
        :raises TimeoutError: there was none in that time.
        :raises JobBrokerError: there will be no more; Unavailable when client or watch were closed.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            event = self._threads.do(lambda: self._threads.session.watches.read(self._feed))
            if isinstance(event, JobBrokerError):
                raise event
            if event is not None:
                return event
            with self._arrival:
                if not self._feed.has_news:
                    left = None if deadline is None else deadline - time.monotonic()
                    if left is not None and left <= 0:
                        raise TimeoutError(f"no event within {timeout} s")
                    self._arrival.wait(left)

    def close(self) -> None:
        """Ends the watch, and its reader's iteration."""
        self._is_closed = True
        self._threads.do(lambda: self._threads.session.watches.close(self._feed))

    def __iter__(self) -> Iterator[WatchEvent]:
        return self

    def __next__(self) -> WatchEvent:
        try:
            return self.next()
        except Unavailable:
            if self._is_closed:
                raise StopIteration from None
            raise

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
