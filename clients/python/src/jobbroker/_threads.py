"""Runs a session for blocking callers. They write and, one at a time, read the socket themselves; a thread of its own
reads while none of them does, and keeps the time."""

from __future__ import annotations

import select
import threading
import time
from typing import Any, Callable, TypeVar

from ._core.call import Call
from ._core.link import Link
from ._core.session import Session
from ._reader import Alarm, Reader

T = TypeVar("T")

_READ = select.EPOLLIN
_READ_AND_WRITE = select.EPOLLIN | select.EPOLLOUT


class ThreadedSession:
    """A session that any number of threads may use. ``lock`` guards it.

    To hand a reply from a thread to the caller that waits for it costs more than all the rest of a call. So a caller
    that finds no other one reading takes the socket out of the thread's sight and reads, whatever comes, until its own
    reply is there; then it puts the socket back. Neither wakes the thread.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.lock = threading.Lock()
        self._link = Link(session, forget=self._forget, forked=self._forked)
        self._thread: threading.Thread | None = None
        self._alarm = Alarm()
        """Wakes the thread."""
        self._epoll = select.epoll()
        """What the thread waits for. May be changed while it does."""
        self._epoll.register(self._alarm, select.EPOLLIN)
        self._watched = 0
        """What the thread waits for at the socket; 0: it does not see it."""
        self._sleeps_until: float | None = None
        self._is_changing = False
        """Whether a caller is in the midst of changing what the lock guards, or was interrupted there."""
        self._reader: Reader | None = None
        """The caller that reads; None: the thread does."""
        self._idle_readers: list[Reader] = []
        self._is_left = False
        """Nobody knows the session any more."""

    def start(self) -> None:
        """Starts the thread. It does not keep the process alive."""
        self._thread = threading.Thread(target=self._run, name="jobbroker-client", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the session and the thread."""
        self.do(self.session.close)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def leave(self) -> None:
        """Lets the thread end the session. For the garbage collector: it calls from any thread at any moment, even from
        one that holds the lock."""
        self._is_left = True
        # Else it is the thread that has it, for nobody else is left; and it looks before it sleeps.
        if self.lock.acquire(blocking=False):
            self._alarm.ring()
            self.lock.release()

    # ------------------------------------------------------------------------------------------ callers

    def do(self, action: Callable[[], T]) -> T:
        """Does something with the session, which must not raise, and sees to what it wants then."""
        with self.lock:
            self._is_changing = True
            try:
                result = action()
                self._settle()
                self._is_changing = False
            except BaseException:
                self._recover()
                raise
        return result

    def run(self, call: Call[T], start: Callable[[], None] | None = None, deadline: float | None = None) -> T:
        """Makes a call and waits for its outcome. ``start`` begins it when submitting it is not what does; at the
        ``deadline`` it has gone unanswered for too long, whatever time it has otherwise."""
        try:
            with self.lock:
                self._is_changing = True
                # First, lest the thread see the reply.
                reader = self._begin_reading()
                if start is None:
                    self.session.submit(call)
                else:
                    start()
                if deadline is not None:
                    call.deadline = deadline if call.deadline is None else min(call.deadline, deadline)
                self._settle()
                self._is_changing = False
            if reader is not None:
                self._read(reader, call)
            if call.outcome is None:
                self._wait(call)
        except BaseException:
            self._give_up(call)
            raise
        return call.result()

    def _wait(self, call: Call[Any]) -> None:
        """Waits until whoever reads has taken in the reply, or the call's time is over."""
        waiter = threading.Lock()
        waiter.acquire()
        with self.lock:
            if call.is_done:
                return
            call.on_done = lambda _: waiter.release()
        if call.deadline is None:
            waiter.acquire()
        elif not waiter.acquire(timeout=max(0.0, call.deadline - time.monotonic())):
            self.do(lambda: self.session.expire(call))

    def _give_up(self, call: Call[Any]) -> None:
        with self.lock:
            if self._reader is not None and self._reader.is_this_thread:
                self._end_reading()
            self.session.abandon(call, "the caller was interrupted")
            self._recover()

    def _recover(self) -> None:
        """Begins a new connection if Ctrl-C came in the midst of a change: what came may be lost, and half be sent."""
        if self._is_changing:
            self._is_changing = False
            self.session.lost("the client was interrupted while it read or wrote")
        self._settle()

    def _begin_reading(self) -> Reader | None:
        """Makes the calling thread the reader, if it may be."""
        if self._reader is not None:
            if not self._reader.is_this_thread:
                return None
            # A signal's handler makes a call while the one that it interrupted is reading.
            self._end_reading()
        peer = self._link.socket
        if peer is None or not self.session.is_ready:
            return None
        try:
            reader = self._idle_readers.pop() if self._idle_readers else Reader()
        except OSError:
            # There is no descriptor left for it.
            return None
        reader.begin(peer)
        self._reader = reader
        self._watch_socket()
        return reader

    def _read(self, reader: Reader, call: Call[Any]) -> None:
        """Reads until the call is done, or its time or the reader's turn is over."""
        while True:
            left = None if call.deadline is None else call.deadline - time.monotonic()
            is_late = left is not None and left <= 0
            if call.outcome is None and not is_late:
                reader.wait(left)
            with self.lock:
                if self._reader is reader:
                    self._is_changing = True
                    self._link.on_readable()
                    if call.outcome is not None or is_late:
                        self._reader = None
                    self._settle()
                    self._is_changing = False
                if self._reader is not reader:
                    return self._put_back(reader)

    def _put_back(self, reader: Reader) -> None:
        """Keeps a reader whose turn is over for the next caller."""
        reader.alarm.silence()
        if self.session.ending is None:
            self._idle_readers.append(reader)
        else:
            reader.alarm.close()

    def _end_reading(self) -> None:
        """The reader's turn is over."""
        if self._reader is not None:
            self._reader.alarm.ring()
            self._reader = None

    # ------------------------------------------------------------------------------------------ the thread

    def _run(self) -> None:
        ready: Any = ()
        while True:
            with self.lock:
                for descriptor, _ in ready:
                    if descriptor == self._alarm.fileno():
                        self._alarm.silence()
                    elif self._watched:
                        self._link.on_readable()
                self.session.run_timers()
                if self._is_left:
                    self.session.close()
                self._do_what_is_wanted()
                if self.session.ending is not None:
                    return self._end()
                timer = self._sleeps_until = self.session.next_timer()
            patience = None if timer is None else max(0.0, timer - time.monotonic())
            ready = self._epoll.poll(0 if self._is_left else patience)

    def _do_what_is_wanted(self) -> None:
        self._link.settle()
        if self._link.unsent:
            self._end_reading()
        self._watch_socket()

    def _settle(self) -> None:
        """Does what the session wants, and wakes the thread for what it does not know of."""
        self._do_what_is_wanted()
        timer = self.session.next_timer()
        if self.session.ending is not None or (
            timer is not None and (self._sleeps_until is None or timer < self._sleeps_until)
        ):
            self._alarm.ring()

    def _watch_socket(self) -> None:
        """Lets the thread see the socket, or not."""
        peer = self._link.socket
        if peer is None:
            return
        wanted = 0 if self._reader is not None else _READ_AND_WRITE if self._link.unsent else _READ
        if wanted == self._watched:
            return
        # First the note: Ctrl-C is raised when a call has returned, and must not come between the two.
        watched, self._watched = self._watched, wanted
        if not watched:
            self._epoll.register(peer, wanted)
        elif not wanted:
            self._epoll.unregister(peer)
        else:
            self._epoll.modify(peer, wanted)

    def _forget(self, descriptor: int) -> None:
        # Its number may be another's as soon as it is closed.
        self._end_reading()
        if self._watched:
            self._watched = 0
            self._epoll.unregister(descriptor)

    def _forked(self) -> None:
        # In the child another thread, which is not there, may have held the lock for ever. And what is polled is the
        # parent's.
        self.lock = threading.Lock()
        self._watched = 0
        self._reader = None
        self._end()

    def _end(self) -> None:
        self._epoll.close()
        self._alarm.close()
        for reader in self._idle_readers:
            reader.alarm.close()
        self._idle_readers.clear()
