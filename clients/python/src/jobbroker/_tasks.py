"""Runs a session on an asyncio event loop."""

from __future__ import annotations

import asyncio
from typing import Callable, TypeVar

from ._core.call import Call
from ._core.link import Link
from ._core.session import Session

T = TypeVar("T")


class AsyncSession:
    """A session that the tasks of one event loop may use."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.loop = asyncio.get_running_loop()
        self._link = Link(session, forget=self._forget)
        self._read = 0
        """The descriptor that is watched for reading, if any; and for writing."""
        self._written = 0
        self._will_settle = False
        self._timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[object] | None = None
        self._openers = 0
        """Who waits for the welcome, or has got it."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether it belongs to another event loop than the running one."""
        try:
            return asyncio.get_running_loop() is not self.loop
        except RuntimeError:
            return self.loop.is_closed()

    async def open(self) -> None:
        """Connects and waits for the welcome, which all that call this share."""
        if self._opening is None:
            self._opening = self.loop.create_task(self.run(self.session.hello, start=self.session.open))
        self._openers += 1
        try:
            await asyncio.shield(self._opening)
        except BaseException:
            self._openers -= 1
            if not self._openers:
                self._opening.cancel()
                self.stop()
            raise

    def do(self, action: Callable[[], T]) -> T:
        """Does something with the session, and sees to what it wants before this turn of the loop is over: what
        several tasks send in one turn goes out together."""
        result = action()
        if not self._will_settle:
            self._will_settle = True
            self.loop.call_soon(self._settle)
        return result

    async def run(self, call: Call[T], start: Callable[[], None] | None = None) -> T:
        """Makes a call and waits for its outcome. ``start`` begins it when submitting it is not what does."""
        done: asyncio.Future[None] = self.loop.create_future()
        call.on_done = lambda _: None if done.done() else done.set_result(None)
        self.do(start or (lambda: self.session.submit(call)))
        # It may have ended before there was anybody to tell.
        if call.is_done and not done.done():
            done.set_result(None)
        patience = None
        if call.deadline is not None:
            patience = self.loop.call_at(call.deadline, self._expire, call)
        try:
            await done
        except asyncio.CancelledError:
            self.do(lambda: self.session.abandon(call, "the calling task was cancelled"))
            raise
        finally:
            if patience is not None:
                patience.cancel()
        return call.result()

    def stop(self) -> None:
        """Ends the session; from another event loop: soon."""
        if not self.is_elsewhere:
            self.session.close()
            self._settle()
        elif self.session.ending is None:
            try:
                self.loop.call_soon_threadsafe(self.stop)
            except RuntimeError:
                # That loop is closed: nobody there can be told, but the broker is to know.
                self._link.disown("the event loop of this client is closed")

    def _expire(self, call: Call[T]) -> None:
        self.do(lambda: self.session.expire(call))

    def _settle(self) -> None:
        self._will_settle = False
        self._link.settle()
        socket = self._link.socket
        if socket is not None:
            descriptor = socket.fileno()
            if self._read != descriptor:
                self.loop.add_reader(descriptor, self._readable)
                self._read = descriptor
            if bool(self._link.unsent) != bool(self._written):
                if self._written:
                    self.loop.remove_writer(descriptor)
                else:
                    self.loop.add_writer(descriptor, self._settle)
                self._written = descriptor if self._link.unsent else 0
        self._set_timer()

    def _set_timer(self) -> None:
        due = self.session.next_timer()
        if self._timer is not None and self._timer.when() != due:
            self._timer.cancel()
            self._timer = None
        if self._timer is None and due is not None:
            self._timer = self.loop.call_at(due, self._run_timers)

    def _run_timers(self) -> None:
        self._timer = None
        self.session.run_timers()
        self._settle()

    def _readable(self) -> None:
        self._link.on_readable()
        self._settle()

    def _forget(self, descriptor: int) -> None:
        if self._read:
            self.loop.remove_reader(descriptor)
        if self._written:
            self.loop.remove_writer(descriptor)
        self._read = self._written = 0
