"""Runs a session for blocking callers: they write, one thread of its own reads and keeps the time."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from typing import Any, Callable, TypeVar

from ._core.call import Call
from ._core.link import Link
from ._core.session import Session

T = TypeVar("T")

_NOTHING = (-1, 0)
"""No descriptor to poll, and what it is polled for."""


class ThreadedSession:
    """A session that any number of threads may use. ``lock`` guards it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.lock = threading.Lock()
        self._poll = select.poll()
        self._wake_read, self._wake_write = os.pipe()
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)
        self._poll.register(self._wake_read, select.POLLIN)
        self._link = Link(session, forget=self._forget, forked=self._forked)
        self._polled = _NOTHING
        self._sleeps_until: float | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the thread. It does not keep the process alive."""
        self._thread = threading.Thread(target=self._run, name="jobbroker-client", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the session and the thread."""
        self.do(self.session.close)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    # ------------------------------------------------------------------------------------------ callers

    def do(self, action: Callable[[], T]) -> T:
        """Does something with the session, and sees to what it wants then."""
        with self.lock:
            result = action()
            self._link.settle()
            self._wake_if_needed()
        return result

    def run(self, call: Call[T], start: Callable[[], None] | None = None) -> T:
        """Makes a call and waits for its outcome. ``start`` begins it when submitting it is not what does."""
        waiter = threading.Lock()
        waiter.acquire()
        call.on_done = lambda _: waiter.release()
        self.do(start or (lambda: self.session.submit(call)))
        try:
            if call.deadline is None:
                waiter.acquire()
            elif not waiter.acquire(timeout=max(0.0, call.deadline - time.monotonic())):
                self.do(lambda: self.session.expire(call))
        except BaseException:
            self.do(lambda: self.session.abandon(call, "the caller was interrupted"))
            raise
        return call.result()

    def _wake_if_needed(self) -> None:
        """The thread sleeps until something it knows of happens: tells it what it does not know of."""
        timer = self.session.next_timer()
        if (
            self.session.ending is not None
            or self._to_poll() != self._polled
            or (timer is not None and (self._sleeps_until is None or timer < self._sleeps_until))
        ):
            self._wake()

    def _wake(self) -> None:
        # The pipe is full, so the thread will wake; or closed, so it has ended.
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b"\0")

    # ------------------------------------------------------------------------------------------ the thread

    def _run(self) -> None:
        ready: Any = ()
        while True:
            with self.lock:
                for descriptor, _ in ready:
                    if descriptor == self._wake_read:
                        os.read(self._wake_read, 4096)
                    elif descriptor == self._polled[0]:
                        self._link.on_readable()
                self.session.run_timers()
                self._link.settle()
                if self.session.ending is not None:
                    return self._end()
                self._polled = self._to_poll()
                if self._polled != _NOTHING:
                    self._poll.register(*self._polled)
                timer = self._sleeps_until = self.session.next_timer()
            # Rounded up: a poll that ends just before its time would be one too many.
            patience = None if timer is None else max(0, int((timer - time.monotonic()) * 1000) + 1)
            ready = self._poll.poll(patience)

    def _to_poll(self) -> tuple[int, int]:
        socket = self._link.socket
        if socket is None:
            return _NOTHING
        return socket.fileno(), select.POLLIN | (select.POLLOUT if self._link.wants_write else 0)

    def _forget(self, descriptor: int) -> None:
        if descriptor == self._polled[0]:
            self._poll.unregister(descriptor)
            self._polled = _NOTHING

    def _forked(self) -> None:
        # In the child another thread, which is not there, may have held the lock for ever.
        self.lock = threading.Lock()
        self._end()

    def _end(self) -> None:
        if self._wake_read >= 0:
            os.close(self._wake_read)
            os.close(self._wake_write)
        self._wake_read = self._wake_write = -1
